//! Who may act for whom: types, actors, scopes, depth, targets.

use std::time::Duration;

use lumoauth::embed::operations::routes;
use lumoauth::emulator::{Emulator, Tenant};
use serde_json::{Value, json};

use super::support::*;

const DEMO: &str = "agt_demo";

fn delegated(emulator: &Emulator, subject: &str, client_id: &str) -> String {
    text(&ok(&delegate(emulator, subject, &agent_token(emulator, client_id), &[])), "access_token")
}

/// `act`, outermost first.
fn chain(token: &str) -> Vec<String> {
    let mut act: Value = jwt(token, 1)["act"].clone();
    let mut subjects = Vec::new();
    while act.is_object() {
        subjects.push(act["sub"].as_str().unwrap().to_owned());
        act = act["act"].clone();
    }
    subjects
}

#[test]
fn an_agent_acts_for_a_user() {
    let emulator = alice();
    let user = user_token(&emulator, "openid read:documents write:documents");
    emulator.advance(Duration::from_secs(600));
    let answer =
        ok(&delegate(&emulator, &user, &agent_token(&emulator, DEMO), &[("scope", "read:documents")]));
    assert_eq!(answer["issued_token_type"], format!("{TYPE}access_token"));
    assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("read:documents")));
    assert_eq!(answer["expires_in"], 3000, "not longer than the user's token");
    assert!(answer.get("refresh_token").is_none());
    let token = text(&answer, "access_token");
    let claims = jwt(&token, 1);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("user:alice"), &json!(DEMO)));
    assert_eq!((&claims["aud"], &claims["act"]), (&json!(DEMO), &json!({"sub": "agent:research-bot"})));
    for path in ["/api/v1/documents", "documents"] {
        let read = ok(&get(&emulator, path, Some(&token)));
        assert_eq!(
            read["principal"],
            json!({"subject": "user:alice", "actor_chain": ["agent:research-bot"]})
        );
    }
    let says = ok(&signed(&emulator, routes::INTROSPECT, &[("token", &token)]));
    assert_eq!(says["act"], json!({"sub": "agent:research-bot"}));
}

#[test]
fn three_agents_and_no_fourth() {
    let emulator = alice();
    let user = user_token(&emulator, "read:documents write:documents");
    let one = delegated(&emulator, &user, DEMO);
    let two = delegated(&emulator, &one, "agt_search");
    let three = delegated(&emulator, &two, "agt_scraper");
    assert_eq!(chain(&three), ["agent:research-bot", "agent:search-tool", "agent:web-scraper"]);
    assert_eq!(jwt(&two, 1)["scope"], "read:documents", "the sub-agent has no more");
    assert_eq!(jwt(&three, 1)["client_id"], "agt_scraper");
    let fourth = delegate(&emulator, &three, &agent_token(&emulator, "agt_reader"), &[]);
    assert_eq!(refusal(&fourth), refused(403, "delegation_depth_exceeded"));
    assert_eq!(body(&fourth)["max_depth"], 3);
    let wider = [("scope", "write:documents")];
    let wider = delegate(&emulator, &two, &agent_token(&emulator, DEMO), &wider);
    assert_eq!(refusal(&wider), refused(400, "insufficient_scope"), "what was given up does not come back");
    let rfc = Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").rfc_actor_order(true);
    let rfc = rfc.build().unwrap();
    let one = delegated(&rfc, &user_token(&rfc, "read:documents"), DEMO);
    assert_eq!(chain(&delegated(&rfc, &one, "agt_search")), ["agent:search-tool", "agent:research-bot"]);
}

#[test]
fn consent_and_capability_are_needed() {
    let emulator = alice();
    let user = user_token(&emulator, "read:documents");
    let search = agent_token(&emulator, "agt_search");
    let stranger = delegate(&emulator, &user, &search, &[]);
    assert_eq!(refusal(&stranger), refused(403, "delegation_not_allowed"), "alice knows agt_demo only");
    let own = agent_token(&emulator, DEMO);
    emulator.revoke_capability(DEMO, "delegate:on_behalf").unwrap();
    assert_eq!(refusal(&delegate(&emulator, &user, &own, &[])), refused(403, "capability_denied"));
    emulator.grant_capability(DEMO, "delegate:user").unwrap();
    let delegated = text(&ok(&delegate(&emulator, &user, &own, &[])), "access_token");
    emulator.revoke_consent("alice", DEMO);
    assert!(!active(&emulator, &delegated) && !active(&emulator, &user));
    let seeded = Tenant::demo().consent("alice", "agt_search", ["read:documents"]);
    let seeded = Emulator::builder().tenant(seeded).auto_consent("alice").build().unwrap();
    let user = user_token(&seeded, "read:documents write:documents");
    let answer = ok(&delegate(&seeded, &user, &agent_token(&seeded, "agt_search"), &[]));
    assert_eq!(answer["scope"], "read:documents");
}

