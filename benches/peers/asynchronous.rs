//! The async `ask` over loopback against an equally tuned bare reqwest, in one run, as ratio.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin asynchronous`

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

mod service;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lumoauth::asynchronous::Agent;
use service::{PATH, QUESTION, serve};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(700);

/// Calls per second of all tasks together.
fn measure<C, F>(runtime: &Runtime, tasks: usize, call: C) -> f64
where
    C: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    runtime.block_on(async {
        let warm: Vec<_> =
            (0..tasks).map(|_| call.clone()).map(|call| tokio::spawn(async move { call().await })).collect();
        for task in warm {
            task.await.expect("no panic");
        }
        let begun = Instant::now();
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let call = call.clone();
                tokio::spawn(async move {
                    let mut calls = 0_u32;
                    while begun.elapsed() < ROUND {
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

/// What a program would write by hand: the same limits, the body capped and read as JSON.
async fn bare(client: reqwest::Client, url: Arc<str>) {
    let request = client
        .post(&*url)
        .header("Authorization", "Bearer tok")
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .timeout(Duration::from_secs(5))
        .body(QUESTION);
    let mut response = request.send().await.expect("answered");
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.expect("read") {
        assert!(body.len() + chunk.len() <= 64 * 1024);
        body.extend_from_slice(&chunk);
    }
    let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(value["allowed"], true);
}

fn tuned() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(128)
        .build()
        .expect("valid")
}

fn agent(address: SocketAddr) -> Agent {
    let builder = Agent::builder().base_url(format!("http://{address}")).tenant("acme");
    builder.client_id("agt_1").client_secret("secret").build().expect("valid")
}

fn main() {
    let address = serve();
    let url: Arc<str> = format!("http://{address}{PATH}").into();
    for tasks in [1, 8, 64] {
        let runtime = match tasks {
            1 => Builder::new_current_thread().enable_all().build(),
            _ => Builder::new_multi_thread().worker_threads(2).enable_all().build(),
        };
        let runtime = runtime.expect("a runtime");
        let (client, agent) = (tuned(), agent(address));
        let peer = || {
            let (client, url) = (client.clone(), Arc::clone(&url));
            measure(&runtime, tasks, move || bare(client.clone(), Arc::clone(&url)))
        };
        let ours = || {
            let agent = agent.clone();
            measure(&runtime, tasks, move || {
                let agent = agent.clone();
                async move { assert!(agent.is_allowed("read").await.expect("answered")) }
            })
        };
        let (mut best, mut ratios) = ([0.0_f64; 2], Vec::new());
        for round in 0..ROUNDS {
            // In turns, each first every other time, so that what else the machine does hits both.
            let (bare, ask) = if round % 2 == 0 {
                let bare = peer();
                (bare, ours())
            } else {
                let ask = ours();
                (peer(), ask)
            };
            best = [best[0].max(bare), best[1].max(ask)];
            ratios.push(ask / bare);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{tasks} task(s), {ROUNDS} rounds of {ROUND:?}:");
        println!("  bare reqwest, equally tuned {:>9.0} calls/s", best[0]);
        println!("  lumoauth ask                {:>9.0} calls/s", best[1]);
        println!(
            "  ask / bare reqwest: median of rounds {:.3}, worst {:.3}; best against best {:.3}",
            ratios[ROUNDS / 2],
            ratios[0],
            best[1] / best[0]
        );
    }
}
