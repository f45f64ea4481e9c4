//! Sealed stores: what whoever has the store can read, and what is noticed.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use lumoauth::store::{self, MemoryStore, NameKey, Prefix, SealedStore, SealingKey, Shelf, Store, StoreKey};
use lumoauth::{Secret, asynchronous};

use crate::support::{Folder, WITHIN, key, keys, later, wait};

fn sealing(id: &str, byte: u8) -> SealingKey {
    SealingKey::new(id, &[byte; 32]).unwrap()
}

fn sealed<S>(inner: S) -> SealedStore<S> {
    SealedStore::new(inner, NameKey::new(&[1; 32]), sealing("2", 2))
}

/// The record as the inner store has it, in its one key.
fn inner(store: &MemoryStore, shelf: Shelf) -> (StoreKey, Vec<u8>) {
    let key = keys(store, &Prefix::all(shelf)).pop().unwrap();
    let bytes = store.load(&key, WITHIN).unwrap().unwrap().bytes().to_vec();
    (key, bytes)
}

fn put(store: &MemoryStore, key: &StoreKey, bytes: &[u8]) {
    let version = store.load(key, WITHIN).unwrap().map(|record| record.version());
    store.save_if(key, version, bytes, None, WITHIN).unwrap().unwrap();
}

#[test]
fn sealed_stores_keep_the_contract_in_both_mounts() {
    store::contract(&sealed(MemoryStore::new())).unwrap();
    wait(asynchronous::store::contract(&sealed(MemoryStore::new()))).unwrap();
    wait(asynchronous::store::contract(&sealed(later(MemoryStore::new())))).unwrap();
    let folder = Folder::new("sealed-contract");
    store::contract(&sealed(folder.store())).unwrap();
    wait(asynchronous::store::contract(&sealed(folder.store()))).unwrap();
    // Sealed twice, it is a store all the same.
    store::contract(&sealed(sealed(MemoryStore::new()))).unwrap();
}

/// Everything that somebody finds who has the files.
fn dump(folder: &Path, found: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.extend(path.file_name().unwrap().as_encoded_bytes());
        found.push(b'\n');
        if path.is_dir() { dump(&path, found) } else { found.extend(std::fs::read(&path).unwrap()) }
    }
}

/// The text in every form in which it could stand there, and any 12 bytes of it.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![text.into(), hex.clone().into_bytes(), hex.to_uppercase().into_bytes()];
    for from in 0..3 {
        // Base64 of it looks otherwise at each of three places; its ends depend on what is beside it.
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&text.as_bytes()[from..]);
            forms.push(encoded.as_bytes()[..encoded.len() - 4].to_vec());
        }
    }
    let whole = text.len().saturating_sub(11).max(1);
    forms.extend((0..whole).map(|from| text.as_bytes()[from..text.len().min(from + 12)].to_vec()));
    forms
}

#[test]
fn a_dump_of_a_sealed_store_holds_no_secret_and_no_name() {
    let names = ["alice.canary@users.example", "laptop-of-j\u{fc}rgen-canary", "agt_canary_client_0001"];
    let secret = "rt_canary_refresh_token_9f8e7d6c5b4a3921";
    let fill = |store: &dyn Store| {
        for shelf in Shelf::ALL {
            let key = StoreKey::new(shelf, names);
            let bytes = format!("{{\"refresh\":\"{secret}\",\"user\":\"{}\"}}", names[0]);
            let version = store.save_if(&key, None, bytes.as_bytes(), None, WITHIN).unwrap();
            store.save_if(&key, version, bytes.as_bytes(), None, WITHIN).unwrap().unwrap();
        }
    };
    let hits = |found: &[u8]| -> usize {
        let all = names.iter().chain([&secret]).flat_map(|text| forms(text));
        let all: Vec<_> = all.collect();
        all.iter().filter(|form| found.windows(form.len()).any(|window| window == *form)).count()
    };
    let folder = Folder::new("sealed-dump");
    fill(&sealed(folder.store()));
    let mut found = Vec::new();
    dump(folder.path(), &mut found);
    let memory = Arc::new(MemoryStore::new());
    fill(&sealed(Arc::clone(&memory)));
    for shelf in Shelf::ALL {
        let (key, bytes) = inner(&memory, shelf);
        found.extend(key.as_str().bytes().chain(bytes));
    }
    println!("{} bytes of two sealed stores: {} hits", found.len(), hits(&found));
    assert!(found.len() > 2_000 && hits(&found) == 0);
    // The same look finds all of it where nothing is sealed.
    let plain = Folder::new("plain-dump");
    fill(&plain.store());
    let mut found = Vec::new();
    dump(plain.path(), &mut found);
    assert!(hits(&found) > 40, "{} hits", hits(&found));
}

#[test]
fn lists_give_the_plain_names() {
    let store = sealed(MemoryStore::new());
    for name in ["alice", "bob", "a/b"] {
        let key = StoreKey::new(Shelf::Sessions, ["acme", name]);
        store.save_if(&key, None, b"x", None, WITHIN).unwrap().unwrap();
    }
    store
        .save_if(&StoreKey::new(Shelf::Sessions, ["acme2", "eve"]), None, b"x", None, WITHIN)
        .unwrap()
        .unwrap();
    let listed = keys(&store, &Prefix::new(Shelf::Sessions, ["acme"]));
    let mut names: Vec<_> = listed.iter().map(StoreKey::segments).collect();
    names.sort_unstable();
    assert_eq!(names, [["acme", "a/b"], ["acme", "alice"], ["acme", "bob"]]);
    assert_eq!(keys(&store, &Prefix::all(Shelf::Sessions)).len(), 4);
}

