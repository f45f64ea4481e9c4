//! MCP servers: discovery, challenge, step-up.

use lumoauth::Secret;
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{Emulator, McpServerSeed, Tenant};
use lumoauth::http::Method;
use serde_json::json;

use super::support::*;

const BASE: &str = "https://lumoauth.test/t/acme-corp/api/v1";

#[test]
fn challenge_and_step_up() {
    let tenant = Tenant::demo();
    let emulator = Emulator::builder()
        .tenant(
            tenant.mcp_server(
                McpServerSeed::new("vault")
                    .resource_uri("https://vault.test/mcp")
                    .scopes(["mcp:read", "mcp:write"]),
            ),
        )
        .auto_consent("alice")
        .build()
        .unwrap();
    let url = format!("{BASE}/.well-known/oauth-protected-resource/mcp/mcp_0001");
    let first = get(&emulator, "mcp/mcp_0001/challenge", None);
    assert_eq!(first.status(), 401);
    assert_eq!(www_authenticate(&first), format!("Bearer resource_metadata=\"{url}\", scope=\"mcp:read\""));
    let bad = get(&emulator, "mcp/my-mcp-server/challenge", Some("x"));
    assert_eq!(refusal(&bad), refused(401, "invalid_token"));
    assert!(www_authenticate(&bad).starts_with("Bearer error=\"invalid_token\""));
    let own = agent_token_for(&emulator, "agt_demo", &[("scope", "mcp:read")]);
    let elsewhere = get(&emulator, "mcp/mcp_0001/challenge", Some(&own));
    assert_eq!(refusal(&elsewhere), refused(401, "invalid_token"), "a token for nobody in particular");
    let access = format!("{TYPE}access_token");
    let for_server = |subject: &str, audience: &str| {
        let pairs =
            [("subject_token", subject), ("subject_token_type", access.as_str()), ("audience", audience)];
        exchange(&emulator, &pairs)
    };
    let bound = text(&ok(&for_server(&own, "my-mcp-server")), "access_token");
    assert_eq!(jwt(&bound, 1)["aud"], MCP);
    assert_eq!(jwt(&bound, 1)["sub"], "agent:research-bot");
    let passed = json!({"status": "authenticated", "server": "my-mcp-server", "server_id": "mcp_0001"});
    assert_eq!(ok(&get(&emulator, "mcp/mcp_0001/challenge", Some(&bound))), passed);
    let post = Request::new(Method::POST, emulator.site().join("mcp/mcp_0001/challenge").unwrap())
        .json(&json!({}))
        .authorization("Bearer", &Secret::new(bound.as_str()))
        .unwrap();
    assert_eq!(emulator.handle_in_process(&post).response.status(), 200);
    // The vault wants more.
    let narrow = text(&ok(&for_server(&own, "vault")), "access_token");
    let more = get(&emulator, "mcp/vault/challenge", Some(&narrow));
    assert_eq!(refusal(&more), refused(403, "insufficient_scope"));
    assert_eq!(body(&more)["scope"], "mcp:read mcp:write");
    let challenge = www_authenticate(&more);
    assert!(
        challenge.contains("error=\"insufficient_scope\"")
            && challenge.contains("scope=\"mcp:read mcp:write\"")
    );
    assert!(challenge.contains("/mcp/mcp_vault\""), "{challenge}");
    let wide = agent_token_for(&emulator, "agt_demo", &[("scope", "mcp:read mcp:write")]);
    let wide = text(&ok(&for_server(&wide, "vault")), "access_token");
    ok(&get(&emulator, "mcp/vault/challenge", Some(&wide)));
    let pairs = [
        ("subject_token", own.as_str()),
        ("subject_token_type", access.as_str()),
        ("audience", "vault"),
        ("scope", "mcp:write"),
    ];
    assert_eq!(refusal(&exchange(&emulator, &pairs)), refused(400, "insufficient_scope"));
    assert_eq!(refusal(&get(&emulator, "mcp/nothing/challenge", None)), refused(404, "not_found"));
}

#[test]
fn metadata_in_both_forms() {
    let emulator = Emulator::demo().unwrap();
    let one = |emulator: &Emulator, path: &str| ok(&get(emulator, path, None));
    let document = one(&emulator, ".well-known/oauth-protected-resource/mcp/mcp_0001");
    assert_eq!(document["resource"], MCP);
    let metadata = format!("{BASE}/.well-known/oauth-authorization-server");
    assert_eq!(document["authorization_servers"], json!([metadata]));
    assert_eq!(document["scopes_supported"], json!(["mcp:read", "mcp:write"]));
    assert_eq!(one(&emulator, ".well-known/oauth-protected-resource"), document, "the only one");
    assert_eq!(one(&emulator, "/.well-known/oauth-protected-resource/mcp/mcp_0001"), document);
    let tenant = Tenant::demo()
        .mcp_server(McpServerSeed::new("second").resource_uri("https://second.test/mcp"))
        .mcp_server(McpServerSeed::new("plain"));
    let builder = Emulator::builder().tenant(tenant).issuers_in_resource_metadata(true);
    let emulator = builder.build().unwrap();
    let root = one(&emulator, ".well-known/oauth-protected-resource");
    assert_eq!(root["resources"].as_array().unwrap().len(), 2);
    let url = text(&root["resources"][1], "resource_metadata_url");
    let second = one(&emulator, url.strip_prefix("https://lumoauth.test").unwrap());
    assert_eq!(
        (&second["resource"], &second["authorization_servers"]),
        (&json!("https://second.test/mcp"), &json!([BASE]))
    );
    let path = |id: &str| format!(".well-known/oauth-protected-resource/mcp/{id}");
    assert_eq!(refusal(&get(&emulator, &path("plain"), None)), refused(400, "not_applicable"));
    assert_eq!(refusal(&get(&emulator, &path("nothing"), None)), refused(404, "not_found"));
}

#[test]
fn the_list_is_for_managers() {
    let emulator = Emulator::demo().unwrap();
    let token = agent_token(&emulator, "agt_demo");
    for path in ["mcp/servers", "mcp/servers/mcp_0001"] {
        assert_eq!(refusal(&get(&emulator, path, None)).0, 401);
        assert_eq!(refusal(&get(&emulator, path, Some(&token))), refused(403, "forbidden"));
    }
    emulator.grant_capability("agt_demo", "settings.manage").unwrap();
    let list = ok(&get(&emulator, "mcp/servers", Some(&token)));
    assert_eq!(list["servers"], list["data"]);
    assert_eq!(list["data"][0]["server_id"], "mcp_0001");
    let one = ok(&get(&emulator, "mcp/servers/mcp_0001", Some(&token)));
    assert_eq!(one["scopes_supported"], json!(["mcp:read", "mcp:write"]));
    assert_eq!(refusal(&get(&emulator, "mcp/servers/x", Some(&token))), refused(404, "not_found"));
}

#[test]
fn the_authorization_server_says_what_there_is() {
    let emulator = Emulator::demo().unwrap();
    let document = ok(&get(&emulator, ".well-known/oauth-authorization-server", None));
    assert_eq!(document["issuer"], BASE);
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    for (name, url) in document.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint")) {
        let path = url.as_str().unwrap().strip_prefix("https://lumoauth.test").unwrap();
        assert_ne!(get(&emulator, path, None).status(), 404, "{name}");
    }
    for grant in document["grant_types_supported"].as_array().unwrap() {
        let response = signed(&emulator, routes::TOKEN, &[("grant_type", grant.as_str().unwrap())]);
        assert!(!response.text().contains("unsupported_grant_type"), "{grant}");
    }
}
