//! The token vault, attestation, cards, and tools of MCP servers through the client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::operations::{AgentCard, Attest, GetAgentCard, VerifyAgentCard};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, ConnectionSeed, Emulator, McpServerSeed, Tenant, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::http::Method;
use lumoauth::{Agent, ApiRequest, GetVaultToken};
use serde_json::json;

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("s").capabilities(["read", "tool:search"]).workload(
        "kubernetes",
        "https://k8s.test",
        "sa",
        "lumoauth",
    );
    let tenant = Tenant::new("acme")
        .agent(agent)
        .agent(AgentSeed::new("agt_2").secret("s"))
        .user(UserSeed::new("alice").email("alice@acme.test"))
        .user(UserSeed::new("bob"))
        .mcp_server(McpServerSeed::new("files"))
        .connection(ConnectionSeed::new("github", "github").scopes(["repo"]).user("alice"))
        .connection(ConnectionSeed::new("weather", "weather").lifetime(None))
        .connection(ConnectionSeed::new("other", "other").agent("agt_2"))
        .connection(ConnectionSeed::new("off", "off").disabled());
    Emulator::builder().tenant(tenant).build().unwrap()
}

fn code(agent: &Agent, wanted: GetVaultToken) -> String {
    agent.vault_token(wanted).unwrap_err().code().unwrap().to_owned()
}

#[test]
fn tokens_are_held_until_they_end_and_shown_with_their_scopes() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let listed = agent.connections().unwrap().connections;
    let ids: Vec<_> = listed.iter().map(|own| (own.id.as_str(), own.user_delegated)).collect();
    assert_eq!(ids, [("github", true), ("weather", false), ("off", false)]);

    let wanted = || GetVaultToken::new("github").user("alice@acme.test");
    let first = agent.vault_token(wanted()).unwrap();
    assert!(first.scopes().contains("repo") && !format!("{first:?}").contains(first.secret().expose()));
    assert_eq!(agent.vault_token(wanted()).unwrap().secret(), first.secret());
    assert_eq!(emulator.count("connections.token").unwrap(), 1);
    emulator.advance(Duration::from_secs(3600));
    assert_ne!(agent.vault_token(wanted()).unwrap().secret(), first.secret());

    // Without an end: for a minute.
    let first = agent.vault_token("weather").unwrap();
    emulator.advance(Duration::from_secs(30));
    assert_eq!(agent.vault_token("weather").unwrap().secret(), first.secret());
    emulator.advance(Duration::from_secs(30));
    assert_ne!(agent.vault_token("weather").unwrap().secret(), first.secret());
}

#[test]
fn refusals_have_their_codes_and_a_renewal_is_waited_for() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    assert_eq!(code(&agent, "nothing".into()), "connection_not_found");
    assert_eq!(code(&agent, "other".into()), "agent_not_allowed");
    assert_eq!(code(&agent, "off".into()), "connection_disabled");
    assert_eq!(code(&agent, "github".into()), "grant_not_found");
    assert_eq!(code(&agent, GetVaultToken::new("github").user("bob")), "grant_not_found");
    assert_eq!(code(&agent, GetVaultToken::new("weather").user("alice")), "delegation_not_allowed");

    for _ in 0..2 {
        emulator.refuse_connection("weather", "refresh_in_progress");
    }
    let (before, sent) = (emulator.now(), emulator.count("connections.token").unwrap());
    assert!(agent.vault_token("weather").is_ok());
    assert_eq!(emulator.count("connections.token").unwrap() - sent, 3);
    assert!(emulator.now().saturating_since(before) >= Duration::from_secs(4), "as long as it was told to");
    emulator.refuse_connection("github", "grant_revoked");
    let revoked = agent.vault_token(GetVaultToken::new("github").user("alice")).unwrap_err();
    assert_eq!((revoked.status(), revoked.code()), (Some(409), Some("grant_revoked")));
}

