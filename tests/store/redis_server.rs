//! A store on real servers: the contract, ends of records, lost connections, servers that hang, drop, or refuse.

mod changes;
mod fake;
mod odd;
mod several;

use std::path::Path;
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{
    NameKey, Page, Prefix, RedisStore, SealedStore, SealingKey, Shelf, Store, StoreKey, Version, contract,
};
use redis::Commands;

use crate::engine::{Engine, programs};
use crate::support::{WITHIN, key, keys, on, wait};

const SHORT: Duration = Duration::from_millis(200);

fn plain(engine: &Engine) -> RedisStore {
    RedisStore::server(engine.url()).unwrap().unsealed().unwrap()
}

fn sealed(engine: &Engine) -> SealedStore<RedisStore> {
    let (names, key) = (NameKey::new(&[1; 32]), SealingKey::new("1", &[2; 32]).unwrap());
    RedisStore::server(engine.url()).unwrap().sealed(names, key).unwrap()
}

fn each(test: &str, run: impl Fn(&Path)) {
    programs(test).iter().for_each(|program| run(program));
}

fn make(store: &impl Store, key: &StoreKey, bytes: &[u8]) -> Version {
    store.save_if(key, None, bytes, None, WITHIN).unwrap().unwrap()
}

#[test]
fn it_keeps_the_contract() {
    each("the contract", |program| {
        let engine = Engine::start(program, &[]);
        contract(&plain(&engine)).unwrap();
        contract(&sealed(&engine)).unwrap();
        wait(asynchronous::store::contract(&plain(&engine))).unwrap();
        wait(asynchronous::store::contract(&sealed(&engine))).unwrap();
        let left: usize = redis::cmd("DBSIZE").query(&mut engine.aside()).unwrap();
        assert_eq!(left, 0);
    });
}

#[test]
fn every_record_has_an_end_and_a_name_that_others_can_tell() {
    each("the ends of records", |program| {
        let engine = Engine::start(program, &[]);
        let (store, mut aside) = (plain(&engine), engine.aside());
        for shelf in Shelf::ALL {
            make(&store, &on(shelf, "for ever"), b"x");
            let hour = Some(Duration::from_secs(3_600));
            store.save_if(&on(shelf, "an hour"), None, b"x", hour, WITHIN).unwrap().unwrap();
            let end: i64 = aside.pttl(format!("lumoauth:{shelf}:for%20ever")).unwrap();
            assert!((399 * 86_400_000..=400 * 86_400_000).contains(&end), "{end}");
            let end: i64 = aside.pttl(format!("lumoauth:{shelf}:an%20hour")).unwrap();
            assert!((1..=3_600_000).contains(&end), "{end}");
        }
        // The time counts anew with every change, and what is over is gone.
        let key = on(Shelf::Tokens, "an hour");
        let version = store.load(&key, WITHIN).unwrap().unwrap().version();
        let version = store.save_if(&key, Some(version), b"y", None, WITHIN).unwrap().unwrap();
        assert!(aside.pttl::<_, i64>("lumoauth:tokens:an%20hour").unwrap() > 3_600_000);
        store.save_if(&key, Some(version), b"y", Some(Duration::ZERO), WITHIN).unwrap().unwrap();
        while store.load(&key, WITHIN).unwrap().is_some() {}
        // Another store on the same server sees none of it.
        let other = RedisStore::server(engine.url()).unwrap().namespace("other*").unsealed().unwrap();
        assert!(keys(&other, &Prefix::all(Shelf::Tokens)).is_empty());
        make(&other, &on(Shelf::Tokens, "*"), b"x");
        assert_eq!(keys(&other, &Prefix::all(Shelf::Tokens)), [on(Shelf::Tokens, "*")]);
        assert_eq!(keys(&store, &Prefix::all(Shelf::Tokens)), [on(Shelf::Tokens, "for ever")]);
        assert!(aside.exists::<_, bool>("other*tokens:*").unwrap());
    });
}

