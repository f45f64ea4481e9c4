//! The vendor's Python SDK: the same headers, its requests verified, and its agent on the emulator.

use std::time::Duration;

use lumoauth::aauth::{
    AgentKey, AgentServer, Delegate, IncomingMessage, MemoryReplayStore, Message, MessageFault, Nonce,
    RequestError, RequestVerifier, VerifierConfig,
};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::emulator::{Emulator, Tenant};
use lumoauth::http::{HeaderMap, HeaderName, HeaderValue, Method};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use serde_json::{Value, json};

use super::child::Python;
use super::hostile::{Recorded, Reply, Server};

const CREATED: u64 = 1_750_000_000;
const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw";

/// Ours, in the peer's form.
fn ours(key: &AgentKey, request: &Value) -> Value {
    let text = |name: &str| request[name].as_str();
    let mut message = Message::new(text("method").unwrap().parse().unwrap(), text("url").unwrap()).unwrap();
    if let Some(body) = text("body") {
        message = message.body(body.as_bytes());
    }
    if let Some(value) = text("content_type") {
        message = message.content_type(value).unwrap();
    }
    if let Some(value) = text("authorization") {
        message = message.authorization(value).unwrap();
    }
    if let Some(value) = text("signature_key") {
        message = message.signature_key(value).unwrap();
    }
    if let Some(value) = text("agent_token") {
        message = message.agent_token(value).unwrap();
    }
    let headers = message.sign(key, Timestamp::from_unix(CREATED), &Nonce::parse(NONCE).unwrap()).unwrap();
    let mut out = HeaderMap::new();
    headers.apply_to(&mut out).unwrap();
    let fields = out.iter().map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())));
    Value::Object(fields.collect())
}

fn lower(headers: &Value) -> Value {
    let fields = headers.as_object().unwrap().iter();
    Value::Object(fields.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect())
}

#[test]
fn the_same_headers_byte_for_byte() {
    let Some(mut python) = Python::start("headers and Python") else { return };
    let (mut equal, mut unequal) = (0, 0);
    for seed in 0..8 {
        let key = AgentKey::from_seed(&[seed; 32]).unwrap();
        let pem = key.to_pkcs8_pem().unwrap();
        for url in [
            "https://auth.acme.test/orgs/acme-corp/api/v1/aauth/agent/token",
            "https://api.example.com/v1/data",
            "https://api.example.com/",
            "https://api.example.com/a%20b/%e4%bd%a0",
            "https://api.example.com:8443/x",
        ] {
            for (method, body) in
                [("GET", None), ("POST", Some("{\"a\": 1}")), ("PUT", Some("{\"k\":\"é\"}"))]
            {
                for extra in [
                    json!({}),
                    json!({"authorization": "Bearer AUTH_TOKEN"}),
                    json!({"agent_token": "aaa.bbb.ccc"}),
                    json!({"authorization": "Bearer T", "signature_key": "https://agent.example/#key-1"}),
                    json!({"content_type": "application/json; charset=utf-8"}),
                ] {
                    let mut request = json!({"method": method, "url": url});
                    if let Some(body) = body {
                        request["body"] = body.into();
                    }
                    for (name, value) in extra.as_object().unwrap() {
                        request[name] = value.clone();
                    }
                    let mut asked = request.clone();
                    asked["do"] = "sign".into();
                    asked["pem"] = pem.expose().into();
                    (asked["created"], asked["nonce"]) = (CREATED.into(), NONCE.into());
                    let theirs = python.ask(&asked);
                    let theirs = lower(theirs.get("headers").unwrap_or_else(|| panic!("{theirs}")));
                    let mut ours = ours(&key, &request);
                    // It leaves these two to its caller.
                    for name in ["authorization", "signature-key"] {
                        if theirs.get(name).is_none() {
                            ours.as_object_mut().unwrap().remove(name);
                        }
                    }
                    assert_eq!(ours, theirs, "{request}");
                    equal += 1;
                }
            }
        }
        // The peer never covers a query; ours must.
        let request = json!({"method": "GET", "url": "https://api.example.com/v1/data?limit=2"});
        let mut asked = request.clone();
        asked["do"] = "sign".into();
        asked["pem"] = pem.expose().into();
        (asked["created"], asked["nonce"]) = (CREATED.into(), NONCE.into());
        let theirs = lower(&python.ask(&asked)["headers"]);
        assert_ne!(ours(&key, &request)["signature"], theirs["signature"]);
        assert!(!theirs["signature-input"].as_str().unwrap().contains("@query"));
        unequal += 1;
    }
    println!(
        "Python 1.1.0: {equal} signed messages equal byte for byte; {unequal} with a query differ, as they must"
    );
}

