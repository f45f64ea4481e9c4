//! What callers of a service say at its doors: every header, message and token at the guard of an MCP server, what that server lists, and the
//! cookies and answers that browsers bring to a sign-in.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::any;
use lumoauth::Emulator;
use lumoauth::asynchronous::TokenVerifier;
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use lumoauth::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use lumoauth::service::Rule;
use lumoauth::signin::{Login, SignIn};
use lumoauth::tower::ServerAuth;
use lumoauth::verify::{IssuerKeys, TrustedIssuer, VerifierConfig};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::answers::{KIB, now};
use super::{Measure, shapes};

const RESOURCE: &str = "https://api.acme.test/mcp";
const ISSUER: &str = "https://issuer.test";

/// A guarded MCP server that answers with this, and tokens for it.
struct Door {
    emulator: Emulator,
    key: KeyPair,
}

impl Door {
    fn new() -> Self {
        Door { emulator: Emulator::demo().unwrap(), key: KeyPair::from_ed25519_seed(&[7; 32]).unwrap() }
    }

    fn token(&self, name: &str, value: Value) -> HeaderValue {
        let at = self.emulator.now().unix();
        let mut claims = json!({
            "iss": ISSUER, "aud": [RESOURCE], "sub": "someone", "client_id": "app", "exp": at + 600, "iat": at,
        });
        claims[name] = value;
        let token = sign_compact(&self.key, "at+jwt", &claims).unwrap();
        HeaderValue::from_str(&format!("Bearer {token}")).unwrap()
    }

    fn behind(&self, kind: &'static str, answer: Vec<u8>) -> Router {
        let keys = json!({"keys": [self.key.public_jwk().to_json()]}).to_string();
        let issuer = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(keys.as_bytes()).unwrap());
        let config = VerifierConfig::new(issuer, RESOURCE);
        let verifier = TokenVerifier::build_with(config, self.emulator.transport()).unwrap();
        let guard = ServerAuth::new(verifier)
            .tool("000001", Rule::new().scopes("000001 000002"))
            .other_tools(Rule::new().scopes("000003"));
        let answer = move || std::future::ready(([(CONTENT_TYPE, kind)], answer.clone()));
        Router::new().fallback(any(answer)).layer(guard.layer())
    }
}

