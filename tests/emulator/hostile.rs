//! Clients that mean harm, over real sockets: they neither stop the server nor fill it, and it ends under them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lumoauth::emulator::Served;

use crate::support::small;

fn open(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(served.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(240))).unwrap();
    stream
}

fn ask(served: &Served, text: &str) -> String {
    let mut stream = open(served);
    // What is too large is refused before all of it is taken.
    let _ = stream.write_all(text.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const CLIENT: &str = "grant_type=client_credentials&client_id=agt_bot&client_secret=s3cret";
const TOKEN: &str = "/t/acme/api/v1/oauth/token";

#[test]
#[allow(clippy::disallowed_methods)] // it shows how long the shutdown took
fn a_hostile_client_neither_stops_it_nor_fills_it() {
    let emulator = small();
    let served = emulator.serve_with_console("127.0.0.1:0").unwrap();
    // Requests that go on and never end: in the head, in a body that was announced, in nothing at all.
    let starts = [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ".to_owned(),
        format!("POST {TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\ngrant_type="),
        String::new(),
        "G".to_owned(),
    ];
    let half: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = open(&served);
            stream.write_all(starts[number % starts.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    // Endless heads: one line that does not end, and lines that do not end.
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for piece in ["a".repeat(1_000), "X-More: b\r\n".repeat(100)] {
            let (served, taken) = (&served, &taken);
            scope.spawn(move || {
                let mut stream = open(served);
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ");
                // Until the server has had enough. What the sockets hold on the way is the system's.
                for _ in 0..100_000 {
                    if stream.write_all(piece.as_bytes()).is_err() {
                        return;
                    }
                    taken.fetch_add(piece.len(), Ordering::Relaxed);
                }
                panic!("the server took {} bytes of a head", taken.load(Ordering::Relaxed));
            });
        }
        // In the meantime others are served.
        let scope_of = "read_document ".repeat(900_000 / 14);
        for _ in 0..3 {
            let long = post(TOKEN, &format!("{CLIENT}&scope={}", scope_of.trim_end().replace(' ', "+")));
            assert!(ask(&served, &long).contains("invalid_scope"));
            let method = format!(
                "{} {TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                "M".repeat(60_000)
            );
            assert!(ask(&served, &method).starts_with("HTTP/1.1 405"));
            let method =
                format!("{} / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "M".repeat(60_000));
            assert!(ask(&served, &method).starts_with("HTTP/1.1 4"));
            assert!(ask(&served, &post(TOKEN, CLIENT)).starts_with("HTTP/1.1 200"));
        }
    });
    let longest = emulator.log().iter().map(|entry| entry.method.len() + entry.path.len()).max();
    assert!(longest.is_some_and(|longest| longest < 300), "{longest:?}");
    assert_eq!(emulator.count("oauth.token"), Ok(9), "halves are no requests");

    // It ends under all of them, and waits for nobody.
    let started = Instant::now();
    served.shutdown();
    let took = started.elapsed();
    for mut stream in half {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "the connection is over");
    }
    println!(
        "E4: shut down in {took:?} under 200 half requests; {} bytes of endless heads",
        taken.into_inner()
    );
    // Nobody's patience (30 s) was waited for; what the machine was busy with is not the server's.
    assert!(took < Duration::from_secs(20), "{took:?}");
}