/// What a server received, verified as a resource at this address would.
fn verify(recorded: &Recorded, base: &str, issuer: &KeyPair, now: u64) -> Result<String, RequestError> {
    let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
    let trusted =
        TrustedIssuer::new("https://auth.acme.test").keys(IssuerKeys::parse(set.as_bytes()).unwrap());
    let verifier = RequestVerifier::new(VerifierConfig::new(base, trusted)).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let method: Method = recorded.method.parse().unwrap();
    let message = IncomingMessage {
        method: &method,
        path_and_query: &recorded.target,
        headers: &headers,
        body: &recorded.body,
    };
    let now = Now::new(Timestamp::from_unix(now), Duration::from_secs(9), [0; 32]);
    match verifier.check(message).step(&now, None).unwrap() {
        Step::Done(proven) => {
            let request = proven?.reserve(&MemoryReplayStore::new(), &now)?;
            Ok(request.token().agent().unwrap_or_default().to_owned())
        }
        other => panic!("the keys are given: {other:?}"),
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // the peer has the real time
fn its_live_requests_are_verified() {
    let Some(mut python) = Python::start("live requests and Python") else { return };
    let server = Server::start(|_| Reply::json(200, "{}"));
    let key = AgentKey::generate().unwrap();
    let issuer = KeyPair::generate_p256().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "https://auth.acme.test", "aud": server.url(), "exp": now + 3600, "iat": now,
        "agent": "https://agent.example/", "cnf": {"jwk": key.public_jwk()},
    });
    let token = sign_compact(&issuer, "auth+jwt", &claims).unwrap();
    let mut send = |method: &str, path: &str, data: Value| {
        let answer = python.ask(&json!({
            "do": "send", "pem": key.to_pkcs8_pem().unwrap().expose(), "method": method,
            "url": format!("{}{path}", server.url()), "auth_token": token, "data": data,
        }));
        assert_eq!(answer["status"], 200, "{answer}");
        server.requests().pop().unwrap()
    };
    let mut taken = 0;
    for (method, path, data) in [
        ("GET", "/v1/data", Value::Null),
        ("POST", "/v1/data", json!({"a": 1, "b": "é"})),
        ("DELETE", "/v1/data/7", Value::Null),
    ] {
        let recorded = send(method, path, data);
        assert_eq!(verify(&recorded, server.url(), &issuer, now).unwrap(), "https://agent.example/");
        taken += 1;
    }
    // With a query its signature leaves the query open to changes: refused.
    let recorded = send("GET", "/v1/data?limit=2", Value::Null);
    let error = verify(&recorded, server.url(), &issuer, now).unwrap_err();
    assert!(matches!(error, RequestError::Message(MessageFault::Coverage { query: true })), "{error}");
    println!("Python 1.1.0: {taken} live requests verified, 1 with an uncovered query refused");
}

#[test]
fn its_agent_works_on_the_emulator() {
    let Some(mut python) = Python::start("the emulator and Python") else { return };
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let answer = python.ask(&json!({
        "do": "agent", "base_url": served.url(), "org_id": emulator.tenant(), "client_id": emulator.client_id(),
        "client_secret": emulator.secret().expose(), "allowed": "read_document", "denied": "delete_user",
        "server": "urn:mcp:my-mcp-server",
    }));
    // It wants a server to be named by a URL.
    let by_url = python.ask(&json!({
        "do": "agent", "base_url": served.url(), "org_id": emulator.tenant(), "client_id": emulator.client_id(),
        "client_secret": emulator.secret().expose(), "allowed": "read_document", "denied": "delete_user",
        "server": "https://mcp.acme.test/my-mcp-server",
    }));
    assert_eq!(by_url, json!({"allowed": true, "denied": false, "mcp": true}), "{answer}");
    println!("Python 1.1.0: its agent authenticates, asks and gets an MCP token from the emulator");
}

