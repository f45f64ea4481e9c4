//! One signature, one request.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::aauth::{MemoryReplayStore, RequestError, Reserved};
use lumoauth::http::Method;
use lumoauth::time::{Now, Timestamp};

use super::support::{START, World, at};

/// H4: a second time is a replay, for as long as the signature would pass as fresh.
#[test]
fn h4_a_replay_is_refused() {
    let world = World::new();
    // Signed by a clock that is a minute ahead: fresh for two minutes.
    let request = world.request(&world.message(Method::GET, "/", b""), b"", START + 60);
    world.verify_at(&request, &at(START)).unwrap();
    let mut refused = 0;
    for later in 0..=120 {
        let error = world.verify_at(&request, &at(START + later)).unwrap_err();
        assert!(matches!(error, RequestError::Replayed), "{later}: {error}");
        assert_eq!((error.status(), error.is_temporary()), (401, false));
        refused += 1;
    }
    let error = world.verify_at(&request, &at(START + 121)).unwrap_err();
    assert!(matches!(error, RequestError::Message(_)), "{error}");
    // A wall clock that jumps ahead and back makes nothing forgotten.
    let jumped = |wall: u64| Now::new(Timestamp::from_unix(wall), Duration::from_secs(1000), [0; 32]);
    let request = world.request(&world.message(Method::GET, "/", b""), b"", START);
    world.verify_at(&request, &jumped(START)).unwrap();
    let mut claims = world.claims();
    claims["exp"] = serde_json::json!(START + 100_000);
    let message = lumoauth::aauth::Message::new(Method::GET, super::support::RESOURCE).unwrap();
    let message = message.authorization(format!("Bearer {}", world.token(&claims))).unwrap();
    let other = world.request(&message, b"", START + 86_400);
    world.verify_at(&other, &jumped(START + 86_400)).unwrap();
    assert!(matches!(world.verify_at(&request, &jumped(START)), Err(RequestError::Replayed)));
    // Nor does one that is set back, after a while, make a forgotten signature good again.
    let then = |wall: u64, monotonic: u64| {
        Now::new(Timestamp::from_unix(wall), Duration::from_secs(monotonic), [0; 32])
    };
    let world = World::new();
    let request = world.request(&world.message(Method::GET, "/", b""), b"", START);
    world.verify_at(&request, &then(START, 1000)).unwrap();
    let later = world.request(&world.message(Method::GET, "/", b""), b"", START + 600);
    world.verify_at(&later, &then(START + 600, 1600)).unwrap();
    assert!(matches!(world.verify_at(&request, &then(START, 1601)), Err(RequestError::Replayed)));
    // A clock that was ahead for a moment is no reason to refuse anybody afterwards.
    let world = World::new();
    let mut claims = world.claims();
    claims["exp"] = serde_json::json!(START + 200_000);
    let message = lumoauth::aauth::Message::new(Method::GET, super::support::RESOURCE).unwrap();
    let message = message.authorization(format!("Bearer {}", world.token(&claims))).unwrap();
    let ahead = world.request(&message, b"", START + 86_400);
    world.verify_at(&ahead, &then(START + 86_400, 1000)).unwrap();
    for later in [1, 200, 400, 1000, 3600, 40_000] {
        let request = world.request(&message, b"", START + later);
        world.verify_at(&request, &then(START + later, 1000 + later)).unwrap();
    }
    println!("h4: the same signature {refused} times again within its window, 0 accepted");
}

/// A store that forgets at the very moment at which it may.
#[derive(Default)]
struct Exact(std::sync::Mutex<std::collections::HashMap<String, Duration>>);

impl Exact {
    fn reserve(&self, reservation: &lumoauth::aauth::Reservation, now: &Now) -> Reserved {
        let mut entries = self.0.lock().unwrap();
        entries.retain(|_, until| now.monotonic < *until);
        let until = now.monotonic + reservation.keep();
        match entries.insert(reservation.nonce().to_owned(), until) {
            None => Reserved::First,
            Some(before) => {
                entries.insert(reservation.nonce().to_owned(), before);
                Reserved::Again
            }
        }
    }
}