#[test]
fn scopes_only_get_fewer() {
    let emulator = alice();
    let user = user_token(&emulator, "openid read:documents mcp:read");
    let own = agent_token(&emulator, DEMO);
    let ask = |scope: &str| delegate(&emulator, &user, &own, &[("scope", scope)]);
    assert_eq!(ok(&delegate(&emulator, &user, &own, &[]))["scope"], "read:documents mcp:read");
    assert_eq!(ok(&ask("mcp:read"))["scope"], "mcp:read");
    for wide in ["write:documents", "read:documents write:documents", "openid", "tool:search_web"] {
        assert_eq!(refusal(&ask(wide)), refused(400, "insufficient_scope"), "{wide}");
    }
    assert_eq!(refusal(&ask("a  b")), refused(400, "invalid_scope"));
    let nothing = user_token(&emulator, "openid");
    assert_eq!(refusal(&delegate(&emulator, &nothing, &own, &[])), refused(400, "insufficient_scope"));
    let other =
        Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").too_wide_is_invalid_scope(true);
    let other = other.build().unwrap();
    let user = user_token(&other, "read:documents");
    let wide = delegate(&other, &user, &agent_token(&other, DEMO), &[("scope", "mcp:read")]);
    assert_eq!(refusal(&wide), refused(400, "invalid_scope"));
}

/// A scope that stands for others is judged at the exchange; the code gives what was asked for.
#[test]
fn a_group_of_scopes_is_exchanged_for_its_parts() {
    let emulator = alice();
    let user = user_tokens(&emulator, "openid documents");
    assert_eq!(user["scope"], "openid documents");
    assert_eq!(emulator.consented_scopes("alice", DEMO), ["openid", "documents"]);
    let (user, own) = (text(&user, "access_token"), agent_token(&emulator, DEMO));
    let ask = |scope: &str| delegate(&emulator, &user, &own, &[("scope", scope)]);
    for part in ["documents", "read:documents", "write:documents", "read:documents write:documents"] {
        assert_eq!(ok(&ask(part))["scope"], part);
    }
    let refusal = ask("read:documents mcp:read");
    assert_eq!(refusal.status(), 400);
    assert!(refusal.text().contains("The scope mcp:read is wider"), "{}", refusal.text());
    // A part does not stand for the group, and an agent has no more by it than it may have.
    let part = user_token(&emulator, "read:documents");
    assert_eq!(delegate(&emulator, &part, &own, &[("scope", "documents")]).status(), 400);
    let search = agent_token(&emulator, "agt_search");
    let first = text(&ok(&delegate(&emulator, &user, &own, &[("scope", "documents")])), "access_token");
    assert_eq!(
        ok(&delegate(&emulator, &first, &search, &[("scope", "read:documents")]))["scope"],
        "read:documents"
    );
    assert_eq!(delegate(&emulator, &first, &search, &[("scope", "write:documents")]).status(), 400);
}

/// Every declared type times every token there is, as subject and as actor.
#[test]
fn a_token_is_what_it_is_said_to_be() {
    let emulator = alice();
    let tokens = user_tokens(&emulator, "openid read:documents");
    let own = agent_token(&emulator, DEMO);
    let kinds = [
        ("access", text(&tokens, "access_token")),
        ("id", text(&tokens, "id_token")),
        ("refresh", text(&tokens, "refresh_token")),
        ("own", own.clone()),
        ("junk", "junk".to_owned()),
        ("foreign", text(&user_tokens(&alice(), "openid"), "access_token")),
    ];
    for declared in ["access_token", "jwt", "id_token", "refresh_token", "saml2", "x"] {
        let uri = format!("{TYPE}{declared}");
        let access = format!("{TYPE}access_token");
        for (kind, token) in &kinds {
            let as_subject = exchange(
                &emulator,
                &[
                    ("subject_token", token),
                    ("subject_token_type", &uri),
                    ("actor_token", &own),
                    ("actor_token_type", &access),
                ],
            );
            let expected = match (declared, *kind) {
                ("saml2" | "x", _) => refused(400, "unsupported_token_type"),
                ("access_token" | "jwt", "access") | ("id_token", "id") => refused(200, ""),
                ("refresh_token", "refresh") => refused(400, "invalid_request"),
                ("access_token" | "jwt", "own") => refused(403, "delegation_not_allowed"),
                _ => refused(400, "invalid_grant"),
            };
            assert_eq!(refusal(&as_subject), expected, "subject: {kind} as {declared}");
            let as_actor = exchange(
                &emulator,
                &[
                    ("subject_token", &kinds[0].1),
                    ("subject_token_type", &access),
                    ("actor_token", token),
                    ("actor_token_type", &uri),
                ],
            );
            let expected = match (declared, *kind) {
                ("saml2" | "x", _) => refused(400, "unsupported_token_type"),
                ("access_token" | "jwt", "own") => refused(200, ""),
                ("access_token" | "jwt", "access") | ("id_token", "id") | ("refresh_token", "refresh") => {
                    refused(403, "delegation_not_allowed")
                }
                _ => refused(400, "invalid_grant"),
            };
            assert_eq!(refusal(&as_actor), expected, "actor: {kind} as {declared}");
        }
    }
    let stranger = agent_token(&emulator, "agt_search");
    let id = exchange(
        &emulator,
        &[
            ("subject_token", &kinds[1].1),
            ("subject_token_type", &format!("{TYPE}id_token")),
            ("actor_token", &stranger),
            ("actor_token_type", &format!("{TYPE}access_token")),
        ],
    );
    assert_eq!(refusal(&id), refused(400, "invalid_grant"), "an ID token is for its own client");
}

