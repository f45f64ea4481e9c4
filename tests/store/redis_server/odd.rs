//! Servers that are none, and lines that are cut at the worst moment.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lumoauth::store::{Prefix, RedisStore, Shelf, Store};

use super::fake::{Fake, opening};
use super::{each, make, plain};
use crate::engine::Engine;
use crate::support::{WITHIN, key};

/// What no server of Redis answers to anything.
fn answers() -> Vec<Vec<u8>> {
    vec![
        b"".to_vec(),
        b"HTTP/1.1 400 canary\r\n\r\n".to_vec(),
        b"*1\r\n".repeat(100_000),
        b"*2147483647\r\n".to_vec(),
        [b"*10000000\r\n".as_slice(), &b":1\r\n".repeat(8_000_000)].concat(),
        b"$9223372036854775807\r\ncanary".to_vec(),
        [b"$33554433\r\n".as_slice(), &b"canary".repeat(6_000_000)].concat(),
        [b"+".as_slice(), &b"canary".repeat(6_000_000)].concat(),
        [b"-CANARY ".as_slice(), &b"canary".repeat(6_000_000)].concat(),
        b"-ERR canary\r\n".to_vec(),
        b"-CANARY canary \x1b[2J\r\n".to_vec(),
        b"%1\r\n+canary\r\n+canary\r\n".to_vec(),
        b">2\r\n+canary\r\n+canary\r\n".to_vec(),
        b":2\r\n".to_vec(),
        b"*2\r\n$1\r\n0\r\n*1\r\n:1\r\n".to_vec(),
    ]
}

#[test]
fn whatever_a_server_answers_nothing_is_believed_shown_or_kept_for_long() {
    for answer in answers() {
        // As the first thing that it says, or to the question.
        for first in ["INFO", "GET", "EVALSHA", "SCAN"] {
            let said = answer.clone();
            let fake = Fake::with(move |_, words, to| {
                if words[0] == first {
                    let _ = to.write_all(&said);
                    return false;
                }
                to.write_all(opening(words).unwrap().as_bytes()).is_ok()
            });
            let store = fake.store();
            // However slow the machine is: what is too long is told by its length.
            let within = Duration::from_secs(600);
            for (asked, error) in [
                ("GET", store.load(&key("a"), within).map(drop)),
                ("EVALSHA", store.save_if(&key("a"), None, b"x", None, within).map(drop)),
                ("SCAN", store.keys(&Prefix::all(Shelf::Sessions), None, within).map(drop)),
            ] {
                let error = error.unwrap_err();
                assert!(!format!("{error:?}").contains("canary") && error.to_string().len() < 200, "{error}");
                let is_long = answer.len() > 1_000_000 && [asked, "INFO"].contains(&first);
                assert_eq!(error.to_string().contains("too long"), is_long, "{error}");
            }
        }
    }
}

/// Passes all on, until it is told to keep the next answer to itself and close the line.
fn cutting(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, cut) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&cut);
    std::thread::spawn(move || {
        for from in listener.incoming() {
            let (Ok(mut from), told) = (from, Arc::clone(&told)) else { return };
            std::thread::spawn(move || {
                let mut to = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let mut bytes = vec![0; 65_536];
                // One question at a time: it fits, and so does its answer.
                while let Ok(read @ 1..) = from.read(&mut bytes) {
                    to.write_all(&bytes[..read]).unwrap();
                    let Ok(answer @ 1..) = to.read(&mut bytes) else { return };
                    if told.swap(false, Ordering::SeqCst) {
                        return;
                    }
                    from.write_all(&bytes[..answer]).unwrap();
                }
            });
        }
    });
    (port, cut)
}

#[test]
fn a_lost_answer_is_asked_for_again_and_never_taken_for_another_one() {
    each("lost answers", |program| {
        let engine = Engine::on_port(program, crate::engine::free_port(), &[]);
        let (port, cut) = cutting(engine.port);
        let store = RedisStore::server(format!("redis://127.0.0.1:{port}")).unwrap().unsealed().unwrap();
        let first = make(&store, &key("a"), b"1");
        // It was saved, and the store finds its own change.
        cut.store(true, Ordering::SeqCst);
        let second = store.save_if(&key("a"), Some(first), b"2", None, WITHIN).unwrap().unwrap();
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().version(), second);
        cut.store(true, Ordering::SeqCst);
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().bytes(), b"2");
        // The server learns the script.
        assert!(!store.remove_if(&key("a"), first, WITHIN).unwrap());
        // It was removed; the second time there is nothing to remove, and that says nothing.
        cut.store(true, Ordering::SeqCst);
        assert!(store.remove_if(&key("a"), second, WITHIN).unwrap_err().is_unavailable());
        assert!(plain(&engine).load(&key("a"), WITHIN).unwrap().is_none());
        // Somebody else was faster, and the answer that says so was lost: it is not known any more.
        let version = make(&store, &key("a"), b"1");
        plain(&engine).save_if(&key("a"), Some(version), b"other", None, WITHIN).unwrap().unwrap();
        cut.store(true, Ordering::SeqCst);
        assert!(store.save_if(&key("a"), Some(version), b"late", None, WITHIN).unwrap_err().is_unavailable());
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().bytes(), b"other");
    });
}
