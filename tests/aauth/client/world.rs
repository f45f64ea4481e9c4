//! A service that answers by a script, on a clock that only moves when somebody waits. It is a transport of both mounts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use lumoauth::aauth::{AgentKey, AgentServer, Client, ClientBuilder, Delegate};
use lumoauth::asynchronous;
use lumoauth::embed::session::Ticket;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use serde_json::Value;

pub const AGENT: &str = "https://agent.example";
pub const API: &str = "https://api.example.com";
pub const BASE: &str = "https://app.lumoauth.dev/t/acme/api/v1";
pub const START: u64 = 1_750_000_000;

/// What was sent: method, URL, JSON body, headers that count.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub line: String,
    pub body: Value,
    pub agent_auth: Option<String>,
    pub authorization: Option<String>,
    pub signature_key: Option<String>,
    pub signature: Option<String>,
    pub input: Option<String>,
}

type Script = dyn Fn(&Seen, usize) -> (u16, String) + Send + Sync;

#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    script: Box<Script>,
    millis: Mutex<u64>,
    draws: Mutex<u64>,
    seen: Mutex<Vec<Seen>>,
    joined: AtomicUsize,
}

impl World {
    pub fn new(script: impl Fn(&Seen, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        World(Arc::new(Inner {
            script: Box::new(script),
            millis: Mutex::new(0),
            draws: Mutex::new(0),
            seen: Mutex::default(),
            joined: AtomicUsize::new(0),
        }))
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// How many threads wait, or have waited, for another one.
    pub fn joined(&self) -> usize {
        self.0.joined.load(Ordering::SeqCst)
    }

    pub fn pass(&self, duration: Duration) {
        // Rounded up: a wait that passes no time is never over.
        let millis = duration.as_nanos().div_ceil(1_000_000);
        *self.0.millis.lock().unwrap() += u64::try_from(millis).unwrap();
    }

    pub fn time(&self) -> Now {
        let millis = *self.0.millis.lock().unwrap();
        let mut draws = self.0.draws.lock().unwrap();
        *draws += 1;
        let mut random = [0x5a; 32];
        random[..8].copy_from_slice(&draws.to_le_bytes());
        let wall = Timestamp::from_unix_millis(START * 1000 + millis);
        Now::new(wall, Duration::from_secs(1000) + Duration::from_millis(millis), random)
    }

    /// The script's answer; status 0 stands for a request that could not be sent.
    fn answer(&self, request: &Request) -> Result<Response, TransportError> {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = Seen {
            line: format!("{} {}", request.method(), request.url()),
            body: serde_json::from_slice(request.body()).unwrap_or_default(),
            agent_auth: header("agent-auth"),
            authorization: header("authorization"),
            signature_key: header("signature-key"),
            signature: header("signature"),
            input: header("signature-input"),
        };
        let number = {
            let mut all = self.0.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let (status, body) = (self.0.script)(&seen, number);
        if status == 0 {
            return Err(TransportError::not_sent(TransportFault::Connect, "connection refused"));
        }
        Ok(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body))
    }
}

impl lumoauth::Transport for World {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.answer(&request)
    }

    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(self.time())
    }

    fn join(&self, ticket: Ticket) {
        let (settled, wait) = mpsc::channel::<()>();
        ticket.on_settled(move || drop(settled));
        self.0.joined.fetch_add(1, Ordering::SeqCst);
        let _ = wait.recv_timeout(ticket.within());
    }
}

impl asynchronous::Transport for World {
    fn send<'a>(&'a self, request: Request) -> asynchronous::Io<'a, Result<Response, TransportError>> {
        let answer = self.answer(&request);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn sleep<'a>(&'a self, duration: Duration) -> asynchronous::Io<'a, ()> {
        Box::pin(async move {
            // Waiting for somebody else passes no time here; the other one is running.
            tokio::task::yield_now().await;
            if duration < Duration::from_secs(1) {
                self.pass(duration);
            } else {
                std::future::pending::<()>().await;
            }
        })
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(self.time())
    }
}

pub fn key() -> AgentKey {
    AgentKey::from_seed(&std::array::from_fn(|at| at as u8)).unwrap()
}

pub fn server() -> AgentServer {
    let key = AgentKey::from_seed(&[9; 32]).unwrap().with_key_id("server-1").unwrap();
    AgentServer::new(AGENT, key).unwrap().audience(BASE)
}

pub fn delegate() -> Delegate {
    Delegate::by_thumbprint("worker-1", key().thumbprint()).unwrap()
}

pub fn builder() -> ClientBuilder {
    let builder = Client::builder().tenant("acme").key(key()).redirect_uri("https://agent.example/cb");
    builder.agent_server(server(), delegate())
}

pub fn async_builder() -> asynchronous::aauth::ClientBuilder {
    let builder = asynchronous::aauth::Client::builder().tenant("acme").key(key());
    builder.redirect_uri("https://agent.example/cb").agent_server(server(), delegate())
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A token for the resource, as the service would sign it.
pub fn auth_token(name: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = format!(r#"{{"iss":"{BASE}","aud":"{API}","jti":"{name}"}}"#);
    format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload))
}
