//! The emulator's side of a sign-in: who is signed in with a browser, what is shown, signing out of it.

use std::time::Duration;

use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::Emulator;
use lumoauth::http::header::{COOKIE, LOCATION, SET_COOKIE};
use lumoauth::http::{Method, StatusCode};
use lumoauth::signin::{Login, Prompt, SignIn, SignInError};

use super::support::*;

/// A browser at the service, with its cookie there.
#[derive(Default)]
struct AtService(Option<String>);

impl AtService {
    fn send(&mut self, emulator: &Emulator, mut request: Request) -> Response {
        if let Some(cookie) = &self.0 {
            request = request.header(COOKIE, cookie.parse().unwrap());
        }
        let response = emulator.handle_in_process(&request).response;
        if let Some(set) = response.header(SET_COOKIE) {
            self.0 = (!set.contains("Max-Age=0")).then(|| set.split(';').next().unwrap().to_owned());
        }
        response
    }

    fn get(&mut self, emulator: &Emulator, url: &str) -> Response {
        self.send(emulator, Request::new(Method::GET, url.parse().unwrap()))
    }

    /// Fills in the form of a page.
    fn post(&mut self, emulator: &Emulator, url: &str, page: &Response, more: &[(&str, &str)]) -> Response {
        let text = page.text();
        let mut form = form_urlencoded::Serializer::new(String::new());
        for field in text.split("<input type=\"hidden\" name=\"").skip(1) {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            form.append_pair(name, &rest.split('"').next().unwrap().replace("&amp;", "&"));
        }
        form.extend_pairs(more);
        let place = url.split('?').next().unwrap().parse().unwrap();
        let request = Request::new(Method::POST, place);
        self.send(emulator, request.bytes("application/x-www-form-urlencoded", form.finish()))
    }

    fn approve(&mut self, emulator: &Emulator, url: &str, user: &str) -> String {
        let page = self.get(emulator, url);
        assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
        let back = self.post(emulator, url, &page, &[("user", user), ("decision", "approve")]);
        back.header(LOCATION).unwrap().to_owned()
    }
}

fn setup() -> (Emulator, SignIn) {
    let emulator = builder().build().unwrap();
    let sign_in = settings(&emulator).back_from_service("/bye").build_with(emulator.transport()).unwrap();
    (emulator, sign_in)
}

#[test]
fn who_is_signed_in_at_the_service_is_not_asked_again() {
    let (emulator, sign_in) = setup();
    let (mut here, mut there) = (Browser::default(), AtService::default());
    let url = here.login(&sign_in, Login::new());
    let back = there.approve(&emulator, &url, "bob");
    let first = here.callback(&sign_in, &back);
    let auth_time =
        |answer: &lumoauth::signin::Answer| answer.user().unwrap().claims()["auth_time"].as_u64().unwrap();
    emulator.advance(Duration::from_secs(100));

    // Another service's browser window, and one that must not be shown anything.
    for login in
        [Login::new(), Login::new().prompt(Prompt::None), Login::new().max_age(Duration::from_secs(100))]
    {
        let url = here.login(&sign_in, login);
        let response = there.get(&emulator, &url);
        let answer = here
            .callback(&sign_in, response.header(LOCATION).unwrap_or_else(|| panic!("{}", response.text())));
        assert_eq!(answer.user().unwrap().subject(), "user:bob");
        assert_eq!(auth_time(&answer), auth_time(&first), "signed in then, not now");
    }
    // Who must be shown something is: who is to sign in again, who signed in too long ago.
    for login in [
        Login::new().prompt(Prompt::Login),
        Login::new().prompt(Prompt::Consent),
        Login::new().prompt(Prompt::Create),
        Login::new().max_age(Duration::from_secs(99)),
        Login::new().scopes("openid read:documents"),
    ] {
        let url = here.login(&sign_in, login.clone());
        assert_eq!(there.get(&emulator, &url).status(), StatusCode::OK, "{login:?}");
    }
    let refused = |here: &mut Browser, there: &mut AtService, login| {
        let url = here.login(&sign_in, login);
        let back = there.get(&emulator, &url).header(LOCATION).unwrap().to_owned();
        match here.callback(&sign_in, &back).error() {
            Some(SignInError::Callback(lumoauth::error::ConsentError::Refused { code, .. })) => code.clone(),
            other => panic!("{other:?}"),
        }
    };
    let none = || Login::new().prompt(Prompt::None);
    assert_eq!(refused(&mut here, &mut there, none().scopes("openid read:documents")), "consent_required");
    assert_eq!(refused(&mut here, &mut there, none().max_age(Duration::from_secs(99))), "login_required");
    assert_eq!(refused(&mut here, &mut AtService::default(), none()), "login_required");
    // Signing in again is a new sign-in, and so says the token.
    let url = here.login(&sign_in, Login::new().prompt(Prompt::Login));
    let back = there.approve(&emulator, &url, "bob");
    let again = here.callback(&sign_in, &back);
    assert_eq!(auth_time(&again), auth_time(&first) + 100);
}

