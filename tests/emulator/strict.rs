//! What the RFCs refuse is refused here too, and nothing that arrives makes the engine panic.

use lumoauth::Site;
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue};
use lumoauth::http::{Method, Uri};
use lumoauth::time::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

/// The refusal of a token request.
fn refused(emulator: &Emulator, request: &Request) -> (u16, String) {
    let response = emulator.handle_in_process(request).response;
    assert_eq!(response.header(CACHE_CONTROL), Some("no-store"));
    refusal(&response)
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn unknown_clients_and_wrong_secrets_look_alike() {
    let emulator = small();
    let site = emulator.site();
    let answers = [("agt_bot", "wrong"), ("agt_nobody", "s3cret")]
        .map(|(id, secret)| emulator.handle_in_process(&token_request(site, form(id, secret))).response);
    assert_eq!(refusal(&answers[0]), code(401, "invalid_client"));
    assert_eq!(answers[0].body(), answers[1].body());
    assert_eq!(challenge(&answers[0]), "", "the body is no scheme to challenge with");
    let grant = Form::new().field("grant_type", "client_credentials");
    for text in ["agt_bot:wrong", "agt_nobody:s3cret", "no colon", "agt_bot:%zz", "agt_bot:"] {
        let request = basic(token_request(site, grant.clone()), text);
        let response = emulator.handle_in_process(&request).response;
        assert_eq!(refusal(&response), code(401, "invalid_client"), "{text}");
        assert!(challenge(&response).starts_with("Basic realm="), "{text}");
    }
    let bearer = bearer(token_request(site, grant.clone()), "x");
    assert_eq!(refused(&emulator, &bearer), code(401, "invalid_client"));
    assert_eq!(refused(&emulator, &token_request(site, grant)), code(401, "invalid_client"));
}

#[test]
fn basic_works_and_is_form_decoded() {
    let agent = AgentSeed::new("agt:x").secret("p%+ w");
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(agent)).build().unwrap();
    let grant = Form::new().field("grant_type", "client_credentials");
    let request = basic(token_request(emulator.site(), grant.clone()), "agt%3Ax:p%25%2B+w");
    let response = emulator.handle_in_process(&request).response;
    assert_eq!(response.status(), OK);
    assert!(body(&response).get("scope").is_none(), "no capability, no scope");
    let raw = basic(token_request(emulator.site(), grant), "agt:x:p%+ w");
    assert_eq!(refused(&emulator, &raw).0, 401);
}

#[test]
fn one_way_to_authenticate_at_a_time() {
    let emulator = small();
    let both = basic(token_request(emulator.site(), form("agt_bot", "s3cret")), "agt_bot:s3cret");
    assert_eq!(refused(&emulator, &both), code(400, "invalid_request"));
    let other = Form::new().field("grant_type", "client_credentials").field("client_id", "agt_other");
    let other = basic(token_request(emulator.site(), other), "agt_bot:s3cret");
    assert_eq!(refused(&emulator, &other), code(400, "invalid_request"));
}

