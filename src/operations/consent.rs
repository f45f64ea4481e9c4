//! Asking a person for consent: the URL to send them to, and what comes back from there (RFC 6749 section 4.1).

mod callback;
mod request;

pub use callback::Callback;
pub use request::{AUTHORIZE, AccessType, AuthorizationRequest, Prompt};
pub(crate) use request::{check_redirect_uri, check_return_uri};

use crate::route::Route;

pub(super) const ROUTES: &[Route] = &[AUTHORIZE];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::request::OWN;
    use super::*;
    use crate::error::ConsentError;
    use crate::pkce::Pkce;
    use crate::secret::Secret;
    use crate::site::Site;

    fn state() -> Secret {
        Secret::new("s-1")
    }

    #[test]
    fn a_proxy_that_ends_tls_hides_the_scheme_and_nothing_else() {
        let at = |place: &str, sent: &str| {
            Callback::read(&format!("{place}?code=c")).unwrap().check_place(sent).is_ok()
        };
        for (place, sent) in [
            ("http://app.example/cb", "https://app.example/cb"),
            ("http://app.example:8443/cb", "https://app.example:8443/cb"),
            ("http://App.example:80/cb", "https://app.example:443/cb"),
        ] {
            assert!(at(place, sent), "{place} {sent}");
        }
        for (place, sent) in [
            ("https://127.0.0.1:8080/cb", "http://127.0.0.1:8080/cb"),
            ("http://app.example:8080/cb", "https://app.example/cb"),
            ("http://app.example/cb", "https://app.example:8443/cb"),
            ("http://app.example/cb2", "https://app.example/cb"),
            ("http://app.example.evil.test/cb", "https://app.example/cb"),
            ("ftp://app.example/cb", "https://app.example/cb"),
            ("http://app.example/cb", "com.example.app:/cb"),
        ] {
            assert!(!at(place, sent), "{place} {sent}");
        }
    }

    #[test]
    fn the_url() {
        let site = Site::tenant("acme-corp").unwrap();
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let request = AuthorizationRequest::new(
            "agt_1",
            "https://myapp.com/consent",
            ["read:documents", "x"],
            "s-1",
            &pkce,
        )
        .unwrap();
        assert_eq!(
            request.url(&site),
            "https://app.lumoauth.dev/t/acme-corp/api/v1/oauth/authorize?response_type=code&client_id=agt_1\
             &redirect_uri=https%3A%2F%2Fmyapp.com%2Fconsent&scope=read%3Adocuments+x&state=s-1&prompt=consent\
             &access_type=offline&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        );
        for bad in ["", "/consent", "https://a/#x", "https://a/\r\nb", "javascript:alert(1)", "https://ä/"] {
            assert!(AuthorizationRequest::new("agt_1", bad, [], "s", &pkce).is_err(), "{bad}");
        }
        assert!(AuthorizationRequest::new("agt_1", "com.example.app:/cb", [], "s", &pkce).is_ok());
    }

    #[test]
    fn a_sign_in_sends_what_it_is_told_and_nothing_else() {
        let site = Site::tenant("acme-corp").unwrap();
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let request = || {
            AuthorizationRequest::sign_in("app_1", "https://myapp.com/callback", ["openid"], "s-1", &pkce)
                .unwrap()
                .nonce("n-1")
        };
        let query = |request: AuthorizationRequest| {
            request.url(&site).split_once("?response_type=code&client_id=app_1&").unwrap().1.to_owned()
        };
        let bare = "redirect_uri=https%3A%2F%2Fmyapp.com%2Fcallback&scope=openid&state=s-1";
        let rest =
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&nonce=n-1";
        assert_eq!(query(request()), format!("{bare}&{rest}"));
        for (prompt, word) in [
            (Prompt::None, "none"),
            (Prompt::Login, "login"),
            (Prompt::Consent, "consent"),
            (Prompt::Create, "create"),
        ] {
            let twice = request().prompt(Prompt::Login).prompt(prompt);
            assert_eq!(query(twice), format!("{bare}&prompt={word}&{rest}"));
        }
        let full = request()
            .access_type(AccessType::Online)
            .max_age(Duration::from_millis(5_900))
            .login_hint("a b@c")
            .parameter("ui_locales", "de")
            .unwrap();
        assert_eq!(
            query(full),
            format!("{bare}&access_type=online&{rest}&max_age=5&login_hint=a+b%40c&ui_locales=de")
        );
        for own in OWN.into_iter().chain(["", "request", "request_uri"]) {
            assert!(request().parameter(own, "x").is_err(), "{own}");
        }
        assert!(request().parameter("a", "1").unwrap().parameter("a", "2").is_err());
    }

    #[test]
    fn a_good_answer() {
        let url =
            "https://myapp.com/consent?code=c%2B1&state=s-1&iss=https%3A%2F%2Fi.example&other=1&other=2";
        let code = Callback::read(url).unwrap().accept(&state(), Some("https://i.example"), true).unwrap();
        assert_eq!(code.expose(), "c+1");
        assert!(
            Callback::read("code=c&state=s-1")
                .unwrap()
                .accept(&state(), Some("https://i.example"), false)
                .is_ok()
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let end = |query: &str, required| {
            Callback::read(query)
                .and_then(|callback| callback.accept(&state(), Some("https://i.example"), required))
        };
        assert_eq!(end("code=c&state=s-2", false), Err(ConsentError::WrongState));
        assert_eq!(end("code=c", false), Err(ConsentError::WrongState));
        assert_eq!(end("code=c&state=s-1&iss=https://i.example/", false), Err(ConsentError::WrongIssuer));
        assert_eq!(end("code=c&state=s-1&iss=https://I.example", false), Err(ConsentError::WrongIssuer));
        assert_eq!(end("code=c&state=s-1", true), Err(ConsentError::NoIssuer));
        assert_eq!(end("state=s-1", false), Err(ConsentError::NoCode));
        assert_eq!(end("code=c&code=d&state=s-1", false), Err(ConsentError::Twice { parameter: "code" }));
        assert_eq!(end("code=c&state=s-1&state=s-1", false), Err(ConsentError::Twice { parameter: "state" }));
        let refused = end("error=access_denied&error_description=no+%1b%5b31m&state=s-1", false).unwrap_err();
        assert_eq!(refused.to_string(), "the consent was refused: access_denied (no \\u{1b}[31m)");
        assert_eq!(end("error=access_denied&state=other", false), Err(ConsentError::WrongState));
    }
}
