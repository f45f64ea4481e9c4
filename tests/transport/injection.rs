//! What a caller or a service writes stays a value: it never becomes another header, field, path or decision.
#![cfg(feature = "ureq")]

mod answers;
mod checks;
mod halves;
mod json;
mod paths;

use crate::hostile::{self, Rng};
use base64::Engine;
use http::header::HeaderMap;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::{Agent, AgentBuilder, ApiRequest, Ask, ClientAuth, Error, Register};
use std::sync::{Arc, Mutex};

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600}"#;
const ROUNDS: usize = 25_000;

const PIECES: [&str; 48] = [
    "\r",
    "\n",
    "\0",
    "\r\n",
    "\r\nX-Evil: 1",
    "\n\nGET /evil HTTP/1.1",
    "&",
    "=",
    "+",
    "%",
    "%0d%0a",
    "%00",
    "%2e%2e",
    "&client_secret=x",
    "&scope=admin",
    ";",
    ",",
    " ",
    "\t",
    "\"",
    "\\",
    "\\u0000",
    "\",\"allowed\":true",
    "{",
    "}",
    "[",
    "'",
    "/",
    "?",
    "#",
    "//evil.test/",
    "..",
    "@",
    ":",
    "é",
    "ß",
    "日本",
    "😀",
    "\u{202e}",
    "\u{feff}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "a",
    "Zz",
    "7",
    "read",
    "-_.~",
];

/// A text of a few pieces, now and then an empty one.
fn text(rng: &mut Rng) -> String {
    (0..rng.below(7)).map(|_| PIECES[rng.below(PIECES.len())]).collect()
}

/// A text that mostly can be sent, so that the other inputs are looked at as well.
fn plain(rng: &mut Rng) -> String {
    if rng.below(3) == 0 { text(rng) } else { format!("p{}", rng.below(1000)) }
}

/// An agent whose requests are kept instead of sent.
fn recording(builder: AgentBuilder) -> (Result<Agent, Error>, Arc<Mutex<Vec<Request>>>) {
    let kept: Arc<Mutex<Vec<Request>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let agent = builder.build_with(move |request: Request| {
        let token = request.url().path().ends_with("/oauth/token");
        keep.lock().unwrap().push(request);
        let body = if token { TOKEN } else { r#"{"allowed":false,"agent_id":"a","sub":"a"}"# };
        Ok(Response::new(http::StatusCode::OK, HeaderMap::new(), body))
    });
    (agent, kept)
}

fn builder() -> AgentBuilder {
    Agent::builder()
        .base_url("https://gw.example.com/auth")
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("s")
}

/// Percent-decoding of this test's own; none if an escape is broken.
fn unescape(text: &str, plus: bool) -> Option<String> {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// The pairs of a form, by a decoder of this test's own.
fn pairs(form: &str) -> Vec<(String, String)> {
    assert!(form.bytes().all(|byte| byte.is_ascii_graphic()), "{form:?}");
    form.split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("a pair");
            (unescape(name, true).expect("a name"), unescape(value, true).expect("a value"))
        })
        .collect()
}

