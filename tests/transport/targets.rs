//! The hostile server looks for credentials in the target of every request; here is the proof that it finds them.
#![cfg(feature = "ureq")]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

use crate::hostile::{SECRET, Server, agent, service};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn s15_a_credential_in_a_target_is_a_problem_of_the_server() {
    let bearer = "tok_CanaryInTheHeader";
    let cases: [(&str, &str, &str); 12] = [
        ("/x?access_token=abc", "", ""),
        ("/x?a=1&Client_Secret=abc", "", ""),
        ("/x?code%5Fverifier=abc", "", ""),
        ("/x?refresh_token", "", ""),
        ("/x?assertion=", "", ""),
        ("/x?subject_token=a", "", ""),
        (concat!("/y/", "tok_CanaryInTheHeader"), bearer, ""),
        ("/y?z=tok%5FCanaryInTheHeader", bearer, ""),
        ("/tok_%43anaryInTheHeader/y", bearer, ""),
        ("/y?z=user-token-1", "", "subject_token=user-token-1"),
        ("/y/the+verifier+1", "", "code_verifier=the%20verifier%201"),
        ("/scr_4f9Kq2ZxWv7LmB81TnYc", "", ""),
    ];
    for (target, bearer, form) in cases {
        let server = Server::start(service("tok_1"));
        let authorization =
            if bearer.is_empty() { String::new() } else { format!("Authorization: Bearer {bearer}\r\n") };
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\n{authorization}Content-Type: application/x-www-form-urlencoded\r\n"
        );
        let request = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{form}", form.len());
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        let problems = server.take_problems();
        assert_eq!(problems.len(), 1, "{target}: {problems:?}");
        let shown = problems[0].contains("credential is in") || problems[0].contains("the query has");
        assert!(shown && !problems[0].contains("Canary"), "{problems:?}");
    }
    // And it is silent where there is nothing: the secret and the token stand where they may.
    let server = Server::start(service("tok_CanaryInTheHeader"));
    let agent = agent(server.url()).build().unwrap();
    assert!(agent.is_allowed("read").unwrap());
    agent.info().unwrap();
    let form = server.requests()[0].form_value("client_secret");
    assert_eq!(form.as_deref(), Some(SECRET));
    assert!(server.problems().is_empty());
    println!("S15: {} ways to put a credential into a target, each found", cases.len());
}

#[test]
fn s15_what_turns_out_to_be_a_credential_later_is_found_too() {
    let server = Server::start(service("tok_1"));
    for (target, authorization) in
        [("/early/tok_SeenLaterOnly", ""), ("/x", "Authorization: Bearer tok_SeenLaterOnly\r\n")]
    {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{authorization}Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    assert!(server.problems().is_empty());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(server)));
    let panic = dropped.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("request 0: a credential is in the target"), "{text}");
}
