//! The blocking client over real sockets.
#![cfg(feature = "ureq")]

use crate::hostile::{Reply, Server, always, by_path};
use lumoauth::Agent;
use lumoauth::transport::{TransportOptions, UreqTransport};
use std::sync::Barrier;

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"aud_1"}"#;

fn service() -> Server {
    Server::start(by_path([
        ("/oauth/token", always(Reply::json(200, TOKEN))),
        ("/agents/ask", always(Reply::json(200, ALLOW))),
    ]))
}

fn agent(base_url: &str) -> (Agent, UreqTransport) {
    let transport = UreqTransport::new(&TransportOptions::new()).unwrap();
    let agent = Agent::builder()
        .base_url(base_url)
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("secret")
        .build_with(transport.clone())
        .unwrap();
    (agent, transport)
}

#[test]
fn eight_threads_open_eight_connections_in_the_whole_run() {
    let server = service();
    let (agent, transport) = agent(server.url());
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    assert!(agent.ask("read").unwrap().allowed());
                }
            });
        }
    });
    assert_eq!(server.count_path("/agents/ask"), 800);
    assert_eq!(server.count_path("/oauth/token"), 1);
    assert!(transport.statistics().connections <= 8, "{:?}", transport.statistics());
    server.check();
}

/// Ordinary exchanges, against a server that is not ours.
mod ordinary {
    use http::Method;
    use lumoauth::embed::wire::Response;
    use lumoauth::error::{Sent, TransportFault};
    use lumoauth::{Agent, ApiRequest, Error};
    use mockito::{Matcher, Mock, ServerGuard};

    fn service() -> (ServerGuard, Agent) {
        let mut server = mockito::Server::new();
        server
            .mock("POST", "/t/acme/api/v1/oauth/token")
            .with_header("content-type", "application/json")
            .with_body(super::TOKEN)
            .create();
        let builder = Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
        let agent = builder.client_secret("secret").user_agent("my-agent/1.2").build().unwrap();
        (server, agent)
    }

    /// Runs one request; the mock must have been hit exactly once.
    fn once(mock: Mock, agent: &Agent, request: ApiRequest) -> Response {
        let mock = mock.create();
        let response = agent.run(request).unwrap();
        mock.assert();
        response
    }

    #[test]
    fn headers_query_and_user_agent() {
        let (mut server, agent) = service();
        let version = env!("CARGO_PKG_VERSION");
        let mock = server
            .mock("GET", "/t/acme/api/v1/things")
            .match_query(Matcher::AllOf(vec![
                Matcher::UrlEncoded("a".into(), "1".into()),
                Matcher::UrlEncoded("q".into(), "x y&z=ä+%".into()),
            ]))
            .match_header("authorization", "Bearer tok")
            .match_header("accept", "application/json")
            .match_header("user-agent", &*format!("my-agent/1.2 lumoauth-rust/{version}"))
            .match_header("x-trace", "7")
            .match_header("accept-encoding", "identity")
            .match_header("content-length", Matcher::Missing)
            .match_header("cookie", Matcher::Missing)
            .with_header("x-answer", "yes")
            .with_body("{}");
        let request = ApiRequest::get("things?a=1").query("q", "x y&z=ä+%").header("X-Trace", "7");
        let response = once(mock, &agent, request);
        assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "{}"));
        assert_eq!(response.headers()["x-answer"], "yes");
    }

    #[test]
    fn every_byte_of_a_body_arrives_with_every_method() {
        let (mut server, agent) = service();
        let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::GET] {
            let mock = server
                .mock(method.as_str(), "/t/acme/api/v1/things")
                .match_header("content-type", "application/octet-stream")
                .match_header("content-length", "100000")
                .match_body(body.clone())
                .with_body(body.clone());
            let request = ApiRequest::new(method, "things").body("application/octet-stream", body.clone());
            assert_eq!(once(mock, &agent, request).body(), body);
        }
    }

    #[test]
    fn a_post_without_body_has_length_zero_and_a_delete_none() {
        let (mut server, agent) = service();
        let mock = server.mock("POST", "/t/acme/api/v1/things").match_header("content-length", "0");
        once(mock, &agent, ApiRequest::post("things"));
        let mock =
            server.mock("DELETE", "/t/acme/api/v1/things").match_header("content-length", Matcher::Missing);
        once(mock, &agent, ApiRequest::delete("things"));
    }

    #[test]
    fn answers_without_body() {
        let (mut server, agent) = service();
        let mock = server.mock("DELETE", "/t/acme/api/v1/things/1").with_status(204);
        let response = once(mock, &agent, ApiRequest::delete("things/1"));
        assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
        let mock = server.mock("HEAD", "/t/acme/api/v1/things").with_header("content-length", "5000000");
        let response = once(mock, &agent, ApiRequest::new(Method::HEAD, "things"));
        assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
        assert_eq!(response.headers()["content-length"], "5000000");
    }

    #[test]
    fn error_statuses_are_answers_of_a_raw_request_and_errors_of_an_operation() {
        let (mut server, agent) = service();
        for status in [400, 401, 403, 404, 409, 422, 501] {
            let error = r#"{"error":"nope","error_description":"not today"}"#;
            let mock = server.mock("GET", "/t/acme/api/v1/things").with_status(status).with_body(error);
            let mock = mock.expect_at_least(1).create();
            let response = agent.run(ApiRequest::get("things")).unwrap();
            assert_eq!(response.status().as_u16() as usize, status);
            let error = response.error_for_status().unwrap_err();
            assert_eq!((error.status(), error.code()), (Some(status as u16), Some("nope")));
            mock.assert();
        }
        server
            .mock("POST", "/t/acme/api/v1/agents/ask")
            .with_status(403)
            .with_body(r#"{"error":"insufficient_scope"}"#)
            .create();
        assert!(agent.ask("read").unwrap_err().is_forbidden());
    }

    #[test]
    fn methods_of_one_s_own_are_sent_and_those_that_change_the_connection_are_not() {
        let (mut server, agent) = service();
        let mock = server.mock("PURGE", "/t/acme/api/v1/things");
        once(mock, &agent, ApiRequest::new(Method::from_bytes(b"PURGE").unwrap(), "things"));
        for request in [
            ApiRequest::new(Method::CONNECT, "things"),
            ApiRequest::new(Method::HEAD, "things").body("text/plain", "x"),
            ApiRequest::new(Method::CONNECT, "things").body("text/plain", "x"),
        ] {
            match agent.run(request.clone()) {
                Err(Error::Transport(error)) => {
                    assert_eq!((error.sent(), error.fault()), (Sent::NotSent, TransportFault::Refused));
                }
                other => panic!("{request:?}: {other:?}"),
            }
        }
    }
}
