//! Beginning a sign-in and coming back: what fits, what does not, and where the browser ends up.

use std::time::Duration;

use lumoauth::emulator::{FaultRule, TokenKind};
use lumoauth::error::ConsentError;
use lumoauth::signin::{AccessType, Login, Prompt, SignInError};

use super::support::*;

#[test]
fn the_whole_way() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    assert_eq!(who(&sign_in, &browser), None);
    let at_service = browser.login(&sign_in, Login::new().return_to("/documents?page=2"));
    let sent = query(&at_service);
    assert_eq!(sent["redirect_uri"], sign_in.redirect_uri());
    assert_eq!((&*sent["code_challenge_method"], &*sent["scope"]), ("S256", "openid profile email"));
    for absent in ["prompt", "access_type", "max_age", "login_hint"] {
        assert!(!sent.contains_key(absent), "{absent}");
    }
    assert!(sent["state"].len() >= 43 && sent["nonce"].len() >= 43 && sent["state"] != sent["nonce"]);
    assert_eq!(emulator.count_all(), 0, "beginning asks nobody");

    let answer = browser.callback(&sign_in, &visit(&emulator, &at_service));
    assert_eq!(answer.location().unwrap().expose(), format!("{HOME}/documents?page=2"));
    let user = answer.user().unwrap().clone();
    assert_eq!(
        (user.subject(), user.email(), user.name()),
        ("user:alice", Some("alice@acme.test"), Some("ALICE"))
    );
    assert_eq!(user.issuer(), emulator.site().api_base());
    let response = answer.into_response();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["cache-control"]),
        (303, &"no-store".parse().unwrap())
    );

    assert_eq!(browser.0.len(), 1, "the sign-in's own cookie is cleared: {:?}", browser.0.keys());
    assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"));
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    assert_eq!(who(&sign_in, &Browser::default()), None);
}

#[test]
fn what_is_told_is_sent() {
    let emulator = emulator();
    let sign_in = settings(&emulator)
        .login(Login::new().prompt(Prompt::Login).parameter("ui_locales", "de").return_to("/x"))
        .scopes("read:documents")
        .build_with(emulator.transport())
        .unwrap();
    let sent = |login| query(&Browser::default().login(&sign_in, login));
    let usual = sent(Login::new());
    assert_eq!((&*usual["prompt"], &*usual["ui_locales"]), ("login", "de"));
    assert_eq!(usual["scope"], "openid read:documents");
    let told = Login::new()
        .prompt(Prompt::Create)
        .access_type(AccessType::Offline)
        .max_age(Duration::from_secs(60))
        .login_hint("alice@acme.test")
        .scopes("openid email")
        .parameter("acr_values", "2");
    let told = sent(told);
    let of = |name: &str| told.get(name).map(String::as_str);
    assert_eq!(
        (of("prompt"), of("access_type"), of("max_age")),
        (Some("create"), Some("offline"), Some("60"))
    );
    assert_eq!(
        (of("login_hint"), of("scope"), of("acr_values")),
        (Some("alice@acme.test"), Some("openid email"), Some("2"))
    );
    assert_eq!(of("ui_locales"), None);
    for own in ["state", "redirect_uri", "response_mode", "nonce", "prompt", "request_uri"] {
        let answer = sign_in.login(&Browser::default().headers(), Login::new().parameter(own, "x"));
        assert!(matches!(answer.error(), Some(SignInError::Service(_))), "{own}");
    }
}

/// Another site's link, and every way to write one.
#[test]
fn the_browser_comes_back_to_this_site_alone() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    for other in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%5Cevil.example",
        "/%2Fevil.example",
        "/%252Fevil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/%09/evil.example",
        "/.//evil.example",
        "/../evil",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/login",
        "/login?return_to=/login",
        "/callback?code=x",
        "/logout",
        &format!("/{}", "a".repeat(2000)),
    ] {
        let answer = Browser::default().signs_in(&emulator, &sign_in, Login::new().return_to(other));
        assert_eq!(answer.location().unwrap().expose(), format!("{HOME}/"), "{other:?}");
    }
    for own in ["/", "/documents", "/a?b=//c#d"] {
        let answer = Browser::default().signs_in(&emulator, &sign_in, Login::new().return_to(own));
        assert_eq!(answer.location().unwrap().expose(), format!("{HOME}{own}"));
    }
}

