//! H8 over real connections, in both mounts: every attempt is signed afresh, counted at the server.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lumoauth::aauth::AgentKey;
use lumoauth::crypto::VerifyingKey;
use lumoauth::embed::operations::Signed;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{Error, SignerError, TransportError};
use lumoauth::time::{Now, Timestamp};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, ApiRequest, Ask, Origin, Signer, Transport, asynchronous};
use serde_json::{Value, json};

use super::rebuilt::is_proven;
use crate::hostile::{Plan, Recorded, Reply, Server, nth, script, service, token};

fn key() -> AgentKey {
    AgentKey::from_seed(&[9; 32]).unwrap()
}

/// A key that lives elsewhere: it counts what it is asked to sign.
#[derive(Clone)]
struct Counting(AgentKey, Arc<AtomicUsize>);

impl Counting {
    fn new() -> Self {
        Counting(key(), Arc::default())
    }

    fn count(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

impl Signer for Counting {
    fn public_jwk(&self) -> Value {
        self.0.public_jwk()
    }

    fn sign(&self, base: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Signer::sign(&self.0, base)
    }
}

impl asynchronous::Signer for Counting {
    fn public_jwk(&self) -> Value {
        self.0.public_jwk()
    }

    fn sign<'a>(&'a self, base: &'a [u8]) -> asynchronous::Io<'a, Result<Vec<u8>, SignerError>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        asynchronous::Signer::sign(&self.0, base)
    }
}

/// The built-in transport with a clock that jumps where others sleep, for both mounts.
struct Jumping(UreqTransport, Mutex<Duration>);

impl Jumping {
    fn new() -> Self {
        Jumping(UreqTransport::new(&TransportOptions::default()).unwrap(), Mutex::default())
    }

    fn jump(&self, duration: Duration) {
        *self.1.lock().unwrap() += duration;
    }

    fn time(&self) -> Result<Now, TransportError> {
        let (now, jumped) = (Transport::now(&self.0)?, *self.1.lock().unwrap());
        let wall = Timestamp::from_unix_millis(now.wall.unix_millis()).saturating_add(jumped);
        Ok(Now::new(wall, now.monotonic + jumped, now.random))
    }
}

impl Transport for Jumping {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        Transport::send(&self.0, request)
    }

    fn sleep(&self, duration: Duration) {
        self.jump(duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.time()
    }
}

impl asynchronous::Transport for Jumping {
    fn send<'a>(&'a self, request: Request) -> asynchronous::Io<'a, Result<Response, TransportError>> {
        Box::pin(std::future::ready(Transport::send(&self.0, request)))
    }

    fn sleep<'a>(&'a self, duration: Duration) -> asynchronous::Io<'a, ()> {
        self.jump(duration);
        Box::pin(std::future::ready(()))
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.time()
    }
}

/// Nothing here has to be waited for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

struct Both {
    blocking: Agent,
    asynchronous: asynchronous::Agent,
    signer: Counting,
}

fn both(server: &Server) -> Both {
    let signer = Counting::new();
    let builder = Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
    let blocking = builder.client_secret("scr_4f9Kq2ZxWv7LmB81TnYc").signer(signer.clone());
    let builder = asynchronous::Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
    let asynchronous = builder.client_secret("scr_4f9Kq2ZxWv7LmB81TnYc").signer(signer.clone());
    Both {
        blocking: blocking.build_with(Jumping::new()).unwrap(),
        asynchronous: asynchronous.build_with(Jumping::new()).unwrap(),
        signer,
    }
}

/// All signatures that the server saw, after it has checked that each is right and no two are the same.
fn signatures(server: &Server) -> Vec<Recorded> {
    let public = VerifyingKey::from_jwk(&key().public_jwk()).unwrap();
    let mut signed = server.requests();
    signed.retain(|request| request.header("signature").is_some());
    let (mut signatures, mut inputs) = (HashSet::new(), HashSet::new());
    for request in &signed {
        assert!(
            signatures.insert(request.header("signature").unwrap().to_owned()),
            "a signature was sent twice"
        );
        let input = request.header("signature-input").unwrap();
        assert!(inputs.insert(input.split(";nonce=").nth(1).unwrap().to_owned()), "a nonce was sent twice");
        if request.complete {
            assert!(is_proven(request, &public), "{}", request.target);
        }
    }
    signed
}

