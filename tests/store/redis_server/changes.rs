//! What changes behind a store's back: a server that becomes a replica, wants a password, is cut off, sends elsewhere, or answers
//! what nobody asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use lumoauth::store::{RedisStore, Shelf, Store, StoreKey};

use super::fake::{Fake, bulk, opening, record, says, slots};
use super::{SHORT, make};
use crate::support::{WITHIN, key, on};

fn change(words: &[String]) -> bool {
    words[0].starts_with("EVAL")
}

fn text(store: &impl Store, key: &StoreKey) -> String {
    String::from_utf8(store.load(key, WITHIN).unwrap().unwrap().bytes().to_vec()).unwrap()
}

#[test]
fn every_change_names_the_version_before_and_an_end() {
    let fake = Fake::start(|_, words| if change(words) { says(":1") } else { opening(words) });
    let store = fake.store();
    for shelf in Shelf::ALL {
        let version = make(&store, &on(shelf, "a"), b"x");
        let hour = Some(std::time::Duration::from_secs(3_600));
        store.save_if(&on(shelf, "a"), Some(version), b"y", hour, WITHIN).unwrap().unwrap();
        store.save_if(&on(shelf, "a"), Some(version), b"z", Some(std::time::Duration::ZERO), WITHIN).unwrap();
        store.save_if(&on(shelf, "a"), Some(version), b"z", Some(std::time::Duration::MAX), WITHIN).unwrap();
        assert!(store.remove_if(&on(shelf, "a"), version, WITHIN).unwrap());
    }
    let asked = fake.asked();
    let ends: Vec<&str> = asked.iter().filter_map(|(_, words)| words.get(6).map(String::as_str)).collect();
    assert_eq!(ends, ["34560000000", "3600000", "1", "4503599627370496"].repeat(4));
    for (at, (_, words)) in asked.iter().enumerate() {
        assert_eq!(words[4].is_empty(), at % 5 == 0, "{words:?}");
        assert!(words[3].starts_with("lumoauth:") && (at % 5 == 4 || words[5].len() > 16), "{words:?}");
    }
}

#[test]
fn a_server_that_may_drop_what_must_stay_is_not_given_it() {
    let policies: [fn() -> super::fake::Says; 4] = [
        || bulk("maxmemory_policy:allkeys-lru\r\n"),
        || bulk("maxmemory_policy:volatile-ttl\r\n"),
        || bulk("used_memory:1\r\n"),
        || says("-NOPERM this user has no permissions to run the 'info' command"),
    ];
    for policy in policies {
        let fake = Fake::start(move |_, words| match words[0].as_str() {
            "INFO" => policy(),
            _ => says(":1"),
        });
        let store = fake.store();
        for shelf in [Shelf::Nonces, Shelf::Approvals] {
            let error = store.save_if(&on(shelf, "a"), None, b"", None, WITHIN).unwrap_err();
            assert!(error.is_unavailable() && error.to_string().contains("to make room"), "{error}");
        }
        #[cfg(feature = "aauth")]
        assert!(lumoauth::aauth::redis_replays(store.clone()).is_err());
        assert_eq!(fake.asked(), []);
        make(&store, &on(Shelf::Tokens, "a"), b"");
        make(&store, &on(Shelf::Sessions, "a"), b"");
        assert_eq!(fake.asked().len(), 2);
    }
}

#[test]
fn a_server_that_is_a_replica_by_now_or_wants_a_password_is_looked_up_anew() {
    for code in ["-READONLY You can't write against a read only replica.", "-NOAUTH Authentication required."]
    {
        // The first line's server changes after its first answer; behind the name is another one then.
        let count = AtomicUsize::new(0);
        let fake = Fake::start(move |line, words| {
            if !change(words) {
                opening(words)
            } else if line == 0 && count.fetch_add(1, Ordering::SeqCst) > 0 {
                says(code)
            } else {
                says(":1")
            }
        });
        let store = fake.store();
        make(&store, &key("a"), b"1");
        make(&store, &key("b"), b"1");
        make(&store, &key("c"), b"1");
        let lines: Vec<usize> = fake.asked().iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [0, 0, 1, 1], "{code}");
        // One that stays a replica says so, once for each question, and no line to it is kept.
        let fake = Fake::start(move |_, words| if change(words) { says(code) } else { opening(words) });
        let store = fake.store();
        for lines in 1..4 {
            assert!(store.save_if(&key("a"), None, b"", None, WITHIN).unwrap_err().is_unavailable());
            assert_eq!((fake.asked().len(), fake.lines()), (lines, lines), "{code}");
        }
    }
}

