//! One process of a fleet: this program again, told what to do line by line. Its time goes on when it sleeps, and not otherwise, so
//! that no machine is too slow for it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::aauth::{ReplayStore, Reservation, Reserved, redis_replays};
use lumoauth::embed::wire::{Limits, Request};
use lumoauth::error::{StoreError, TransportError};
use lumoauth::store::{
    NameKey, Page, Prefix, Record, RedisStore, SealedStore, SealingKey, Store, StoreKey, Version,
};
use lumoauth::time::{Now, Timestamp};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, DelegationChain, Error, Response, Transport};
use serde_json::{Value, json};

const PLAN: &str = "LUMOAUTH_TEST_FLEET";
/// What a line of its own begins with.
const SAYS: &str = "@@ ";

/// Every step of this process, told to whoever may want to kill it there.
fn step(name: &str) {
    println!("\n{SAYS}{}", json!({ "step": name }));
    std::io::stdout().flush().unwrap();
}

struct Time {
    start: Timestamp,
    ahead: AtomicU64,
    slept: AtomicU64,
    /// So many thousandths of a second pass outside for each that is slept.
    pace: u32,
}

impl Time {
    fn passed(&self) -> Duration {
        let ahead = Duration::from_millis(self.ahead.load(Ordering::SeqCst));
        ahead + Duration::from_nanos(self.slept.load(Ordering::SeqCst))
    }
}

struct Timed {
    inner: UreqTransport,
    time: Arc<Time>,
    tells: bool,
}

impl Transport for Timed {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let long = Duration::from_secs(120);
        let limits = Limits { connect: long, total: long, ..*request.attempt_limits() };
        if self.tells {
            step("send");
        }
        let answer = self.inner.send(request.limits(limits));
        if self.tells {
            step("sent");
        }
        answer
    }

    #[allow(clippy::disallowed_methods)] // a transport is what sleeps
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration * self.time.pace / 1_000);
        self.time.slept.fetch_add(u64::try_from(duration.as_nanos()).unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> Result<Now, TransportError> {
        let passed = self.time.passed();
        let wall = self.time.start.unix_millis() + u64::try_from(passed.as_millis()).unwrap();
        Ok(Now::new(Timestamp::from_unix_millis(wall), passed, self.inner.now()?.random))
    }
}

/// A store that has so many times the time it is given, and tells what it is asked.
struct Patient {
    inner: SealedStore<RedisStore>,
    times: Arc<AtomicU32>,
    tells: bool,
}

impl Patient {
    fn around<T>(&self, within: Duration, ask: impl FnOnce(&SealedStore<RedisStore>, Duration) -> T) -> T {
        if self.tells {
            step("store");
        }
        let answer = ask(&self.inner, within * self.times.load(Ordering::SeqCst));
        if self.tells {
            step("stored");
        }
        answer
    }
}

impl Store for Patient {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.around(within, |inner, within| Store::load(inner, key, within))
    }
    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.around(within, |inner, within| Store::save_if(inner, key, version, bytes, keep, within))
    }
    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.around(within, |inner, within| Store::remove_if(inner, key, version, within))
    }
    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        Store::keys(&self.inner, prefix, after, within)
    }
}

pub fn sealed(url: &str) -> SealedStore<RedisStore> {
    let (names, key) = (NameKey::new(&[1; 32]), SealingKey::new("1", &[2; 32]).unwrap());
    RedisStore::server(url).unwrap().sealed(names, key).unwrap()
}

