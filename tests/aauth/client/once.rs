//! What must not happen twice, over real connections; and no signature twice, whatever is repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use lumoauth::aauth::{AuthToken, Client};
use lumoauth::embed::operations::aauth::RedeemCode;
use lumoauth::{AccessToken, Error, Scopes, TokenType, http::Method};

use super::world::{AGENT, key};
use crate::hostile::{End, Recorded, Reply, Server, sequence};

const REDIRECT: &str = "https://agent.example/cb";
const TOKEN: &str = r#"{"auth_token":"new","expires_in":300}"#;

fn client(server: &Server) -> Client {
    let builder = Client::builder().base_url(server.url()).tenant("acme").key(key()).agent(AGENT);
    let quick = builder.agent_token("a.b.c").attempt_timeout(Duration::from_secs(1));
    quick.timeout(Duration::from_secs(60)).build().unwrap()
}

fn kept(resource: &str) -> AuthToken {
    let wall = lumoauth::time::Timestamp::from_unix(1_750_000_000);
    let access =
        AccessToken::new("auth".into(), TokenType::Bearer, Scopes::none(), wall, Duration::from_secs(300));
    AuthToken::new(access).refresh("rf-1").bound_to(resource).unwrap()
}

/// Every way to lose an answer after the service may have acted.
fn losses() -> Vec<Reply> {
    vec![
        Reply::hang_up(),
        Reply::reset(),
        Reply::stall(),
        Reply::json(200, TOKEN).cut_at(40).then(End::Fin),
        Reply::json(200, TOKEN).reset_at(70),
        Reply::json(502, "{}"),
        Reply::json(504, "{}"),
    ]
}

#[test]
fn f7_codes_and_renewals_are_sent_once() {
    let mut cases = 0;
    for loss in losses() {
        for what in ["auth", "code", "refresh"] {
            let server = Server::start(sequence(vec![loss.clone(), Reply::json(200, TOKEN)]));
            let client = client(&server);
            let error = match what {
                "auth" => client.request_authorization("r.s.t").unwrap_err(),
                "code" => client.redeem(RedeemCode::new("c", REDIRECT)).unwrap_err(),
                _ => client.refresh(&kept("https://api.example.com"), "r.s.t").unwrap_err(),
            };
            let name = "aauth.agent.token";
            let unknown = matches!(&error, Error::OutcomeUnknown { operation, .. } if *operation == name);
            assert!(unknown, "{what} {loss:?}: {error:?}");
            assert_eq!(server.count(|_| true), 1, "{what} {loss:?}");
            cases += 1;
        }
    }
    println!("F7: {cases} lost answers, each request seen once");
}

#[test]
fn f7_answers_are_answers() {
    for status in [400, 401, 429, 500, 503] {
        let body = r#"{"error":"invalid_grant"}"#;
        let server = Server::start(sequence(vec![Reply::json(status, body), Reply::json(200, TOKEN)]));
        let error = client(&server).redeem(RedeemCode::new("c", REDIRECT)).unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(status), Some("invalid_grant")));
        assert_eq!(server.count(|_| true), 1);
    }
}

#[test]
fn h8_no_signature_is_sent_twice() {
    let good = Reply::json(200, r#"{"active":true}"#);
    let script = vec![Reply::json(503, "{}"), Reply::hang_up(), good.clone()];
    let server = Server::start(sequence(script));
    let client = client(&server);
    let token = kept(server.url());
    let answer = client.signed_request(&token, Method::GET, &format!("{}/v1/x?a=1", server.url())).unwrap();
    assert_eq!((answer.status().as_u16(), server.count(|_| true)), (200, 3));
    for _ in 0..20 {
        client.signed_request(&token, Method::GET, &format!("{}/v1/x?a=1", server.url())).unwrap();
    }
    let requests = server.requests();
    let distinct = |name: &str| {
        requests
            .iter()
            .map(|request: &Recorded| request.header(name).unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(distinct("signature").len(), requests.len());
    assert_eq!(distinct("signature-input").len(), requests.len());
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer auth")));
    assert!(requests.iter().all(|request| request.header("agent-auth").is_none()));
    println!("H8: {} attempts, {} signatures", requests.len(), distinct("signature").len());
}

#[test]
fn redirects_take_nothing_along() {
    let elsewhere = Server::start(|_| Reply::json(200, TOKEN));
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::json(status, "{}").header("Location", format!("{}/x", elsewhere.url()));
        let server = Server::start(move |_| reply.clone());
        let error = client(&server).request_authorization("r.s.t").unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{status}: {error}");
        let raw =
            client(&server).signed_request(&kept(server.url()), Method::GET, &format!("{}/x", server.url()));
        assert_eq!(raw.unwrap().status().as_u16(), status, "handed over as it is");
    }
    assert_eq!(elsewhere.bytes_received(), 0);
}

#[cfg(feature = "reqwest")]
#[test]
fn f7_the_same_in_the_async_mount() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut cases = 0;
    for loss in losses() {
        for what in ["auth", "code", "refresh"] {
            let server = Server::start(sequence(vec![loss.clone(), Reply::json(200, TOKEN)]));
            let builder =
                lumoauth::asynchronous::aauth::Client::builder().base_url(server.url()).tenant("acme");
            let builder = builder.key(key()).agent(AGENT).agent_token("a.b.c");
            let quick = builder.attempt_timeout(Duration::from_secs(1)).timeout(Duration::from_secs(60));
            let client = quick.build().unwrap();
            let error = runtime.block_on(async {
                match what {
                    "auth" => client.request_authorization("r.s.t").await.map(drop).unwrap_err(),
                    "code" => client.redeem(RedeemCode::new("c", REDIRECT)).await.map(drop).unwrap_err(),
                    _ => {
                        client.refresh(&kept("https://api.example.com"), "r.s.t").await.map(drop).unwrap_err()
                    }
                }
            });
            assert!(matches!(error, Error::OutcomeUnknown { .. }), "{what} {loss:?}: {error:?}");
            assert_eq!(server.count(|_| true), 1, "{what} {loss:?}");
            cases += 1;
        }
    }
    println!("F7, async: {cases} lost answers, each request seen once");
}