#[test]
fn its_quickstart_runs_line_by_line_on_the_demo() {
    let Some(mut python) = Python::start("the quickstart and Python") else { return };
    // Its chain asks for consent without PKCE.
    let builder = Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").pkce_optional(true);
    let emulator = builder.build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let said = python.ask(&json!({
        "do": "quickstart", "base_url": served.url(), "org_id": emulator.tenant(), "client_id": emulator.client_id(),
        "client_secret": emulator.secret().expose(),
    }));
    assert_eq!(
        said,
        json!({
            "authenticated": true, "scopes": ["read:users", "write:documents"],
            "denied": [false, "insufficient_permissions", true], "may_read": true, "name": "research-bot",
            "can_search": true, "budget": [true, false], "consent": true, "actors": ["agent:research-bot"],
            "documents": 200, "revoked": true, "mcp": true,
        })
    );
    assert_eq!(emulator.count("unknown"), Ok(0));
    println!("Python 1.1.0: the quickstart line by line, in the organization layout");
}

#[test]
fn its_aauth_client_walks_on_the_emulator() {
    let Some(mut python) = Python::start("AAuth on the emulator and Python") else { return };
    let emulator = Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let key = emulator.aauth_key("aag_demo").unwrap();
    let (agent, callback) = ("https://agent.acme.test", "https://agent.acme.test/callback");
    let mut step = |name: &str, arguments: Value, named: Value| {
        let answer = python.ask(&json!({
            "do": "step", "name": name, "arguments": arguments, "named": named, "agent": agent,
            "pem": key.to_pkcs8_pem().unwrap().expose(), "base_url": served.url(), "org_id": emulator.tenant(),
        }));
        assert!(answer.get("error").is_none(), "{name}: {answer}");
        answer["answer"].clone()
    };
    // The issuer that it finds is the one that the agent's token is for.
    let issuer = step("discover_issuer", json!([]), json!({}))["issuer"].as_str().unwrap().to_owned();
    let resource = format!("{}/orgs/{}/api/v1/aauth-demo/reports", served.url(), emulator.tenant());
    assert_eq!(step("discover_resource", json!([resource]), json!({}))["resource"], json!(resource));
    let server = AgentServer::new(agent, key.clone()).unwrap().audience(issuer);
    let delegate = Delegate::by_thumbprint("main", key.thumbprint()).unwrap();
    let now = Now::new(emulator.now(), Duration::ZERO, [7; 32]);
    let own = server.mint(&delegate, &now).unwrap().secret().expose().to_owned();
    let web = ureq::Agent::config_builder().max_redirects(0).build().new_agent();
    let resource_token = || -> Value {
        let body = json!({"agent": agent, "agent_jkt": key.thumbprint(), "scope": "read:documents"});
        let request = web.post(format!("{resource}/token")).header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        serde_json::from_str::<Value>(&answer.body_mut().read_to_string().unwrap()).unwrap()["resource_token"]
            .clone()
    };
    let named = json!({"agent_token": own, "redirect_uri": callback});
    let consent = step("request_authorization", json!([resource_token(), "read:documents"]), named);
    let mut to = consent["authorization_uri"].as_str().unwrap().to_owned();
    while !to.starts_with(callback) {
        to = web.get(&to).call().unwrap().headers()["location"].to_str().unwrap().to_owned();
    }
    let code = to.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let token = step("exchange_code", json!([code, callback]), json!({"agent_token": own}));
    let renewal = json!([token["refresh_token"], resource_token()]);
    let renewed = step("refresh", renewal, json!({"agent_token": own}));
    let mut send = |token: &Value, path: &str| {
        let answer = python.ask(&json!({
            "do": "send", "pem": key.to_pkcs8_pem().unwrap().expose(), "agent": agent, "method": "GET",
            "url": format!("{resource}/data{path}"), "auth_token": token["auth_token"],
        }));
        answer["status"].clone()
    };
    assert_eq!(
        (send(&token, ""), send(&renewed, ""), send(&renewed, "?a=1")),
        (json!(200), json!(200), json!(401))
    );
    println!(
        "Python 1.1.0: consent, code, renewal and 2 signed calls on the emulator; an uncovered query refused"
    );
}
