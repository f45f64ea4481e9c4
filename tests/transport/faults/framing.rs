//! An answer counts only if it is certain where it ends.

use crate::hostile::{End, Reply, Server, agent, answer, script};
use http::Method;
use lumoauth::embed::wire::Response;
use lumoauth::error::{Sent, TransportFault};
use lumoauth::{ApiRequest, Error};
use std::time::Duration;

const BODY: &str = r#"{"allowed":true,"action":"read"}"#;

/// What a raw GET makes of this reply.
fn get(reply: Reply) -> Result<Response, Error> {
    let server = Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => reply.clone(),
    }));
    let agent = agent(server.url()).timeout(Duration::from_secs(20)).build().unwrap();
    agent.run(ApiRequest::post("things").body("text/plain", "x"))
}

/// The fault behind an unknown outcome.
fn fault(result: Result<Response, Error>) -> TransportFault {
    match result {
        Err(Error::OutcomeUnknown { source, .. }) => match *source {
            Error::Transport(error) => {
                assert_eq!(error.sent(), Sent::Unknown);
                error.fault()
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn raw(head: &str, body: &str) -> Reply {
    Reply::raw(format!("{}\r\n\r\n{body}", head.trim().replace('\n', "\r\n")))
}

fn chunks() -> String {
    format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len())
}

#[test]
fn f9_answers_whose_end_is_uncertain_are_refused() {
    let length = BODY.len();
    let cases = [
        ("length and chunked", Reply::json(200, BODY).length_and_chunked(length as u64)),
        ("two lengths", Reply::json(200, BODY).header("Content-Length", "3")),
        ("the same length twice", Reply::json(200, BODY).header("Content-Length", length.to_string())),
        ("a list of lengths", raw(&format!("HTTP/1.1 200 OK\nContent-Length: {length}, {length}"), BODY)),
        ("a signed length", raw(&format!("HTTP/1.1 200 OK\nContent-Length: +{length}"), BODY)),
        ("a length in hexadecimal", raw("HTTP/1.1 200 OK\nContent-Length: 0x20", BODY)),
        ("a negative length", raw("HTTP/1.1 200 OK\nContent-Length: -1", BODY)),
        ("an empty length", raw("HTTP/1.1 200 OK\nContent-Length:", BODY)),
        ("no length", Reply::json(200, BODY).no_length()),
        ("no length in HTTP/1.0", raw("HTTP/1.0 200 OK", BODY)),
        ("no length, closing", raw("HTTP/1.1 200 OK\nConnection: close", BODY)),
        ("chunked in HTTP/1.0", raw("HTTP/1.0 200 OK\nTransfer-Encoding: chunked", &chunks())),
        ("chunked in HTTP/1.0, but not chunked", raw("HTTP/1.0 200 OK\nTransfer-Encoding: chunked", BODY)),
        ("gzip and chunked", raw("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked", &chunks())),
        (
            "chunked twice",
            raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", &chunks()),
        ),
        ("identity", raw("HTTP/1.1 200 OK\nTransfer-Encoding: identity", BODY)),
        ("a chunk size that is no number", Reply::json(200, BODY).bad_chunk_size()),
        ("chunks without an end", Reply::json(200, BODY).unterminated_chunks()),
        (
            "a last chunk without an end",
            Reply::raw(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{BODY}\r\n0\r\n",
                length
            )),
        ),
        ("a longer length than body", Reply::json(200, BODY).length_off_by(1)),
        ("no status line", Reply::raw(BODY)),
        ("HTTP/0.9", Reply::raw("<html>hello</html>")),
        ("HTTP/2", raw("HTTP/2 200 OK\nContent-Length: 32", BODY)),
        ("a status of two digits", raw("HTTP/1.1 20 OK\nContent-Length: 32", BODY)),
        ("a status of four digits", raw("HTTP/1.1 2000 OK\nContent-Length: 32", BODY)),
        ("a folded header", raw("HTTP/1.1 200 OK\nX-A: b\n c\nContent-Length: 32", BODY)),
        ("a header name with a blank", raw("HTTP/1.1 200 OK\nContent-Length : 32", BODY)),
        ("a header without a colon", raw("HTTP/1.1 200 OK\nContent-Length 32", BODY)),
        ("a NUL in a header", raw("HTTP/1.1 200 OK\nX-A: \0\nContent-Length: 32", BODY)),
        ("nothing, then FIN", Reply::hang_up()),
        ("nothing, then RST", Reply::reset()),
        ("half a status line", Reply::raw("HTTP/1.1 2").then(End::Fin)),
    ];
    let count = cases.len();
    for (name, reply) in cases {
        let result = get(reply);
        assert!(
            matches!(result, Err(Error::OutcomeUnknown { .. })),
            "{name}: {:?}",
            result.map(|response| response.text())
        );
        let fault = fault(result);
        assert!(matches!(fault, TransportFault::Framing | TransportFault::Broken), "{name}: {fault:?}");
    }
    println!("f9: {count} answers of uncertain end, 0 accepted");
}

#[test]
fn good_framing_is_accepted() {
    for (name, reply) in [
        ("a length", Reply::json(200, BODY)),
        ("chunks", Reply::json(200, BODY).chunked(5)),
        ("one byte at a time", Reply::json(200, BODY).chunked(1).dribble(1)),
        ("interim answers", Reply::json(200, BODY).interim(103, 20)),
        ("a length in HTTP/1.0", raw("HTTP/1.0 200 OK\nContent-Length: 32", BODY)),
        ("a reason of no words", raw("HTTP/1.1 200 \nContent-Length: 32", BODY)),
    ] {
        let response = get(reply).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(response.text(), BODY, "{name}");
    }
}

#[test]
fn f4_a_flood_of_interim_answers_ends_long_before_the_deadline() {
    let server = Server::start(script(|request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => Reply::json(200, BODY).endless_interim(103),
    }));
    let agent = agent(server.url()).timeout(Duration::from_secs(60)).build().unwrap();
    agent.ensure_authenticated().unwrap();
    // Although its body may have 10 MiB.
    match agent.request(Method::GET, "x").unwrap_err() {
        Error::Transport(error) => assert_eq!(error.fault(), TransportFault::TooLarge, "{error}"),
        other => panic!("{other:?}"),
    }
}