#[test]
fn parameters_that_belong_together() {
    let emulator = alice();
    let user = user_token(&emulator, "read:documents");
    let own = agent_token(&emulator, DEMO);
    let access = format!("{TYPE}access_token");
    let subject = [("subject_token", user.as_str()), ("subject_token_type", access.as_str())];
    let with = |more: &[(&str, &str)]| refusal(&exchange(&emulator, &[&subject, more].concat()));
    assert_eq!(refusal(&exchange(&emulator, &[])), refused(400, "invalid_request"));
    assert_eq!(refusal(&exchange(&emulator, &subject[..1])), refused(400, "invalid_request"));
    assert_eq!(with(&[("actor_token", &own)]), refused(400, "invalid_request"));
    assert_eq!(with(&[("actor_token_type", &access)]), refused(400, "invalid_request"));
    assert_eq!(with(&[]), refused(400, "invalid_request"), "a user's token alone is not enough");
    let wanted = format!("{TYPE}refresh_token");
    assert_eq!(with(&[("requested_token_type", &wanted)]), refused(400, "invalid_request"));
    let client = [("client_id", DEMO), ("client_secret", emulator.secret().expose())];
    let actor = [("actor_token", own.as_str()), ("actor_token_type", access.as_str())];
    assert_eq!(with(&client), refused(200, ""), "the client that it was issued to");
    assert_eq!(with(&[&actor[..], &client].concat()), refused(200, ""));
    assert_eq!(with(&[&actor[..], &client[..1]].concat()), refused(401, "invalid_client"));
    assert_eq!(
        with(&[&actor[..], &[("client_id", DEMO), ("client_secret", "wrong")]].concat()),
        refused(401, "invalid_client")
    );
    let search = emulator.secret_of("agt_search").unwrap().expose();
    assert_eq!(
        with(&[&actor[..], &[("client_id", "agt_search"), ("client_secret", search)]].concat()),
        refused(400, "invalid_grant")
    );
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(with(&actor), refused(400, "invalid_grant"), "expired");
}

#[test]
fn targets() {
    let emulator = alice();
    let user = user_token(&emulator, "read:documents");
    let own = agent_token(&emulator, DEMO);
    let ask = |more: &[(&str, &str)]| delegate(&emulator, &user, &own, more);
    let audience = |more: &[(&str, &str)]| jwt(&text(&ok(&ask(more)), "access_token"), 1)["aud"].clone();
    for name in ["my-mcp-server", "mcp_0001", "urn:mcp:my-mcp-server", MCP] {
        assert_eq!(audience(&[("audience", name)]), MCP, "{name}");
    }
    assert_eq!(audience(&[("resource", MCP), ("audience", MCP)]), MCP, "once is enough");
    assert_eq!(audience(&[("audience", DEMO), ("resource", MCP)]), json!([MCP, DEMO]));
    for more in [
        ("resource", "my-mcp-server"),
        ("resource", "https://mcp.acme.test/my-mcp-server/"),
        ("resource", "https://mcp.acme.test/my-mcp-server#x"),
        ("audience", "agt_search"),
        ("audience", "nothing"),
    ] {
        assert_eq!(refusal(&ask(&[more])), refused(400, "invalid_target"), "{more:?}");
    }
    let bound = text(&ok(&ask(&[("audience", "mcp_0001")])), "access_token");
    let response = get(&emulator, "/api/v1/documents", Some(&bound));
    assert_eq!(refusal(&response), refused(401, "invalid_token"), "it is for the MCP server");
}
