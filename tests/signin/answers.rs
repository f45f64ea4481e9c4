//! What browsers are told, and no more.

use lumoauth::signin::{Login, SignInError};

use super::support::*;

#[test]
fn a_person_gets_a_page_and_a_program_a_line() {
    let emulator = emulator();
    let sign_in = settings(&emulator).under("/auth").build_with(emulator.transport()).unwrap();
    let browser = Browser::default();
    let page = sign_in.callback(&for_people(browser.headers()), "?code=c&state=<script>").into_response();
    assert_eq!(
        (page.status().as_u16(), &page.headers()["content-type"]),
        (400, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(page.body().contains("<a href=\"/auth/login\">"), "{}", page.body());
    assert!(!page.body().contains("script") && !page.body().contains("state"), "{}", page.body());
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert_eq!(page.headers()["x-frame-options"], "DENY");
    let line = sign_in.callback(&browser.headers(), "?code=c&state=<script>").into_response();
    assert_eq!(line.body(), r#"{"error":"invalid_state"}"#);
    for response in [page, line] {
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}

#[test]
fn scopes_that_are_required() {
    let emulator = emulator();
    let sign_in = renewing(&emulator);
    let browser = signed_in(&emulator, &sign_in);
    let user = sign_in.user(&browser.headers()).unwrap().unwrap();
    assert!(user.require_scopes("read:documents email").is_ok() && user.require_scopes([]).is_ok());
    let error = user.require_scopes(["read:documents", "write:documents", "admin"]).unwrap_err();
    let response = sign_in.refuse(error, &browser.headers()).into_response();
    assert_eq!(
        (response.status().as_u16(), response.body().as_str()),
        (403, r#"{"error":"insufficient_scope","error_description":"Missing: write:documents, admin"}"#)
    );
    let response = sign_in.refuse(SignInError::NotSignedIn, &browser.headers()).into_response();
    assert_eq!(
        (response.status().as_u16(), response.body().as_str()),
        (401, r#"{"error":"unauthenticated"}"#)
    );
}

#[test]
fn what_cannot_be_begun_is_an_answer_too() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let scopes: Vec<String> = (0..1000).map(|number| format!("scope:{number}")).collect();
    let answer = sign_in.login(&Browser::default().headers(), Login::new().scopes(scopes));
    assert_eq!(answer.into_response().status().as_u16(), 502);
}
