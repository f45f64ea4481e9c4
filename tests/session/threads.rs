//! Real threads. A delay is a latch: the service answers when everybody waits.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use lumoauth::embed::session::{Action, Arrived, Machine, Session, Step};
use lumoauth::embed::wire::Request;
use lumoauth::error::Error;
use lumoauth::time::{Now, Timestamp};

use super::server::{Server, read, reply};
use super::world::{Rng, World, session};

const THREADS: usize = 64;
/// Real time after which a thread that waits is called stuck.
const STUCK: Duration = Duration::from_secs(30);

/// A clock that all threads share, and a place where they meet.
struct Hall {
    millis: AtomicU64,
    draws: AtomicU64,
    server: Mutex<Server>,
    waiting: Mutex<usize>,
    changed: Condvar,
}

impl Hall {
    fn new() -> Arc<Self> {
        let mut server = Server::new();
        server.keep_hits = false;
        Arc::new(Hall {
            millis: AtomicU64::new(1_000_000),
            draws: AtomicU64::new(1),
            server: Mutex::new(server),
            waiting: Mutex::new(0),
            changed: Condvar::new(),
        })
    }

    fn now(&self) -> Now {
        let millis = self.millis.load(Ordering::SeqCst);
        let random = Rng(self.draws.fetch_add(1, Ordering::SeqCst)).bytes();
        Now::new(Timestamp::from_unix_millis(millis), Duration::from_millis(millis), random)
    }

