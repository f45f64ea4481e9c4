//! `ask` over loopback against an equally tuned bare ureq and against raw sockets, in one run, as ratios.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml --bin loopback`
//!
//! The distance to raw sockets is the price of HTTP as such: a raw caller writes the same bytes every time and looks for
//! the end of one known answer. ureq builds and parses heads, keeps a pool, and sets time limits on the socket for every
//! read and write; it reaches less than half of the raw rate by itself. The library adds a few microseconds for the
//! machine, strict JSON and randomness, and wins some back by sending head and body in one packet.

#![allow(clippy::disallowed_methods)] // a bench reads the clock

mod service;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lumoauth::Agent;
use service::{ALLOW, PATH, QUESTION, serve};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);

/// Calls per second of all threads together, and processor time per call of the calling threads.
fn measure<C>(threads: usize, make: impl Fn() -> C + Sync) -> (f64, Duration)
where
    C: FnMut(),
{
    let begun = Instant::now();
    let results: Vec<(u64, Duration)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut call = make();
                    call();
                    let (before, mut calls) = (processor(), 0);
                    let started = Instant::now();
                    while started.elapsed() < ROUND {
                        call();
                        calls += 1;
                    }
                    (calls, processor().saturating_sub(before))
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let calls: u64 = results.iter().map(|(calls, _)| calls).sum();
    let spent: Duration = results.iter().map(|(_, spent)| *spent).sum();
    #[allow(clippy::cast_precision_loss)]
    let rate = calls as f64 / begun.elapsed().as_secs_f64();
    (rate, spent.div_f64(calls as f64))
}

/// Processor time of this thread (Linux; zero elsewhere).
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn raw(address: SocketAddr) -> impl FnMut() {
    let stream = TcpStream::connect(address).expect("loopback");
    stream.set_nodelay(true).expect("a socket option");
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer tok\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    );
    let mut buffer = [0_u8; 4096];
    move || {
        (&stream).write_all(request.as_bytes()).expect("sent");
        let mut got = 0;
        while !buffer[..got].ends_with(ALLOW.as_bytes()) {
            got += (&stream).read(&mut buffer[got..]).expect("answered");
        }
    }
}

fn bare(agent: &ureq::Agent, address: SocketAddr) -> impl FnMut() {
    let (agent, url) = (agent.clone(), format!("http://{address}{PATH}"));
    move || {
        let mut response = agent
            .post(&url)
            .header("Authorization", "Bearer tok")
            .header("Content-Type", "application/json")
            .header("Accept", "application/json")
            .send(QUESTION)
            .expect("answered");
        let mut body = Vec::new();
        response.body_mut().as_reader().take(64 * 1024).read_to_end(&mut body).expect("read");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(value["allowed"], true);
    }
}

/// The same limits as ours, and a resolver that knows the address: with time limits, bare ureq starts a thread for
/// every lookup.
fn tuned(address: SocketAddr) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(5)))
        .timeout_connect(Some(Duration::from_millis(3100)))
        .max_response_header_size(16 * 1024)
        .max_idle_connections(128)
        .max_idle_connections_per_host(32)
        .input_buffer_size(32 * 1024)
        .output_buffer_size(16 * 1024)
        .build();
    ureq::Agent::with_parts(config, DefaultConnector::default(), Known(address))
}

#[derive(Debug)]
struct Known(SocketAddr);

impl Resolver for Known {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

fn main() {
    let address = serve();
    for threads in [1, 8] {
        let (mut best, mut spent) = ([0.0_f64; 3], [Duration::MAX; 3]);
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            // Interleaved, so that what else the machine does hits all three.
            let agent = tuned(address);
            let ours = Agent::builder()
                .base_url(format!("http://{address}"))
                .tenant("acme")
                .client_id("agt_1")
                .client_secret("secret")
                .build()
                .expect("valid");
            let results = [
                measure(threads, || raw(address)),
                measure(threads, || bare(&agent, address)),
                measure(threads, || {
                    let agent = ours.clone();
                    move || assert!(agent.is_allowed("read").expect("answered"))
                }),
            ];
            ratios.push(results[2].0 / results[1].0);
            for (at, (rate, each)) in results.into_iter().enumerate() {
                best[at] = best[at].max(rate);
                spent[at] = spent[at].min(each);
            }
        }
        ratios.sort_by(f64::total_cmp);
        println!("{threads} thread(s), best of {ROUNDS} rounds of {ROUND:?}:");
        for (at, name) in ["raw sockets", "bare ureq, equally tuned", "lumoauth ask"].into_iter().enumerate()
        {
            println!("  {name:<25} {:>9.0} calls/s   {:>9.1?} processor time a call", best[at], spent[at]);
        }
        println!(
            "  ask / bare ureq: median of rounds {:.3}, worst {:.3}; ask / raw sockets: {:.3}; bare ureq / raw sockets: {:.3}",
            ratios[ROUNDS / 2],
            ratios[0],
            best[2] / best[0],
            best[1] / best[0]
        );
    }
}
