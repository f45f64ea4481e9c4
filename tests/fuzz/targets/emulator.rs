//! Requests of strangers at the emulator: nothing makes it panic or say that it failed, and its work grows as what it reads.
#![no_main]

use std::sync::OnceLock;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue, ORIGIN};
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::Emulator;

const PATHS: [&str; 16] = [
    "oauth/token",
    "oauth/authorize",
    "oauth/par",
    "oauth/device_authorization",
    "oauth/device",
    "oauth/revoke",
    "oauth/introspect",
    "oauth/userinfo",
    "agents/ask",
    "agents/register",
    "mcp/my-mcp-server/challenge",
    "aauth/agent/token",
    "aauth/resource/token",
    "aauth/token/revoke",
    "aauth-demo/reports/data",
    "documents",
];
const TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "application/json", "text/plain"];
/// The sizes that a body is repeated to, and how many times the work of the smaller the larger may make.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 256 * 1024;
const MORE: u64 = 16 * 8;
/// Work in nanoseconds that is not worth a look: the system counts in coarse steps.
const SLACK: u64 = 300_000_000;

fn emulator() -> &'static (Emulator, String) {
    static EMULATOR: OnceLock<(Emulator, String)> = OnceLock::new();
    EMULATOR.get_or_init(|| {
        let emulator = Emulator::demo().expect("the demo");
        let form =
            Form::new().field("grant_type", "client_credentials").field("client_id", emulator.client_id());
        let form = form.secret("client_secret", emulator.secret());
        let url = emulator.site().join("oauth/token").expect("a path");
        let answer = emulator.handle_in_process(&Request::new(Method::POST, url).form(form)).response;
        let body: serde_json::Value = answer.json().expect("an answer");
        let token = body["access_token"].as_str().expect("a token").to_owned();
        (emulator, token)
    })
}

/// Nanoseconds that this thread was at work; none where the system does not say.
fn at_work() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn grown(piece: &[u8], size: usize) -> Vec<u8> {
    piece.iter().copied().cycle().take(size).collect()
}

fuzz_target!(|input: &[u8]| {
    let [path, kind, rest @ ..] = input else { return };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (query, header, body) = (part(), part(), part());
    let (emulator, token) = emulator();
    let path = PATHS[usize::from(*path) % PATHS.len()];
    let base = emulator.site().join(path).expect("a path");
    let query = String::from_utf8_lossy(query);
    let url: Uri = match format!("{base}?{query}").parse() {
        Ok(url) if !query.is_empty() => url,
        _ => base,
    };
    let method = if kind & 1 == 0 { Method::POST } else { Method::GET };
    let media = TYPES[usize::from(kind >> 1) % TYPES.len()];
    let request = |body: Vec<u8>| {
        let mut request = Request::new(method.clone(), url.clone()).bytes(media, body);
        let own = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token");
        let given = HeaderValue::from_bytes(header).ok().filter(|_| !header.is_empty());
        request = match (kind >> 4 & 3, given) {
            (0, _) => request.header(AUTHORIZATION, own),
            (1, Some(value)) => request.header(AUTHORIZATION, value),
            (2, Some(value)) => request.header(HeaderName::from_static("agent-auth"), value),
            (3, Some(value)) => request.header(ORIGIN, value),
            _ => request,
        };
        request
    };
    let work = |body: Vec<u8>| {
        let request = request(body);
        let before = at_work();
        let answer = emulator.handle_in_process(&request).response;
        assert!(answer.status().as_u16() != 500, "{}", answer.text());
        Some(at_work()?.saturating_sub(before?))
    };
    work(body.to_vec());
    if kind & 0x80 != 0 && !body.is_empty() {
        if let (Some(small), Some(large)) = (work(grown(body, SMALL)), work(grown(body, LARGE))) {
            assert!(large <= small.saturating_mul(MORE).saturating_add(SLACK), "{small} ns, then {large} ns");
        }
    }
});
