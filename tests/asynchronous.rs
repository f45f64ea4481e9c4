//! The async client over real sockets: it blocks nobody, a dropped future harms nobody, and it takes no half answers.
#![cfg(all(feature = "reqwest", feature = "emulator"))]

mod hostile;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hostile::{Cert, ClosedPort, Latch, Reply, Server, TestCa, Tls, always, by_path};
use lumoauth::asynchronous::{Agent, Io, Transport, from_fn};
use lumoauth::emulator::{AgentSeed, Emulator, InProcess, Tenant};
use lumoauth::error::{Error, Sent, TransportError, TransportFault};
use lumoauth::http::{Method, Uri};
use lumoauth::session::Ticket;
use lumoauth::time::Now;
use lumoauth::transport::{ReqwestTransport, TransportOptions};
use lumoauth::wire::{Limits, Request, Response};
use lumoauth::{ApiRequest, Register};
use tokio::runtime::{Builder, Runtime};

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"aud_1"}"#;

fn service(ask: Reply) -> Server {
    Server::start(by_path([("/oauth/token", always(Reply::json(200, TOKEN))), ("/agents/ask", always(ask))]))
}

fn agent(base_url: &str) -> Agent {
    let builder = Agent::builder().base_url(base_url).tenant("acme");
    builder.client_id("agt_1").client_secret("secret").build().unwrap()
}

fn emulator() -> Emulator {
    let seed = AgentSeed::new("agt_1").secret("fixed").name("bot").capabilities(["read"]);
    Emulator::builder().tenant(Tenant::new("acme").agent(seed)).build().unwrap()
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// The largest pause between two ticks of 1 ms while the future runs.
async fn largest_gap<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let largest = Arc::new(Mutex::new(Duration::ZERO));
    let ticks = Arc::clone(&largest);
    let ticker = tokio::spawn(async move {
        let mut last = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = tokio::time::Instant::now();
            let gap = now.duration_since(last);
            last = now;
            let mut largest = ticks.lock().unwrap();
            *largest = gap.max(*largest);
        }
    });
    let output = future.await;
    ticker.abort();
    let gap = *largest.lock().unwrap();
    (output, gap)
}

#[test]
fn f13_a_slow_service_blocks_nothing_else_on_a_single_thread() {
    // A machine that is busy with other things can stop the whole thread for a while: the best of five runs counts. A
    // client that blocks would stop the ticker for half a second in each of them.
    let best = (0..5).map(|_| {
        let (token, ask) = (Latch::new(), Latch::new());
        let server = Server::start(by_path([
            ("/oauth/token", always(Reply::json(200, TOKEN).delay(&token))),
            ("/agents/ask", always(Reply::json(200, ALLOW).delay(&ask))),
        ]));
        let agent = agent(&format!("http://localhost:{}", server.addr().port()));
        let (allowed, gap) = single().block_on(largest_gap(async {
            let opener = async {
                tokio::time::sleep(Duration::from_millis(250)).await;
                token.open();
                tokio::time::sleep(Duration::from_millis(250)).await;
                ask.open();
            };
            tokio::join!(agent.is_allowed("read"), opener).0
        }));
        assert!(allowed.unwrap());
        gap
    });
    let best = best.min().unwrap();
    println!("largest pause between two ticks of 1 ms, best of 5 runs: {best:?}");
    assert!(best <= Duration::from_millis(10), "{best:?}");
}

#[cfg(feature = "ureq")]
#[test]
fn f13_the_blocking_client_works_inside_a_runtime() {
    let server = service(Reply::json(200, ALLOW));
    let builder = lumoauth::Agent::builder().base_url(server.url()).tenant("acme");
    let builder = builder.client_id("agt_1").client_secret("secret");
    for runtime in [single(), several()] {
        let builder = builder.clone();
        runtime.block_on(async {
            let task = tokio::spawn(async move { builder.build().unwrap().is_allowed("read") });
            assert!(task.await.unwrap().unwrap());
        });
    }
}

/// The emulator's transport, which makes its caller wait some polls before and after each send.
struct Slow {
    inner: InProcess,
    before: usize,
    after: usize,
}

struct Yield(usize);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(()) };
        self.0 = left;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Transport for Slow {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            Yield(self.before).await;
            let answer = Transport::send(&self.inner, request).await;
            Yield(self.after).await;
            answer
        })
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Box::pin(async move {
            Yield(1).await;
            Transport::sleep(&self.inner, duration).await;
        })
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }

    fn join<'a>(&'a self, ticket: Ticket) -> Io<'a, ()> {
        Transport::join(&self.inner, ticket)
    }
}