#[test]
fn an_answer_without_the_browsers_own_cookie_is_refused() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let (mut victim, mut attacker) = (Browser::default(), Browser::default());
    // The attacker's own answer, brought to the victim's browser, signs nobody in as the attacker.
    let at_service = attacker.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    let answer = victim.callback(&sign_in, &back);
    assert!(matches!(answer.error(), Some(SignInError::State)), "{:?}", answer.error());
    let response = answer.into_response();
    assert_eq!((response.status().as_u16(), response.body().as_str()), (400, r#"{"error":"invalid_state"}"#));
    // Nor where the victim has begun a sign-in of its own.
    victim.login(&sign_in, Login::new());
    let answer = victim.callback(&sign_in, &back);
    assert!(matches!(answer.error(), Some(SignInError::State)), "{:?}", answer.error());
    // Nor under the name of the attacker's cookie, with what is not sealed for it.
    let name = attacker.0.keys().next().unwrap().clone();
    let own = victim.0.values().next().unwrap().clone();
    victim.0.insert(name, own);
    assert!(matches!(victim.callback(&sign_in, &back).error(), Some(SignInError::State)));
    assert_eq!(emulator.count("oauth.token").unwrap(), 0, "no code travels for it");
    assert_eq!(victim.session(), None);
    // The attacker's browser still can.
    assert!(attacker.callback(&sign_in, &back).error().is_none());
}

#[test]
fn a_stolen_or_changed_answer_is_refused() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    let state = &query(&back)["state"];
    for (url, is_expected) in [
        (
            back.replace("state=", "state=x"),
            (|error| matches!(error, SignInError::State)) as fn(&SignInError) -> bool,
        ),
        (back.replace(&format!("&state={state}"), ""), |error| matches!(error, SignInError::State)),
        (format!("{back}&code=other"), |error| {
            matches!(error, SignInError::Callback(ConsentError::Twice { .. }))
        }),
        (format!("{back}&state={state}"), |error| {
            matches!(error, SignInError::Callback(ConsentError::Twice { .. }))
        }),
        (format!("{HOME}/callback"), |error| matches!(error, SignInError::Callback(ConsentError::NoUrl))),
    ] {
        let answer = browser.callback(&sign_in, &url);
        assert!(answer.error().is_some_and(is_expected), "{url}: {:?}", answer.error());
    }
    assert_eq!(emulator.count_all(), 1, "only the browser itself was at the service");
    assert!(browser.callback(&sign_in, &back).error().is_none());
}

#[test]
fn another_issuers_answer_is_refused() {
    for change in [(|back: &str| format!("{back}x")) as fn(&str) -> String, |back| {
        back.split("&iss=").next().unwrap().to_owned()
    }] {
        let emulator = emulator();
        let sign_in = sign_in(&emulator);
        let mut browser = Browser::default();
        let at_service = browser.login(&sign_in, Login::new());
        let back = change(&visit(&emulator, &at_service));
        let answer = browser.callback(&sign_in, &back);
        let wrong = matches!(
            answer.error(),
            Some(SignInError::Callback(ConsentError::WrongIssuer | ConsentError::NoIssuer))
        );
        assert!(wrong, "{:?}", answer.error());
        assert_eq!(emulator.count("oauth.token").unwrap(), 0);
    }
}

#[test]
fn an_answer_is_taken_once() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    // A browser that kept its cookie, or whoever copied all of it, comes again.
    let mut copy = browser.clone();
    assert!(browser.callback(&sign_in, &back).error().is_none());
    let again = browser.callback(&sign_in, &back);
    assert!(matches!(again.error(), Some(SignInError::State)), "{:?}", again.error());
    let replayed = copy.callback(&sign_in, &back);
    assert!(matches!(replayed.error(), Some(SignInError::Used)), "{:?}", replayed.error());
    assert_eq!(replayed.into_response().body(), r#"{"error":"invalid_state"}"#);
    assert_eq!(emulator.count("oauth.token").unwrap(), 1, "a second use would end the first one's tokens");
    assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"));
    assert_eq!(copy.session(), None);
}

#[test]
fn a_sign_in_ends_after_an_hour() {
    let emulator = builder().auto_consent("alice").code_lifetime(Duration::from_secs(9_000)).build().unwrap();
    let sign_in = sign_in(&emulator);
    for (late, is_taken) in [(3_590, true), (3_601, false)] {
        let mut browser = Browser::default();
        let at_service = browser.login(&sign_in, Login::new());
        let back = visit(&emulator, &at_service);
        emulator.advance(Duration::from_secs(late));
        assert_eq!(browser.callback(&sign_in, &back).error().is_none(), is_taken, "{late}");
    }
}