#[test]
fn malformed_token_requests() {
    let emulator = small();
    let site = emulator.site();
    let raw = |body: &str| {
        Request::new(Method::POST, site.url(routes::TOKEN))
            .bytes("application/x-www-form-urlencoded", body.as_bytes())
    };
    let good = "grant_type=client_credentials&client_id=agt_bot&client_secret=s3cret";
    assert_eq!(emulator.handle_in_process(&raw(good)).response.status(), OK);
    for (body, expected) in [
        (String::new(), code(400, "invalid_request")),
        (format!("{good}&grant_type=client_credentials"), code(400, "invalid_request")),
        (format!("{good}&unknown=1&unknown=2"), code(400, "invalid_request")),
        (format!("{good}&scope=%f"), code(400, "invalid_request")),
        (good.replace("client_credentials", ""), code(400, "invalid_request")),
        (good.replace("client_credentials", "password"), code(400, "unsupported_grant_type")),
        (good.replace("client_credentials", "CLIENT_CREDENTIALS"), code(400, "unsupported_grant_type")),
        (format!("{good}&scope=read_document+fly"), code(400, "invalid_scope")),
        (format!("{good}&scope=read_document++fly"), code(400, "invalid_scope")),
        (format!("{good}&resource=https://api.test"), code(400, "invalid_target")),
        (format!("{good}&client_assertion=x"), code(401, "invalid_client")),
    ] {
        assert_eq!(refused(&emulator, &raw(&body)), expected, "{body}");
    }
    let wrong_type = Request::new(Method::POST, site.url(routes::TOKEN)).bytes("text/plain", good);
    assert_eq!(refused(&emulator, &wrong_type), code(400, "invalid_request"));
    let url: Uri = format!("{}?scope=x", site.url(routes::TOKEN)).parse().unwrap();
    let in_url = Request::new(Method::POST, url).form(form("agt_bot", "s3cret"));
    assert_eq!(refused(&emulator, &in_url), code(400, "invalid_request"));
    let as_json = json!({"grant_type": "client_credentials", "client_id": "agt_bot", "client_secret": "s3cret",
        "scope": "read_document"});
    let response = emulator
        .handle_in_process(&Request::new(Method::POST, site.url(routes::TOKEN)).json(&as_json))
        .response;
    assert_eq!(body(&response)["scope"], "read_document");
}

#[test]
fn tokens_for_a_registered_resource_only() {
    let agent = bot().resource("https://api.test/v1").resource("https://b.test").scopes(["openid"]);
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(agent)).build().unwrap();
    let ask = |form: Form| emulator.handle_in_process(&token_request(emulator.site(), form)).response;
    let form = form("agt_bot", "s3cret").field("resource", "https://api.test/v1");
    let audience = |response: &lumoauth::embed::wire::Response| {
        jwt_part(body(response)["access_token"].as_str().unwrap(), 1)["aud"].clone()
    };
    assert_eq!(audience(&ask(form.clone())), "https://api.test/v1");
    let both = form.clone().field("resource", "https://b.test").field("scope", "openid");
    let response = ask(both);
    assert_eq!(audience(&response), json!(["https://api.test/v1", "https://b.test"]));
    assert_eq!(body(&response)["scope"], "openid");
    assert_eq!(refusal(&ask(form.field("resource", "https://api.test"))), code(400, "invalid_target"));
}

#[test]
fn only_the_right_method() {
    let emulator = small();
    for (route, wrong, allow) in [
        (routes::TOKEN, Method::GET, "POST"),
        (routes::TOKEN, Method::OPTIONS, "POST"),
        (routes::ASK, Method::PUT, "POST"),
        (routes::ME, Method::POST, "GET, HEAD"),
        (routes::JWKS, Method::DELETE, "GET, HEAD"),
        (routes::USERINFO, Method::PATCH, "GET, HEAD, POST"),
    ] {
        let response = emulator.handle_in_process(&Request::new(wrong, emulator.site().url(route))).response;
        assert_eq!((response.status().as_u16(), response.header(ALLOW)), (405, Some(allow)), "{route:?}");
    }
    let head =
        emulator.handle_in_process(&Request::new(Method::HEAD, emulator.site().url(routes::JWKS))).response;
    assert_eq!((head.status(), head.body()), (OK, &b""[..]));
}