fn slow(emulator: &Emulator, before: usize, after: usize) -> Agent {
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let builder = builder.client_id("agt_1").client_secret(emulator.secret().clone());
    builder.build_with(Slow { inner: emulator.transport(), before, after }).unwrap()
}

/// Polls at most `n` times.
fn polled<F: Future>(mut future: Pin<&mut F>, n: usize) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    (0..n).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// More polls than any of these calls needs: a call that is not done by then hangs.
const ENOUGH: usize = 1000;

#[test]
fn t11_a_leader_dropped_at_any_await_point_harms_nobody() {
    for expired in [false, true] {
        let mut points = 0;
        for n in 0.. {
            let emulator = emulator();
            let agent = slow(&emulator, 3, 3);
            if expired {
                polled(pin!(agent.ensure_authenticated()), ENOUGH).unwrap().unwrap();
                emulator.advance(Duration::from_secs(7200));
            }
            let before = emulator.count("oauth.token");
            let follower = agent.clone();
            let mut follower = Box::pin(follower.is_allowed("read"));
            {
                let mut leader = Box::pin(agent.is_allowed("read"));
                if polled(leader.as_mut(), n).is_some() {
                    points = n;
                }
                // The follower is in the middle of things as well when the leader goes away.
                assert!(polled(follower.as_mut(), 1).is_none_or(|allowed| allowed.unwrap()));
            }
            if points > 0 {
                break;
            }
            assert!(
                polled(follower.as_mut(), ENOUGH).expect("the follower hangs").unwrap(),
                "after {n} polls"
            );
            assert!(polled(pin!(agent.is_allowed("read")), ENOUGH).expect("a later caller hangs").unwrap());
            assert!((1..=2).contains(&(emulator.count("oauth.token") - before)), "after {n} polls");
        }
        println!("expired token: {expired}; dropped after each of {points} polls");
        assert!(points > 10, "{points}");
    }
}

#[test]
fn t11_a_follower_dropped_at_any_point_harms_nobody() {
    for n in 0..12 {
        let emulator = emulator();
        let agent = slow(&emulator, 3, 3);
        let mut leader = Box::pin(agent.is_allowed("read"));
        assert!(polled(leader.as_mut(), 2).is_none());
        let other = agent.clone();
        let mut follower = Box::pin(other.is_allowed("read"));
        assert!(polled(follower.as_mut(), n).is_none());
        drop(follower);
        assert!(polled(leader.as_mut(), ENOUGH).expect("the leader hangs").unwrap());
        assert_eq!(emulator.count("oauth.token"), 1);
    }
}

#[test]
fn t11_a_call_aborted_in_the_middle_of_a_request_leaves_the_client_usable() {
    let latch = Latch::new();
    let gate = latch.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let first = Arc::clone(&asked);
    let server = Server::start(move |request| match request.path() {
        path if path.ends_with("/oauth/token") && first.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::json(200, TOKEN).delay(&gate)
        }
        path if path.ends_with("/oauth/token") => Reply::json(200, TOKEN),
        _ => Reply::json(200, ALLOW),
    });
    let agent = agent(server.url());
    several().block_on(async {
        let call = agent.clone();
        let call = tokio::spawn(async move { call.is_allowed("read").await });
        let other = agent.clone();
        while latch.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let other = tokio::spawn(async move { other.is_allowed("read").await });
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert!(other.await.unwrap().unwrap());
    });
    latch.open();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_thousand_tasks_on_an_expired_token_make_one_token_request() {
    let emulator = emulator();
    let agent = emulator.async_agent().unwrap();
    let runtime = several();
    for round in 1..=20 {
        let barrier = Arc::new(tokio::sync::Barrier::new(1000));
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let (agent, barrier) = (agent.clone(), Arc::clone(&barrier));
                runtime.spawn(async move {
                    barrier.wait().await;
                    agent.access_token().await.unwrap()
                })
            })
            .collect();
        let tokens: Vec<_> = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect();
        assert!(tokens.windows(2).all(|pair| pair[0].secret() == pair[1].secret()));
        assert_eq!(emulator.count("oauth.token"), round);
        emulator.advance(Duration::from_secs(7200));
    }
}

