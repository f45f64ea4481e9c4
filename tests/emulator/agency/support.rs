//! Requests made by hand, and answers taken apart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{Emulator, Tenant};
use lumoauth::http::header::{AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use lumoauth::http::{Method, Uri};
use lumoauth::{Secret, embed::Route};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const REDIRECT: &str = "https://myapp.com/consent";
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-x";
pub const MCP: &str = "https://mcp.acme.test/my-mcp-server";
pub const TYPE: &str = "urn:ietf:params:oauth:token-type:";
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The demo tenant, where alice agrees to everything.
pub fn alice() -> Emulator {
    Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").build().unwrap()
}

pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

pub fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).finish()
}

/// A good authorization request for these scopes, with some parameters changed: an empty value takes one away.
pub fn asking(scope: &str, changes: &[(&str, &str)]) -> String {
    let s256 = challenge(VERIFIER);
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "agt_demo"),
        ("redirect_uri", REDIRECT),
        ("scope", scope),
        ("state", "st&te"),
        ("code_challenge", s256.as_str()),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(own, _)| own != name || *name == "resource");
        pairs.push((name, value));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    encoded(&pairs)
}

pub fn authorize(emulator: &Emulator, query: &str) -> Response {
    let url: Uri = format!("{}?{query}", emulator.site().url(routes::AUTHORIZE)).parse().unwrap();
    emulator.handle_in_process(&Request::new(Method::GET, url)).response
}

/// The parameters that the browser is sent back with, and where.
pub fn sent(location: &str) -> (String, Vec<(String, String)>) {
    let (to, query) = location.split_once('?').unwrap();
    (to.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

pub fn back(response: &Response) -> Vec<(String, String)> {
    assert!(matches!(response.status().as_u16(), 302 | 303), "{} {}", response.status(), response.text());
    sent(response.header(LOCATION).unwrap()).1
}

pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// A code of alice for these scopes.
pub fn code(emulator: &Emulator, scope: &str, changes: &[(&str, &str)]) -> String {
    let pairs = back(&authorize(emulator, &asking(scope, changes)));
    assert_ne!(value(&pairs, "code"), "", "{pairs:?}");
    value(&pairs, "code").to_owned()
}

pub fn post(emulator: &Emulator, route: Route, pairs: &[(&str, &str)]) -> Response {
    let form = pairs.iter().fold(Form::new(), |form, (name, value)| form.field(name, value));
    let request = Request::new(Method::POST, emulator.site().url(route)).form(form);
    emulator.handle_in_process(&request).response
}

/// A form with the first agent's credentials.
pub fn signed(emulator: &Emulator, route: Route, pairs: &[(&str, &str)]) -> Response {
    let own = [("client_id", emulator.client_id()), ("client_secret", emulator.secret().expose())];
    post(emulator, route, &[&own, pairs].concat())
}

pub fn redeem(emulator: &Emulator, code: &str) -> Response {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    signed(emulator, routes::TOKEN, &pairs)
}

pub fn refresh(emulator: &Emulator, token: &str, more: &[(&str, &str)]) -> Response {
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
    signed(emulator, routes::TOKEN, &[&pairs, more].concat())
}

/// Alice's tokens for the first agent.
pub fn user_tokens(emulator: &Emulator, scope: &str) -> Value {
    ok(&redeem(emulator, &code(emulator, scope, &[("access_type", "offline")])))
}

pub fn user_token(emulator: &Emulator, scope: &str) -> String {
    text(&user_tokens(emulator, scope), "access_token")
}

/// An agent's own token.
pub fn agent_token(emulator: &Emulator, client_id: &str) -> String {
    agent_token_for(emulator, client_id, &[])
}

pub fn agent_token_for(emulator: &Emulator, client_id: &str, more: &[(&str, &str)]) -> String {
    let secret = emulator.secret_of(client_id).unwrap().clone();
    let own =
        [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret.expose())];
    text(&ok(&post(emulator, routes::TOKEN, &[&own, more].concat())), "access_token")
}

pub fn exchange(emulator: &Emulator, pairs: &[(&str, &str)]) -> Response {
    post(emulator, routes::TOKEN, &[&[("grant_type", EXCHANGE)], pairs].concat())
}

/// The actor takes the subject's place, with no credentials but the tokens.
pub fn delegate(emulator: &Emulator, subject: &str, actor: &str, more: &[(&str, &str)]) -> Response {
    let access = format!("{TYPE}access_token");
    let pairs = [
        ("subject_token", subject),
        ("subject_token_type", access.as_str()),
        ("actor_token", actor),
        ("actor_token_type", access.as_str()),
    ];
    exchange(emulator, &[&pairs, more].concat())
}

pub fn get(emulator: &Emulator, path: &str, token: Option<&str>) -> Response {
    let mut request = Request::new(Method::GET, emulator.site().join(path).unwrap());
    if let Some(token) = token {
        request = request.authorization("Bearer", &Secret::new(token)).unwrap();
    }
    emulator.handle_in_process(&request).response
}

pub fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|_| panic!("{}", response.text()))
}

pub fn ok(response: &Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.text());
    body(response)
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Status and code.
pub fn refusal(response: &Response) -> (u16, String) {
    let body = body(response);
    let code = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default();
    (response.status().as_u16(), code.to_owned())
}

pub fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub fn www_authenticate(response: &Response) -> &str {
    response.header(WWW_AUTHENTICATE).unwrap_or_default()
}

/// A part of a JWT: 0 is the header, 1 the claims.
pub fn jwt(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What introspection says.
pub fn active(emulator: &Emulator, token: &str) -> bool {
    let body = ok(&signed(emulator, routes::INTROSPECT, &[("token", token)]));
    let active = body["active"].as_bool().unwrap();
    assert!(active || body.as_object().unwrap().len() == 1, "an inactive token says nothing else");
    active
}

pub fn bearer(request: Request, token: &str) -> Request {
    request.header(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
}