#[test]
fn a_bearer_token_is_presented_in_one_way() {
    let emulator = small();
    let token = token(&emulator);
    let plain = || Request::new(Method::GET, emulator.site().url(routes::ME));
    let with = |value: &str| plain().header(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    let answer = |request: &Request| emulator.handle_in_process(request).response;
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token}")] {
        assert_eq!(answer(&with(&good)).status(), OK, "{}", &good[..10]);
    }
    for none in [plain(), with("Basic eDp5"), with("DPoP x"), with(&token)] {
        let response = answer(&none);
        assert_eq!(response.status(), 401);
        assert_eq!(challenge(&response), "Bearer realm=\"acme\"", "no code without a token");
    }
    for (bad, status, error) in [
        ("Bearer".to_owned(), 400, "invalid_request"),
        (format!("Bearer {token} {token}"), 400, "invalid_request"),
        (format!("Bearer {token},"), 400, "invalid_request"),
        (format!("Bearer {token}x"), 401, "invalid_token"),
        ("Bearer x".to_owned(), 401, "invalid_token"),
    ] {
        let response = answer(&with(&bad));
        assert_eq!(refusal(&response), code(status, error));
        assert!(challenge(&response).contains(&format!("error=\"{error}\"")));
    }
    let url: Uri = format!("{}?access_token={token}", emulator.site().url(routes::ME)).parse().unwrap();
    assert_eq!(answer(&Request::new(Method::GET, url)).status(), 400);
    for name in ["access_token", "access%5Ftoken"] {
        let body = Request::new(Method::POST, emulator.site().url(routes::USERINFO))
            .bytes("application/x-www-form-urlencoded", format!("a=b&{name}={token}"));
        assert_eq!(answer(&body).status(), 400);
    }
}

#[test]
fn tenants_are_walls() {
    let far = AgentSeed::new("agt_far").secret("y").name("bot").capability("fly");
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .tenant(Tenant::new("other").agent(far))
        .build()
        .unwrap();
    let other = Site::new("https://lumoauth.test", lumoauth::Layout::Tenant("other".into())).unwrap();
    let token = token(&emulator);
    let question = json!({"action": "read_document"});
    let response = emulator.handle_in_process(&ask_request(&other, &token, &question)).response;
    assert_eq!(refusal(&response), code(401, "invalid_token"));
    assert_eq!(
        refused(&emulator, &token_request(&other, form("agt_bot", "s3cret"))),
        code(401, "invalid_client")
    );
    assert_eq!(
        refused(&emulator, &token_request(emulator.site(), form("agt_far", "y"))),
        code(401, "invalid_client")
    );
    let nowhere = Site::new("https://lumoauth.test", lumoauth::Layout::Tenant("nowhere".into())).unwrap();
    let response = emulator.handle_in_process(&ask_request(&nowhere, &token, &question)).response;
    assert_eq!(refusal(&response), code(404, "invalid_tenant"));
    let unknown = Request::new(Method::GET, emulator.site().join("agents/fly").unwrap());
    assert_eq!(refusal(&emulator.handle_in_process(&unknown).response), code(404, "resource_not_found"));
    assert_eq!(emulator.count("unknown").unwrap(), 1);
}

