//! Consent without PKCE: only by the switch, only for clients with a secret.

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::http::header::LOCATION;

use crate::support::{bot, refusal};

fn emulator(optional: bool) -> Emulator {
    let public =
        AgentSeed::new("agt_cli").public().scopes(["read_document"]).redirect_uri("https://app.test/cb");
    let tenant = Tenant::new("acme")
        .agent(bot().redirect_uri("https://app.test/cb"))
        .agent(public)
        .user(UserSeed::new("alice").scopes(["read_document"]));
    Emulator::builder().tenant(tenant).auto_consent("alice").pkce_optional(optional).build().unwrap()
}

/// Where the browser is sent.
fn sent(emulator: &Emulator, client: &str, more: &str) -> String {
    let query = format!(
        "response_type=code&client_id={client}&redirect_uri=https%3A%2F%2Fapp.test%2Fcb&scope=read_document{more}"
    );
    let url = format!("{}?{query}", emulator.site().url(routes::AUTHORIZE));
    let answer = emulator.handle_in_process(&Request::new(Method::GET, url.parse().unwrap())).response;
    answer.header(LOCATION).unwrap().to_owned()
}

fn traded(emulator: &Emulator, to: &str, verifier: Option<&str>) -> Response {
    let code = to.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = Form::new()
        .field("grant_type", "authorization_code")
        .field("client_id", "agt_bot")
        .secret("client_secret", &"s3cret".into())
        .field("redirect_uri", "https://app.test/cb")
        .field("code", code);
    let form = verifier.iter().fold(form, |form, verifier| form.field("code_verifier", verifier));
    let request = Request::new(Method::POST, emulator.site().url(routes::TOKEN)).form(form);
    emulator.handle_in_process(&request).response
}

#[test]
fn pkce_may_be_left_out_by_the_switch_and_by_clients_with_a_secret_alone() {
    let challenge = format!("&code_challenge_method=S256&code_challenge={}", "a".repeat(43));
    let (strict, lenient) = (emulator(false), emulator(true));
    assert!(sent(&strict, "agt_bot", "").contains("error=invalid_request"));
    assert!(sent(&lenient, "agt_cli", "").contains("error=invalid_request"), "a public client");
    assert_eq!(traded(&lenient, &sent(&lenient, "agt_bot", ""), None).status(), 200);
    // Half of it is wrong everywhere, and what was begun with it ends with it.
    for half in ["&code_challenge_method=S256", "&code_challenge_method=plain", "&code_challenge=x"] {
        assert!(sent(&lenient, "agt_bot", half).contains("error=invalid_request"), "{half}");
    }
    let verifier = "v".repeat(43);
    let without = traded(&lenient, &sent(&lenient, "agt_bot", ""), Some(&verifier));
    assert_eq!(refusal(&without), (400, "invalid_grant".to_owned()));
    for given in [None, Some(verifier.as_str()), Some("")] {
        let with = traded(&lenient, &sent(&lenient, "agt_bot", &challenge), given);
        assert_eq!(refusal(&with), (400, "invalid_grant".to_owned()), "{given:?}");
    }
}