#[test]
fn h8_a_retry_is_signed_afresh() {
    let flaky = |request: &Recorded| match request.index % 3 {
        2 => Reply::json(200, "{}"),
        _ => Reply::json(503, "{}").header("retry-after", "3"),
    };
    let server = Server::start(flaky);
    let both = both(&server);
    let call = || Signed::new(ApiRequest::get("v1/data").query("b", "1").query("a", "2"));
    assert_eq!(both.blocking.run(call().agent_token("a.b.c")).unwrap().status(), 200);
    assert_eq!(at_once(both.asynchronous.run(call().agent_token("a.b.c"))).unwrap().status(), 200);
    let sent = signatures(&server);
    assert_eq!((sent.len(), both.signer.count()), (6, 6));
    let created = |at: usize| {
        let input = sent[at].header("signature-input").unwrap();
        input.split(";created=").nth(1).unwrap().split(';').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(created(1) >= created(0) + 2 && created(2) >= created(1) + 2, "created moves with the clock");
    assert!(sent.iter().all(|request| request.header("agent-auth") == Some("agent_token=a.b.c")));
    assert!(sent.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn h8_a_401_is_answered_with_another_token_and_another_signature() {
    let tokens = Arc::new(AtomicUsize::new(0));
    let minted = Arc::clone(&tokens);
    let server = Server::start(move |request: &Recorded| match request.path().rsplit('/').next() {
        Some("token") => token(&format!("tok_R7hQx3Pz0VbK5sWd{}", minted.fetch_add(1, Ordering::SeqCst))),
        _ if request.header("authorization") == Some("Bearer tok_R7hQx3Pz0VbK5sWd0") => {
            Reply::json(401, "{}")
        }
        _ => crate::hostile::answer(request, ""),
    });
    let both = both(&server);
    assert!(both.blocking.run(Signed::over(Ask::new("read"))).unwrap().allowed());
    let sent = signatures(&server);
    assert_eq!((sent.len(), both.signer.count(), tokens.load(Ordering::SeqCst)), (2, 2, 2));
    assert_ne!(
        sent[0].header("authorization"),
        sent[1].header("authorization"),
        "the signature covers the token"
    );
    // Without a token to renew, the refusal is the answer: nothing goes out a second time.
    let refusing = Server::start(|_: &Recorded| Reply::json(401, "{}"));
    let both = self::both(&refusing);
    let api = Origin::parse(refusing.url()).unwrap();
    let call = Signed::new(ApiRequest::get("x")).auth_token("aaa.bbb.ccc", api);
    assert_eq!(both.blocking.run(call).unwrap().status(), 401);
    assert_eq!(signatures(&refusing).len(), 1);
}

#[test]
fn h8_no_signature_is_sent_twice_whatever_fails() {
    let (mut seen, mut signed) = (0, 0);
    for seed in 0..8 {
        let plan = Plan::with(seed, 50, false);
        let server = Server::start(
            plan.over(|request| crate::hostile::answer(request, "tok_R7hQx3Pz0VbK5sWdLm92EgJf")),
        );
        let both = both(&server);
        for round in 0..20 {
            let ask = || Signed::over(Ask::new("read").context(json!({"round": round})));
            drop(both.blocking.run(ask()));
            drop(at_once(both.asynchronous.run(ask())));
        }
        seen += signatures(&server).len();
        signed += both.signer.count();
        drop(server.take_problems());
    }
    assert!(seen > 250 && seen <= signed, "{seen} of {signed}");
    println!("h8: {seen} signed requests over faults, 0 signatures sent twice");
}

#[test]
fn without_a_signature_nothing_is_sent() {
    struct Broken(Result<Vec<u8>, SignerError>);
    impl Signer for Broken {
        fn public_jwk(&self) -> Value {
            json!({})
        }
        fn sign(&self, _base: &[u8]) -> Result<Vec<u8>, SignerError> {
            self.0.clone()
        }
    }
    let server = Server::start(nth(0, Reply::json(200, "{}"), script(|_| Reply::json(200, "{}"))));
    let call = || Signed::new(ApiRequest::get("x"));
    for (given, expected) in [
        (Err(SignerError::new("canned")), SignerError::new("canned")),
        (Ok(Vec::new()), SignerError::BadSignature),
        (Ok(vec![0; 1025]), SignerError::BadSignature),
    ] {
        let agent =
            crate::hostile::agent(server.url()).signer(Broken(given)).build_with(Jumping::new()).unwrap();
        let error = agent.run(call()).unwrap_err();
        assert!(matches!(&error, Error::Signer(own) if own == &expected), "{error:?}");
        assert!(!error.is_temporary() && !error.is_usage());
    }
    let agent = crate::hostile::agent(server.url()).build_with(Jumping::new()).unwrap();
    assert!(matches!(agent.run(call()).unwrap_err(), Error::Signer(SignerError::NoSigner)));
    assert_eq!(server.connections(), 0);
}

#[test]
fn tokens_stay_home() {
    let server = Server::start(service("tok_R7hQx3Pz0VbK5sWdLm92EgJf"));
    let other = Server::start(|_: &Recorded| Reply::json(200, "{}"));
    let both = both(&server);
    let to = |url: &str| Signed::new(ApiRequest::get(url));
    let api = Origin::parse(other.url()).unwrap();
    // The resource's token goes to the resource, which nobody allowed otherwise.
    both.blocking.run(to(&format!("{}/v1", other.url())).auth_token("aaa.bbb.ccc", api.clone())).unwrap();
    let sent = other.requests().pop().unwrap();
    assert_eq!(sent.header("authorization"), Some("Bearer aaa.bbb.ccc"));
    // And neither token anywhere else.
    for call in [
        to("x").auth_token("aaa.bbb.ccc", api.clone()),
        to(&format!("{}/v1", other.url())).agent_token("aaa.bbb.ccc"),
        to(&format!("{}/v1", other.url())).agent_token("aaa.bbb.ccc").auth_token("ddd", api.clone()),
        to("https://api.example.com.evil.test/").auth_token("aaa.bbb.ccc", api.clone()),
        to(&format!("{}/v1", other.url())),
    ] {
        let error = both.blocking.run(call).unwrap_err();
        assert!(matches!(&error, Error::Input(_)), "{error:?}");
        assert!(!format!("{error:?}{error}").contains("aaa.bbb"));
    }
    assert_eq!((server.connections(), other.requests().len()), (0, 1));
    assert_eq!(both.signer.count(), 1);
    assert!(!format!("{:?}", to("x").agent_token("canary").auth_token("canary", api)).contains("canary"));
}
