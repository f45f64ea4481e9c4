//! The settings of sign-ins: all that is missing at once, and nothing that cannot work.

use std::time::Duration;

use lumoauth::Error;
use lumoauth::error::ConfigError;
use lumoauth::signin::{Login, SignIn, SignInBuilder};

use super::support::*;

fn wrong(change: impl FnOnce(SignInBuilder) -> SignInBuilder) -> String {
    let emulator = emulator();
    match change(settings(&emulator)).build_with(emulator.transport()) {
        Err(Error::Config(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let emulator = emulator();
    let error = SignIn::builder().build_with(emulator.transport()).unwrap_err();
    let Error::Config(ConfigError::SeveralMissing { settings }) = &error else { panic!("{error}") };
    assert_eq!(settings.len(), 5);
    for variable in [
        "LUMOAUTH_TENANT",
        "LUMOAUTH_CLIENT_ID",
        "LUMOAUTH_CLIENT_SECRET",
        "SESSION_SECRET",
        "LUMOAUTH_PUBLIC_URL",
    ] {
        assert!(error.to_string().contains(variable), "{variable}: {error}");
    }
    assert!(wrong(|settings| settings.public_url("")).contains("LUMOAUTH_PUBLIC_URL"));
    assert!(wrong(|settings| settings.session_secret("")).contains("SESSION_SECRET"));
}

#[test]
fn what_cannot_work_is_refused() {
    assert!(wrong(|settings| settings.session_secret("x".repeat(31))).contains("32 bytes"));
    for url in [
        "app.example",
        "http://app.example",
        "https://app.example/?x",
        "ftp://app.example",
        "https://u@app.example",
    ] {
        assert!(wrong(|settings| settings.public_url(url)).contains("public_url"), "{url}");
    }
    for under in ["auth", "/auth/", "//auth", "/a{b}", "/a*", "/../a", "/"] {
        assert!(wrong(|settings| settings.under(under)).contains("under"), "{under}");
    }
    for path in ["https://evil.example", "//evil.example", "bye", "/\\x"] {
        assert!(wrong(|settings| settings.back_from_service(path)).contains("back_from_service"), "{path}");
        assert!(wrong(|settings| settings.after_logout(path)).contains("after_logout"), "{path}");
    }
    assert!(
        wrong(|settings| settings.session_lifetime(Duration::from_secs(59))).contains("session_lifetime")
    );
    assert!(
        wrong(|settings| settings.session_lifetime(Duration::from_secs(401 * 86_400))).contains("400 days")
    );
    assert!(wrong(SignInBuilder::public_client).contains("client_secret"));
}

#[test]
fn cookies_and_addresses_come_of_the_public_url_alone() {
    let emulator = emulator();
    let at = |url: &str| {
        settings(&emulator).public_url(url).under("/auth").build_with(emulator.transport()).unwrap()
    };
    for (url, redirect, start) in [
        ("https://app.example", "https://app.example/auth/callback", "__Host-lumoauth_login_"),
        ("https://app.example/team/", "https://app.example/team/auth/callback", "__Secure-lumoauth_login_"),
        ("http://localhost:3000", "http://localhost:3000/auth/callback", "lumoauth_login_"),
    ] {
        let sign_in = at(url);
        assert_eq!(sign_in.redirect_uri(), redirect);
        // Whatever a request says of where it came to.
        let mut headers = Browser::default().headers();
        for name in ["host", "x-forwarded-host", "forwarded", "x-original-host"] {
            headers = with(headers, name, "evil.example");
        }
        let answer = sign_in.login(&headers, Login::new());
        assert_eq!(query(answer.location().unwrap().expose())["redirect_uri"], redirect);
        let cookie = answer.cookies()[0].to_str().unwrap();
        assert!(cookie.starts_with(start), "{cookie}");
        assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), url.starts_with("https"), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    let sign_in = at("https://app.example/team");
    assert_eq!(sign_in.login_path(Some("/team/a?b=c")), "/team/auth/login?return_to=%2Fteam%2Fa%3Fb%3Dc");
    assert_eq!(sign_in.login_path(Some("//evil.example")), "/team/auth/login");
    assert_eq!(
        (sign_in.login_path(None), sign_in.logout_path()),
        ("/team/auth/login".into(), "/team/auth/logout".into())
    );
}

#[test]
fn a_public_client_signs_people_in_without_a_secret() {
    use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
    let app = AgentSeed::new("app_1").public().redirect_uri("http://127.0.0.1:3000/callback");
    let other = AgentSeed::new("agt_1").secret("fixed-secret");
    let tenant = Tenant::new("acme").agent(other).agent(app).user(UserSeed::new("alice"));
    let emulator = Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap();
    let sign_in = SignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("app_1")
        .public_client()
        .public_url(HOME)
        .session_secret(secret(SECRET))
        .build_with(emulator.transport())
        .unwrap();
    assert_eq!(who(&sign_in, &signed_in(&emulator, &sign_in)).as_deref(), Some("user:alice"));
}