#[test]
fn no_request_of_the_library_carries_a_token_of_the_vault() {
    let emulator = emulator();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (behind, seen) = (emulator.clone(), Arc::clone(&sent));
    let transport = move |request: Request| -> Result<Response, TransportError> {
        let headers: Vec<_> = request.headers().values().map(|value| value.as_bytes().to_vec()).collect();
        seen.lock().unwrap().push((request.url().to_string(), headers, request.body().to_vec()));
        Ok(behind.handle_in_process(&request).response)
    };
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let agent = builder.client_id("agt_1").client_secret("s").build_with(transport).unwrap();
    let token = agent.vault_token("weather").unwrap();
    assert!(agent.is_allowed("read").unwrap());
    agent.request(Method::GET, "agents/me").unwrap();
    agent.run(ApiRequest::post("agents/ask").json(&json!({"action": "read"})).unwrap()).unwrap();
    let secret = token.secret().expose().as_bytes();
    let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|own| own == secret);
    for (url, headers, body) in sent.lock().unwrap().iter() {
        assert!(!has(url.as_bytes()) && !has(body) && !headers.iter().any(|own| has(own)), "{url}");
    }
}

#[test]
fn a_workload_is_attested_and_its_card_verified() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let attestation = emulator.workload_token("agt_1").unwrap();
    let attested = agent.run(Attest::new("agt_1", attestation.clone())).unwrap();
    assert_eq!(attested.token.lifetime(), Duration::from_secs(900));
    assert_eq!(attested.identity.subject.as_deref(), Some("sa"));
    let as_agent = ApiRequest::get("agents/me").token(attested.token);
    assert_eq!(agent.run(as_agent).unwrap().status(), 200);
    for (id, text) in [("agt_2", attestation.expose()), ("nobody", attestation.expose()), ("agt_1", "a.b.c")]
    {
        let refused = agent.run(Attest::new(id, text)).unwrap_err();
        assert_eq!((refused.status(), refused.code()), (Some(401), Some("attestation_rejected")), "{id}");
    }

    let card = agent.run(GetAgentCard::new("agt_1")).unwrap();
    assert!(agent.run(VerifyAgentCard::new(card.clone())).unwrap().valid);
    let mut forged = card.members().clone();
    forged.insert("url".into(), json!("https://evil.test"));
    let forged = AgentCard::new(serde_json::Value::Object(forged)).unwrap();
    let verdict = agent.run(VerifyAgentCard::new(forged)).unwrap();
    assert!(!verdict.valid && verdict.error.is_some());
    assert!(agent.run(GetAgentCard::new("nobody")).unwrap_err().is_not_found());
}

#[test]
fn tools_of_mcp_servers_are_decided_about() {
    let agent = emulator().agent().unwrap();
    assert!(agent.authorize_tool("files", "search").unwrap().allowed());
    let denied = agent.authorize_tool("files", "drop").unwrap();
    assert!(!denied.allowed() && denied.require().unwrap_err().is_forbidden());
    assert_eq!(agent.authorize_tool("nothing", "search").unwrap_err().status(), Some(400));
}

/// A token that was shown elsewhere, and ended before its time.
#[test]
fn t9_what_somebody_else_did_not_take_is_given_out_no_more_and_nothing_besides_is_dropped() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let (mine, file) = (GetVaultToken::new("github").user("alice"), "files");
    let vault = || agent.vault_token(mine.clone()).unwrap().secret().clone();
    let mcp = || agent.mcp_token(file).unwrap().secret().clone();
    let own = || agent.access_token().unwrap().secret().clone();
    let chain = lumoauth::DelegationChain::without_consent(&agent);
    let (before, bound, agents) = (vault(), mcp(), own());
    assert_eq!((vault(), mcp(), own()), (before.clone(), bound.clone(), agents.clone()), "they are held");
    assert!(agent.token_refused(&before));
    assert_eq!((mcp(), own()), (bound.clone(), agents.clone()), "of the others none is dropped");
    let second = vault();
    assert_ne!(second, before);
    // A late word about the first, and words too soon about the second, drop nothing.
    assert!(!agent.token_refused(&before) && !agent.token_refused(&second));
    assert!(!agent.token_refused(&"somebody else's".into()) && !chain.token_refused(&second));
    assert_eq!(vault(), second);
    emulator.advance(Duration::from_secs(6));
    assert!(agent.token_refused(&second));
    assert_ne!(vault(), second);
    assert!(agent.token_refused(&bound) && agent.token_refused(&agents));
    assert_ne!(mcp(), bound);
    assert_ne!(own(), agents);
}
