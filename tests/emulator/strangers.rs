//! What strangers send is bounded: the work it makes, what is kept of it, how long it may take.

use lumoauth::Secret;
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{Emulator, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::{Site, embed::Route};
use serde_json::json;

use crate::support::{ask, bearer, body, bot, form, jwt_part, token, token_request};

/// Nanoseconds that this thread was at work, however busy the machine is. None where the system does not say.
fn at_work() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// The work that a request makes, in nanoseconds, so many times over and divided by that: the system counts in coarse steps.
fn work(emulator: &Emulator, request: &Request, times: u64) -> Option<u64> {
    let before = at_work()?;
    (0..times).for_each(|_| drop(emulator.handle_in_process(request)));
    at_work()?.saturating_sub(before).checked_div(times)
}

fn people() -> Emulator {
    let agent =
        bot().capability("agents:register").redirect_uri("https://app.test/cb").resource("https://r.test");
    let tenant = Tenant::new("acme").agent(agent).user(UserSeed::new("alice").scopes(["read_document"]));
    Emulator::builder().tenant(tenant).build().unwrap()
}

fn posted(site: &Site, route: Route, form: Form) -> Request {
    Request::new(Method::POST, site.url(route)).form(form)
}

/// A parameter or a field at its size cap makes as much work as any other text of that size.
#[test]
fn no_text_makes_more_work_than_its_length() {
    const SIZE: usize = 900_000;
    const STEP: u64 = 100_000_000;
    let emulator = people();
    let own = token(&emulator);
    let words: String = (0..SIZE / 7).map(|word| format!("{word:06} ")).collect();
    let words = words.trim_end();
    let client = || form("agt_bot", "s3cret");
    let site = emulator.site();
    let reference = token_request(site, client().field("other", &"a".repeat(SIZE)));
    let Some(linear) = work(&emulator, &reference, 8) else {
        return println!("SKIPPED: this system does not say how long a thread was at work");
    };
    let grant = |name: &str| {
        Form::new()
            .field("grant_type", name)
            .field("client_id", "agt_bot")
            .secret("client_secret", &Secret::new("s3cret"))
    };
    let exchange = grant("urn:ietf:params:oauth:grant-type:token-exchange")
        .field("subject_token", &own)
        .field("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
    let many = |name: &str| (0..SIZE / 26).fold(client(), |form, _| form.field(name, "https://r.test"));
    let json = |route: Route, value: serde_json::Value| {
        bearer(Request::new(Method::POST, site.url(route)).json(&value), &own)
    };
    let list: Vec<String> = (0..SIZE / 9).map(|word| format!("{word:06}")).collect();
    let requests = [
        ("scope of the own grant", token_request(site, client().field("scope", words))),
        ("scope of an exchange", token_request(site, exchange.clone().field("scope", words))),
        ("subject token", token_request(site, exchange.field("actor_token", words))),
        (
            "code",
            token_request(site, grant("authorization_code").field("code", words).field("redirect_uri", "x")),
        ),
        ("refresh token", token_request(site, grant("refresh_token").field("refresh_token", words))),
        ("scope of a device", posted(site, routes::DEVICE_AUTHORIZATION, client().field("scope", words))),
        (
            "scope of a pushed request",
            posted(site, routes::PUSHED_AUTHORIZATION, client().field("scope", words)),
        ),
        ("resources", token_request(site, many("resource"))),
        ("audiences", token_request(site, many("audience"))),
        (
            "parameters",
            token_request(
                site,
                (0..SIZE / 10).fold(client(), |form, at| form.field(&format!("{at:06}"), "a")),
            ),
        ),
        (
            "repeated parameters",
            token_request(site, (0..SIZE / 4).fold(client(), |form, _| form.field("a", "b"))),
        ),
        ("token to revoke", posted(site, routes::REVOKE, client().field("token", words))),
        ("token to look at", posted(site, routes::INTROSPECT, client().field("token", words))),
        (
            "capabilities",
            json(routes::REGISTER, json!({"client_id": "agt_x", "name": "x", "capabilities": list})),
        ),
        ("name", json(routes::REGISTER, json!({"client_id": "agt_x", "name": words}))),
        ("action", json(routes::ASK, json!({"action": words}))),
        ("context", json(routes::ASK, json!({"action": "a", "context": {"pep": list}}))),
    ];
    for (what, request) in &requests {
        let made = work(&emulator, request, 2).unwrap();
        let bound = linear.saturating_mul(20).saturating_add(STEP);
        println!("{what}: {:.1} times the work of any text of that size", made as f64 / linear as f64);
        assert!(made < bound, "{what}: {made} ns of work, {linear} ns for any other text");
    }
}

/// A resource that is named a thousand times is one audience.
#[test]
fn a_resource_named_again_is_not_given_again() {
    let emulator = people();
    let many = (0..1_000).fold(form("agt_bot", "s3cret"), |form, _| form.field("resource", "https://r.test"));
    let response = emulator.handle_in_process(&token_request(emulator.site(), many)).response;
    assert_eq!(jwt_part(body(&response)["access_token"].as_str().unwrap(), 1)["aud"], "https://r.test");
}

/// What waits for a person, or until a code is used, has a length.
#[test]
fn what_is_kept_of_a_request_for_consent_has_a_length() {
    let emulator = people();
    let asked = |name: &str, length: usize| {
        let form = form("agt_bot", "s3cret")
            .field("response_type", "code")
            .field("redirect_uri", "https://app.test/cb")
            .field("code_challenge", &"a".repeat(43))
            .field("code_challenge_method", "S256")
            .field(name, &"a".repeat(length));
        emulator
            .handle_in_process(&posted(emulator.site(), routes::PUSHED_AUTHORIZATION, form))
            .response
            .status()
    };
    for name in ["state", "nonce", "login_hint"] {
        assert_eq!(
            (asked(name, 8 * 1024).as_u16(), asked(name, 8 * 1024 + 1).as_u16()),
            (201, 400),
            "{name}"
        );
    }
}

/// The logs keep so many characters of a text, whoever writes it.
#[test]
fn the_logs_keep_a_part_of_long_texts() {
    let emulator = people();
    let own = token(&emulator);
    let method = Method::from_bytes("M".repeat(60_000).as_bytes()).unwrap();
    emulator.handle_in_process(&Request::new(method, emulator.site().url(routes::ME)));
    assert_eq!(emulator.log().last().unwrap().method, "M".repeat(32));
    let answer = ask(&emulator, &own, &json!({"action": "a".repeat(60_000)}));
    assert_eq!(body(&answer)["action"].as_str().unwrap().len(), 60_000, "the answer has it whole");
    let entry = emulator.audit().pop().unwrap();
    assert_eq!((entry.action.len(), entry.allowed), (1024, false));
}

/// A registration gives names and capabilities of a length and a number.
#[test]
fn a_registration_has_a_size() {
    let emulator = people();
    let own = token(&emulator);
    let register = |value: serde_json::Value| {
        let request =
            bearer(Request::new(Method::POST, emulator.site().url(routes::REGISTER)).json(&value), &own);
        emulator.handle_in_process(&request).response.status().as_u16()
    };
    let words = |count: usize| (0..count).map(|word| format!("w{word}")).collect::<Vec<_>>();
    assert_eq!(register(json!({"client_id": "agt_a", "name": "a", "capabilities": words(1024)})), 200);
    assert_eq!(register(json!({"client_id": "agt_b", "name": "b", "capabilities": words(1025)})), 400);
    for field in ["client_id", "name", "description"] {
        let mut value = json!({"client_id": "agt_c", "name": "c"});
        value[field] = json!("c".repeat(4097));
        assert_eq!(register(value), 400, "{field}");
    }
}