#[test]
fn signing_out_of_the_service() {
    let (emulator, sign_in) = setup();
    let (mut here, mut there) = (Browser::default(), AtService::default());
    let url = here.login(&sign_in, Login::new());
    let back = there.approve(&emulator, &url, "alice");
    assert!(here.callback(&sign_in, &back).error().is_none());
    let answer = sign_in.logout(&Method::POST, &here.posts());
    let out = answer.location().unwrap().expose().to_owned();
    // An old token names the person as well.
    emulator.advance(Duration::from_secs(2 * 3600));
    let response = there.get(&emulator, &out);
    assert_eq!(response.header(LOCATION), Some("http://127.0.0.1:3000/bye"), "{}", response.text());
    assert_eq!(there.0, None);
    let url = here.login(&sign_in, Login::new());
    assert_eq!(there.get(&emulator, &url).status(), StatusCode::OK, "the page, for nobody is signed in");
}

#[test]
fn nobody_is_signed_out_by_anybodys_link() {
    let (emulator, sign_in) = setup();
    let (mut here, mut there) = (Browser::default(), AtService::default());
    let url = here.login(&sign_in, Login::new());
    let back = there.approve(&emulator, &url, "alice");
    assert!(here.callback(&sign_in, &back).error().is_none());
    let mut cookie = there.0.clone();
    let logout = format!("{}/oauth/logout", emulator.site().api_base());
    // Without an ID token of the person's own the person is asked.
    for url in [
        logout.clone(),
        format!(
            "{logout}?client_id=app_1&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fbye&state=s"
        ),
    ] {
        there.0 = cookie.clone();
        let page = there.get(&emulator, &url);
        assert_eq!((page.status(), &there.0), (StatusCode::OK, &cookie));
        assert!(page.text().contains("Sign out?"), "{}", page.text());
        let forged = there.post(
            &emulator,
            &logout,
            &Response::new(StatusCode::OK, Default::default(), ""),
            &[("csrf", "x")],
        );
        assert!(forged.text().contains("Sign out?"), "{}", forged.text());
        let done = there.post(&emulator, &logout, &page, &[]);
        match url.contains("state") {
            true => assert_eq!(done.header(LOCATION), Some("http://127.0.0.1:3000/bye?state=s")),
            false => assert!(done.text().contains("You are signed out"), "{}", done.text()),
        }
        assert_eq!(there.0, None);
        let (mut again, url) = (AtService::default(), here.login(&sign_in, Login::new()));
        let back = again.approve(&emulator, &url, "alice");
        assert!(here.callback(&sign_in, &back).error().is_none());
        cookie = again.0;
    }
}

#[test]
fn what_is_no_logout_is_refused() {
    let (emulator, sign_in) = setup();
    let mut here = Browser::default();
    let url = here.login(&sign_in, Login::new());
    let back = AtService::default().approve(&emulator, &url, "alice");
    assert!(here.callback(&sign_in, &back).error().is_none());
    let answer = sign_in.logout(&Method::POST, &here.posts());
    let token = query(answer.location().unwrap().expose())["id_token_hint"].clone();
    let logout = format!("{}/oauth/logout", emulator.site().api_base());
    let bye = "post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fbye";
    let other = "post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F";
    for query in [
        format!("id_token_hint={}x", token),
        "id_token_hint=a.b.c".to_owned(),
        format!("id_token_hint={token}&client_id=app_2"),
        format!("id_token_hint={token}&{other}"),
        format!("client_id=app_1&{other}"),
        format!("client_id=app_9&{bye}"),
        bye.to_owned(),
        format!("client_id=app_1&client_id=app_1&{bye}"),
    ] {
        let response = AtService::default().get(&emulator, &format!("{logout}?{query}"));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(response.header(LOCATION), None);
    }
    let good = AtService::default().get(&emulator, &format!("{logout}?id_token_hint={token}&{bye}"));
    assert_eq!(good.header(LOCATION), Some("http://127.0.0.1:3000/bye"));
}

#[test]
fn the_metadata_names_where_to_sign_out() {
    let (emulator, _) = setup();
    let url = format!("{}/.well-known/openid-configuration", emulator.site().api_base());
    let document = AtService::default().get(&emulator, &url).text();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["end_session_endpoint"], format!("{}/oauth/logout", emulator.site().api_base()));
}