#[test]
fn keys_come_in_pages_each_once_while_others_come_and_go() {
    each("pages of keys", |program| {
        let engine = Engine::start(program, &[]);
        let store = plain(&engine);
        let names: Vec<String> = (0..2_500).map(|number| format!("{number:05}")).collect();
        let versions: Vec<Version> = names
            .iter()
            .map(|name| make(&store, &StoreKey::new(Shelf::Sessions, ["a", name]), b"x"))
            .collect();
        let prefix = Prefix::new(Shelf::Sessions, ["a"]);
        let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page: Page = store.keys(&prefix, after.as_deref(), WITHIN).unwrap();
            listed.extend_from_slice(page.keys());
            after = page.next().map(str::to_owned);
            // Every second one that was not listed yet goes, and so does much else: the server's table shrinks.
            for (at, name) in
                names.iter().enumerate().filter(|(at, _)| pages == 0 && at % 2 == 1 && *at >= 1_000)
            {
                let key = StoreKey::new(Shelf::Sessions, ["a", name]);
                assert!(store.remove_if(&key, versions[at], WITHIN).unwrap());
            }
            pages += 1;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<StoreKey> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| *at < 1_000 || at % 2 == 0)
            .map(|(_, name)| StoreKey::new(Shelf::Sessions, ["a", name]))
            .collect();
        assert_eq!((listed, pages), (expected, 2));
    });
}

#[test]
fn a_server_that_was_started_again_emptied_or_forgot_its_scripts_is_used_on() {
    each("restarts", |program| {
        let mut engine = Engine::start(program, &[]);
        let store = plain(&engine);
        let first = make(&store, &key("a"), b"1");
        let _: () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut engine.aside()).unwrap();
        let second = store.save_if(&key("a"), Some(first), b"2", None, WITHIN).unwrap().unwrap();
        // Clients are cut off: the next question goes over a new line.
        let _: () =
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query(&mut engine.aside()).unwrap();
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().bytes(), b"2");
        let _: () =
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query(&mut engine.aside()).unwrap();
        let third = store.save_if(&key("a"), Some(second), b"3", None, WITHIN).unwrap().unwrap();
        engine.kill();
        let error = store.load(&key("a"), WITHIN).unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        engine.again();
        // It is empty: nothing is saved over what was there, and no version comes again.
        assert!(store.save_if(&key("a"), Some(third), b"late", None, WITHIN).unwrap().is_none());
        let made = make(&store, &key("a"), b"1");
        assert!(![first, second, third].contains(&made));
        let _: () = redis::cmd("FLUSHALL").query(&mut engine.aside()).unwrap();
        assert!(store.save_if(&key("a"), Some(made), b"late", None, WITHIN).unwrap().is_none());
        assert!(!store.remove_if(&key("a"), made, WITHIN).unwrap());
        assert!(store.load(&key("a"), WITHIN).unwrap().is_none());
    });
}

#[test]
fn a_server_that_stands_still_holds_up_nobody_beyond_the_time() {
    each("a server that stands still", |program| {
        let engine = Engine::start(program, &[]);
        let store = plain(&engine);
        make(&store, &key("a"), b"1");
        engine.signal("STOP");
        // More than there are threads.
        std::thread::scope(|scope| {
            for number in 0..24 {
                let store = &store;
                scope.spawn(move || {
                    let error = match number % 3 {
                        0 => store.load(&key("a"), SHORT).map(drop),
                        1 => store.save_if(&key("b"), None, b"x", None, SHORT).map(drop),
                        _ => store.keys(&Prefix::all(Shelf::Sessions), None, SHORT).map(drop),
                    };
                    assert!(error.unwrap_err().is_unavailable());
                });
            }
        });
        let a = key("a");
        let late = asynchronous::store::Store::load(&store, &a, SHORT);
        assert!(wait(late).unwrap_err().is_unavailable());
        engine.signal("CONT");
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().bytes(), b"1");
    });
}