#[test]
fn a_code_that_was_not_used_can_come_again() {
    for rule in [
        FaultRule::on("oauth.token").status(503).retry_after("3000").times(1),
        FaultRule::on("wellknown.oauth_authorization_server").status(500).times(20),
        FaultRule::on("oauth.token").status(408).times(1),
        // Nothing that comes of the code could be verified.
        FaultRule::on("wellknown.jwks").status(503).times(20),
        FaultRule::on("wellknown.jwks").reset().times(20),
    ] {
        let emulator = emulator();
        let sign_in = sign_in(&emulator);
        let mut browser = Browser::default();
        let at_service = browser.login(&sign_in, Login::new());
        let back = visit(&emulator, &at_service);
        emulator.fault(rule).unwrap();
        let answer = browser.callback(&sign_in, &back);
        match answer.error() {
            None => {}
            Some(error) => assert!(error.is_temporary(), "{error}"),
        }
        if answer.error().is_some() {
            emulator.clear_faults();
            emulator.advance(Duration::from_secs(60));
            let answer = browser.callback(&sign_in, &back);
            assert!(answer.error().is_none(), "{:?}", answer.error());
        }
        assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"));
    }
}

#[test]
fn a_person_who_refuses_is_not_signed_in() {
    let emulator = builder().auto_deny().build().unwrap();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let answer = browser.callback(&sign_in, &visit(&emulator, &at_service));
    let refused = matches!(answer.error(), Some(SignInError::Callback(ConsentError::Refused { code, .. })) if code == "access_denied");
    assert!(refused, "{:?}", answer.error());
    let response = answer.into_response();
    assert_eq!((response.status().as_u16(), response.body().as_str()), (403, r#"{"error":"access_denied"}"#));
    assert!(browser.0.is_empty());
    // Nothing can be shown, and nobody is signed in at the service.
    let emulator = builder().build().unwrap();
    let sign_in = settings(&emulator).build_with(emulator.transport()).unwrap();
    let at_service = browser.login(&sign_in, Login::new().prompt(Prompt::None));
    let answer = browser.callback(&sign_in, &visit(&emulator, &at_service));
    let refused = matches!(answer.error(), Some(SignInError::Callback(ConsentError::Refused { code, .. })) if code == "login_required");
    assert!(refused, "{:?}", answer.error());
}

#[test]
fn a_new_session_has_a_name_that_nobody_knew() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    // What somebody has put there before is not taken over.
    let planted = "A".repeat(43);
    browser.0.insert("lumoauth_session".to_owned(), planted.clone());
    assert_eq!(who(&sign_in, &browser), None);
    let _ = browser.signs_in(&emulator, &sign_in, Login::new());
    let first = browser.session().unwrap().clone();
    assert_ne!(first, planted);
    assert_eq!(first.len(), 43);
    // Nor is the session of before: it is over.
    let old = browser.clone();
    let _ = browser.signs_in(&emulator, &sign_in, Login::new());
    assert_ne!(browser.session().unwrap(), &first);
    assert_eq!((who(&sign_in, &old), who(&sign_in, &browser).as_deref()), (None, Some("user:alice")));
}

#[test]
fn two_tabs_sign_in_beside_each_other_and_no_browser_collects_sign_ins() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let first = browser.login(&sign_in, Login::new().return_to("/one"));
    let second = browser.login(&sign_in, Login::new().return_to("/two"));
    let one = browser.callback(&sign_in, &visit(&emulator, &first));
    assert_eq!(one.location().unwrap().expose(), format!("{HOME}/one"));
    let two = browser.callback(&sign_in, &visit(&emulator, &second));
    assert_eq!(two.location().unwrap().expose(), format!("{HOME}/two"));
    assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"));

    let mut browser = Browser::default();
    browser.0.insert(format!("lumoauth_login_{}", "0".repeat(16)), "damaged".to_owned());
    browser.0.insert("lumoauth_login_of_somebody".to_owned(), "else".to_owned());
    for _ in 0..10 {
        browser.login(&sign_in, Login::new());
        emulator.advance(Duration::from_secs(1));
        assert!(browser.0.len() <= 5, "{:?}", browser.0.keys());
    }
    assert_eq!(browser.0.len(), 5, "four, and what is not ours");
    let bytes = browser.headers()["cookie"].len();
    assert!(bytes < 4096, "{bytes} bytes of cookies");
}

#[test]
fn tokens_of_a_sign_in_that_fails_later_are_ended() {
    let emulator = emulator();
    // The ID token is of another sign-in.
    let changed = Changed::claims(&emulator, |claims| _ = claims.insert("nonce".into(), "other".into()));
    let sign_in = settings(&emulator).scopes("openid offline_access").build_with(changed).unwrap();
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let answer = browser.callback(&sign_in, &visit(&emulator, &at_service));
    assert!(matches!(answer.error(), Some(SignInError::IdToken(_))), "{:?}", answer.error());
    assert_eq!(emulator.token_count(TokenKind::Refresh), 0);
    assert_eq!(emulator.count("oauth.revoke").unwrap(), 1);
    assert!(browser.0.is_empty());
}