/// Not a test by itself: a process of a fleet. Without a plan it does nothing.
#[test]
#[allow(clippy::disallowed_methods)] // the plan comes by the environment
fn a_member() {
    let Ok(plan) = std::env::var(PLAN) else { return };
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let text = |name: &str| plan[name].as_str().unwrap().to_owned();
    let number = |name: &str| u32::try_from(plan[name].as_u64().unwrap()).unwrap();
    let time = Arc::new(Time {
        start: Timestamp::from_unix_millis(plan["start"].as_u64().unwrap()),
        ahead: AtomicU64::new(0),
        slept: AtomicU64::new(0),
        pace: number("pace"),
    });
    let tells = plan["tells"] == true;
    let inner = UreqTransport::new(&TransportOptions::new()).unwrap();
    let transport = Timed { inner, time: Arc::clone(&time), tells };
    let patience = Arc::new(AtomicU32::new(number("patience")));
    let store = || Patient { inner: sealed(&text("store")), times: Arc::clone(&patience), tells };
    let agent = Agent::builder().base_url(text("url")).tenant("acme").client_id(text("client_id"));
    let agent = agent.client_secret(text("secret")).shared_tokens(store()).build_with(transport).unwrap();
    let chain = DelegationChain::without_consent(&agent).store(store());
    let plain = RedisStore::server(text("store")).unwrap().unsealed().unwrap();
    let threads = number("threads") as usize;
    println!("\n{SAYS}{}", json!({ "ready": true }));
    std::io::stdout().flush().unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (what, argument) = line.split_once(' ').unwrap();
        let argument: u64 = argument.parse().unwrap();
        if what == "patience" {
            patience.store(u32::try_from(argument).unwrap(), Ordering::SeqCst);
            continue;
        }
        if what != "nonce" && time.ahead.swap(argument, Ordering::SeqCst) != argument {
            time.slept.store(0, Ordering::SeqCst);
        }
        let before = time.passed();
        let replays =
            (what == "nonce").then(|| redis_replays(plain.clone()).unwrap().within(Duration::from_secs(600)));
        let now = Now::new(Timestamp::from_unix(1_000), Duration::ZERO, [0; 32]);
        let call = || -> Result<String, Error> {
            match what {
                "own" => Ok(agent.access_token()?.secret().expose().to_owned()),
                "mcp" => Ok(agent.mcp_token("files")?.secret().expose().to_owned()),
                "user" => {
                    Ok(chain.exchange("alice", ["read:documents"])?.token().secret().expose().to_owned())
                }
                _ => {
                    let of = Reservation::of("k", &line, now.wall, Duration::from_secs(60));
                    let reserved = replays.as_ref().map(|replays| replays.reserve(&of, &now));
                    Ok(if matches!(reserved, Some(Ok(Reserved::First))) { "first" } else { "again" }
                        .to_owned())
                }
            }
        };
        let start = Barrier::new(threads);
        let ends: Vec<Result<String, Error>> = std::thread::scope(|scope| {
            let run = || {
                start.wait();
                call()
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let firsts = ends.iter().filter(|end| end.as_ref().is_ok_and(|text| text == "first")).count();
        let tokens: BTreeSet<&str> =
            ends.iter().filter_map(|end| end.as_ref().ok()).map(String::as_str).collect();
        let errors: Vec<String> =
            ends.iter().filter_map(|end| end.as_ref().err()).map(|error| format!("{error:?}")).collect();
        let took = u64::try_from((time.passed() - before).as_millis()).unwrap();
        println!("\n{SAYS}{}", json!({ "tokens": tokens, "errors": errors, "firsts": firsts, "took": took }));
        std::io::stdout().flush().unwrap();
    }
}

/// What a member's process is like.
#[derive(Clone, Copy)]
pub struct Ways {
    pub threads: u32,
    pub pace: u32,
    pub patience: u32,
    pub tells: bool,
}

/// A process, from outside.
pub struct Member {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Member {
    /// Its clock is so many milliseconds ahead.
    #[allow(clippy::disallowed_methods)] // this very program, as another process
    pub fn start(world: &crate::tokens::World, ways: Ways, apart: u64) -> Self {
        let plan = json!({
            "url": world.served.url(), "client_id": "agt_1", "secret": crate::tokens::SECRET, "store": world.engine.url(),
            "start": world.start + apart, "pace": ways.pace, "patience": ways.patience, "threads": ways.threads, "tells": ways.tells,
        });
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "member::a_member", "--nocapture", "--test-threads=1"])
            .env(PLAN, plan.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Member { child, input, output }
    }

    pub fn tell(&mut self, what: &str, argument: u64) {
        // One that was killed hears nothing.
        let _ = self.input.write_all(format!("{what} {argument}\n").as_bytes());
    }

    /// The next thing that it says; none if it is gone.
    pub fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(text) = line.strip_prefix(SAYS) {
                return Some(serde_json::from_str(text).unwrap());
            }
            line.clear();
        }
        None
    }

    /// What came of what it was told.
    pub fn end(&mut self) -> Value {
        loop {
            let said = self.hear().expect("the process is gone");
            if said.get("tokens").is_some() {
                return said;
            }
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