#[test]
fn keys_are_changed_while_records_stay() {
    let memory = Arc::new(MemoryStore::new());
    let names = || NameKey::new(&[1; 32]);
    let old = SealedStore::new(Arc::clone(&memory), names(), sealing("old", 2));
    old.save_if(&key("alice"), None, b"one", None, WITHIN).unwrap().unwrap();
    old.save_if(&key("bob"), None, b"two", None, WITHIN).unwrap().unwrap();

    let both = SealedStore::new(Arc::clone(&memory), names(), sealing("new", 3)).opens_too(sealing("old", 2));
    let record = both.load(&key("alice"), WITHIN).unwrap().unwrap();
    assert_eq!(record.bytes(), b"one");
    both.save_if(&key("alice"), Some(record.version()), b"one again", None, WITHIN).unwrap().unwrap();
    assert_eq!(keys(&both, &Prefix::all(Shelf::Sessions)).len(), 2);

    let new = SealedStore::new(Arc::clone(&memory), names(), sealing("new", 3));
    assert_eq!(new.load(&key("alice"), WITHIN).unwrap().unwrap().bytes(), b"one again");
    for error in [
        new.load(&key("bob"), WITHIN).unwrap_err(),
        new.keys(&Prefix::all(Shelf::Sessions), None, WITHIN).unwrap_err(),
        old.load(&key("alice"), WITHIN).unwrap_err(),
    ] {
        assert!(error.is_corrupt() && error.to_string().contains("a key that was not given"), "{error}");
    }
    // The right id with another key.
    let wrong = SealedStore::new(Arc::clone(&memory), names(), sealing("new", 9));
    assert!(wrong.load(&key("alice"), WITHIN).unwrap_err().is_corrupt());
    // Under another name key nothing is found.
    let other = SealedStore::new(Arc::clone(&memory), NameKey::new(&[9; 32]), sealing("new", 3));
    assert_eq!(other.load(&key("alice"), WITHIN).unwrap(), None);
    assert!(other.save_if(&key("alice"), None, b"x", None, WITHIN).unwrap().is_some());
}

#[test]
fn a_record_moved_changed_or_cut_is_noticed_and_an_old_one_put_back_is_not() {
    let memory = Arc::new(MemoryStore::new());
    let store = sealed(Arc::clone(&memory));
    let first = store.save_if(&key("alice"), None, b"first", None, WITHIN).unwrap();
    let (place, old) = inner(&memory, Shelf::Sessions);
    store.save_if(&key("alice"), first, b"second", None, WITHIN).unwrap().unwrap();
    let (_, whole) = inner(&memory, Shelf::Sessions);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        put(&memory, &place, &changed);
        assert!(store.load(&key("alice"), WITHIN).unwrap_err().is_corrupt(), "byte {at}");
        put(&memory, &place, &whole[..at]);
        assert!(store.load(&key("alice"), WITHIN).unwrap_err().is_corrupt(), "{at} bytes");
    }
    // To another key, and to another shelf.
    put(&memory, &place, &whole);
    let bob = store.save_if(&key("bob"), None, b"x", None, WITHIN).unwrap().unwrap();
    let elsewhere =
        keys(&*memory, &Prefix::all(Shelf::Sessions)).into_iter().find(|key| *key != place).unwrap();
    put(&memory, &elsewhere, &whole);
    assert!(store.load(&key("bob"), WITHIN).unwrap_err().is_corrupt());
    assert!(store.keys(&Prefix::all(Shelf::Sessions), None, WITHIN).unwrap_err().is_corrupt());
    assert!(!store.remove_if(&key("bob"), bob, WITHIN).unwrap());
    let alice = StoreKey::new(Shelf::Tokens, ["alice"]);
    store.save_if(&alice, None, b"x", None, WITHIN).unwrap().unwrap();
    let (elsewhere, _) = inner(&memory, Shelf::Tokens);
    assert_ne!(elsewhere.as_str(), place.as_str());
    put(&memory, &elsewhere, &whole);
    assert!(store.load(&alice, WITHIN).unwrap_err().is_corrupt());
    // What the documentation says is not noticed.
    put(&memory, &place, &old);
    assert_eq!(store.load(&key("alice"), WITHIN).unwrap().unwrap().bytes(), b"first");
}

#[test]
fn keys_of_a_secret_are_those_of_this_secret_and_purpose() {
    let memory = Arc::new(MemoryStore::new());
    let store = |secret: &str, purpose: &str| {
        let secret = Secret::new(secret);
        let names = NameKey::derived(&secret, purpose).unwrap();
        SealedStore::new(Arc::clone(&memory), names, SealingKey::derived("1", &secret, purpose).unwrap())
    };
    store("sk_1", "tokens").save_if(&key("a"), None, b"x", None, WITHIN).unwrap().unwrap();
    assert!(store("sk_1", "tokens").load(&key("a"), WITHIN).unwrap().is_some());
    assert_eq!(store("sk_2", "tokens").load(&key("a"), WITHIN).unwrap(), None);
    assert_eq!(store("sk_1", "sessions").load(&key("a"), WITHIN).unwrap(), None);
    let shown = format!("{:?}", store("sk_canary", "tokens"));
    assert!(!shown.contains("canary") && shown.contains("SealingKey { id: \"1\", .. }"), "{shown}");
    for id in ["", &"x".repeat(65)] {
        assert_eq!(SealingKey::new(id, &[0; 32]).unwrap_err().argument(), "id");
    }
}
