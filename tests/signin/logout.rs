//! Signing out.

use std::time::Duration;

use lumoauth::emulator::{FaultRule, TokenKind};
use lumoauth::http::{HeaderMap, Method};
use lumoauth::signin::{Login, SignInError};

use super::support::*;

#[test]
fn signing_out_ends_the_session_here_and_sends_the_browser_on() {
    let emulator = emulator();
    let sign_in = renewing(&emulator);
    let mut browser = signed_in(&emulator, &sign_in);
    let copy = browser.clone();
    assert_eq!(emulator.token_count(TokenKind::Refresh), 1);
    let answer = sign_in.logout(&Method::POST, &browser.posts());
    let at_service = answer.location().unwrap().expose().to_owned();
    assert!(at_service.starts_with(&format!("{}/oauth/logout?", emulator.site().api_base())), "{at_service}");
    let sent = query(&at_service);
    assert_eq!((&*sent["client_id"], sent.contains_key("post_logout_redirect_uri")), ("app_1", false));
    assert_eq!(claims(&sent["id_token_hint"])["sub"], "user:alice");
    browser.take(answer.cookies());
    assert!(browser.0.is_empty());
    // Whoever kept the cookie is signed out as well, and so is the refresh token.
    assert_eq!(who(&sign_in, &copy), None);
    assert_eq!(emulator.token_count(TokenKind::Refresh), 0);
    // Again, with the cookie or without: nothing happens.
    for headers in [copy.posts(), browser.posts()] {
        let answer = sign_in.logout(&Method::POST, &headers);
        assert_eq!(answer.location().unwrap().expose(), format!("{HOME}/"));
    }
    assert_eq!(emulator.count("oauth.revoke").unwrap(), 1);
}

#[test]
fn where_the_browser_goes_is_a_setting() {
    let emulator = emulator();
    let back = settings(&emulator).back_from_service("/bye").build_with(emulator.transport()).unwrap();
    let browser = signed_in(&emulator, &back);
    let answer = back.logout(&Method::POST, &browser.posts());
    let at_service = answer.location().unwrap().expose().to_owned();
    assert_eq!(visit(&emulator, &at_service), format!("{HOME}/bye"));

    let stay = settings(&emulator)
        .stay_signed_in_at_service()
        .after_logout("/bye?x")
        .build_with(emulator.transport());
    let stay = stay.unwrap();
    let browser = signed_in(&emulator, &stay);
    let answer = stay.logout(&Method::POST, &browser.posts());
    assert_eq!(answer.location().unwrap().expose(), format!("{HOME}/bye?x"));
    assert_eq!(who(&stay, &browser), None);
}

#[test]
fn no_other_method_and_no_other_site_signs_anybody_out() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let browser = signed_in(&emulator, &sign_in);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = sign_in.logout(&method, &browser.posts());
        assert!(matches!(answer.error(), Some(SignInError::Method { allowed: "POST" })), "{method}");
        let response = answer.into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"POST".parse().unwrap())
        );
    }
    let own = || browser.headers();
    let twice = |name: &'static str, value: &'static str| {
        let mut headers = with(own(), name, value);
        headers.append(name, HOME.parse().unwrap());
        headers
    };
    let cases: Vec<(&str, HeaderMap)> = vec![
        ("nobody's word", own()),
        ("another origin", with(own(), "origin", "https://evil.example")),
        ("another port", with(own(), "origin", "http://127.0.0.1:3001")),
        ("another scheme", with(own(), "origin", "https://127.0.0.1:3000")),
        ("a longer name", with(own(), "origin", "http://127.0.0.1:3000.evil.example")),
        ("a sandboxed frame", with(own(), "origin", "null")),
        ("another site, by Fetch Metadata", with(browser.posts(), "sec-fetch-site", "cross-site")),
        ("a sibling of this site", with(browser.posts(), "sec-fetch-site", "same-site")),
        ("a typed address", with(browser.posts(), "sec-fetch-site", "none")),
        ("what is no word", with(browser.posts(), "sec-fetch-site", "Same-Origin")),
        (
            "another origin with a good word",
            with(with(own(), "origin", "https://evil.example"), "sec-fetch-site", "same-origin"),
        ),
        ("two origins", twice("origin", "https://evil.example")),
        ("two words", {
            let mut headers = with(own(), "sec-fetch-site", "same-origin");
            headers.append("sec-fetch-site", "cross-site".parse().unwrap());
            headers
        }),
    ];
    for (name, headers) in cases {
        let answer = sign_in.logout(&Method::POST, &headers);
        assert!(matches!(answer.error(), Some(SignInError::CrossSite)), "{name}: {:?}", answer.location());
        assert!(answer.cookies().is_empty(), "{name}: a stranger must not clear a cookie");
        assert_eq!(answer.into_response().status().as_u16(), 403);
        assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"), "{name}");
    }
    // A page with `Referrer-Policy: no-referrer` sends no origin, and its browser's word.
    let private = with(with(own(), "origin", "null"), "sec-fetch-site", "same-origin");
    assert!(sign_in.logout(&Method::POST, &private).error().is_none());
    assert_eq!(who(&sign_in, &browser), None);
}

#[test]
fn a_service_that_is_down_keeps_nobody_signed_in() {
    let emulator = emulator();
    let sign_in = renewing(&emulator);
    let mut browser = signed_in(&emulator, &sign_in);
    emulator.fault(FaultRule::on("oauth.revoke").always().status(503)).unwrap();
    let answer = sign_in.logout(&Method::POST, &browser.posts());
    assert!(answer.location().is_some(), "{:?}", answer.error());
    assert_eq!(who(&sign_in, &browser), None);
    browser.take(answer.cookies());
    assert_eq!(emulator.token_count(TokenKind::Refresh), 1, "the service was not told");
    // Whoever signs in or out next tells it.
    emulator.clear_faults();
    emulator.advance(Duration::from_secs(60));
    let next = signed_in(&emulator, &sign_in);
    assert_eq!(emulator.token_count(TokenKind::Refresh), 1, "the new one alone");
    assert_eq!(who(&sign_in, &next).as_deref(), Some("user:alice"));
}

#[test]
fn the_session_that_a_sign_in_replaces_ends() {
    let emulator = builder().build().unwrap();
    let sign_in = renewing(&emulator);
    let as_user = |browser: &mut Browser, user: &str| {
        let at_service = browser.login(&sign_in, Login::new());
        let request = lumoauth::embed::wire::Request::new(Method::GET, at_service.parse().unwrap());
        emulator.handle_in_process(&request);
        let id = emulator.pending_consents().last().unwrap().id.clone();
        let back = emulator.approve_consent(&id, user).unwrap();
        assert!(browser.callback(&sign_in, back.expose()).error().is_none());
    };
    // The same person: what was before ends with the new session.
    let mut browser = Browser::default();
    as_user(&mut browser, "alice");
    as_user(&mut browser, "alice");
    assert_eq!(emulator.token_count(TokenKind::Refresh), 2);
    assert!(sign_in.logout(&Method::POST, &browser.posts()).error().is_none());
    assert_eq!(emulator.token_count(TokenKind::Refresh), 0);
    // Another person: nothing of the first is kept for longer than until the next sign-in.
    let mut browser = Browser::default();
    as_user(&mut browser, "alice");
    as_user(&mut browser, "bob");
    assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:bob"));
    as_user(&mut Browser::default(), "bob");
    assert_eq!(emulator.token_count(TokenKind::Refresh), 2, "both of bob");
}
