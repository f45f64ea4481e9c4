//! Requests made by hand, and answers taken apart.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::http::header::{AUTHORIZATION, HeaderValue};
use lumoauth::http::{Method, StatusCode};
use lumoauth::{Secret, Site, embed::Route};
use serde_json::Value;

/// One tenant with a fixed secret and nothing else that matters.
pub fn small() -> Emulator {
    Emulator::builder().tenant(Tenant::new("acme").agent(bot())).build().unwrap()
}

pub fn bot() -> AgentSeed {
    AgentSeed::new("agt_bot").secret("s3cret").name("bot").capabilities(["read_document", "read:documents"])
}

pub fn form(id: &str, secret: &str) -> Form {
    Form::new()
        .field("grant_type", "client_credentials")
        .field("client_id", id)
        .secret("client_secret", &Secret::new(secret))
}

pub fn token_request(site: &Site, form: Form) -> Request {
    Request::new(Method::POST, site.url(routes::TOKEN)).form(form)
}

pub fn basic(request: Request, text: &str) -> Request {
    request.authorization("Basic", &Secret::new(STANDARD.encode(text))).unwrap()
}

/// A token of the first agent.
pub fn token(emulator: &Emulator) -> String {
    let form = form(emulator.client_id(), emulator.secret().expose());
    let response = emulator.handle_in_process(&token_request(emulator.site(), form)).response;
    assert_eq!(response.status(), 200, "{}", response.text());
    body(&response)["access_token"].as_str().unwrap().to_owned()
}

pub fn bearer(request: Request, token: &str) -> Request {
    request.header(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
}

pub fn ask_request(site: &Site, token: &str, body: &Value) -> Request {
    bearer(Request::new(Method::POST, site.url(routes::ASK)).json(body), token)
}

pub fn ask(emulator: &Emulator, token: &str, body: &Value) -> Response {
    emulator.handle_in_process(&ask_request(emulator.site(), token, body)).response
}

pub fn get(emulator: &Emulator, route: Route, token: &str) -> Response {
    let request = bearer(Request::new(Method::GET, emulator.site().url(route)), token);
    emulator.handle_in_process(&request).response
}

pub fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Status and code.
pub fn refusal(response: &Response) -> (u16, String) {
    let body = body(response);
    let code = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default();
    (response.status().as_u16(), code.to_owned())
}

pub fn challenge(response: &Response) -> &str {
    response.header(lumoauth::http::header::WWW_AUTHENTICATE).unwrap_or_default()
}

/// A part of a JWT: 0 is the header, 1 the claims.
pub fn jwt_part(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub const OK: StatusCode = StatusCode::OK;
