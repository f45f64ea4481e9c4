//! The edges of sign-ins: times to the second, what is kept, what is ended, and what a browser is told of it.

use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule, TokenKind};
use lumoauth::http::Method;
use lumoauth::signin::{Login, SignIn, SignInError};
use serde_json::json;

use super::support::*;

#[test]
fn where_a_browser_is_sent_is_for_its_eyes() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let response = sign_in.login(&Browser::default().headers(), Login::new()).into_response();
    assert!(response.headers()["location"].is_sensitive());
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let page = sign_in.callback(&for_people(Browser::default().headers()), "?code=c&state=s").into_response();
    assert!(page.body().contains("This sign-in is out of date"), "{}", page.body());
}

#[test]
fn a_browser_is_told_when_to_come_again() {
    for (rule, expected) in [
        (FaultRule::on("oauth.token").status(503).retry_after("3000"), "3000"),
        (FaultRule::on("oauth.token").status(429).retry_after("3000"), "3000"),
        (FaultRule::on("oauth.token").status(503).retry_after("0"), "1"),
        (FaultRule::on("oauth.token").status(503).retry_after("2999.2"), "3000"),
    ] {
        let emulator = emulator();
        let sign_in = sign_in(&emulator);
        let mut browser = Browser::default();
        let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
        emulator.fault(rule.always()).unwrap();
        let response = browser.callback(&sign_in, &back).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &expected.parse().unwrap())
        );
        assert_eq!(response.body(), r#"{"error":"temporarily_unavailable"}"#);
    }
    // A session that cannot be renewed for now: nobody is signed out, and nobody gets in.
    for status in [429, 500] {
        let emulator =
            builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
        let sign_in = renewing(&emulator);
        let browser = signed_in(&emulator, &sign_in);
        emulator.advance(Duration::from_secs(700));
        emulator.fault(FaultRule::on("oauth.token").status(status).always()).unwrap();
        assert!(sign_in.user(&browser.headers()).unwrap_err().is_temporary(), "{status}");
    }
}

#[test]
fn the_time_of_a_sign_in_is_checked_to_the_second() {
    for (ago, age, expected) in
        [(60, 0, true), (61, 0, false), (360, 300, true), (-60, 300, true), (-61, 300, false)]
    {
        let emulator = emulator();
        let now = i64::try_from(emulator.now().unix()).unwrap();
        let changed =
            Changed::claims(&emulator, move |claims| _ = claims.insert("auth_time".into(), json!(now - ago)));
        let sign_in = settings(&emulator).build_with(changed).unwrap();
        let mut browser = Browser::default();
        let back = visit(&emulator, &browser.login(&sign_in, Login::new().max_age(Duration::from_secs(age))));
        assert_eq!(browser.callback(&sign_in, &back).error().is_none(), expected, "{ago} {age}");
    }
}

#[test]
fn claims_about_the_token_itself_are_none_of_the_person() {
    let emulator = emulator();
    let changed =
        Changed::claims(&emulator, |claims| _ = claims.insert("sid".into(), json!("a session there")));
    let sign_in = settings(&emulator).build_with(changed).unwrap();
    let mut browser = Browser::default();
    let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
    let answer = browser.callback(&sign_in, &back);
    let user = answer.user().unwrap();
    for name in ["sid", "at_hash", "c_hash", "s_hash"] {
        assert!(!user.claims().contains_key(name), "{name}");
    }
}

#[test]
fn an_answer_whose_code_may_be_used_is_over() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
    emulator.fault(FaultRule::on("oauth.token").body("text/html", "<p>").times(1)).unwrap();
    assert!(browser.callback(&sign_in, &back).error().is_some());
    assert!(browser.0.is_empty(), "its cookie is cleared: {:?}", browser.0.keys());
    assert_eq!(emulator.count("oauth.token").unwrap(), 1, "and the code is not sent again");
}

#[test]
fn an_answer_is_of_the_sign_in_of_this_place() {
    let emulator = emulator();
    let (here, there) =
        (sign_in(&emulator), settings(&emulator).under("/auth").build_with(emulator.transport()).unwrap());
    let mut browser = Browser::default();
    let back = visit(&emulator, &browser.login(&here, Login::new()));
    assert!(matches!(browser.callback(&there, &back).error(), Some(SignInError::State)));
    assert_eq!(emulator.count("oauth.token").unwrap(), 0);
    assert!(browser.callback(&here, &back).error().is_none());
}

