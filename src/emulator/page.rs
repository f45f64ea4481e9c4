//! The pages for people: consent, device, and what went wrong. No scripts; every text is escaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::grants::{Pending, What};
use super::state::LiveTenant;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
button{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}fieldset{margin:1rem 0}";

/// A page with its headers: nothing is loaded, nothing runs, nobody may frame it.
fn html(status: StatusCode, title: &str, body: &str) -> Answer {
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
        .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
        .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer = answer.with(CONTENT_SECURITY_POLICY, policy);
    }
    answer.body = text.into_bytes();
    answer
}

/// 400: the request cannot be answered anywhere else.
pub(super) fn problem(problem: &str) -> Answer {
    html(
        StatusCode::BAD_REQUEST,
        "This does not work",
        &format!("<p role=\"alert\">{}</p>\n", escape(problem)),
    )
}

/// A few words after a decision.
pub(super) fn message(title: &str, text: &str) -> Answer {
    html(StatusCode::OK, title, &format!("<p role=\"status\">{}</p>\n", escape(text)))
}

/// What the consent page says of a request.
struct Shown<'a> {
    name: &'a str,
    id: &'a str,
    scopes: &'a [String],
    resources: &'a [String],
    back: &'a str,
    hint: Option<&'a str>,
}

/// Asks who agrees to what an agent wants.
pub(super) fn consent(tenant: &LiveTenant, pending: &Pending) -> Answer {
    let shown = match &pending.what {
        What::Device => return problem("There is nothing to decide"),
        What::Client(asked) => {
            let agent = tenant.agent(&asked.client_id);
            Shown {
                name: agent.map_or(asked.client_id.as_str(), |agent| agent.seed.name.as_str()),
                id: &asked.client_id,
                scopes: &asked.scopes,
                resources: &asked.resources,
                back: &asked.redirect_uri,
                hint: asked.hint.as_deref(),
            }
        }
        What::Agent(asking) => {
            let asked = &asking.asked;
            let mut agents = tenant.seed.aauth_agents.iter();
            let agent = agents.find(|agent| agent.identifier == asked.agent);
            Shown {
                name: agent.and_then(|agent| agent.name.as_deref()).unwrap_or(&asked.agent),
                id: &asked.agent,
                scopes: &asked.scopes,
                resources: std::slice::from_ref(&asked.resource),
                back: asked.redirect_uri.as_deref().unwrap_or_default(),
                hint: asked.user.as_deref(),
            }
        }
    };
    let mut body = format!(
        "<p><strong>{}</strong> ({}) wants to act for you at {}.</p>\n",
        escape(shown.name),
        escape(shown.id),
        escape(&tenant.seed.name)
    );
    body.push_str(&list("It asks for:", shown.scopes));
    body.push_str(&list("At:", shown.resources));
    body.push_str(&format!("<p>You will go back to {}.</p>\n", escape(shown.back)));
    body.push_str(&form(tenant, pending, shown.hint, ""));
    html(StatusCode::OK, "Allow this agent?", &body)
}

/// Asks for the code that a device shows (RFC 8628 section 3.3).
pub(super) fn device(tenant: &LiveTenant, pending: &Pending, user_code: &str) -> Answer {
    let field = format!(
        "<p><label for=\"user_code\">Code on the device</label> <input id=\"user_code\" name=\"user_code\" \
         value=\"{}\" autocomplete=\"off\" required></p>\n",
        escape(user_code)
    );
    let body = format!(
        "<p>Go on only if you hold the device and it shows this code.</p>\n{}",
        form(tenant, pending, None, &field)
    );
    html(StatusCode::OK, "Connect a device", &body)
}

/// The form goes to the page's own address.
fn form(tenant: &LiveTenant, pending: &Pending, hint: Option<&str>, fields: &str) -> String {
    let chosen = tenant
        .seed
        .users
        .iter()
        .position(|user| hint.is_some_and(|hint| user.name == hint || user.email.as_deref() == Some(hint)))
        .unwrap_or_default();
    let mut out = format!(
        "<form method=\"post\" action=\"?\">\n<input type=\"hidden\" name=\"request\" value=\"{}\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{}\">\n{fields}<fieldset>\n<legend>You are</legend>\n",
        escape(&pending.id),
        escape(pending.csrf.expose())
    );
    for (index, user) in tenant.seed.users.iter().enumerate() {
        let checked = if index == chosen { " checked" } else { "" };
        out.push_str(&format!(
            "<p><input type=\"radio\" id=\"user{index}\" name=\"user\" value=\"{}\"{checked}> \
             <label for=\"user{index}\">{}</label></p>\n",
            escape(&user.name),
            escape(user.display.as_ref().unwrap_or(&user.name))
        ));
    }
    out.push_str(
        "</fieldset>\n<p><button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></p>\n</form>\n",
    );
    out
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    format!("<p>{}</p>\n<ul>\n{items}</ul>\n", escape(title))
}

/// For texts and for attributes in double quotes.
fn escape(text: &str) -> String {
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