/// H4: a check that waits for keys or for the store outlives no signature: what is taken is fresh when it is reserved.
#[test]
fn h4_a_slow_check_takes_nothing_twice() {
    use lumoauth::aauth::{IncomingMessage, MessageFault};
    use lumoauth::embed::session::{Machine, Step};
    let world = World::new();
    // Signed by a clock that is a minute ahead, or behind, or neither.
    let (mut checks, mut taken_twice) = (0, 0);
    for ahead in [0, 30, 60] {
        for first_waits in [0, 1, 8] {
            for begins in 100..=125 {
                for waits in [0, 1, 2, 8, 20] {
                    let store = Exact::default();
                    let request = world.request(&world.message(Method::GET, "/", b""), b"", START + ahead);
                    let mut reserve = |begins: u64, waits: u64| {
                        checks += 1;
                        let mut check = world.verifier.check(IncomingMessage::new(&request, request.body()));
                        let Step::Done(proven) = check.step(&at(START + begins), None).unwrap() else {
                            panic!("the keys are at hand")
                        };
                        let proven = proven?;
                        let outcome = store.reserve(proven.reservation(), &at(START + begins + waits));
                        proven.reserved(outcome, &at(START + begins + waits))
                    };
                    reserve(0, first_waits).unwrap();
                    let error = reserve(begins, waits).map(drop);
                    taken_twice += u32::from(error.is_ok());
                    assert!(matches!(
                        error,
                        Err(RequestError::Replayed | RequestError::Message(MessageFault::NotFresh { .. }))
                    ));
                }
            }
        }
    }
    println!("h4: {checks} checks that waited for keys or a store, {taken_twice} signatures taken twice");
    // The first use is not taken either when it is over by then; nor is a token.
    let proven = |message: &lumoauth::aauth::Message| {
        let request = world.request(message, b"", START);
        let mut check = world.verifier.check(IncomingMessage::new(&request, request.body()));
        match check.step(&at(START), None).unwrap() {
            Step::Done(proven) => proven.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let message = world.message(Method::GET, "/", b"");
    proven(&message).reserved(Reserved::First, &at(START + 60)).unwrap();
    let late = proven(&message).reserved(Reserved::First, &at(START + 61)).unwrap_err();
    assert!(matches!(late, RequestError::Message(MessageFault::NotFresh { .. })), "{late}");
    let mut claims = world.claims();
    claims["exp"] = serde_json::json!(START + 30);
    let message = lumoauth::aauth::Message::new(Method::GET, super::support::RESOURCE).unwrap();
    let message = message.authorization(format!("Bearer {}", world.token(&claims))).unwrap();
    proven(&message).reserved(Reserved::First, &at(START + 29)).unwrap();
    let over = proven(&message).reserved(Reserved::First, &at(START + 30)).unwrap_err();
    assert!(matches!(over, RequestError::Token(lumoauth::verify::VerifyError::Expired)), "{over}");
    // What must be remembered: two windows and a second, whatever the window.
    for window in [0, 1, 60, 300] {
        let of = lumoauth::aauth::Reservation::of(
            "t",
            "n",
            Timestamp::from_unix(START),
            Duration::from_secs(window),
        );
        assert_eq!(of.keep(), Duration::from_secs(2 * window + 1));
    }
}

/// H4: whoever comes first, and nobody else.
#[test]
fn h4_sixty_four_threads_race_for_one_nonce() {
    let mut accepted = Vec::new();
    for _ in 0..50 {
        let world = Arc::new(World::new());
        let request = Arc::new(world.request(&world.message(Method::GET, "/", b""), b"", START));
        let barrier = Arc::new(Barrier::new(64));
        let threads: Vec<_> = (0..64)
            .map(|_| {
                let (world, request, barrier) =
                    (Arc::clone(&world), Arc::clone(&request), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    world.verify(&request).is_ok()
                })
            })
            .collect();
        accepted.push(threads.into_iter().map(|thread| thread.join().unwrap()).filter(|ok| *ok).count());
    }
    assert!(accepted.iter().all(|count| *count == 1), "{accepted:?}");
    println!("h4: 50 rounds of 64 threads with one nonce, {} accepted", accepted.iter().sum::<usize>());
}

/// H4: a full store takes nothing, and has room again when something is over.
#[test]
fn h4_a_full_store_fails_closed() {
    let world = World::new();
    let proven = |world: &World, created| {
        let request = world.request(&world.message(Method::GET, "/", b""), b"", created);
        let mut check = world.verifier.check(lumoauth::aauth::IncomingMessage::new(&request, request.body()));
        match lumoauth::embed::session::Machine::step(&mut check, &at(created), None).unwrap() {
            lumoauth::embed::session::Step::Done(proven) => proven.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let store = MemoryReplayStore::with_capacity(100);
    for _ in 0..100 {
        proven(&world, START).reserve(&store, &at(START)).unwrap();
    }
    let error = proven(&world, START).reserve(&store, &at(START)).unwrap_err();
    assert!(matches!(error, RequestError::Full), "{error}");
    assert_eq!((error.status(), error.is_temporary(), error.challenge().is_none()), (503, true, true));
    proven(&world, START + 121).reserve(&store, &at(START + 121)).unwrap();
    assert_eq!(store.len(), 1);
    // What is as old as what was forgotten cannot be told from a replay.
    assert_eq!(store.reserve(proven(&world, START).reservation(), &at(START + 121)), Reserved::Again);
    assert_eq!(store.reserve(proven(&world, START + 61).reservation(), &at(START + 121)), Reserved::First);
}

/// H4: what must be kept outlives the moment at which the store forgets its older half; another key may use the same nonce.
#[test]
fn h4_a_nonce_is_remembered_in_both_halves_of_the_store_and_by_its_key() {
    use lumoauth::aauth::Reservation;
    let store = MemoryReplayStore::new();
    let reserve = |key: &str, nonce: &str, later: u64| {
        let created = Timestamp::from_unix(START + later.min(150));
        store.reserve(&Reservation::of(key, nonce, created, Duration::from_secs(60)), &at(START + later))
    };
    assert_eq!(reserve("key", "first", 0), Reserved::First);
    assert_eq!(reserve("key", "second", 100), Reserved::First);
    assert_eq!(reserve("another", "second", 100), Reserved::First);
    // Here the younger half becomes the older one.
    assert_eq!(reserve("key", "third", 121), Reserved::First);
    for later in [121, 150, 200, 220] {
        for key in ["key", "another"] {
            assert_eq!(reserve(key, "second", later), Reserved::Again, "{later}");
        }
    }
}