    fn pass(&self, time: Duration) {
        // Rounded up: whoever waited has waited long enough.
        self.millis.fetch_add(u64::try_from(time.as_millis()).unwrap() + 1, Ordering::SeqCst);
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    fn answer(&self, request: &Request) -> Arrived {
        self.server().answer(request, Duration::from_millis(self.millis.load(Ordering::SeqCst))).arrived
    }

    fn arrive(&self) {
        *self.waiting.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    /// Until `count` threads wait for another.
    fn until_waiting(&self, count: usize) {
        let guard = self.waiting.lock().unwrap();
        let (_guard, timeout) =
            self.changed.wait_timeout_while(guard, STUCK, |waiting| *waiting < count).unwrap();
        assert!(!timeout.timed_out(), "not everybody came to wait");
    }

    fn drive<M: Machine>(
        &self,
        mut machine: M,
        send: impl Fn(&Request) -> Arrived,
    ) -> Result<M::Output, Error> {
        let mut arrived = None;
        loop {
            match machine.step(&self.now(), arrived.take())? {
                Step::Do(Action::Send(request)) => arrived = Some(send(&request)),
                Step::Do(Action::Wait(pause)) => self.pass(pause),
                Step::Do(Action::Join(ticket)) => {
                    let settled = Arc::new((Mutex::new(false), Condvar::new()));
                    let wake = Arc::clone(&settled);
                    ticket.on_settled(move || {
                        *wake.0.lock().unwrap() = true;
                        wake.1.notify_all();
                    });
                    self.arrive();
                    let guard = settled.0.lock().unwrap();
                    let (_guard, timeout) =
                        settled.1.wait_timeout_while(guard, STUCK, |settled| !*settled).unwrap();
                    assert!(!timeout.timed_out(), "a follower was never woken");
                }
                Step::Do(Action::Given(_) | Action::Store(_) | Action::Sign(_)) => panic!("it has a secret"),
                Step::Done(output) => return Ok(output),
            }
        }
    }
}

/// Every thread, behind a barrier, so many rounds; `before` and `after` run between the rounds.
fn rounds<T: Send>(
    count: usize,
    before: impl Fn(),
    each: impl Fn(usize) -> T + Sync,
    mut after: impl FnMut(Vec<T>),
) {
    let barrier = Barrier::new(THREADS + 1);
    let results = Mutex::new(Vec::new());
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (barrier, results, each, failed) = (&barrier, &results, &each, &failed);
            scope.spawn(move || {
                for _ in 0..count {
                    barrier.wait();
                    if failed.load(Ordering::SeqCst) {
                        barrier.wait();
                        return;
                    }
                    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| each(thread)));
                    match run {
                        Ok(result) => results.lock().unwrap().push(result),
                        Err(_) => failed.store(true, Ordering::SeqCst),
                    }
                    barrier.wait();
                    if failed.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        for _ in 0..count {
            before();
            barrier.wait();
            barrier.wait();
            assert!(!failed.load(Ordering::SeqCst), "a thread failed");
            let ends = std::mem::take(&mut *results.lock().unwrap());
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| after(ends)));
            if let Err(panic) = run {
                // The threads wait for the next round: one more, and they see that there is none.
                failed.store(true, Ordering::SeqCst);
                barrier.wait();
                barrier.wait();
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn t1_one_refresh_per_key() {
    const ROUNDS: usize = 500;
    let (hall, session) = (Hall::new(), session());
    let mut distinct = 0;
    rounds(
        ROUNDS,
        || {
            hall.pass(Duration::from_secs(4000));
            hall.server().reset();
            *hall.waiting.lock().unwrap() = 0;
        },
        |_| {
            hall.drive(session.token(), |request| {
                hall.until_waiting(THREADS - 1);
                hall.answer(request)
            })
        },
        |tokens| {
            assert_eq!(hall.server().tokens, 1);
            assert_eq!(tokens.len(), THREADS);
            let first = tokens[0].as_ref().unwrap().secret().clone();
            assert!(tokens.iter().all(|token| token.as_ref().unwrap().secret() == &first));
            distinct += 1;
        },
    );
    println!("T1: {distinct} rounds, {THREADS} threads, 1 token request and {THREADS} equal tokens in each");
}

#[test]
fn t2_a_failed_refresh_is_shared_by_threads() {
    const ROUNDS: usize = 50;
    let (hall, current) = (Hall::new(), Mutex::new(session()));
    hall.server().on_token(|_| reply(503, "{}"));
    let (mut most, mut slowest) = (0, Duration::ZERO);
    rounds(
        ROUNDS,
        || {
            *current.lock().unwrap() = session();
            hall.server().reset();
            *hall.waiting.lock().unwrap() = 0;
        },
        |_| {
            let session = current.lock().unwrap().clone();
            let began = hall.now().monotonic;
            let result = hall.drive(session.token(), |request| {
                hall.until_waiting(THREADS - 1);
                hall.answer(request)
            });
            (format!("{:?}", result.unwrap_err()), hall.now().monotonic - began)
        },
        |errors| {
            most = most.max(hall.server().tokens);
            assert!(hall.server().tokens <= 3);
            assert!(errors.iter().all(|(error, _)| error == &errors[0].0 && error.contains("503")));
            slowest = slowest.max(errors.iter().map(|(_, took)| *took).max().unwrap());
            assert!(slowest <= Duration::from_millis(20_100));
        },
    );
    println!(
        "T2: {ROUNDS} rounds, {THREADS} threads, at most {most} token requests, 1 error, slowest {slowest:?}"
    );
}

#[test]
fn t8_threads_share_one_forced_refresh() {
    const ROUNDS: usize = 100;
    let (hall, current) = (Hall::new(), Mutex::new(session()));
    let refused = Arc::new((Mutex::new(0), Condvar::new()));
    hall.server().on_call(|_| reply(401, r#"{"error":"invalid_token"}"#));
    rounds(
        ROUNDS,
        || {
            let fresh = session();
            hall.drive(fresh.token(), |request| hall.answer(request)).unwrap();
            *current.lock().unwrap() = fresh;
            hall.server().reset();
            *refused.0.lock().unwrap() = 0;
        },
        |_| {
            let session = current.lock().unwrap().clone();
            let result = hall.drive(session.call(read()), |request| {
                if !request.url().path().ends_with("/oauth/token") {
                    // The first refusals go out when all threads have sent the old token.
                    let mut count = refused.0.lock().unwrap();
                    *count += 1;
                    refused.1.notify_all();
                    let (_count, timeout) =
                        refused.1.wait_timeout_while(count, STUCK, |count| *count < THREADS).unwrap();
                    assert!(!timeout.timed_out());
                }
                hall.answer(request)
            });
            result.unwrap_err().status()
        },
        |statuses| {
            assert!(statuses.iter().all(|status| *status == Some(401)));
            let counted = {
                let server = hall.server();
                (server.tokens, server.calls)
            };
            assert_eq!(counted, (1, 2 * THREADS));
        },
    );
    println!(
        "T8: {ROUNDS} rounds, {THREADS} threads refused at once, 1 refresh and {} calls in each",
        2 * THREADS
    );
}

/// How often this thread gave the processor away of its own accord: to wait, for a lock among others. None where the system
/// does not tell.
fn waits() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn t3_one_stuck_key_stalls_no_other() {
    let (mut world, session) = (World::new(3), session());
    let (stuck, other) = (session.with_scopes(["a"]), session.with_scopes(["b"]));
    world.run(other.token()).unwrap();
    let mut hanging = stuck.token();
    assert!(matches!(hanging.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    // Somebody waits for the stuck key as well.
    let mut follower = stuck.token();
    assert!(matches!(follower.step(&world.now(), None), Ok(Step::Do(Action::Join(_)))));
    let now = world.now();
    let waited = std::thread::spawn(move || {
        let before = waits();
        for _ in 0..1000 {
            assert!(matches!(other.token().step(&now, None), Ok(Step::Done(_))), "done at once");
        }
        before.zip(waits()).map(|(before, after)| after - before)
    })
    .join()
    .unwrap();
    match waited {
        // The reads themselves wait for nothing; what the system does to a thread now and then is not theirs.
        Some(waited) => {
            assert!(waited <= 10, "{waited} of 1,000 reads waited for a lock");
            println!("T3: 1,000 cached reads beside a stuck key, the thread waited {waited} times");
        }
        None => println!("SKIPPED: this system does not tell how often a thread waits"),
    }
    world.pass_millis(3_600_000);
    let requests = world.server.tokens;
    let other = session.with_scopes(["b"]);
    world.run(other.token()).unwrap();
    assert_eq!(world.server.tokens, requests + 1, "the other key was renewed meanwhile");
    println!("T3: the other key was renewed meanwhile");
}

#[test]
fn t10_the_token_is_the_one_asked_for() {
    const KEYS: usize = 1500;
    const READS: usize = 400;
    let (hall, session) = (Hall::new(), session());
    let keys: Vec<(String, Session)> = (0..KEYS)
        .map(|key| format!("s{key}"))
        .map(|scope| (scope.clone(), session.with_scopes(scope)))
        .collect();
    let (mismatches, refreshes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    rounds(
        1,
        || {},
        |thread| {
            let mut rng = Rng(thread as u64);
            for _ in 0..READS {
                let (scope, own) = &keys[rng.below(KEYS as u64) as usize];
                let token = hall.drive(own.token(), |request| hall.answer(request)).unwrap();
                if token.secret().expose().split('|').nth(1) != Some(scope) {
                    mismatches.fetch_add(1, Ordering::SeqCst);
                }
            }
        },
        |_| refreshes.store(hall.server().tokens, Ordering::SeqCst),
    );
    let (mismatches, refreshes) = (mismatches.into_inner(), refreshes.into_inner());
    assert_eq!(mismatches, 0);
    assert!(refreshes > KEYS, "tokens were forced out of the cache and fetched again");
    println!(
        "T10: {THREADS} threads, {KEYS} keys, {} reads, {refreshes} fetches, {mismatches} mismatches",
        THREADS * READS
    );
}

#[test]
fn t11_a_panicking_leader_harms_nobody() {
    let (hall, session) = (Hall::new(), session());
    let first = AtomicBool::new(true);
    let panicked = AtomicUsize::new(0);
    rounds(
        1,
        || {},
        |_| {
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                hall.drive(session.token(), |request| {
                    if first.swap(false, Ordering::SeqCst) {
                        hall.until_waiting(THREADS - 1);
                        std::panic::resume_unwind(Box::new("the leader dies"));
                    }
                    hall.answer(request)
                })
            }));
            match run {
                Ok(token) => drop(token.unwrap()),
                Err(_) => {
                    panicked.fetch_add(1, Ordering::SeqCst);
                }
            }
        },
        |ends| assert_eq!(ends.len(), THREADS),
    );
    assert_eq!((panicked.load(Ordering::SeqCst), hall.server().tokens), (1, 1));
    println!("T11: the leader panicked, {} followers have a token after 1 more request", THREADS - 1);
}