#[test]
fn every_client_runs_in_spawned_tasks() {
    let emulator = emulator();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let builder = Agent::builder().base_url(served.url()).tenant("acme");
    let agent = builder.client_id("agt_1").client_secret(emulator.secret().clone()).build().unwrap();
    let runtime = several();
    let mut tasks = Vec::new();
    macro_rules! spawn {
        ($($call:ident($($argument:expr),*)),* $(,)?) => { $(
            let task = agent.clone();
            tasks.push(runtime.spawn(async move { task.$call($($argument),*).await.map(drop) }));
        )* };
    }
    for _ in 0..8 {
        spawn!(
            access_token(),
            ensure_authenticated(),
            authenticate(["read"]),
            ask("read"),
            is_allowed("delete_user"),
            info(),
            identity(),
            has_capability("read"),
            budget(),
            is_budget_exhausted(),
            register(Register::new("bot")),
            request(Method::GET, "agents/me"),
            run(ApiRequest::get("agents/me")),
        );
    }
    for task in tasks {
        runtime.block_on(task).unwrap().unwrap();
    }
}

#[test]
fn a_client_outlives_the_runtimes_that_it_is_used_in() {
    let server = service(Reply::json(200, ALLOW));
    let agent = agent(server.url());
    for _ in 0..3 {
        assert!(single().block_on(agent.is_allowed("read")).unwrap());
    }
    assert_eq!(server.count_path("/oauth/token"), 1);
}

#[test]
fn outside_of_a_runtime_it_is_an_error_and_not_a_panic() {
    let server = service(Reply::json(200, ALLOW));
    let error = polled(pin!(agent(server.url()).is_allowed("read")), ENOUGH).unwrap().unwrap_err();
    assert!(error.to_string().contains("inside a tokio runtime"), "{error}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn closures_are_a_transport() {
    let (emulator, sent) = (emulator(), Arc::new(AtomicUsize::new(0)));
    let (inner, count) = (Arc::new(emulator.transport()), Arc::clone(&sent));
    let send = move |request| {
        let inner = Arc::clone(&inner);
        count.fetch_add(1, Ordering::SeqCst);
        async move { Transport::send(&*inner, request).await }
    };
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let builder = builder.client_id("agt_1").client_secret(emulator.secret().clone());
    let agent = builder.build_with(from_fn(send, tokio::time::sleep)).unwrap();
    assert!(single().block_on(agent.is_allowed("read")).unwrap());
    assert_eq!(sent.load(Ordering::SeqCst), 2);
}

#[test]
fn a_warm_ask_looks_up_no_name_and_opens_no_connection() {
    let server = service(Reply::json(200, ALLOW));
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    let builder = Agent::builder().base_url(format!("http://localhost:{}", server.addr().port()));
    let builder = builder.tenant("acme").client_id("agt_1").client_secret("secret");
    let agent = builder.build_with(transport.clone()).unwrap();
    single().block_on(async {
        assert!(agent.is_allowed("read").await.unwrap());
        let cold = transport.statistics();
        assert_eq!((cold.connections, cold.lookups), (1, 1));
        for _ in 0..200 {
            assert!(agent.is_allowed("read").await.unwrap());
        }
        assert_eq!(transport.statistics(), cold);
    });
    assert_eq!((server.count_path("/agents/ask"), server.connections()), (201, 1));
}

fn limits() -> Limits {
    Limits::default()
}

/// For what never answers.
fn short() -> Limits {
    Limits { connect: Duration::from_millis(200), total: Duration::from_millis(300), ..Limits::default() }
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, format!("{url}/x?secret=canary").parse::<Uri>().unwrap())
}

fn carry(options: &TransportOptions, request: Request) -> Result<Response, TransportError> {
    let transport = ReqwestTransport::new(options).unwrap();
    single().block_on(async { Transport::send(&transport, request).await })
}

/// How a single request ends.
fn ends(request: Request) -> (TransportFault, Sent) {
    let error = carry(&TransportOptions::new(), request).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    (error.fault(), error.sent())
}

