//! Starts the service for actix-web on loopback and asks it: with a token, without one, with a bad one, with two; allowed, denied, not to
//! be decided.

use std::thread;

use actix_web::{App, HttpServer, rt::System};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lumoauth::asynchronous::{Agent, TokenVerifier};
use lumoauth::emulator::{AgentSeed, Emulator, FaultRule, McpServerSeed, Tenant};
use lumoauth::http::{HeaderMap, Request};

mod app;

const API: &str = "http://127.0.0.1:9/api";

/// Status, headers and body of an answer.
type Answer = (u16, HeaderMap, String);

async fn ask(url: &str, tokens: &[&str]) -> Answer {
    let mut request = Request::get(url);
    for token in tokens {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
    let answer = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body).unwrap())
}

fn challenge(answer: &Answer) -> Option<&str> {
    answer.1.get("www-authenticate").map(|value| value.to_str().unwrap())
}

fn main() {
    let reader = AgentSeed::new("agt_reader").secret("only-for-tests").capability("read_documents");
    let plain = AgentSeed::new("agt_plain").secret("only-for-tests");
    let api = McpServerSeed::new("api").resource_uri(API);
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(reader).agent(plain).mcp_server(api))
        .build()
        .unwrap();
    let agent = |id: &str| emulator.async_agent_of(id).unwrap();
    let mut urls = Vec::new();
    for id in ["agt_reader", "agt_plain"] {
        let agent: Agent = agent(id);
        let verifier = TokenVerifier::of(&agent, API).unwrap();
        let (told, address) = std::sync::mpsc::channel();
        // It ends with this program.
        thread::spawn(move || {
            System::new().block_on(async {
                let routes = move || App::new().configure(app::routes(agent.clone(), verifier.clone()));
                let server =
                    HttpServer::new(routes).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                told.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            })
        });
        urls.push(format!("http://{}", address.recv().unwrap()));
    }
    System::new().block_on(async {
        let token = agent("agt_reader").token_for(API).await.unwrap().secret().expose().to_owned();
        let me = format!("{}/me", urls[0]);
        let known = ask(&me, &[&token]).await;
        assert_eq!(known.0, 200);
        assert!(known.2.starts_with("agent:"), "{}", known.2);

        let document = "resource_metadata=\"http://127.0.0.1:9/.well-known/oauth-protected-resource/api\"";
        let bad = format!("{token}x");
        for (tokens, status, expected) in [
            (&[][..], 401, format!("Bearer {document}")),
            (&[bad.as_str()], 401, format!("Bearer error=\"invalid_token\", {document}")),
            (&[token.as_str(), token.as_str()], 400, format!("Bearer error=\"invalid_request\", {document}")),
        ] {
            let refused = ask(&me, tokens).await;
            assert_eq!((refused.0, challenge(&refused)), (status, Some(expected.as_str())));
            assert!(refused.2.starts_with("{\"detail\":\""), "{}", refused.2);
        }
        let described = ask(&format!("{}/.well-known/oauth-protected-resource/api", urls[0]), &[]).await;
        let described: serde_json::Value = serde_json::from_str(&described.2).unwrap();
        assert_eq!(described["resource"], API);

        let documents = |url: &str| format!("{url}/documents");
        assert_eq!(ask(&documents(&urls[0]), &[]).await.0, 200);
        let denied = ask(&documents(&urls[1]), &[]).await;
        assert_eq!((denied.0, denied.2.as_str()), (403, "{\"detail\":\"Forbidden\"}"));
        emulator.fault(FaultRule::on("agents.ask").status(500).always()).unwrap();
        let undecided = ask(&documents(&urls[0]), &[]).await;
        assert!(undecided.0 == 503 && undecided.1.contains_key("retry-after"));
    });
    println!(
        "actix-web 4: who calls, 401 and 400 with challenges, the document, allowed, denied, not decided: as in axum"
    );
}
