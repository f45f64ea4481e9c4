//! Signatures that were taken, in any store: for processes that serve one resource.

use std::sync::Arc;
use std::time::Duration;

use lumoauth::aauth::{ReplayStore, Reservation, Reserved, SharedReplays};
use lumoauth::asynchronous;
use lumoauth::store::{MemoryStore, Prefix, Shelf};
use lumoauth::time::{Now, Timestamp};

use crate::support::{Folder, WITHIN, keys, later, wait};

fn of(thumbprint: &str, nonce: &str) -> Reservation {
    Reservation::of(thumbprint, nonce, Timestamp::from_unix(1_000), Duration::from_secs(60))
}

fn now() -> Now {
    Now::new(Timestamp::from_unix(1_000), Duration::from_secs(5), [0; 32])
}

#[test]
fn of_all_who_share_the_store_one_takes_a_signature() {
    let folder = Folder::new("replays");
    let taken: Vec<_> = std::thread::scope(|scope| {
        let receivers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| SharedReplays::new(folder.store()).reserve(&of("k", "n"), &now()).unwrap())
            })
            .collect();
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().filter(|reserved| **reserved == Reserved::First).count(), 1, "{taken:?}");
    assert_eq!(taken.iter().filter(|reserved| **reserved == Reserved::Again).count(), 7, "{taken:?}");
    let store = SharedReplays::new(folder.store());
    assert_eq!(store.reserve(&of("k2", "n"), &now()).unwrap(), Reserved::First);
    assert_eq!(store.reserve(&of("k", "n2"), &now()).unwrap(), Reserved::First);
    let store = SharedReplays::new(later(folder.store()));
    let again = wait(asynchronous::aauth::ReplayStore::reserve(&store, &of("k", "n"), &now()));
    assert_eq!(again.unwrap(), Reserved::Again);
}

#[test]
fn it_is_remembered_as_long_as_it_must_be_and_a_full_or_broken_store_takes_nothing() {
    let seconds = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let time = move || Duration::from_secs(clock.load(std::sync::atomic::Ordering::SeqCst));
    let memory = Arc::new(MemoryStore::with_capacity(2).clock(time));
    let store = SharedReplays::new(Arc::clone(&memory)).within(WITHIN);
    assert_eq!(store.reserve(&of("k", "canary-nonce"), &now()).unwrap(), Reserved::First);
    assert_eq!(store.reserve(&of("k", "2"), &now()).unwrap(), Reserved::First);
    assert_eq!(store.reserve(&of("k", "3"), &now()).unwrap(), Reserved::Full);
    // Nothing a stranger wrote stands in a key.
    let listed = keys(&*memory, &Prefix::all(Shelf::Nonces));
    assert!(listed.iter().all(|key| !key.as_str().contains("canary") && key.as_str().len() < 64));
    let keep = of("k", "canary-nonce").keep().as_secs();
    seconds.store(keep + 59, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(store.reserve(&of("k", "canary-nonce"), &now()).unwrap(), Reserved::Again);
    seconds.store(keep + 60, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(store.reserve(&of("k", "canary-nonce"), &now()).unwrap(), Reserved::First);

    let folder = Folder::new("replays-broken");
    let store = SharedReplays::new(folder.store());
    assert_eq!(store.reserve(&of("k", "n"), &now()).unwrap(), Reserved::First);
    // Its folder is replaced by a file.
    std::fs::remove_dir_all(folder.path().join("nonces")).unwrap();
    std::fs::write(folder.path().join("nonces"), "").unwrap();
    assert!(store.reserve(&of("k", "n"), &now()).unwrap_err().is_unavailable());
}