#[test]
fn an_answer_that_comes_late_or_was_not_asked_for_is_nobodys() {
    // The first answer comes when nobody waits for it any more.
    let (release, held) = channel::<()>();
    let held = Mutex::new(Some(held));
    let fake = Fake::with(move |_, words, to| {
        use std::io::Write;
        let first = if words[0] == "GET" { held.lock().unwrap().take() } else { None };
        let answer = match (words[0].as_str(), first) {
            ("GET", Some(held)) => {
                let _ = held.recv();
                record("of another question")
            }
            ("GET", None) => record(&words[1]),
            _ => opening(words),
        };
        let _ = to.write_all(answer.unwrap().as_bytes());
        true
    });
    let store = fake.store();
    // A slow machine may not even ask in so short a time.
    while fake.asked().is_empty() {
        assert!(store.load(&key("a"), SHORT).unwrap_err().is_unavailable());
    }
    release.send(()).unwrap();
    for name in ["b", "c"] {
        assert_eq!(text(&store, &key(name)), format!("lumoauth:sessions:{name}"));
    }
    // One answer too many, in the same piece: which of them is the right one is not known.
    let fake = Fake::start(|line, words| match words[0].as_str() {
        "GET" if line == 0 => Some([record("canary"), record(&words[1])].map(Option::unwrap).concat()),
        "GET" => record(&words[1]),
        _ => opening(words),
    });
    let store = fake.store();
    let error = store.load(&key("a"), WITHIN).unwrap_err();
    assert!(error.is_unavailable() && error.to_string().contains("more answers"), "{error}");
    assert_eq!(text(&store, &key("b")), "lumoauth:sessions:b");
}

/// What the other side has written may need a moment to be here, so that is tried a few times.
fn soon(round: impl Fn() -> bool) {
    assert!((0..50).any(|_| round()));
}

#[test]
fn a_line_on_which_more_came_while_nobody_asked_is_not_used() {
    soon(|| {
        let (sent, sends) = channel::<()>();
        let (heard, hears) = channel::<()>();
        let hears = Mutex::new(hears);
        let fake = Fake::with(move |line, words, to| {
            use std::io::Write;
            let answer = if words[0] == "GET" { record(&words[1]) } else { opening(words) };
            let _ = to.write_all(answer.unwrap().as_bytes());
            if line == 0 && words[0] == "GET" {
                let _ = hears.lock().unwrap().recv();
                let _ = to.write_all(record("canary").unwrap().as_bytes());
                let _ = sent.send(());
            }
            true
        });
        let store = fake.store();
        assert_eq!(text(&store, &key("a")), "lumoauth:sessions:a");
        heard.send(()).unwrap();
        sends.recv().unwrap();
        text(&store, &key("b")) == "lumoauth:sessions:b"
    });
}

#[test]
fn a_line_that_was_closed_is_not_asked_so_that_no_outcome_is_in_doubt() {
    soon(|| {
        let (closed, close) = channel::<()>();
        let fake = Fake::with(move |line, words, to| {
            use std::io::Write;
            let answer = if change(words) { says(":0") } else { opening(words) };
            let _ = to.write_all(answer.unwrap().as_bytes());
            let stays = line > 0 || !change(words);
            if !stays {
                let _ = to.shutdown(std::net::Shutdown::Both);
                let _ = closed.send(());
            }
            stays
        });
        let store = fake.store();
        assert!(store.save_if(&key("a"), None, b"", None, WITHIN).unwrap().is_none());
        close.recv().unwrap();
        // "No" would say nothing if it had been asked before.
        store.save_if(&key("a"), None, b"", None, WITHIN).is_ok_and(|saved| saved.is_none())
    });
}

#[test]
fn no_after_a_lost_answer_says_nothing_and_yes_is_its_own() {
    for (code, is_known) in [(":0", false), (":1", true)] {
        let fake = Fake::start(move |line, words| match (change(words), line) {
            (false, _) => opening(words),
            // It is asked, and its line ends there.
            (true, 0) if !words[4].is_empty() => None,
            (true, 0) => says(":1"),
            (true, _) => says(code),
        });
        let store = fake.store();
        let version = make(&store, &key("a"), b"1");
        let saved = store.save_if(&key("a"), Some(version), b"2", None, WITHIN);
        assert!(if is_known { saved.unwrap().is_some() } else { saved.unwrap_err().is_unavailable() });
        assert_eq!(fake.asked().iter().map(|(line, _)| *line).collect::<Vec<_>>(), [0, 0, 1]);
    }
}

/// Two servers that know of each other's ports.
fn two(
    answer: impl Fn(usize, &[String], [u16; 2]) -> super::fake::Says + Send + Sync + 'static,
) -> [Fake; 2] {
    let (answer, ports) = (Arc::new(answer), Arc::new(Mutex::new([0; 2])));
    let fakes = [0, 1].map(|which| {
        let (answer, ports) = (Arc::clone(&answer), Arc::clone(&ports));
        Fake::start(move |_, words| {
            let ports = *ports.lock().unwrap();
            answer(which, words, ports)
        })
    });
    *ports.lock().unwrap() = [fakes[0].port, fakes[1].port];
    fakes
}

