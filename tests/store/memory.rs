//! The store in memory by itself: what goes when there is no room, and what is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lumoauth::store::{MemoryStore, Prefix, Shelf, Store};

use crate::support::{WITHIN, keys, on};

const SECOND: Duration = Duration::from_secs(1);

fn with_clock(capacity: usize) -> (MemoryStore, Arc<AtomicU64>) {
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let store = MemoryStore::with_capacity(capacity);
    (store.clock(move || Duration::from_secs(clock.load(Ordering::SeqCst))), seconds)
}

fn make(store: &MemoryStore, shelf: Shelf, name: &str, keep: Option<Duration>) -> bool {
    match store.save_if(&on(shelf, name), None, b"x", keep, WITHIN) {
        Ok(version) => version.is_some(),
        Err(error) => {
            assert!(error.is_full(), "{error}");
            false
        }
    }
}

fn has(store: &MemoryStore, shelf: Shelf, name: &str) -> bool {
    store.load(&on(shelf, name), WITHIN).unwrap().is_some()
}

#[test]
fn what_is_over_is_as_if_it_had_been_removed() {
    let (store, seconds) = with_clock(10);
    let key = on(Shelf::Sessions, "a");
    let first = store.save_if(&key, None, b"x", Some(SECOND * 2), WITHIN).unwrap();
    seconds.store(1, Ordering::SeqCst);
    assert!(has(&store, Shelf::Sessions, "a"));
    seconds.store(2, Ordering::SeqCst);
    assert!(!has(&store, Shelf::Sessions, "a"));
    assert_eq!(keys(&store, &Prefix::all(Shelf::Sessions)), []);
    assert_eq!(store.save_if(&key, first, b"y", None, WITHIN).unwrap(), None);
    assert!(!store.remove_if(&key, first.unwrap(), WITHIN).unwrap());
    let second = store.save_if(&key, None, b"y", Some(SECOND), WITHIN).unwrap();
    assert!(second.is_some() && second != first);
    // Each save says anew how long it is kept.
    let third = store.save_if(&key, second, b"z", None, WITHIN).unwrap();
    seconds.store(1_000, Ordering::SeqCst);
    assert!(has(&store, Shelf::Sessions, "a"));
    store.save_if(&key, third, b"z", Some(Duration::MAX), WITHIN).unwrap().unwrap();
    assert!(has(&store, Shelf::Sessions, "a"));
}

#[test]
fn what_is_over_goes_first_then_the_oldest_tokens_and_nothing_else() {
    let (store, seconds) = with_clock(5);
    assert!(make(&store, Shelf::Nonces, "over", Some(SECOND)));
    for name in ["old", "older", "new"] {
        assert!(make(&store, Shelf::Tokens, name, None));
    }
    // Saved again, it is not the oldest any more.
    let key = on(Shelf::Tokens, "old");
    let version = store.load(&key, WITHIN).unwrap().unwrap().version();
    store.save_if(&key, Some(version), b"y", None, WITHIN).unwrap().unwrap();
    seconds.store(1, Ordering::SeqCst);
    assert!(make(&store, Shelf::Sessions, "s1", None) && make(&store, Shelf::Sessions, "s2", None));
    assert_eq!(store.len(), 5);
    assert!(["old", "older", "new"].iter().all(|name| has(&store, Shelf::Tokens, name)));

    assert!(make(&store, Shelf::Nonces, "n", Some(SECOND * 100)));
    assert!(!has(&store, Shelf::Tokens, "older") && has(&store, Shelf::Tokens, "old"));
    // A new token may take an older one's place as well.
    assert!(make(&store, Shelf::Tokens, "newest", None));
    assert!(!has(&store, Shelf::Tokens, "new") && has(&store, Shelf::Tokens, "old"));
    assert!(make(&store, Shelf::Approvals, "a1", None) && make(&store, Shelf::Approvals, "a2", None));
    assert_eq!((store.len(), has(&store, Shelf::Tokens, "newest")), (5, false));

    for shelf in Shelf::ALL {
        assert!(!make(&store, shelf, "one more", None), "{shelf}");
    }
    // What is there can still be changed and removed.
    let key = on(Shelf::Sessions, "s1");
    let version = store.load(&key, WITHIN).unwrap().unwrap().version();
    let version = store.save_if(&key, Some(version), b"y", None, WITHIN).unwrap().unwrap();
    assert!(store.remove_if(&key, version, WITHIN).unwrap());
    assert!(make(&store, Shelf::Tokens, "one more", None));
    seconds.store(101, Ordering::SeqCst);
    assert!(make(&store, Shelf::Tokens, "two more", None));
    assert!(has(&store, Shelf::Tokens, "one more"));
}

#[test]
fn it_does_not_print_what_it_has() {
    let store = MemoryStore::with_capacity(7);
    assert!(make(&store, Shelf::Sessions, "canary", None));
    assert_eq!(format!("{store:?}"), "MemoryStore(1 of 7 records)");
    let page = store.keys(&Prefix::all(Shelf::Sessions), None, WITHIN).unwrap();
    assert!(!format!("{page:?}").contains("canary"), "{page:?}");
}