#[test]
fn an_answer_that_is_not_whole_or_not_certain_is_an_error() {
    use TransportFault::{Broken, Framing, Timeout, TooLarge};
    let whole = || Reply::json(200, ALLOW);
    let large = "x".repeat(65 * 1024);
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}";
    let cases: Vec<(&str, Reply, &[TransportFault])> = vec![
        ("cut in the head", whole().cut_at(20), &[Broken, Framing]),
        ("cut in the body", whole().length_off_by(10).close(), &[Broken]),
        ("reset in the body", whole().length_off_by(10).then(hostile::End::Reset), &[Broken]),
        ("no answer", Reply::hang_up(), &[Broken]),
        ("reset", Reply::reset(), &[Broken]),
        ("stall", Reply::stall(), &[Timeout]),
        ("stall in the head", whole().stall_at(30), &[Timeout]),
        ("stall in the body", whole().length_off_by(10).then(hostile::End::Stall), &[Timeout]),
        ("no length", whole().no_length(), &[Framing]),
        ("length and chunked", whole().length_and_chunked(5), &[Framing]),
        ("two lengths", Reply::raw(twice), &[Framing]),
        ("bad chunk", whole().bad_chunk_size(), &[Broken, Framing]),
        ("unterminated chunks", whole().unterminated_chunks().close(), &[Broken]),
        ("not HTTP", Reply::raw("hello, this is no HTTP at all\r\n\r\n"), &[Framing]),
        ("too large", Reply::json(200, large.as_str()), &[TooLarge]),
        ("too large, chunked", Reply::json(200, large.as_str()).chunked(1000), &[TooLarge]),
        ("endless chunks", whole().endless_chunks(), &[TooLarge]),
        ("one long header", whole().header_line_of(20_000), &[TooLarge]),
        ("many headers", whole().many_headers(5000), &[TooLarge]),
        ("endless headers", whole().endless_headers(), &[TooLarge]),
        (
            "endless interim answers",
            Reply::json(200, ALLOW).endless_interim(103),
            &[Timeout, TooLarge, Framing],
        ),
    ];
    for (name, reply, faults) in cases {
        let server = Server::start(always(reply));
        for fresh_connection in [false, true] {
            let limits = if faults.contains(&Timeout) { short() } else { limits() };
            let (fault, sent) = ends(get(server.url()).limits(Limits { fresh_connection, ..limits }));
            assert!(faults.contains(&fault), "{name}: {fault:?}");
            assert_eq!(sent, Sent::Unknown, "{name}");
        }
        assert!(server.count(|_| true) <= 2, "{name}: sent again");
    }
}

#[test]
fn what_fails_before_the_request_left_is_known_as_not_sent() {
    let port = ClosedPort::new().unwrap();
    assert_eq!(ends(get(&port.url()).limits(limits())), (TransportFault::Connect, Sent::NotSent));
    let hangs = Server::start_tls(&Tls::hangs(), always(Reply::json(200, ALLOW)));
    for fresh_connection in [false, true] {
        let limits = Limits { fresh_connection, ..short() };
        assert_eq!(ends(get(hangs.url()).limits(limits)), (TransportFault::Timeout, Sent::NotSent));
    }
    let nowhere = get("https://no-such-host.invalid").limits(limits());
    let (fault, sent) = ends(nowhere);
    assert!(matches!(fault, TransportFault::Name | TransportFault::Timeout), "{fault:?}");
    assert_eq!(sent, Sent::NotSent);
    let zero = get("http://127.0.0.1:1").limits(Limits { total: Duration::ZERO, ..limits() });
    assert_eq!(ends(zero), (TransportFault::Timeout, Sent::NotSent));
    for url in ["http://example.com", "http://192.0.2.1", "https://127.1"] {
        assert_eq!(ends(get(url).limits(limits())), (TransportFault::Refused, Sent::NotSent), "{url}");
    }
    for path in ["/a/%2e%2e/b", "/a/../b", "/a?b='"] {
        let rewritten = Request::new(Method::GET, format!("http://127.0.0.1:1{path}").parse().unwrap());
        assert_eq!(ends(rewritten.limits(limits())), (TransportFault::Refused, Sent::NotSent), "{path}");
    }
}

#[test]
fn redirects_are_handed_over_and_nothing_is_decoded() {
    let elsewhere = service(Reply::json(200, ALLOW));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/x", elsewhere.url());
        let server = Server::start(always(Reply::json(status, "{}").header("Location", location)));
        let response = carry(&TransportOptions::new(), get(server.url()).limits(limits())).unwrap();
        assert_eq!((response.status().as_u16(), server.requests().len()), (status, 1));
        let seen = &server.requests()[0];
        assert_eq!(seen.header("Accept-Encoding"), None);
        assert_eq!(seen.header("Referer"), None);
    }
    assert_eq!(elsewhere.connections(), 0);
    let server = Server::start(always(Reply::json(200, "not gzip").header("Content-Encoding", "gzip")));
    let response = carry(&TransportOptions::new(), get(server.url()).limits(limits())).unwrap();
    assert_eq!(response.body(), b"not gzip");
}

