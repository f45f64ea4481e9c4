//! Requests and responses as values, and the one fork between success and failure.

mod form;
mod limits;
mod page;
mod refusal;
mod request;
mod response;
mod shown;

pub use form::Form;
pub use limits::Limits;
pub use page::Page;
pub(crate) use page::{page, read_page};
pub(crate) use refusal::{retry_after, sent_at};
pub(crate) use request::API_KEY;
pub use request::Request;
pub(crate) use response::done;
pub use response::{Response, read, succeeded};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::secret::Secret;
    use http::header::{CONTENT_TYPE, HeaderMap};
    use http::{Method, StatusCode, Uri};
    use serde_json::json;

    fn url() -> Uri {
        "https://app.lumoauth.dev/t/acme/api/v1/oauth/token?code=canary".parse().unwrap()
    }

    #[test]
    fn a_form_is_encoded_and_appended() {
        let request = Request::new(Method::POST, url())
            .form(Form::new().field("scope", "a b").optional("x", None).field("y", "ä&=+%"))
            .append_form(&Form::new().secret("client_secret", &Secret::new("s p")));
        assert_eq!(request.body(), b"scope=a+b&y=%C3%A4%26%3D%2B%25&client_secret=s+p");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    }

    #[test]
    fn debug_shows_no_value() {
        let request = Request::new(Method::POST, url())
            .form(Form::new().secret("client_secret", &Secret::new("canary-canary")))
            .authorization("Bearer", &Secret::new("canary-token"))
            .unwrap();
        let shown = format!("{request:?} {:?}", Form::new().field("a", "canary"));
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("/t/acme/api/v1/oauth/token?…"), "{shown}");
        let response = Response::new(StatusCode::OK, request.headers().clone(), "canary");
        assert!(!format!("{response:?}").contains("canary"));
    }

    #[test]
    fn a_credential_with_a_line_break_is_refused() {
        let error =
            Request::new(Method::GET, url()).authorization("Bearer", &Secret::new("a\r\nX: y")).unwrap_err();
        assert_eq!(error.argument(), "credential");
    }

    #[test]
    fn the_fork() {
        let answer = |status: u16, body: &str| {
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes())
        };
        assert!(read("x", &answer(200, "{}")).is_ok());
        assert!(matches!(read("x", &answer(200, "[]")), Err(Error::Protocol(_))));
        assert!(matches!(read("x", &answer(200, "<html>")), Err(Error::Protocol(_))));
        assert!(matches!(read("x", &answer(302, "{}")), Err(Error::Protocol(_))));
        let refused = read("x", &answer(403, &json!({"error": "nope"}).to_string())).unwrap_err();
        assert_eq!(refused.to_string(), "x: nope (HTTP 403)");
        assert!(refused.is_forbidden());
    }
}
