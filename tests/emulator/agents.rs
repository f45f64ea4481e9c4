//! Agents of the seed by their client ids, and counts of routes that there are.
#![cfg(feature = "ureq")]

use lumoauth::emulator::{AgentError, AgentSeed, Emulator, FaultRule, Tenant};

use crate::support::bot;

/// Two tenants with an agent each, and a public client.
fn two() -> Emulator {
    let second = AgentSeed::new("agt_2").secret("other").capabilities(["write_document"]);
    let public = AgentSeed::new("agt_cli").public();
    Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .tenant(Tenant::new("beta").agent(second).agent(public))
        .build()
        .unwrap()
}

#[test]
fn every_agent_of_the_seed_is_had_by_its_client_id_in_its_own_tenant() {
    let emulator = two();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    for agent in [emulator.agent_of("agt_2").unwrap(), served.agent_of("agt_2").unwrap()] {
        assert!(agent.is_allowed("write_document").unwrap());
        assert!(!agent.is_allowed("read_document").unwrap());
    }
    assert!(served.agent().unwrap().is_allowed("read_document").unwrap());
    let decided = emulator.audit().into_iter().map(|entry| (entry.tenant, entry.client_id));
    let of = |tenant: &str, id: &str| (tenant.to_owned(), id.to_owned());
    let beta = of("beta", "agt_2");
    assert_eq!(
        decided.collect::<Vec<_>>(),
        [beta.clone(), beta.clone(), beta.clone(), beta, of("acme", "agt_bot")]
    );
    assert_eq!(served.connections(), 2, "one for each agent that is not in process");
    for error in [emulator.agent_of("agt_3").unwrap_err(), served.agent_of("agt_3").unwrap_err()] {
        assert!(matches!(&error, AgentError::Unknown(_)), "{error}");
        assert!(error.to_string().contains("agt_3"), "{error}");
    }
    // A public client is one: it has no token of its own.
    assert!(emulator.agent_of("agt_cli").unwrap().ask("x").is_err());
    assert_eq!(emulator.count("oauth.token").unwrap(), 3);
}

#[test]
fn a_route_that_there_is_not_has_no_count() {
    let emulator = two();
    for name in ["oauth.tokens", "", "OAUTH.TOKEN", "oauth/token"] {
        let error = emulator.count(name).unwrap_err();
        assert!(error.to_string().contains("oauth.token"), "{error}");
        assert!(emulator.fault(FaultRule::on(name).status(503)).is_err());
    }
    assert_eq!(emulator.count("unknown"), Ok(0));
    assert_eq!(emulator.count("agents.ask"), Ok(0));
}
