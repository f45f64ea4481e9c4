//! The async `ask` over loopback against bare reqwest, in one run, as ratio.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin asynchronous`
//!
//! Both sides send the same bytes over plain HTTP to the same server and run in the same tokio runtime.
//!
//! - **bare reqwest**, as a careful program writes it without this library: one client (no redirects, no proxy, 128 idle
//!   connections a host, `TCP_NODELAY`, which is reqwest's default, 3.1 s to connect), 5 s for each request, a body that
//!   serde makes of a value, the token as a sensitive `Authorization` header, `Accept` and `Cache-Control`, the answer
//!   read with a cap of 64 KiB and parsed into a typed struct. It holds one token and looks at no clock.
//! - **lumoauth**: `agent.ask("read")`, with all that it promises: the token looked up and its age checked, the
//!   deadline of the call, the origin checked, JSON read strictly, framing checked.
//!
//! The two run in turns of 15 ms, each first every other time, so that whatever else the machine does hits both. A round
//! gives one ratio; the median of all rounds and the middle half of them are printed.
//!
//! With `ask N` or `bare N` it makes N calls of that side and prints nothing: for counting instructions
//! (`perf stat -e instructions:u`, `valgrind --tool=callgrind`). Take two runs of different N and divide the difference.

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

mod service;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lumoauth::asynchronous::Agent;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use service::{PATH, serve, serve_tls};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 301;
const TURN: Duration = Duration::from_millis(15);
const CAP: usize = 64 * 1024;

#[derive(Serialize)]
struct Question<'a> {
    action: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    allowed: bool,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    audit_id: Option<String>,
}

/// Calls per second of all tasks together.
fn measure<C, F>(runtime: &Runtime, tasks: usize, call: C) -> f64
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    runtime.block_on(async {
        let begun = Instant::now();
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let call = call.clone();
                tokio::spawn(async move {
                    let mut calls = 0_u32;
                    while begun.elapsed() < TURN {
                        call().await;
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        let mut calls = 0;
        for task in tasks {
            calls += task.await.expect("no panic");
        }
        f64::from(calls) / begun.elapsed().as_secs_f64()
    })
}

async fn bare(client: &reqwest::Client, url: &str, token: &str, action: &str) -> bool {
    let mut authorization =
        reqwest::header::HeaderValue::try_from(format!("Bearer {token}")).expect("a header");
    authorization.set_sensitive(true);
    let request = client
        .post(url)
        .header("Authorization", authorization)
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .header("Cache-Control", "no-store")
        .timeout(Duration::from_secs(5))
        .body(serde_json::to_vec(&Question { action }).expect("JSON"));
    let mut response = request.send().await.expect("answered");
    assert_eq!(response.status(), 200);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("read") {
        assert!(body.len() + chunk.len() <= CAP);
        body.extend_from_slice(&chunk);
    }
    let answer: Answer = serde_json::from_slice(&body).expect("JSON");
    assert!(answer.action.as_deref().is_none_or(|echoed| echoed == action));
    assert!(answer.reason.is_some() && answer.audit_id.is_some());
    answer.allowed
}

/// Where the service is, and the certificate authority to trust if it speaks TLS.
#[derive(Clone)]
struct Service {
    base: String,
    authority: Option<String>,
}

impl Service {
    fn plain() -> Self {
        Service { base: format!("http://{}", serve()), authority: None }
    }

    fn tls() -> Self {
        let (address, authority) = serve_tls();
        Service { base: format!("https://{address}"), authority: Some(authority) }
    }

    fn url(&self) -> String {
        format!("{}{PATH}", self.base)
    }

    fn bare(&self) -> reqwest::Client {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(pem) = &self.authority {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
            roots.add(certificate).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("careful/0.1.0")
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(3100))
            .pool_max_idle_per_host(128)
            .build()
            .expect("valid")
    }

    fn agent(&self) -> Agent {
        let mut builder = Agent::builder().base_url(&self.base).tenant("acme");
        if let Some(pem) = &self.authority {
            builder = builder.root_certificates(pem.as_str());
        }
        builder.client_id("agt_1").client_secret("secret").build().expect("valid")
    }
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// So many calls of one side, one after the other.
fn count(side: &str, calls: u32) {
    let service = Service::plain();
    let (url, client, agent) = (service.url(), service.bare(), service.agent());
    one_thread().block_on(async {
        for _ in 0..calls {
            let allowed = match side {
                "ask" => agent.ask("read").await.expect("answered").allowed(),
                _ => bare(&client, &url, "tok", "read").await,
            };
            assert!(allowed);
        }
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [side, calls] = arguments.as_slice() {
        return count(side, calls.parse().expect("a number of calls"));
    }
    for (name, service) in [("TLS", Service::tls()), ("plain HTTP", Service::plain())] {
        for tasks in [1, 8, 64] {
            compare(name, &service, tasks);
        }
    }
}

/// Both sides in turns.
fn compare(name: &str, service: &Service, tasks: usize) {
    let url: Arc<str> = service.url().into();
    let runtime = match tasks {
        1 => one_thread(),
        _ => Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"),
    };
    let (client, agent) = (service.bare(), service.agent());
    let peer = || {
        let (client, url) = (client.clone(), Arc::clone(&url));
        measure(&runtime, tasks, move || {
            let (client, url) = (client.clone(), Arc::clone(&url));
            async move { assert!(bare(&client, &url, "tok", "read").await) }
        })
    };
    let ours = || {
        let agent = agent.clone();
        measure(&runtime, tasks, move || {
            let agent = agent.clone();
            async move { assert!(agent.ask("read").await.expect("answered").allowed()) }
        })
    };
    // Opens the connections and fetches the token.
    for _ in 0..5 {
        (peer(), ours());
    }
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 0..ROUNDS {
        let (bare, ask) = if round % 2 == 0 {
            let bare = peer();
            (bare, ours())
        } else {
            let ask = ours();
            (peer(), ask)
        };
        rates[0].push(bare);
        rates[1].push(ask);
        ratios.push(ask / bare);
    }
    for values in rates.iter_mut().chain([&mut ratios]) {
        values.sort_by(f64::total_cmp);
    }
    let middle = |values: &[f64]| values[ROUNDS / 2];
    println!("{name}, {tasks} task(s), {ROUNDS} rounds of two turns of {TURN:?}:");
    println!("  bare reqwest, tuned {:>9.0} calls/s (median)", middle(&rates[0]));
    println!("  lumoauth ask        {:>9.0} calls/s (median)", middle(&rates[1]));
    println!(
        "  ask / bare: median {:.3}, middle half {:.3} to {:.3}",
        middle(&ratios),
        ratios[ROUNDS / 4],
        ratios[ROUNDS * 3 / 4]
    );
}
