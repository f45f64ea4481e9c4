//! What guards cost a service: requests a second of a bare route, behind the check of the caller, behind the question about the service's agent,
//! and behind the guard of an MCP server, over one warm connection of the caller's, in one run.
//!
//! Beside each stands what it cannot do without: for the check of the caller one verification by ring of the same token; for the question one
//! bare `ask` over the same warm connection to LumoAuth (the emulator over HTTP on loopback). The ratio is that sum to what the guarded route
//! takes: 1 would be a guard that costs nothing of its own.
//!
//! `cargo bench --bench guard --features axum,reqwest,emulator`

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::asynchronous::{Agent, TokenVerifier};
use lumoauth::axum::require_allowed;
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::service::Rule;
use lumoauth::tower::{ServerAuth, Verified};
use lumoauth::verify::{IssuerKeys, TrustedIssuer, VerifierConfig};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const ISSUER: &str = "https://app.lumoauth.dev/t/acme/api/v1";
const API: &str = "https://api.example.com/mcp";
const ROUNDS: usize = 60;
const CALLS: u32 = 100;

/// One connection, kept.
struct Connection(TcpStream);

impl Connection {
    fn open(url: &str) -> Self {
        let stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Connection(stream)
    }

    /// Sends, and reads the whole answer, which must be 200.
    fn ask(&mut self, request: &[u8]) {
        self.0.write_all(request).expect("it listens");
        let (mut answer, mut piece) = (Vec::new(), [0; 2048]);
        loop {
            let read = self.0.read(&mut piece).expect("an answer");
            assert!(read > 0, "the connection ended");
            answer.extend_from_slice(piece.get(..read).unwrap_or_default());
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                return;
            }
        }
    }
}

fn serve(runtime: &Runtime, app: Router) -> Connection {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    runtime.spawn(axum::serve(listener, app).into_future());
    Connection::open(&address)
}

fn each(work: &mut dyn FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    begun.elapsed() / CALLS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A named piece of work.
type Work<'a> = (&'static str, Box<dyn FnMut() + 'a>);

fn main() {
    // No budget: the demo's would be used up.
    let own = AgentSeed::new("agt_service").secret("only-for-this-bench").capability("read_documents");
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(own)).build().expect("a tenant");
    let service = emulator.serve("127.0.0.1:0").expect("loopback");
    let builder = Agent::builder().base_url(service.url()).layout(emulator.site().layout().clone());
    let agent = builder
        .client_id(emulator.client_id())
        .client_secret(emulator.secret().clone())
        .build()
        .expect("valid");

    let key = KeyPair::generate_ed25519().expect("random");
    let now = emulator.now().unix();
    let claims = json!({
        "iss": ISSUER, "aud": API, "sub": "agent:research-bot", "client_id": "agt_1", "agent_id": "agt_1",
        "scope": "read:documents tool:search", "iat": now, "exp": now + 36_000, "jti": "jti_0123456789abcdef",
    });
    let token = sign_compact(&key, "at+jwt", &claims).expect("signs");
    let jwk = key.public_jwk().to_json();
    let set = IssuerKeys::parse(json!({"keys": [jwk]}).to_string().as_bytes()).expect("sound");
    let config = VerifierConfig::new(TrustedIssuer::new(ISSUER).keys(set), API);
    let verifier = TokenVerifier::build_with(config, emulator.transport()).expect("valid");

    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().expect("public")).expect("base64url");
    let public = UnparsedPublicKey::new(&ED25519, public);

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let route = || Router::new().route("/documents", get(async || "[]"));
    let mcp = || {
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        Router::new()
            .route("/mcp", post(async move |_: String| ([("content-type", "application/json")], answer)))
    };
    let auth = ServerAuth::new(verifier.clone()).tool("search", Rule::new().capability("tool:search"));
    let mut bare = serve(&runtime, route());
    let mut verified = serve(&runtime, route().layer(Verified::new(verifier)));
    let mut allowed = serve(&runtime, route().route_layer(require_allowed(agent.clone(), "read_documents")));
    let mut bare_mcp = serve(&runtime, mcp());
    let mut guarded_mcp = serve(&runtime, mcp().layer(auth.layer()));

    let head = format!("host: localhost\r\nauthorization: Bearer {token}\r\n");
    let request = format!("GET /documents HTTP/1.1\r\n{head}\r\n");
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"rust"}}}"#;
    let message = format!("POST /mcp HTTP/1.1\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
    let (request, message) = (request.as_bytes(), message.as_bytes());

    let mut all: Vec<Work<'_>> = vec![
        ("bare route", Box::new(|| bare.ask(request))),
        (
            "ring alone",
            Box::new(|| public.verify(black_box(input.as_bytes()), &signature).expect("verifies")),
        ),
        ("caller checked", Box::new(|| verified.ask(request))),
        ("ask alone", Box::new(|| drop(runtime.block_on(agent.ask("read_documents")).expect("asked")))),
        ("agent asked about", Box::new(|| allowed.ask(request))),
        ("bare MCP server", Box::new(|| bare_mcp.ask(message))),
        ("MCP server guarded", Box::new(|| guarded_mcp.ask(message))),
    ];
    for (_, work) in &mut all {
        each(&mut **work);
    }
    // Taken by turns, so that a busy machine burdens all alike.
    let mut times = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for ((_, work), times) in all.iter_mut().zip(&mut times) {
            times.push(each(&mut **work));
        }
    }
    let times: Vec<Duration> = times.into_iter().map(median).collect();
    for ((name, _), time) in all.iter().zip(&times) {
        println!("{name:20} {time:>9.2?}  {:>7.0} a second", 1.0 / time.as_secs_f64());
    }
    let mut low = false;
    for (guarded, parts, floor) in [(2, [0, 1], 0.80), (4, [0, 3], 0.85), (6, [5, 1], 0.75)] {
        let sum: Duration = parts.iter().map(|at: &usize| times[*at]).sum();
        let ratio = sum.as_secs_f64() / times[guarded].as_secs_f64();
        let verdict = if ratio >= floor { "ok" } else { "BELOW" };
        low |= ratio < floor;
        let [one, other] = parts.map(|at| all[at].0);
        println!("{}: {one} and {other} are {ratio:.3} of it (floor {floor}) {verdict}", all[guarded].0);
    }
    if low {
        std::process::exit(1);
    }
}
