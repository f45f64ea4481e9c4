//! JSON that would like to be the end of the process.

use crate::hostile::{Reply, Server, agent, answer, script};
use lumoauth::{Agent, Error};
use std::sync::{Arc, Mutex};

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let keys: Vec<String> = (0..4000).map(|n| format!("\"k{n}\":1")).collect();
    let nested = |open: &str, n: usize| open.repeat(n).into_bytes();
    vec![
        ("60,000 open lists", nested("[", 60_000)),
        ("10,000 open objects", nested("{\"a\":", 10_000)),
        ("1,000,000 open lists", nested("[", 1_000_000)),
        ("a text of 10 MB", format!("{{\"allowed\":\"{}\"}}", "x".repeat(10 << 20)).into_bytes()),
        ("4,000 keys and no decision", format!("{{{}}}", keys.join(",")).into_bytes()),
        (
            "100,000 keys",
            format!(
                "{{\"allowed\":true,{}}}",
                (0..100_000).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(",")
            )
            .into_bytes(),
        ),
        ("a key twice", br#"{"allowed":false,"allowed":true}"#.to_vec()),
        ("a key twice, escaped", br#"{"allowed":true,"\u0061llowed":true}"#.to_vec()),
        ("not UTF-8", b"{\"allowed\":true,\"reason\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate", br#"{"allowed":true,"reason":"\ud800"}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{\"allowed\":true}".to_vec()),
        ("UTF-16", "{\"allowed\":true}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("NaN", br#"{"allowed":true,"x":NaN}"#.to_vec()),
        ("a number beyond bounds", br#"{"allowed":true,"x":1e999}"#.to_vec()),
        ("a decision in a big number", format!("{{\"allowed\":{}}}", "9".repeat(5000)).into_bytes()),
        ("something behind it", br#"{"allowed":true} {"allowed":true}"#.to_vec()),
        ("a comment", br#"{"allowed":true /* yes */}"#.to_vec()),
        ("a comma too many", br#"{"allowed":true,}"#.to_vec()),
        ("NUL", b"{\"allowed\":true}\0".to_vec()),
    ]
}

#[test]
fn f10_json_bombs_are_typed_errors_on_a_small_stack() {
    let body: Arc<Mutex<(u16, Vec<u8>)>> = Arc::default();
    let served = Arc::clone(&body);
    let server = Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => {
            let (status, body) = served.lock().unwrap().clone();
            Reply::json(status, body)
        }
    }));
    let agent = agent(server.url()).build().unwrap();
    agent.ensure_authenticated().unwrap();
    let on_a_small_stack = |agent: &Agent| {
        let agent = agent.clone();
        let ask = move || agent.ask("read");
        std::thread::Builder::new().stack_size(128 * 1024).spawn(ask).unwrap().join().unwrap()
    };
    let mut cases = 0;
    for (name, bomb) in bombs() {
        for status in [200, 403] {
            *body.lock().unwrap() = (status, bomb.clone());
            let error = on_a_small_stack(&agent).expect_err(name);
            match (&error, status) {
                (Error::Protocol(_), 200) | (Error::Api(_), 403) => {}
                (Error::Transport(error), _) => {
                    assert_eq!(error.fault(), lumoauth::error::TransportFault::TooLarge, "{name}: {error:?}");
                }
                _ => panic!("{name} as {status}: {error:?}"),
            }
            assert!(error.to_string().chars().count() < 600, "{name}: {error}");
            cases += 1;
        }
    }
    println!("f10: {cases} bombs, all typed errors, with a stack of 128 KiB");
}
