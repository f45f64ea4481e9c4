//! What strangers send to the emulator: every route, with a query, a header, a form and a JSON body in every shape.

use lumoauth::Emulator;
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::http::{HeaderName, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use super::answers::KIB;
use super::{Measure, shapes};

/// Members that forms and documents have here.
const MEMBERS: [&str; 20] = [
    "scope",
    "resource",
    "audience",
    "subject_token",
    "actor_token",
    "code",
    "redirect_uri",
    "refresh_token",
    "token",
    "client_id",
    "action",
    "context",
    "name",
    "capabilities",
    "resource_token",
    "agent_token",
    "user_code",
    "state",
    "request_uri",
    "unknown",
];
const HEADERS: [&str; 8] = [
    "authorization",
    "cookie",
    "agent-auth",
    "signature-input",
    "signature",
    "origin",
    "signature-key",
    "host",
];

#[test]
fn f17_every_route_of_the_emulator() {
    let Some(measure) = Measure::new("requests at the emulator", 307, 61) else { return };
    let emulator = Emulator::demo().unwrap();
    let own = {
        let form =
            Form::new().field("grant_type", "client_credentials").field("client_id", emulator.client_id());
        let form = form.secret("client_secret", emulator.secret());
        let request = Request::new(Method::POST, emulator.site().url(routes::TOKEN)).form(form);
        let answer: Value = emulator.handle_in_process(&request).response.json().unwrap();
        HeaderValue::from_str(&format!("Bearer {}", answer["access_token"].as_str().unwrap())).unwrap()
    };
    let send = |request: &Request| {
        let answer = emulator.handle_in_process(request).response;
        assert_ne!(answer.status(), 500, "{}", answer.text());
    };
    let bearer = |request: Request| request.header(lumoauth::http::header::AUTHORIZATION, own.clone());
    let grants = [
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:device_code",
    ];
    for route in routes::all() {
        // What stands in the path is a name like any other.
        let places = route.path().matches('{').count();
        let Ok(url) = emulator.site().url_with(route, &vec!["files"; places]) else { continue };
        for (shape, text) in shapes::texts() {
            for member in MEMBERS {
                let what = format!("{}, {member} in a query: {shape}", route.name());
                let asked = |size: usize| {
                    let value: String = form_urlencoded::byte_serialize(text(size / 3).as_bytes()).collect();
                    let value = value.get(..size.min(value.len())).unwrap_or_default().to_owned();
                    let url: Uri = format!("{url}?client_id=demo-agent&{member}={value}").parse().unwrap();
                    bearer(Request::new(route.method(), url))
                };
                measure.feed(&what, 32 * KIB, asked, send);
                for grant in grants {
                    let what = format!("{}, {member} in a form of {grant}: {shape}", route.name());
                    let posted = |size: usize| {
                        let form =
                            Form::new().field("grant_type", grant).field("client_id", emulator.client_id());
                        let form = form.secret("client_secret", emulator.secret()).field(member, &text(size));
                        Request::new(route.method(), url.clone()).form(form)
                    };
                    measure.feed(&what, 256 * KIB, posted, send);
                    if route != routes::TOKEN {
                        break;
                    }
                }
                let what = format!("{}, {member} in a document: {shape}", route.name());
                let posted = |size: usize| {
                    let mut body = json!({"action": "a", "client_id": "agt_x", "name": "x"});
                    body[member] = Value::String(text(size));
                    bearer(Request::new(route.method(), url.clone()).json(&body))
                };
                measure.feed(&what, 256 * KIB, posted, send);
            }
        }
        for (shape, value) in shapes::headers() {
            for name in HEADERS {
                let what = format!("{}, {name}: {shape}", route.name());
                let asked = |size: usize| {
                    let value = HeaderValue::from_str(&value(size)).unwrap();
                    Request::new(route.method(), url.clone()).header(HeaderName::from_static(name), value)
                };
                measure.feed(&what, 16 * KIB, asked, send);
            }
        }
    }
    measure.end();
}
