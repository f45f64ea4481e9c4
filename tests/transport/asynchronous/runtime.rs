//! Runtimes: nothing blocks, everything runs in spawned tasks, nothing panics, no secret in the log.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::asynchronous::{Agent, Transport, from_fn};
use lumoauth::http::Method;
use lumoauth::transport::{ReqwestTransport, TransportOptions};
use lumoauth::{ApiRequest, Register};

use crate::hostile::{Latch, Reply, Server, always, by_path};
use lumoauth::emulator::Emulator;

use super::support::{ALLOW, ENOUGH, TOKEN, agent, emulator, polled, service, several, single};

/// A service that answers only when something else on the same thread has run two hundred times meanwhile: whoever blocks
/// the thread waits for ever, on an idle machine and on a busy one.
#[test]
fn f13_a_slow_service_blocks_nothing_else_on_a_single_thread() {
    let (token, ask) = (Latch::new(), Latch::new());
    let server = Server::start(by_path([
        ("/oauth/token", always(Reply::json(200, TOKEN).delay(&token))),
        ("/agents/ask", always(Reply::json(200, ALLOW).delay(&ask))),
    ]));
    let builder = Agent::builder().base_url(format!("http://localhost:{}", server.addr().port()));
    let builder = builder.tenant("acme").client_id("agt_1").client_secret("secret");
    let patience = Duration::from_secs(60);
    let agent =
        builder.timeout(patience).attempt_timeout(patience).connect_timeout(patience).build().unwrap();
    let largest = single().block_on(async {
        let mut largest = Duration::ZERO;
        let ticker = async {
            let mut last = tokio::time::Instant::now();
            for latch in [&token, &ask] {
                // The request is there; its answer is not.
                while latch.waiting() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                for _ in 0..200 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    let now = tokio::time::Instant::now();
                    largest = largest.max(now.duration_since(last));
                    last = now;
                }
                latch.open();
            }
        };
        let (allowed, ()) = tokio::join!(agent.is_allowed("read"), ticker);
        assert!(allowed.unwrap());
        largest
    });
    println!(
        "f13: 400 ticks of 1 ms beside two answers that waited for them, at most {largest:?} between two"
    );
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
        assert_eq!(emulator.count("oauth.token").unwrap(), round);
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
        let warm = transport.statistics();
        assert_eq!((warm.connections, warm.lookups), (1, 1));
        assert!(warm.received > cold.received, "bytes are counted: {warm:?}");
    });
    assert_eq!((server.count_path("/agents/ask"), server.connections()), (201, 1));
}

#[test]
fn chains_and_verifiers_run_in_spawned_tasks() {
    use lumoauth::asynchronous::{DelegationChain, IdTokenVerifier, TokenVerifier};
    use lumoauth::verify::{IdVerifierConfig, VerifierConfig, VerifyError};
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.async_agent().unwrap();
    let chain = DelegationChain::new(&agent, "https://app.example/callback").unwrap();
    let issuer = || emulator.site().api_base();
    let config = VerifierConfig::new(issuer(), emulator.client_id());
    let tokens = TokenVerifier::build_with(config, emulator.transport()).unwrap();
    let config = IdVerifierConfig::new(issuer(), emulator.client_id());
    let identities = IdTokenVerifier::build_with(config, emulator.transport()).unwrap();
    let runtime = several();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let (agent, chain) = (agent.clone(), chain.clone());
        let (tokens, identities) = (tokens.clone(), identities.clone());
        tasks.push(runtime.spawn(async move {
            let session = format!("session-{task}");
            let url = chain.consent_url(&session, ["read"]).await.unwrap();
            assert!(url.contains("code_challenge"), "{url}");
            assert!(!chain.has_delegation(&session).await.unwrap());
            let token = agent.access_token().await.unwrap();
            tokens.verify(token.secret()).await.unwrap();
            // An access token is no ID token.
            let refused = identities.verify(token.secret(), None).await.unwrap_err();
            assert!(!matches!(refused, VerifyError::Expired), "{refused}");
            chain.active_sessions().await.unwrap().len()
        }));
    }
    for task in tasks {
        assert!(runtime.block_on(task).unwrap() <= 8);
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    println!("spawned chains and verifiers: {} requests for keys", emulator.count("wellknown.jwks").unwrap());
    assert!((1..=2).contains(&emulator.count("wellknown.jwks").unwrap()));
}
