//! What the HTTP stacks below the clients log.

use crate::canary::{Canaries, Log};
use crate::hostile::{Server, agent, answer, script};

// Of this test alone: the log has the records of the others too.
const SECRET: &str = "log+J3/w8=Rb&5H%Vc7N26_PkXs~Qe";
const TOKEN: &str = "log_G4yNv8Tc1KmR6zBqXw35JhPaSo";

#[test]
fn s2_the_http_stack_shows_secrets_at_trace_and_nowhere_else() {
    let (log, canaries) = (Log::install(), Canaries::new(&[SECRET, TOKEN]));
    let server = Server::start(script(|request| answer(request, TOKEN)));
    let agent = agent(server.url()).client_secret(SECRET).build().unwrap();
    for _ in 0..20 {
        agent.info().unwrap();
        agent.authenticate([]).unwrap();
    }
    let counts = log.find(&canaries);
    println!(
        "s2: {} of {} records of ureq hold a secret, {} of them above TRACE",
        counts.ureq_hits,
        counts.ureq,
        counts.ureq_hits_at_debug.len()
    );
    assert!(counts.ureq_hits > 0, "ureq holds its tongue now: say so in the README");
    assert!(counts.ureq_hits_at_debug.is_empty(), "{:?}", counts.ureq_hits_at_debug.first());
}

#[cfg(feature = "reqwest")]
#[test]
fn s2_no_secret_in_the_log_even_at_trace() {
    use crate::hostile::{ASK_ALLOW, Reply, always, by_path};
    use lumoauth::asynchronous::Agent;
    use lumoauth::http::Method;
    let log = Log::install();
    let token = r#"{"access_token":"canary-token-1234","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
    let server = Server::start(by_path([
        ("/oauth/token", always(Reply::json(200, token))),
        ("/agents/ask", always(Reply::json(200, ASK_ALLOW))),
    ]));
    let builder = Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
    let agent = builder.client_secret("canary-secret-5678").build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(agent.is_allowed("read").await.unwrap());
        assert_eq!(agent.request(Method::GET, "agents/ask?q=canary-query-9").await.unwrap().status(), 200);
    });
    assert!(log.heard("lumoauth"), "the log was not read");
    let told = log.told("canary");
    assert!(told.is_empty(), "{told:#?}");
}