/// What a server sees of the same requests over both transports: method, target, headers, body.
#[cfg(feature = "ureq")]
#[test]
fn both_transports_send_the_same() {
    use lumoauth::transport::UreqTransport;
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let url = |path: &str| format!("{}{path}", server.url()).parse::<Uri>().unwrap();
    let requests = || {
        [Method::GET, Method::DELETE, Method::POST, Method::PUT, Method::PATCH].into_iter().flat_map(
            |method| {
                let empty = Request::new(method.clone(), url("/t/acme/a%2Fb?x=1%20&y=%27~"));
                let full = empty.clone().json(&serde_json::json!({ "text": "\u{e4}" }));
                [empty, full]
            },
        )
    };
    let (blocking, asynchronous) = (UreqTransport::new(&TransportOptions::new()).unwrap(), single());
    for request in requests() {
        lumoauth::Transport::send(&blocking, request).unwrap();
    }
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    asynchronous.block_on(async {
        for request in requests() {
            Transport::send(&transport, request).await.unwrap();
        }
    });
    let seen: Vec<_> = server
        .requests()
        .into_iter()
        .map(|seen| {
            let mut headers: Vec<_> = seen
                .headers
                .iter()
                .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
                .collect();
            headers.sort();
            (seen.method.clone(), seen.target.clone(), headers, seen.body.clone())
        })
        .collect();
    for (blocking, asynchronous) in seen[..10].iter().zip(&seen[10..]) {
        assert_eq!(blocking, asynchronous);
    }
    assert_eq!(seen.len(), 20);
}

/// Every line of every crate below, at every level.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

#[test]
fn s2_no_secret_in_the_log_even_at_trace() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let token = TOKEN.replace("tok\"", "canary-token-1234\"");
    let server = Server::start(by_path([
        ("/oauth/token", always(Reply::json(200, token))),
        ("/agents/ask", always(Reply::json(200, ALLOW))),
    ]));
    let builder = Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
    let agent = builder.client_secret("canary-secret-5678").build().unwrap();
    single().block_on(async {
        assert!(agent.is_allowed("read").await.unwrap());
        assert_eq!(agent.request(Method::GET, "agents/ask?code=canary-query-9").await.unwrap().status(), 200);
    });
    log::set_max_level(log::LevelFilter::Off);
    let lines = LINES.0.lock().unwrap();
    assert!(lines.iter().any(|line| line.starts_with("reqwest")), "the log was not read: {lines:#?}");
    let told: Vec<_> = lines.iter().filter(|line| line.contains("canary")).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn tls_is_verified() {
    for cert in Cert::BAD {
        let ca = TestCa::new();
        let server =
            Server::start_tls(&Tls::issued_by(&ca, cert, "localhost"), always(Reply::json(200, ALLOW)));
        let options = TransportOptions::new().root_certificates(ca.ca_pem());
        let error = carry(&options, get(server.url()).limits(limits())).unwrap_err();
        assert_eq!((error.fault(), error.sent()), (TransportFault::Tls, Sent::NotSent), "{cert:?}: {error}");
        assert_eq!(server.requests().len(), 0);
    }
    let old = Server::start_tls(&Tls::tls11_only(), always(Reply::json(200, ALLOW)));
    assert_eq!(ends(get(old.url()).limits(limits())), (TransportFault::Tls, Sent::NotSent));
    for host in ["localhost", "127.0.0.1"] {
        let tls = Tls::valid_for(host);
        let server = Server::start_tls(&tls, always(Reply::json(200, ALLOW)));
        assert_eq!(ends(get(server.url()).limits(limits())).0, TransportFault::Tls, "an unknown authority");
        let options = TransportOptions::new().root_certificates(tls.ca_pem());
        assert_eq!(carry(&options, get(server.url()).limits(limits())).unwrap().body(), ALLOW.as_bytes());
    }
}

#[test]
fn a_single_use_request_takes_no_kept_connection_and_leaves_none() {
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    single().block_on(async {
        for fresh_connection in [false, true, true, false] {
            let limits = Limits { fresh_connection, ..limits() };
            Transport::send(&transport, get(server.url()).limits(limits)).await.unwrap();
        }
    });
    assert_eq!(server.connections(), 3, "one kept, two of their own");
}

#[test]
fn the_proxy_is_for_others_than_this_machine() {
    let proxy = Server::start(always(Reply::new(502)));
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let options = TransportOptions::new().proxy(format!("http://user:canary@{}", proxy.addr()));
    assert_eq!(carry(&options, get(server.url()).limits(limits())).unwrap().status(), 200);
    assert_eq!(proxy.connections(), 0);
    let error = carry(&options, get("https://example.com").limits(limits())).unwrap_err();
    assert_eq!((error.fault(), error.sent()), (TransportFault::Connect, Sent::NotSent), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
    let seen = proxy.requests();
    assert!(seen.iter().all(|request| request.method == "CONNECT") && !seen.is_empty(), "{seen:?}");
    for url in ["socks5://127.0.0.1:1", "http://"] {
        let error = Agent::builder().tenant("t").client_id("a").client_secret("s").proxy(url).build();
        assert!(matches!(error, Err(Error::Config(_))), "{url}");
    }
}