fn clustered(fakes: &[Fake; 2]) -> RedisStore {
    RedisStore::cluster([fakes[0].url(), fakes[1].url()]).unwrap().unsealed().unwrap()
}

#[test]
fn servers_that_send_to_each_other_end_after_a_few_turns() {
    for code in ["MOVED", "ASK"] {
        let fakes = two(move |which, words, ports| match words[0].as_str() {
            "CLUSTER" => slots(ports[which]),
            "GET" => says(&format!("-{code} 7 127.0.0.1:{}", ports[1 - which])),
            _ => opening(words),
        });
        let error = clustered(&fakes).load(&key("a"), WITHIN).unwrap_err();
        assert!(error.to_string().contains("from one server to the next"), "{error}");
        let asked = fakes.iter().flat_map(Fake::asked).filter(|(_, words)| words[0] == "GET").count();
        assert!((2..=8).contains(&asked), "{asked}");
    }
}

#[test]
fn a_server_that_is_cut_off_from_its_cluster_is_not_believed_before_the_others() {
    let fakes = two(|which, words, ports| match words[0].as_str() {
        "CLUSTER" => slots(ports[which]),
        "GET" if which == 0 => says("-CLUSTERDOWN The cluster is down"),
        "GET" => record(&words[1]),
        _ => opening(words),
    });
    let store = clustered(&fakes);
    for name in ["a", "b"] {
        assert_eq!(text(&store, &key(name)), format!("lumoauth:sessions:{name}"));
    }
    assert_eq!(fakes.iter().map(|fake| fake.asked().len()).collect::<Vec<_>>(), [1, 2]);
    // All of it is down: one more question, no more.
    let fakes = two(|which, words, ports| match words[0].as_str() {
        "CLUSTER" => slots(ports[which]),
        "GET" => says("-CLUSTERDOWN The cluster is down"),
        _ => opening(words),
    });
    let error = clustered(&fakes).load(&key("a"), WITHIN).unwrap_err();
    assert!(error.is_unavailable() && error.to_string().contains("just now"), "{error}");
    assert_eq!(fakes.iter().map(|fake| fake.asked().len()).sum::<usize>(), 2);
}

#[test]
fn a_record_on_its_way_is_changed_where_it_arrives_though_the_script_is_not_known_there() {
    let asking = AtomicBool::new(false);
    let fakes = two(move |which, words, ports| {
        let asked = words[0] != "ASKING" && asking.swap(false, Ordering::SeqCst);
        match words[0].as_str() {
            "CLUSTER" => slots(ports[0]),
            "ASKING" => {
                asking.store(true, Ordering::SeqCst);
                says("+OK")
            }
            "EVAL" | "EVALSHA" if which == 0 => says(&format!("-ASK 7 127.0.0.1:{}", ports[1])),
            "EVAL" | "EVALSHA" if !asked => says(&format!("-MOVED 7 127.0.0.1:{}", ports[0])),
            "EVALSHA" => says("-NOSCRIPT No matching script."),
            "EVAL" => says(":1"),
            _ => opening(words),
        }
    });
    make(&clustered(&fakes), &key("a"), b"1");
    let asked = fakes
        .each_ref()
        .map(|fake| fake.asked().into_iter().map(|(_, words)| words[0].clone()).collect::<Vec<String>>());
    assert_eq!(asked, [vec!["EVALSHA"], vec!["ASKING", "EVALSHA", "ASKING", "EVAL"]]);
}

#[test]
fn a_server_that_was_master_once_is_not_read_when_it_is_none_any_more() {
    let is_over = Arc::new(AtomicBool::new(false));
    let (closed, close) = channel::<()>();
    let over = Arc::clone(&is_over);
    // It closes its lines when the sentinels make it a replica.
    let first = Fake::with(move |_, words, to| {
        use std::io::Write;
        let is_over = over.load(Ordering::SeqCst);
        let answer = match words[0].as_str() {
            "ROLE" if is_over => says("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0"),
            "GET" => record("old"),
            _ => opening(words),
        };
        let _ = to.write_all(answer.unwrap().as_bytes());
        if words[0] == "GET" && !is_over {
            let _ = to.shutdown(std::net::Shutdown::Both);
            over.store(true, Ordering::SeqCst);
            closed.send(()).unwrap();
        }
        true
    });
    let second = Fake::start(|_, words| if words[0] == "GET" { record("new") } else { opening(words) });
    let ports = [first.port, second.port];
    let sentinel = Fake::start(move |_, _| {
        let port = ports[usize::from(is_over.load(Ordering::SeqCst))].to_string();
        says(&format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}", port.len()))
    });
    let store = RedisStore::sentinel("mymaster", [sentinel.url()]).unwrap().unsealed().unwrap();
    assert_eq!(text(&store, &key("a")), "old");
    close.recv().unwrap();
    assert_eq!(text(&store, &key("a")), "new");
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
}