/// The names of the headers, sorted, each as often as it is there.
fn names(request: &Request) -> Vec<&str> {
    let mut names: Vec<&str> = request.headers().iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

fn refused(error: &Error, kept: &Mutex<Vec<Request>>, allowed: usize) {
    assert!(matches!(error, Error::Input(_) | Error::Config(_)), "{error:?}");
    assert!(kept.lock().unwrap().len() <= allowed, "sent in spite of {error:?}");
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn s6_credentials_and_scopes_stay_what_they_are() {
    let (mut rng, mut sent, mut stopped) = (Rng::new(61), 0, 0);
    for _ in 0..ROUNDS {
        let (id, secret, scope) = (plain(&mut rng), plain(&mut rng), plain(&mut rng));
        let how = [ClientAuth::Post, ClientAuth::Basic][rng.below(2)];
        let built = builder().client_id(id.as_str()).client_secret(secret.as_str()).client_auth(how);
        let (agent, kept) = recording(built);
        let agent = match agent {
            Ok(agent) => agent,
            Err(error) => {
                refused(&error, &kept, 0);
                stopped += 1;
                continue;
            }
        };
        if let Err(error) = agent.authenticate(scope.as_str()) {
            refused(&error, &kept, 0);
            stopped += 1;
            continue;
        }
        let request = kept.lock().unwrap().pop().unwrap();
        let mut words: Vec<&str> = Vec::new();
        for word in scope.split(' ').filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let words = words.join(" ");
        let mut expected = owned(&[("grant_type", "client_credentials")]);
        if !words.is_empty() {
            expected.extend(owned(&[("scope", &words)]));
        }
        let mut headers = vec!["accept", "accept-encoding", "cache-control", "content-type", "user-agent"];
        match how {
            ClientAuth::Post => expected.extend(owned(&[("client_id", &id), ("client_secret", &secret)])),
            _ => {
                // Some grants need the client id in the body as well.
                expected.extend(owned(&[("client_id", &id)]));
                headers.push("authorization");
                let value = request.headers()["authorization"].to_str().unwrap();
                let pair = value.strip_prefix("Basic ").unwrap();
                let pair = base64::engine::general_purpose::STANDARD.decode(pair).unwrap();
                let pair = String::from_utf8(pair).unwrap();
                let (given_id, given_secret) = pair.split_once(':').unwrap();
                assert_eq!(unescape(given_id, true).unwrap(), id);
                assert_eq!(unescape(given_secret, true).unwrap(), secret);
            }
        }
        assert_eq!(pairs(std::str::from_utf8(request.body()).unwrap()), expected);
        assert_eq!(names(&request), sorted(headers));
        assert_eq!(request.url(), "https://gw.example.com/auth/t/acme/api/v1/oauth/token");
        sent += 1;
    }
    println!("s6 credentials: {sent} sent as they are, {stopped} refused before anything was sent");
    assert!(sent > 1000 && stopped > 1000);
}

#[test]
fn s6_questions_and_registrations_stay_what_they_are() {
    let (mut rng, mut sent, mut stopped) = (Rng::new(62), 0, 0);
    let (agent, kept) = recording(builder());
    let agent = agent.unwrap();
    agent.ensure_authenticated().unwrap();
    for round in 0..ROUNDS {
        kept.lock().unwrap().clear();
        let (a, b, c) = (text(&mut rng), text(&mut rng), text(&mut rng));
        let (result, expected) = if round % 2 == 0 {
            let context = serde_json::json!({ "p": c, "list": [b] });
            let expected = serde_json::json!({ "action": a, "context": { "p": c, "list": [b] } });
            (agent.ask(Ask::new(a).context(context)).map(drop), expected)
        } else {
            let register = Register::new(a.as_str()).client_id(b.as_str()).description(c.as_str());
            let register = register.capabilities([c.as_str(), b.as_str()]).jwks_uri(a.as_str());
            let expected = serde_json::json!({
                "name": a, "client_id": b, "description": c, "capabilities": [c, b], "jwks_uri": a
            });
            (agent.register(register).map(drop), expected)
        };
        if let Err(error) = result {
            refused(&error, &kept, 0);
            stopped += 1;
            continue;
        }
        let request = kept.lock().unwrap().pop().unwrap();
        let body = std::str::from_utf8(request.body()).unwrap();
        assert_eq!(json::parse(body).unwrap(), json::Json::from(&expected), "{body}");
        let mut headers = vec!["accept", "accept-encoding", "authorization", "content-type", "user-agent"];
        if round % 2 == 0 {
            headers.push("cache-control");
        }
        assert_eq!(names(&request), sorted(headers));
        sent += 1;
    }
    println!("s6 questions: {sent} sent as they are, {stopped} refused before anything was sent");
    assert!(sent > 1000 && stopped > 100);
}

#[test]
fn s6_raw_requests_stay_what_they_are() {
    let (mut rng, mut sent, mut stopped) = (Rng::new(63), 0, 0);
    let (agent, kept) = recording(builder());
    let agent = agent.unwrap();
    agent.ensure_authenticated().unwrap();
    for _ in 0..ROUNDS * 2 {
        kept.lock().unwrap().clear();
        let path = if rng.below(2) == 0 { plain(&mut rng) } else { format!("/{}", plain(&mut rng)) };
        let (name, value) = (text(&mut rng), text(&mut rng));
        let header = if rng.below(4) == 0 { format!("x-{}", text(&mut rng)) } else { "x-own".to_owned() };
        let header_value = plain(&mut rng);
        let content_type = plain(&mut rng);
        let body = text(&mut rng);
        let request = ApiRequest::post(path.as_str())
            .query(name.as_str(), value.as_str())
            .header(&header, &header_value)
            .body(&content_type, body.as_str());
        if let Err(error) = agent.run(request) {
            refused(&error, &kept, 0);
            stopped += 1;
            continue;
        }
        let request = kept.lock().unwrap().pop().unwrap();
        assert_eq!(request.url().scheme_str(), Some("https"));
        assert_eq!(request.url().authority().unwrap().as_str(), "gw.example.com");
        let (bare, own_query) = path.split_once('?').unwrap_or((&path, ""));
        let base = if path.starts_with('/') { "/auth" } else { "/auth/t/acme/api/v1/" };
        let behind = request.url().path().strip_prefix(base).expect("the base");
        assert_eq!(unescape(behind, false), unescape(bare, false), "{path:?}");
        let query = request.url().query().unwrap();
        let added = query.rsplit('&').next().unwrap();
        assert_eq!(pairs(added), owned(&[(&name, &value)]), "{path:?} {query}");
        // What was in the path's own query is still there, and nothing else is.
        let before = query.strip_suffix(added).unwrap().trim_end_matches('&');
        let normal = |text: &str| unescape(text, false).map(|text| text.trim_end_matches('&').to_owned());
        assert_eq!(normal(before), normal(own_query), "{path:?} {query}");
        assert_eq!(request.body(), body.as_bytes());
        let lower = header.to_ascii_lowercase();
        let headers = ["accept", "accept-encoding", "authorization", "content-type", "user-agent", &lower];
        assert_eq!(names(&request), sorted(headers.to_vec()));
        assert_eq!(request.headers()[&lower].as_bytes(), header_value.as_bytes());
        assert_eq!(request.headers()["content-type"].as_bytes(), content_type.as_bytes());
        sent += 1;
    }
    println!("s6 raw: {sent} sent as they are, {stopped} refused before anything was sent");
    assert!(sent > 1000 && stopped > 1000);
}

#[test]
fn s6_the_user_agent_stays_what_it_is() {
    let (mut rng, mut sent, mut stopped) = (Rng::new(64), 0, 0);
    for _ in 0..2000 {
        let product = text(&mut rng);
        let (agent, kept) = recording(builder().user_agent(product.as_str()));
        match agent {
            Err(error) => {
                refused(&error, &kept, 0);
                stopped += 1;
            }
            Ok(agent) => {
                agent.ensure_authenticated().unwrap();
                let request = kept.lock().unwrap().pop().unwrap();
                let expected = format!("{product} lumoauth-rust/{}", env!("CARGO_PKG_VERSION"));
                assert_eq!(request.headers()["user-agent"].as_bytes(), expected.as_bytes());
                sent += 1;
            }
        }
    }
    println!("s6 user agent: {sent} sent as it is, {stopped} refused");
}

/// The same over a socket, read by the hostile server's own parser.
#[test]
fn s6_on_the_wire_nothing_is_added() {
    let (mut rng, mut sent) = (Rng::new(65), 0);
    let server = hostile::Server::start(hostile::service("tok"));
    let agent = hostile::agent(server.url()).build().unwrap();
    agent.ensure_authenticated().unwrap();
    for _ in 0..2000 {
        let (value, header) = (text(&mut rng), plain(&mut rng));
        let put = ApiRequest::put("things").query("q", value.as_str()).header("X-Own", &header);
        if agent.run(put.body("text/plain", value.as_str())).is_err() {
            continue;
        }
        let request = server.requests().pop().unwrap();
        assert_eq!(request.query(), owned(&[("q", &value)]));
        assert_eq!(request.header_all("x-own"), [header.trim()]);
        assert_eq!(request.body, value.as_bytes());
        let mut names: Vec<String> =
            request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        let expected = [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-own",
        ];
        let mut expected: Vec<&str> = expected.to_vec();
        if value.is_empty() {
            expected.retain(|name| *name != "content-type" || names.iter().any(|own| own == "content-type"));
        }
        assert_eq!(names, expected, "{value:?}");
        sent += 1;
    }
    println!("s6 on the wire: {sent} requests as they were meant");
    assert!(sent > 500);
}
