//! Discovery at both places, keys, and the descriptions of agents and resources.

use lumoauth::emulator::{AAuthAgentSeed, AAuthResourceSeed, AgentSeed, Emulator, Tenant};
use serde_json::json;

use super::world::*;

#[test]
fn the_issuer_is_described_behind_the_api_base_and_at_the_root() {
    let world = World::new();
    let scoped = ok(&world.get(&world.url(".well-known/aauth-issuer")));
    let root = ok(&world.get("https://lumoauth.test/.well-known/aauth-issuer"));
    assert_eq!(scoped, root);
    let issuer = "https://lumoauth.test/t/acme/api/v1";
    assert_eq!(
        scoped,
        json!({
            "aauth_version": "1.0", "issuer": issuer, "jwks_uri": format!("{issuer}/aauth/jwks.json"),
            "agent_token_endpoint": format!("{issuer}/aauth/agent/token"),
            "agent_auth_endpoint": format!("{issuer}/aauth/agent/auth"),
            "agent_signing_algs_supported": ["ed25519", "rsa-pss-sha512"],
            "token_signing_algs_supported": ["ES256"],
            "request_types_supported": ["auth", "code", "exchange", "refresh"],
            "scopes_supported": ["read", "write"], "authorization_response_iss_parameter_supported": true,
        })
    );
    let organization = ok(&world.get("https://lumoauth.test/orgs/acme/api/v1/.well-known/aauth-issuer"));
    assert_eq!(organization["issuer"], "https://lumoauth.test/orgs/acme/api/v1");
    assert_eq!(refusal(&world.get("https://lumoauth.test/t/nobody/api/v1/.well-known/aauth-issuer")).0, 404);
}

#[test]
fn agents_and_resources_and_their_keys() {
    let world = World::new();
    let agents = ok(&world.get(&world.url(".well-known/aauth-agent")));
    let names: Vec<_> = agents.as_array().unwrap().iter().map(|own| own["agent"].as_str().unwrap()).collect();
    assert_eq!(names, [AGENT, SECOND, THIRD]);
    let own = world.url("aauth/agents/aag_1");
    assert_eq!(
        ok(&world.get(&format!("{own}/metadata"))),
        json!({"agent": AGENT, "jwks_uri": format!("{own}/jwks.json"), "redirect_uris": [CALLBACK]})
    );
    let keys = ok(&world.get(&format!("{own}/jwks.json")));
    let service = ok(&world.get(&world.url("aauth/jwks.json")));
    assert_eq!(keys, json!({"keys": [key(1).public_jwk(), service["keys"][0]]}));
    assert_ne!(service, ok(&world.get(&world.url(".well-known/jwks.json"))), "keys of their own");

    let resources = ok(&world.get(&world.url(".well-known/aauth-resource")));
    assert_eq!(resources.as_array().unwrap().len(), 7);
    let api = world.url("aauth/resources/ars_api");
    let entry = json!({"resource": API, "jwks_uri": format!("{api}/jwks.json"), "supported_scopes": ["read", "write"]});
    assert_eq!(ok(&world.get(&format!("{api}/metadata"))), entry);
    assert_eq!(ok(&world.get(&format!("{api}/jwks.json"))), key(9).jwks());
    let served = world.url("aauth-demo/known");
    let document = ok(&world.get(&format!("{served}/.well-known/aauth-resource")));
    assert_eq!(
        (&document["resource"], &document["resource_token_endpoint"]),
        (&json!(served), &json!(format!("{served}/token")))
    );
    assert_eq!(document, ok(&world.get(&world.url("aauth/resources/known/metadata"))));

    for path in [
        "aauth/agents/nobody/jwks.json",
        "aauth/agents/nobody/metadata",
        "aauth/resources/nobody/jwks.json",
        "aauth/resources/nobody/metadata",
        "aauth-demo/nobody/.well-known/aauth-resource",
        "aauth-demo/ars_api/.well-known/aauth-resource",
    ] {
        assert_eq!(refusal(&world.get(&world.url(path))), code(404, "not_found"), "{path}");
    }
}

#[test]
fn keys_are_made_at_each_start_and_seeds_are_checked() {
    let (one, two) = (Emulator::demo().unwrap(), Emulator::demo().unwrap());
    let of = |emulator: &Emulator, id: &str| emulator.aauth_key(id).unwrap().thumbprint().to_owned();
    for id in ["aag_demo", "reports"] {
        assert_ne!(of(&one, id), of(&two, id));
    }
    assert!(one.aauth_key("nobody").is_none());
    assert!(World::new().emulator.aauth_key("aag_1").is_none(), "a key that was given stays with its owner");

    let build = |tenant: Tenant| {
        let tenant = tenant.agent(AgentSeed::new("a"));
        Emulator::builder().tenant(tenant).build().unwrap_err().to_string()
    };
    let agent = |id: &str, name: &str| Tenant::new("t").aauth_agent(AAuthAgentSeed::new(id, name));
    let good = || AAuthAgentSeed::new("a", AGENT);
    let mut private = key(1).public_jwk();
    private["d"] = json!("AA");
    for (tenant, expected) in [
        (agent("a/b", AGENT), "an id has letters"),
        (agent("a", "http://agent.example"), "an identifier is an https URL"),
        (agent("a", "agent"), "an identifier is an https URL"),
        (agent("a", "https://agent.example/#x"), "an identifier is an https URL"),
        (agent("a", AGENT).aauth_agent(AAuthAgentSeed::new("b", AGENT)), "twice"),
        (Tenant::new("t").aauth_agent(good().redirect_uri("/cb")), "redirect URI"),
        (Tenant::new("t").aauth_agent(good().platform_scopes(["a\"b"])), "scope"),
        (Tenant::new("t").aauth_agent(good().key(private)), "not a sound public JWK"),
        (Tenant::new("t").aauth_agent(good().key(key(1).public_jwk()).key(key(2).public_jwk())), "the kid"),
        (Tenant::new("t").aauth_resource(AAuthResourceSeed::served("a b")), "an id has letters"),
    ] {
        let error = build(tenant);
        assert!(error.contains(expected), "{error}");
    }
}