#[test]
fn the_oldest_sign_in_of_a_browser_is_given_up_and_no_cookie_of_others() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let mut browser = Browser::default();
    let others = [format!("lumoauth_login_{}", "z".repeat(16)), "lumoauth_login_abc".to_owned()];
    for name in &others {
        browser.0.insert(name.clone(), "of somebody else".to_owned());
    }
    let mut order: Vec<String> = Vec::new();
    for round in 0..12 {
        let before: Vec<String> = browser.0.keys().cloned().collect();
        browser.login(&sign_in, Login::new());
        emulator.advance(Duration::from_secs(1));
        order.extend(browser.0.keys().find(|name| !before.contains(name)).cloned());
        let kept: Vec<&String> = order.iter().filter(|name| browser.0.contains_key(*name)).collect();
        let newest: Vec<&String> = order.iter().skip(order.len().saturating_sub(4)).collect();
        assert_eq!(kept, newest, "round {round}");
    }
    assert!(others.iter().all(|name| browser.0.contains_key(name)));
}

#[test]
fn keys_are_fetched_once_for_many_sign_ins() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    for _ in 0..5 {
        let _ = signed_in(&emulator, &sign_in);
    }
    assert_eq!(emulator.count("wellknown.jwks").unwrap(), 1);
}

/// Of the tokens of the first sign-in the ID token is missing.
fn first_without_id_token(emulator: &Emulator) -> SignIn {
    let mut first = true;
    let changed = Changed::new(emulator, move |tokens| {
        if std::mem::take(&mut first) {
            _ = tokens.remove("id_token");
        }
    });
    settings(emulator).scopes("openid offline_access").build_with(changed).unwrap()
}

#[test]
fn a_token_is_revoked_once_and_until_it_is() {
    let emulator = emulator();
    let sign_in = first_without_id_token(&emulator);
    let fails = |browser: &mut Browser| {
        let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
        assert!(matches!(browser.callback(&sign_in, &back).error(), Some(SignInError::NoIdToken)));
    };
    // The service cannot be told of it: it is told with a later sign-in, and by the one after that if it cannot be then either.
    emulator.fault(FaultRule::on("oauth.revoke").status(503).always()).unwrap();
    fails(&mut Browser::default());
    assert_eq!(emulator.token_count(TokenKind::Refresh), 1);
    let _ = signed_in(&emulator, &sign_in);
    assert_eq!(emulator.token_count(TokenKind::Refresh), 2);
    emulator.clear_faults();
    emulator.advance(Duration::from_secs(60));
    let before = emulator.count("oauth.revoke").unwrap();
    for _ in 0..3 {
        let _ = signed_in(&emulator, &sign_in);
    }
    assert_eq!(emulator.token_count(TokenKind::Refresh), 4, "those of the four that stand");
    assert_eq!(emulator.count("oauth.revoke").unwrap() - before, 1);
}

#[test]
fn a_token_that_was_revoked_is_not_revoked_again() {
    let emulator = emulator();
    let sign_in = first_without_id_token(&emulator);
    let mut browser = Browser::default();
    let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
    assert!(browser.callback(&sign_in, &back).error().is_some());
    assert_eq!((emulator.token_count(TokenKind::Refresh), emulator.count("oauth.revoke").unwrap()), (0, 1));
    let browser = signed_in(&emulator, &sign_in);
    assert_eq!(emulator.count("oauth.revoke").unwrap(), 1, "once");
    let _ = sign_in.logout(&Method::POST, &browser.posts());
    assert_eq!(emulator.count("oauth.revoke").unwrap(), 2);
}

#[test]
fn lifetimes_from_a_minute_to_four_hundred_days() {
    let emulator = emulator();
    for seconds in [60, 400 * 86_400] {
        let settings = settings(&emulator).session_lifetime(Duration::from_secs(seconds));
        assert!(settings.build_with(emulator.transport()).is_ok(), "{seconds}");
    }
}
