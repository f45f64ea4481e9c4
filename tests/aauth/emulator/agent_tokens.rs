//! Whose key must have signed: what an agent token says, and who may have signed it.

use lumoauth::aauth::{AgentServer, Delegate};
use lumoauth::emulator::{AAuthAgentSeed, Tenant};
use lumoauth::http::Method;
use serde_json::{Value, json};

use super::signatures::nothing;
use super::world::*;

#[test]
fn h6_the_agent_token_says_whose_key_must_have_signed() {
    let world = World::new();
    let body = nothing().to_string();
    let url = world.url("aauth/token/revoke");
    let sent = |signing: u8, token: &str| {
        let request = world.signed(&key(signing), Method::POST, &url, body.as_bytes(), |message| {
            message.agent_token(token).unwrap()
        });
        refusal(&world.send(&request))
    };
    assert_eq!(sent(2, &world.agent_token(1)), code(401, "invalid_signature"), "another agent's key");
    assert_eq!(sent(7, &world.agent_token(1)), code(401, "invalid_signature"), "nobody's key");
    let now = world.emulator.now().unix();
    let good = json!({"iss": AGENT, "sub": "main", "aud": [world.issuer], "iat": now, "exp": now + 600,
        "cnf": {"jkt": key(1).thumbprint()}});
    let minted = |typ: &str, change: &dyn Fn(&mut Value)| {
        let mut claims = good.clone();
        change(&mut claims);
        key(1).sign_token(typ, &claims).unwrap().expose().to_owned()
    };
    assert_eq!(sent(1, &minted("agent+jwt", &|_| {})).0, 200);
    let layout =
        minted("agent+jwt", &|claims| claims["aud"] = json!("https://lumoauth.test/orgs/acme/api/v1"));
    assert_eq!(sent(1, &layout).0, 200, "the same server by its name in the other layout");
    let unknown = minted("agent+jwt", &|claims| claims["iss"] = json!("https://agent.example"));
    assert_eq!(sent(1, &unknown), code(404, "not_found"), "an identifier is compared byte for byte");
    let changes: [Change<'_>; 14] = [
        ("aud", &|claims| claims["aud"] = json!("https://lumoauth.test")),
        ("aud of another tenant", &|claims| claims["aud"] = json!("https://lumoauth.test/t/other/api/v1")),
        ("no aud", &|claims| drop(claims.as_object_mut().unwrap().remove("aud"))),
        ("exp", &|claims| claims["exp"] = json!(now)),
        ("no exp", &|claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        ("exp a text", &|claims| claims["exp"] = json!((now + 600).to_string())),
        ("too long", &|claims| claims["exp"] = json!(now + 86_401)),
        ("iat", &|claims| claims["iat"] = json!(now + 61)),
        ("nbf", &|claims| claims["nbf"] = json!(now + 61)),
        ("no sub", &|claims| drop(claims.as_object_mut().unwrap().remove("sub"))),
        ("no cnf", &|claims| drop(claims.as_object_mut().unwrap().remove("cnf"))),
        ("cnf empty", &|claims| claims["cnf"] = json!({})),
        ("cnf unregistered", &|claims| claims["cnf"] = json!({"jkt": key(7).thumbprint()})),
        ("cnf of two keys", &|claims| {
            claims["cnf"] = json!({"jwk": key(1).public_jwk(), "jkt": key(2).thumbprint()})
        }),
    ];
    for (what, change) in changes {
        assert_eq!(sent(1, &minted("agent+jwt", change)), code(401, "authentication_required"), "{what}");
    }
    for typ in ["JWT", "auth+jwt", "Agent+jwt", "application/agent+jwt"] {
        assert_eq!(sent(1, &minted(typ, &|_| {})), code(401, "authentication_required"), "{typ}");
    }
    // Signed by a key that the agent has not registered, under the id of one that it has.
    let foreign = AgentServer::new(AGENT, key(7)).unwrap().audience(world.issuer.clone());
    let foreign =
        foreign.mint(&Delegate::by_thumbprint("main", key(1).thumbprint()).unwrap(), &world.now()).unwrap();
    assert_eq!(sent(1, foreign.secret().expose()), code(401, "authentication_required"));
    let unknown =
        AgentServer::new(AGENT, key(1).with_key_id("key-9").unwrap()).unwrap().audience(world.issuer.clone());
    let unknown =
        unknown.mint(&Delegate::by_thumbprint("main", key(1).thumbprint()).unwrap(), &world.now()).unwrap();
    assert_eq!(sent(1, unknown.secret().expose()), code(401, "authentication_required"));
    assert_eq!(sent(1, "a.b.c"), code(401, "authentication_required"));
    let refused = world.send(&world.signed(&key(7), Method::POST, &url, body.as_bytes(), |message| message));
    assert_eq!(super::world::body(&refused)["auth_server"], json!(world.issuer), "it says who it is");
}

#[test]
fn a_delegate_signs_with_the_key_in_its_token() {
    let world = World::new();
    let server = AgentServer::new(AGENT, key(1)).unwrap().audience(world.issuer.clone());
    let delegate = Delegate::by_key("worker", key(5).public_jwk()).unwrap();
    let token = server.mint(&delegate, &world.now()).unwrap();
    let url = world.url("aauth/token/revoke");
    let sent = |number: u8| {
        let body = nothing().to_string();
        let request = world.signed(&key(number), Method::POST, &url, body.as_bytes(), |message| {
            message.agent_token(token.secret().clone()).unwrap()
        });
        world.send(&request).status().as_u16()
    };
    assert_eq!((sent(5), sent(1)), (200, 401));
}

/// Both tenants have an agent of the same identifier: a tenant's service signs for its own agent only.
#[test]
fn no_tenant_signs_for_anothers_agent() {
    let second = Tenant::new("second").aauth_agent(AAuthAgentSeed::new("x", AGENT).key(key(8).public_jwk()));
    let emulator = builder().tenant(second).build().unwrap();
    let victim = format!("{}/t/acme/api/v1", emulator.site().base_url());
    let world = World::under(emulator, "/t/second/api/v1");
    let server = AgentServer::new(AGENT, key(8)).unwrap().audience(world.issuer.clone());
    let own = server.mint(&Delegate::by_thumbprint("x", key(8).thumbprint()).unwrap(), &world.now()).unwrap();
    let body = json!({"delegate_sub": "x", "delegate_public_key": key(8).public_jwk(), "audience": victim})
        .to_string();
    let request =
        world.signed(&key(8), Method::POST, &world.url("aauth/agent/issue"), body.as_bytes(), |message| {
            message.agent_token(own.secret().clone()).unwrap()
        });
    let issued = text(&ok(&world.send(&request)), "agent_token");
    assert_eq!(claims(&issued)["aud"], json!([victim]));
    let request =
        world.signed(&key(8), Method::POST, &format!("{victim}/aauth/token/revoke"), b"{}", |message| {
            message.agent_token(issued.clone()).unwrap()
        });
    assert_eq!(refusal(&world.send(&request)), code(401, "authentication_required"));
}