fn post(token: &HeaderValue, body: Vec<u8>) -> Request<Body> {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(AUTHORIZATION, token.clone());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// Status and length of what comes back.
fn ask(app: &Router, request: Request<Body>) -> (StatusCode, usize) {
    let response = now(app.clone().oneshot(request)).unwrap();
    let status = response.status();
    (status, now(to_bytes(response.into_body(), usize::MAX)).map_or(0, |body| body.len()))
}

const LIST: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

#[test]
fn f17_every_header_and_message_at_a_guard() {
    let Some(measure) = Measure::new("headers and messages at guards", 13, 2) else { return };
    let door = Door::new();
    let token = door.token("scope", json!("000001 000002 000003"));
    let app = door.behind("application/json", br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#.to_vec());
    assert_eq!(ask(&app, post(&token, LIST.to_vec())).0, 200, "the usual request passes");
    let headers = [
        "authorization",
        "cookie",
        "origin",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "mcp-protocol-version",
        "last-event-id",
        "content-type",
        "content-length",
        "accept",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "traceparent",
        "access-control-request-headers",
    ];
    for name in headers {
        for (shape, value) in shapes::headers() {
            for lines in [1, 90] {
                let make = |size: usize| {
                    let mut request = post(&token, Vec::new()).into_parts().0;
                    request.headers.remove(name);
                    for _ in 0..lines {
                        let value = HeaderValue::from_str(&value(size / lines)).unwrap();
                        request.headers.append(HeaderName::from_static(name), value);
                    }
                    request
                };
                measure.feed(&format!("{name} over {lines} lines: {shape}"), 60 * KIB, make, |parts| {
                    ask(&app, Request::from_parts(parts.clone(), Body::from(LIST)));
                });
            }
        }
    }
    let cap = 1000 * KIB;
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    for (method, member) in [
        ("tools/call", "name"),
        ("tools/call", "arguments"),
        ("resources/read", "uri"),
        ("initialize", "capabilities"),
        ("tools/list", "cursor"),
    ] {
        for (index, (shape, _)) in whole.iter().enumerate() {
            let make = |size: usize| {
                let value = if size == cap { &whole } else { &small }[index].1.clone();
                let mut params = json!({"name": "000001"});
                params[member] = value;
                json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
                    .to_string()
                    .into_bytes()
            };
            measure.feed(&format!("{method}, {member}: {shape}"), cap, make, |body: &Vec<u8>| {
                ask(&app, post(&token, body.clone()));
            });
        }
    }
    for (shape, body) in shapes::bodies() {
        measure.feed(&format!("a message: {shape}"), cap, body, |body: &Vec<u8>| {
            ask(&app, post(&token, body.clone()));
        });
    }
    measure.end();
}

/// Tokens of an issuer that is trusted, as long as they may be, for a server with the longest list of tools.
#[test]
fn f17_every_claim_of_a_caller_beside_the_longest_list_of_tools() {
    let Some(measure) = Measure::new("claims of callers beside lists of tools", 13, 2) else { return };
    let door = Door::new();
    let token_cap = 5 * KIB;
    let (whole, small) = (shapes::all_values(token_cap), shapes::all_values(token_cap / 8));
    let tools = |size: usize| {
        let tools: Vec<Value> = (0..size / 24).map(|at| json!({"name": format!("{at:07}")})).collect();
        json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
    };
    let event = |text: String| format!("event: message\ndata: {text}\n\n").into_bytes();
    let lists = [
        ("application/json", tools(900 * KIB).into_bytes(), tools(900 * KIB / 8).into_bytes()),
        ("text/event-stream", event(tools(900 * KIB)), event(tools(900 * KIB / 8))),
    ];
    for (kind, long, short) in lists {
        let apps = [door.behind(kind, long), door.behind(kind, short)];
        for claim in ["scope", "aud", "act", "sub", "amr", "cnf", "unknown"] {
            for (index, (shape, _)) in whole.iter().enumerate() {
                let make = |size: usize| {
                    let is_whole = size == token_cap;
                    let value = if is_whole { &whole } else { &small }[index].1.clone();
                    (usize::from(!is_whole), door.token(claim, value))
                };
                let what = format!("{claim}: {shape}, {kind}");
                measure.feed(&what, token_cap, make, |(app, token)| {
                    ask(&apps[*app], post(token, LIST.to_vec()));
                });
            }
        }
    }
    // What a server may put into the list, or into the stream, beside that.
    let cap = 900 * KIB;
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    let token = door.token("scope", json!("000001 000002 000003"));
    for (index, (shape, _)) in whole.iter().enumerate() {
        for member in ["tools", "name", "cacheScope"] {
            let make = |size: usize| {
                let value = if size == cap { &whole } else { &small }[index].1.clone();
                let result = match member {
                    "name" => json!({"tools": [{"name": value}]}),
                    member => json!({"ttlMs": 1, member: value}),
                };
                let text = json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string();
                (text.clone().into_bytes(), event(text))
            };
            measure.feed(&format!("{member} of a list: {shape}"), cap, make, |(plain, stream)| {
                ask(&door.behind("application/json", plain.clone()), post(&token, LIST.to_vec()));
                ask(&door.behind("text/event-stream", stream.clone()), post(&token, LIST.to_vec()));
            });
        }
    }
    for piece in
        ["\n", "\r", ":\n", "data\n", "data:\n", "data: {}\n\n", "id: 1\nretry: 1\n", "\u{feff}", "a"]
    {
        let make = |size: usize| piece.repeat(size / piece.len()).into_bytes();
        measure.feed(&format!("a stream of {piece:?}"), cap, make, |stream: &Vec<u8>| {
            ask(&door.behind("text/event-stream", stream.clone()), post(&token, LIST.to_vec()));
        });
    }
    measure.end();
}

#[test]
fn f17_every_cookie_and_answer_that_a_browser_brings() {
    let Some(measure) = Measure::new("cookies and answers of browsers", 5, 1) else { return };
    let emulator = Emulator::demo().unwrap();
    let sign_in = SignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant(emulator.tenant())
        .client_id(emulator.client_id())
        .client_secret(emulator.secret().clone())
        .public_url("http://127.0.0.1:3000")
        .session_secret("0123456789abcdef0123456789abcdef")
        .build_with(emulator.transport())
        .unwrap();
    let begun = sign_in.login(&HeaderMap::new(), Login::new());
    let own = begun.cookies()[0].to_str().unwrap().split(';').next().unwrap().to_owned();
    let state = begun.location().unwrap().expose().split("state=").nth(1).unwrap();
    let state = state.split('&').next().unwrap().to_owned();
    let repeated = |piece: &'static str| move |size: usize| piece.repeat(size / piece.len());
    let login = own.split('=').next().unwrap().to_owned();
    let many = |size: usize| {
        let names = (0..size / 40).map(|at| format!("lumoauth_login_{at:016x}=a.b.c; "));
        format!("{}{login}=x", names.collect::<String>())
    };
    type Make<'a> = Box<dyn Fn(usize) -> String + 'a>;
    let mut cookies: Vec<(&str, Make<'_>)> = vec![
        ("sign-ins that began", Box::new(many)),
        ("one session over and over", Box::new(repeated("lumoauth_session=a; "))),
        ("semicolons", Box::new(repeated(";"))),
        ("equal signs with semicolons", Box::new(repeated("=;"))),
    ];
    cookies.extend(shapes::headers().into_iter().map(|(shape, make)| (shape, Box::new(make) as Make<'_>)));
    for (shape, make) in &cookies {
        for lines in [1, 30] {
            for place in ["alone", "in a session", "in a sign-in"] {
                let headers = |size: usize| {
                    let mut headers = HeaderMap::new();
                    for _ in 0..lines {
                        let text = make(size / lines);
                        let text = match place {
                            "alone" => text,
                            "in a session" => format!("lumoauth_session={text}"),
                            _ => format!("{login}={text}"),
                        };
                        headers.append(COOKIE, HeaderValue::from_str(&text).unwrap());
                    }
                    headers
                };
                let what = format!("cookies {place} over {lines} lines: {shape}");
                measure.feed(&what, 31 * KIB, headers, |headers| {
                    drop(sign_in.user(headers));
                    drop(sign_in.login(headers, Login::new()));
                    drop(sign_in.callback(headers, &format!("/callback?code=c&state={state}")));
                    drop(sign_in.logout(&Method::POST, headers));
                });
            }
        }
    }
    let mut browser = HeaderMap::new();
    browser.insert(COOKIE, HeaderValue::from_str(&own).unwrap());
    for (shape, text) in shapes::texts() {
        let own = |size: usize| text(size);
        measure.feed(&format!("an answer: {shape}"), 256 * KIB, own, |text| {
            for url in [
                format!("/callback?code=c&state={text}"),
                format!("/callback?state={state}&code={text}&state=x"),
                format!("/callback?state={state}&error={text}"),
                format!("/callback?{text}&state={state}"),
                text.clone(),
            ] {
                drop(sign_in.callback(&browser, &url));
            }
            drop(sign_in.login(&browser, Login::new().return_to(text.clone())));
        });
    }
    measure.end();
}
