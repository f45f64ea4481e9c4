//! Pages: no scripts, nothing from elsewhere, every text escaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

use super::answer::Answer;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
button{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}fieldset{margin:1rem 0}";

/// A page with its headers: nothing is loaded, nothing runs, nobody may frame it.
pub(crate) fn html(status: StatusCode, title: &str, body: &str) -> Answer {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
         </body>\n</html>\n",
        title = escape(title)
    );
    let mut answer = Answer::empty(status)
        .with(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(REFERRER_POLICY, HeaderValue::from_static("same-origin"))
        .with(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
        .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer = answer.with(CONTENT_SECURITY_POLICY, policy);
    }
    answer.body = text.into_bytes();
    answer
}

/// 400: the request cannot be answered anywhere else.
pub(crate) fn problem(problem: &str) -> Answer {
    html(
        StatusCode::BAD_REQUEST,
        "This does not work",
        &format!("<p role=\"alert\">{}</p>\n", escape(problem)),
    )
}

/// A few words after a decision.
pub(crate) fn message(title: &str, text: &str) -> Answer {
    html(StatusCode::OK, title, &format!("<p role=\"status\">{}</p>\n", escape(text)))
}

/// For texts and for attributes in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        let page = problem("<script>'\"&</script>");
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains("&lt;script&gt;&#39;&quot;&amp;&lt;/script&gt;") && !text.contains("<script"));
    }
}