#[test]
fn what_must_not_be_lost_is_not_given_to_a_server_that_drops_records() {
    each("servers that evict", |program| {
        let engine = Engine::start(program, &["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]);
        let store = plain(&engine);
        for shelf in [Shelf::Nonces, Shelf::Approvals] {
            let error = store.save_if(&on(shelf, "a"), None, b"", None, WITHIN).unwrap_err();
            assert!(error.is_unavailable() && error.to_string().contains("noeviction"), "{error}");
        }
        make(&store, &on(Shelf::Tokens, "a"), b"");
        make(&store, &on(Shelf::Sessions, "a"), b"");
        #[cfg(feature = "aauth")]
        {
            let error = lumoauth::aauth::redis_replays(plain(&engine)).unwrap_err();
            assert!(error.to_string().contains("noeviction"), "{error}");
            let error = wait(asynchronous::aauth::redis_replays(plain(&engine))).unwrap_err();
            assert!(error.to_string().contains("noeviction"), "{error}");
        }
        let mut aside = engine.aside();
        let _: () =
            redis::cmd("CONFIG").arg(&["SET", "maxmemory-policy", "noeviction"]).query(&mut aside).unwrap();
        #[cfg(feature = "aauth")]
        {
            use lumoauth::aauth::{ReplayStore, Reservation, Reserved};
            let of = Reservation::of("k", "n", lumoauth::time::Timestamp::from_unix(1_000), SHORT);
            let now = lumoauth::time::Now::new(
                lumoauth::time::Timestamp::from_unix(1_000),
                Duration::ZERO,
                [0; 32],
            );
            let replays = lumoauth::aauth::redis_replays(plain(&engine)).unwrap();
            assert_eq!(replays.reserve(&of, &now).unwrap(), Reserved::First);
            let replays = wait(asynchronous::aauth::redis_replays(plain(&engine))).unwrap();
            let again = wait(asynchronous::aauth::ReplayStore::reserve(&replays, &of, &now));
            assert_eq!(again.unwrap(), Reserved::Again);
        }
        // A server without room says so, and nothing was changed.
        let fresh = plain(&engine);
        let version = make(&fresh, &on(Shelf::Nonces, "b"), b"");
        let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).query(&mut aside).unwrap();
        let error = fresh.save_if(&on(Shelf::Nonces, "c"), None, b"", None, WITHIN).unwrap_err();
        assert!(error.is_full(), "{error}");
        assert!(fresh.load(&on(Shelf::Nonces, "c"), WITHIN).unwrap().is_none());
        assert!(fresh.remove_if(&on(Shelf::Nonces, "b"), version, WITHIN).is_ok_and(|removed| removed));
    });
}

#[test]
fn passwords_are_shown_nowhere() {
    each("passwords", |program| {
        let port = crate::engine::free_port();
        let engine = Engine::on_port(program, port, &["--requirepass", "canary-right"]);
        let open = |login: &str| {
            RedisStore::server(format!("redis://{login}127.0.0.1:{port}/2")).unwrap().unsealed().unwrap()
        };
        let store = open(":canary-right@");
        contract(&store).unwrap();
        let store = open("default:canary-right@");
        make(&store, &key("a"), b"");
        for (login, says) in
            [("", "password"), (":canary-wrong@", "user and password"), ("canary:x@", "user")]
        {
            let store = open(login);
            let error = store.load(&key("a"), WITHIN).unwrap_err();
            assert!(error.is_unavailable() && error.to_string().contains(says), "{error}");
            assert!(!format!("{error} {error:?} {store:?}").contains("canary"), "{error}");
        }
        let settings = RedisStore::server(format!("redis://127.0.0.1:{port}")).unwrap();
        let settings = settings.credentials(Some("canary"), "canary-wrong");
        assert!(!format!("{settings:?}").contains("canary"));
        let store = settings.credentials(None, "canary-right").unsealed().unwrap();
        store.load(&key("a"), WITHIN).unwrap();
        let many = RedisStore::server(format!("redis://:canary-right@127.0.0.1:{port}/99")).unwrap();
        let error = many.unsealed().unwrap().load(&key("a"), WITHIN).unwrap_err();
        assert!(error.to_string().contains("database"), "{error}");
        drop(engine);
    });
}

#[test]
fn what_others_left_under_a_name_is_corrupt_and_stays() {
    each("foreign records", |program| {
        let engine = Engine::start(program, &[]);
        let (store, mut aside) = (plain(&engine), engine.aside());
        let _: () = aside.set("lumoauth:sessions:empty", "").unwrap();
        let _: () = aside.set("lumoauth:sessions:short", "x").unwrap();
        let _: () = aside.rpush("lumoauth:sessions:list", "x").unwrap();
        for name in ["empty", "short", "list"] {
            assert!(store.load(&key(name), WITHIN).unwrap_err().is_corrupt());
        }
        for name in ["empty", "short"] {
            assert!(store.save_if(&key(name), None, b"", None, WITHIN).unwrap().is_none());
        }
        assert!(store.save_if(&key("list"), None, b"", None, WITHIN).unwrap_err().is_corrupt());
        assert_eq!(aside.get::<_, String>("lumoauth:sessions:short").unwrap(), "x");
        let _: () = aside.set("lumoauth:sessions:\u{e9}", "x").unwrap();
        assert_eq!(aside.get::<_, String>("lumoauth:sessions:empty").unwrap(), "");
        assert_eq!(keys(&store, &Prefix::all(Shelf::Sessions)).len(), 4);
    });
}