#[test]
fn questions_that_are_none() {
    let emulator = small();
    let token = token(&emulator);
    for (question, message) in [
        (json!({}), "Missing required field: action"),
        (json!({"action": ""}), "Missing required field: action"),
        (json!({"action": 1}), "Field action must be a text"),
        (json!({"action": null}), "Field action must be a text"),
        (json!({"action": "x", "context": []}), "Field context must be an object"),
        (json!({"action": "x", "context": null}), "Field context must be an object"),
        (json!([]), "The body must be a JSON object"),
    ] {
        let response = ask(&emulator, &token, &question);
        assert_eq!(refusal(&response), code(400, "invalid_request"), "{question}");
        assert_eq!(body(&response)["message"], message, "{question}");
    }
    for (media, text) in [
        ("application/json", "{"),
        ("application/json", r#"{"action":"a","action":"b"}"#),
        ("application/json", ""),
        ("text/plain", r#"{"action":"x"}"#),
        ("application/json; charset=latin1", r#"{"action":"x"}"#),
    ] {
        let request = Request::new(Method::POST, emulator.site().url(routes::ASK)).bytes(media, text);
        let response = emulator.handle_in_process(&bearer(request, &token)).response;
        assert_eq!(response.status(), 400, "{media} {text}");
    }
    let large = Request::new(Method::POST, emulator.site().url(routes::ASK))
        .bytes("application/json", vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(emulator.handle_in_process(&bearer(large, &token)).response.status(), 413);
    assert!(emulator.audit().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes, on any route, at any time.
    #[test]
    fn nothing_makes_it_panic(
        route in prop::sample::select(vec![
            "oauth/token", "oauth/userinfo", "agents/ask", "agents/me", "agents/register", ".well-known/jwks.json", "x",
        ]),
        prefix in prop::sample::select(vec!["/t/acme/api/v1/", "/orgs/acme/api/v1/", "/api/v1/", "/", "/t/x/api/v1/"]),
        method in prop::sample::select(vec!["GET", "POST", "HEAD", "PUT", "X"]),
        media in prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "x"]),
        name in prop::sample::select(vec!["authorization", "content-type", "user-agent"]),
        value in prop::collection::vec(any::<u8>(), 0..40),
        signed_in in any::<bool>(),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "[a-z_=&%+{}\":,\\[\\]0-9]{0,80}".prop_map(String::into_bytes),
            r#"\{"(action|name|question|context)":("[a-z]{0,5}"|\{\}|null|1)\}"#.prop_map(String::into_bytes),
        ],
        time in any::<u64>(),
    ) {
        let emulator = small();
        let url: Uri = format!("https://lumoauth.test{prefix}{route}").parse().unwrap();
        let mut request = Request::new(Method::from_bytes(method.as_bytes()).unwrap(), url).bytes(media, body);
        if signed_in {
            request = bearer(request, &token(&emulator));
        }
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            request = request.header(HeaderName::from_static(name), value);
        }
        for now in [emulator.now(), Timestamp::from_unix_millis(time)] {
            let reply = emulator.handle(&request, now);
            prop_assert!(reply.response.status().as_u16() >= 200);
            prop_assert_ne!(reply.response.status().as_u16(), 500);
        }
        prop_assert_eq!(emulator.log().len(), if signed_in { 3 } else { 2 });
    }
}

/// A client that has a secret is not offered to do without: the method stands there for public clients only.
#[test]
fn none_is_a_method_only_where_there_is_a_public_client() {
    let methods = |emulator: &Emulator, route: lumoauth::embed::Route| {
        let request = Request::new(Method::GET, emulator.site().url(route));
        let answer = body(&emulator.handle_in_process(&request).response);
        let has = |name: &str| answer[name].as_array().unwrap().contains(&json!("none"));
        (has("token_endpoint_auth_methods_supported"), has("revocation_endpoint_auth_methods_supported"))
    };
    let confidential = small();
    let public = Tenant::new("acme").agent(bot()).agent(AgentSeed::new("agt_public").public());
    let public = Emulator::builder().tenant(public).build().unwrap();
    for route in [routes::AUTHORIZATION_SERVER, routes::OPENID_CONFIGURATION] {
        assert_eq!(methods(&confidential, route), (false, false));
        assert_eq!(methods(&public, route), (true, true));
    }
}

/// An agent's own token for an MCP server of its tenant (RFC 8707), by the server's Resource URI.
#[test]
fn the_own_grant_takes_the_resource_of_an_mcp_server() {
    let server = McpServerSeed::new("files").resource_uri("https://mcp.test/files").scopes(["read_document"]);
    let tenants = [Tenant::new("acme").agent(bot()).mcp_server(server), Tenant::new("other")];
    let [tenant, other] = tenants;
    let other = other.mcp_server(McpServerSeed::new("mail").resource_uri("https://mcp.test/mail"));
    let emulator = Emulator::builder().tenant(tenant).tenant(other).build().unwrap();
    let ask = |resource: &str| {
        let form = form("agt_bot", "s3cret").field("resource", resource);
        emulator.handle_in_process(&token_request(emulator.site(), form)).response
    };
    let response = ask("https://mcp.test/files");
    assert_eq!(response.status(), 200, "{}", response.text());
    let token = body(&response)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(jwt_part(&token, 1)["aud"], "https://mcp.test/files");
    let challenge = emulator.site().join("mcp/files/challenge").unwrap();
    let request = bearer(Request::new(Method::GET, challenge), &token);
    assert_eq!(emulator.handle_in_process(&request).response.status(), 200);
    for wrong in ["https://mcp.test/mail", "https://mcp.test/files#x", "https://mcp.test/files/", "mcp_files"]
    {
        assert_eq!(refusal(&ask(wrong)), code(400, "invalid_target"), "{wrong}");
    }
}
