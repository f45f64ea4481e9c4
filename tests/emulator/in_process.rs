//! The walk of an agent, seeds, clock, faults, logs.

use std::time::Duration;

use lumoauth::embed::operation::{Answer, Context, Operation};
use lumoauth::embed::operations::routes;
use lumoauth::embed::operations::{ClientCredentials, GetIdentity, GetInfo, Register};
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{AgentSeed, BudgetSeed, Cut, Emulator, FaultRule, Tenant};
use lumoauth::http::Method;
use lumoauth::http::header::{CACHE_CONTROL, DATE, RETRY_AFTER};
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Ask, Layout, Site};
use serde_json::json;

use crate::support::*;

#[test]
fn the_walk_of_the_demo_agent() {
    let emulator = Emulator::demo().unwrap();
    let token = token(&emulator);
    let allowed =
        body(&ask(&emulator, &token, &json!({"action": "read_document", "context": {"id": "doc-1"}})));
    assert_eq!(allowed["allowed"], true);
    assert_eq!(allowed["action"], "read_document");
    assert_eq!(allowed["context"]["id"], "doc-1");
    let response = ask(&emulator, &token, &json!({"action": "delete_user"}));
    assert_eq!(response.status(), OK, "a denial is a 200");
    let denied = body(&response);
    assert_eq!((&denied["allowed"], &denied["reason"]), (&json!(false), &json!("insufficient_permissions")));
    let id = denied["audit_id"].as_str().unwrap();
    assert!(id.len() == 20 && id.starts_with("aud_") && id.bytes().skip(4).all(|b| b.is_ascii_hexdigit()));
    let audit = emulator.audit();
    assert_eq!(audit.len(), 2);
    assert_eq!((audit[1].id.as_str(), audit[1].allowed), (id, false));
    assert_eq!(audit[1].client_id, "agt_demo");

    let info = body(&get(&emulator, routes::USERINFO, &token));
    assert_eq!((&info["sub"], &info["id"]), (&json!("agent:research-bot"), &json!("agt_demo")));
    assert_eq!(info["tenant"], "acme-corp");
    assert_eq!(info["budget_policy"]["tokens_used_today"], 1250);
    assert_eq!(info["budget_policy"]["api_calls_this_hour"], 2);
    let me = body(&get(&emulator, routes::ME, &token));
    assert_eq!(me["capabilities"], json!(["ROLE_RESEARCHER"]));
    assert_eq!(me["workspace"]["api_base"], "/t/acme-corp/api/v1/");
    assert_eq!((emulator.count("agents.ask").unwrap(), emulator.count_all()), (2, 5));
}

#[test]
fn the_librarys_own_operations_are_understood() {
    fn run<O: Operation>(emulator: &Emulator, token: Option<&AccessToken>, operation: &O) -> O::Output {
        let mut request = operation.request(&Context::new(emulator.site())).unwrap();
        request = match token {
            Some(token) => request.authorization("Bearer", token.secret()).unwrap(),
            None => basic(request, &format!("{}:{}", emulator.client_id(), emulator.secret().expose())),
        };
        let response = emulator.handle_in_process(&request).response.received_at(emulator.now());
        match operation.response(&response).unwrap() {
            Answer::Done(output) => output,
            Answer::Again(_) => panic!("none of these polls"),
        }
    }
    let emulator = Emulator::demo().unwrap();
    let token = run(&emulator, None, &ClientCredentials::new(["read:documents"]));
    assert_eq!(token.scopes().to_string(), "read:documents");
    assert_eq!(token.remaining(emulator.now()), Duration::from_secs(3600));
    let token = Some(&token);
    assert!(run(&emulator, token, &Ask::new("read_document")).allowed());
    let denied = run(&emulator, token, &Ask::new("delete_user").context(json!({"user_id": "u-456"})));
    assert!(!denied.allowed() && denied.reason() == Some("insufficient_permissions"));
    let info = run(&emulator, token, &GetInfo);
    assert_eq!((info.id.as_str(), info.budget.unwrap().api_calls_this_hour), ("agt_demo", Some(2)));
    assert_eq!(run(&emulator, token, &GetIdentity).status.as_deref(), Some("active"));
    assert_eq!(run(&emulator, token, &Register::new("research-bot")).agent_id, "agt_demo");
}

#[test]
fn the_token_says_what_rfc_9068_wants() {
    let emulator = small();
    let token = token(&emulator);
    let key = emulator.jwks().keys()[0].key_id().to_owned();
    assert_eq!(jwt_part(&token, 0), json!({"typ": "at+jwt", "alg": "ES256", "kid": key}));
    let claims = jwt_part(&token, 1);
    assert_eq!(claims["iss"], "https://lumoauth.test/t/acme/api/v1");
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("agent:bot"), &json!("agt_bot")));
    assert_eq!(
        (&claims["client_id"], &claims["scope"]),
        (&json!("agt_bot"), &json!("read_document read:documents"))
    );
    assert_eq!(claims["exp"].as_u64().unwrap(), emulator.now().unix() + 3600);
    assert_ne!(jwt_part(&crate::support::token(&emulator), 1)["jti"], claims["jti"]);
}

#[test]
fn a_pem_makes_it_rs256() {
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .signing_key_pem(include_str!("../vectors/test_rsa.pem"))
        .build()
        .unwrap();
    assert_eq!(jwt_part(&token(&emulator), 0)["alg"], "RS256");
    let keys = body(
        &emulator.handle_in_process(&Request::new(Method::GET, emulator.site().url(routes::JWKS))).response,
    );
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert!(keys["keys"][0].get("d").is_none());
}

#[test]
fn all_layouts_are_one_tenant() {
    let emulator = small();
    let token = token(&emulator);
    let site = |layout| Site::new("https://lumoauth.test", layout).unwrap();
    for (site, issuer) in [
        (site(Layout::Tenant("acme".into())), "https://lumoauth.test/t/acme/api/v1"),
        (site(Layout::Organization("acme".into())), "https://lumoauth.test/orgs/acme/api/v1"),
        (site(Layout::CustomDomain), "https://lumoauth.test/api/v1"),
    ] {
        let answer =
            emulator.handle_in_process(&ask_request(&site, &token, &json!({"action": "read_document"})));
        assert_eq!(body(&answer.response)["allowed"], true);
        for route in [routes::OPENID_CONFIGURATION, routes::AUTHORIZATION_SERVER] {
            let response = emulator.handle_in_process(&Request::new(Method::GET, site.url(route))).response;
            assert_eq!(response.header(CACHE_CONTROL), Some("public, max-age=3600"));
            let document = body(&response);
            assert_eq!(document["issuer"], issuer);
            assert_eq!(document["token_endpoint"], format!("{issuer}/oauth/token"));
        }
        let made = emulator.handle_in_process(&token_request(&site, form("agt_bot", "s3cret"))).response;
        assert_eq!(jwt_part(body(&made)["access_token"].as_str().unwrap(), 1)["iss"], issuer);
    }
    for alias in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/t/acme/api/v1",
        "/.well-known/jwks.json",
    ] {
        let request = Request::new(Method::GET, emulator.site().join(alias).unwrap());
        assert_eq!(emulator.handle_in_process(&request).response.status(), OK, "{alias}");
    }
}

#[test]
fn a_base_url_with_a_path_keeps_it() {
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .base_url("https://gw.test/auth/")
        .build()
        .unwrap();
    let token = token(&emulator);
    assert_eq!(jwt_part(&token, 1)["iss"], "https://gw.test/auth/t/acme/api/v1");
    let outside =
        Request::new(Method::GET, "https://gw.test/t/acme/api/v1/.well-known/jwks.json".parse().unwrap());
    assert_eq!(emulator.handle_in_process(&outside).response.status(), 404);
}

#[test]
fn tokens_end_with_the_clock_and_when_revoked() {
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .access_token_lifetime(Duration::from_secs(60))
        .build()
        .unwrap();
    let (first, question) = (token(&emulator), json!({"action": "read_document"}));
    emulator.advance(Duration::from_secs(59));
    assert_eq!(ask(&emulator, &first, &question).status(), OK);
    emulator.advance(Duration::from_secs(1));
    let response = ask(&emulator, &first, &question);
    assert_eq!(refusal(&response), (401, "invalid_token".into()));
    assert!(challenge(&response).contains("error=\"invalid_token\""));

    let second = token(&emulator);
    emulator.revoke_tokens("agt_bot").unwrap();
    assert_eq!(ask(&emulator, &second, &question).status(), 401);
    assert_eq!(ask(&emulator, &token(&emulator), &question).status(), OK);
    assert!(emulator.revoke_tokens("agt_nobody").is_err());
}

#[test]
fn capabilities_and_budgets_change_at_run_time() {
    let budget = BudgetSeed::new().max_tokens_per_day(100).max_api_calls_per_hour(3);
    let emulator =
        Emulator::builder().tenant(Tenant::new("acme").agent(bot().budget(budget))).build().unwrap();
    let token = token(&emulator);
    let allowed = |action: &str| body(&ask(&emulator, &token, &json!({"action": action})))["allowed"].clone();
    assert_eq!(allowed("fly"), false);
    emulator.grant_capability("agt_bot", "fly").unwrap();
    assert_eq!(allowed("fly"), true);
    emulator.revoke_capability("agt_bot", "fly").unwrap();
    assert_eq!(allowed("fly"), false);
    let response = ask(&emulator, &token, &json!({"action": "read_document"}));
    assert_eq!(refusal(&response), (429, "budget_exceeded".into()));
    assert_eq!(emulator.audit().len(), 4, "every question is on record");
    emulator.advance(Duration::from_secs(3599));
    let token = crate::support::token(&emulator);
    assert_eq!(ask(&emulator, &token, &json!({"action": "read_document"})).status(), 429);
    emulator.advance(Duration::from_secs(1));
    assert_eq!(ask(&emulator, &token, &json!({"action": "read_document"})).status(), OK);
    emulator.set_budget_usage("agt_bot", 100).unwrap();
    assert_eq!(ask(&emulator, &token, &json!({"action": "read_document"})).status(), 429);
}

#[test]
fn the_other_form_of_the_question() {
    let emulator = small();
    let token = token(&emulator);
    let answer =
        body(&ask(&emulator, &token, &json!({"question": "May I?", "context": {"action": "read_document"}})));
    assert_eq!((&answer["allowed"], &answer["confidence"]), (&json!(true), &json!(1.0)));
    assert!(answer["explanation"].is_string() && answer.get("audit_id").is_none());
    let answer = body(&ask(&emulator, &token, &json!({"question": "May I fly?"})));
    assert_eq!(answer["allowed"], false);
    assert_eq!(emulator.audit().len(), 2);
}

#[test]
fn what_the_caller_claims_about_the_request_is_set_aside() {
    let emulator = small();
    let token = token(&emulator);
    let context = json!({"ip": "8.8.8.8", "requestPath": "/x", "pep": {"a": 1}, "b": 2});
    let answer = body(&ask(&emulator, &token, &json!({"action": "x", "context": context})));
    let context = &answer["context"];
    assert_eq!(context["pep"], json!({"a": 1, "ip": "8.8.8.8", "requestPath": "/x"}));
    assert_eq!((&context["ip"], &context["b"]), (&json!("127.0.0.1"), &json!(2)));
    assert_eq!(context["requestPath"], "/t/acme/api/v1/agents/ask");
    assert_eq!(context["requestMethod"], "POST");
}

#[test]
fn registration_changes_the_agent_and_gives_nothing_away() {
    let registrar = AgentSeed::new("agt_admin").secret("x").name("admin").capability("agents:register");
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()).agent(registrar))
        .tenant(Tenant::new("other").agent(AgentSeed::new("agt_far").name("far")))
        .build()
        .unwrap();
    let own = token(&emulator);
    let register = |token: &str, json: serde_json::Value| {
        let request = Request::new(Method::POST, emulator.site().url(routes::REGISTER)).json(&json);
        emulator.handle_in_process(&bearer(request, token)).response
    };
    let made = body(&register(&own, json!({"client_id": "agt_bot", "name": "bot-2", "description": "d"})));
    assert_eq!(
        (&made["success"], &made["agent_id"], &made["name"]),
        (&json!(true), &json!("agt_bot"), &json!("bot-2"))
    );
    assert_eq!(body(&get(&emulator, routes::USERINFO, &own))["sub"], "agent:bot-2");
    let gain = json!({"client_id": "agt_bot", "name": "bot", "capabilities": ["agents:register"]});
    assert_eq!(refusal(&register(&own, gain)), (403, "capability_denied".into()));
    let response = register(&own, json!({"name": "somebody-else"}));
    assert_eq!(response.status(), 403);
    assert_eq!(body(&response)["details"]["required_scopes"], json!(["agents:register"]));
    assert_eq!(register(&own, json!({"name": 7})).status(), 400);

    let admin = emulator.handle_in_process(&token_request(emulator.site(), form("agt_admin", "x"))).response;
    let admin = body(&admin)["access_token"].as_str().unwrap().to_owned();
    let new = body(&register(&admin, json!({"name": "new", "capabilities": ["fly"]})));
    let id = new["agent_id"].as_str().unwrap();
    assert!(id.starts_with("agt_") && id.len() == 20);
    let again = body(&register(&admin, json!({"name": "new"})));
    assert_eq!(again["agent_id"], id, "the same name is the same agent");
    assert_eq!(register(&admin, json!({"client_id": "agt_far", "name": "x"})).status(), 409);
    assert_eq!(register(&admin, json!({"client_id": "agt_y", "name": "admin"})).status(), 409);
}

#[test]
fn the_rate_limit_counts_and_says_so() {
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(bot()))
        .rate_limit_per_minute(2)
        .token_rate_limit_per_minute(1)
        .build()
        .unwrap();
    let token = token(&emulator);
    let request = token_request(emulator.site(), form("agt_bot", "s3cret"));
    assert_eq!(refusal(&emulator.handle_in_process(&request).response), (429, "too_many_requests".into()));
    let header = |response: &lumoauth::embed::wire::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let response = ask(&emulator, &token, &json!({"action": "x"}));
    assert_eq!(header(&response, "x-ratelimit-remaining").as_deref(), Some("1"));
    assert_eq!(header(&response, "retry-after"), None);
    ask(&emulator, &token, &json!({"action": "x"}));
    emulator.advance(Duration::from_secs(20));
    let response = ask(&emulator, &token, &json!({"action": "x"}));
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "retry-after").as_deref(), Some("40"));
    assert_eq!(header(&response, "x-ratelimit-limit").as_deref(), Some("2"));
    let reset = emulator.now().unix() + 40;
    assert_eq!(header(&response, "x-ratelimit-reset"), Some(reset.to_string()));
    emulator.advance(Duration::from_secs(40));
    assert_eq!(ask(&emulator, &token, &json!({"action": "x"})).status(), OK);
}

#[test]
fn faults_come_when_they_are_due() {
    let emulator = small();
    let token = token(&emulator);
    let question = json!({"action": "read_document"});
    emulator.fault(FaultRule::on("agents.ask").nth(2).times(2).status(503).retry_after("3")).unwrap();
    let statuses: Vec<_> = (0..4).map(|_| ask(&emulator, &token, &question).status().as_u16()).collect();
    assert_eq!(statuses, [200, 503, 503, 200]);
    assert_eq!(emulator.audit().len(), 2, "no work is done behind a status");

    emulator
        .fault(FaultRule::on("agents.ask").body("text/html", "<h1>Sign in</h1>").header("x-from", "a proxy"))
        .unwrap();
    let response = ask(&emulator, &token, &question);
    assert_eq!((response.status().as_u16(), response.text().as_str()), (200, "<h1>Sign in</h1>"));
    assert_eq!(response.headers()["content-type"], "text/html");
    assert_eq!(response.headers()["x-from"], "a proxy");

    let ordered = |rule: FaultRule| {
        emulator.fault(rule).unwrap();
        emulator.handle_in_process(&ask_request(emulator.site(), &token, &question)).fault.unwrap()
    };
    let before = emulator.audit().len();
    assert_eq!(ordered(FaultRule::on("agents.ask").reset()).cut, Some(Cut::Reset));
    assert_eq!(emulator.audit().len(), before + 1, "the work is done, the answer is lost");
    let fault = ordered(FaultRule::any().delay(Duration::from_secs(2)).truncate(5));
    assert_eq!((fault.delay, fault.cut), (Duration::from_secs(2), Some(Cut::Truncate(5))));
    let counted = emulator.count_all();
    assert_eq!(ordered(FaultRule::any().drop_before()).cut, Some(Cut::NotSent));
    assert_eq!((emulator.audit().len(), emulator.count_all()), (before + 2, counted));

    emulator.fault(FaultRule::any().always().status(500)).unwrap();
    emulator.clear_faults();
    assert_eq!(ask(&emulator, &token, &question).status(), OK);
    assert!(emulator.fault(FaultRule::on("agents.asks").status(500)).is_err());
}

#[test]
fn a_retry_after_may_be_a_date_by_the_emulators_clock() {
    let emulator = small();
    emulator.set_time(Timestamp::from_unix(784_111_777));
    emulator.fault(FaultRule::any().status(429).retry_after("Sun, 06 Nov 1994 08:49:40 GMT")).unwrap();
    let response =
        emulator.handle_in_process(&token_request(emulator.site(), form("agt_bot", "s3cret"))).response;
    assert_eq!(response.header(DATE), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(response.header(RETRY_AFTER), Some("Sun, 06 Nov 1994 08:49:40 GMT"));
}

#[test]
fn reset_goes_back_to_the_seed() {
    let emulator = small();
    let old = token(&emulator);
    emulator.grant_capability("agt_bot", "fly").unwrap();
    ask(&emulator, &old, &json!({"action": "fly"}));
    emulator.fault(FaultRule::any().always().status(500)).unwrap();
    let before = emulator.now();
    emulator.reset();
    assert_eq!((emulator.count_all(), emulator.log().len(), emulator.audit().len()), (0, 0, 0));
    assert_eq!(ask(&emulator, &old, &json!({"action": "fly"})).status(), 401);
    assert_eq!(body(&ask(&emulator, &token(&emulator), &json!({"action": "fly"})))["allowed"], false);
    assert_eq!(emulator.now(), before);
}

#[test]
fn the_log_has_no_secret_in_it() {
    let emulator = small();
    let token = token(&emulator);
    ask(&emulator, &token, &json!({"action": "read_document"}));
    emulator.handle_in_process(&token_request(emulator.site(), form("s3cret", "s3cret")));
    let log = emulator.log();
    assert_eq!(log[0].route, "oauth.token");
    assert_eq!(log[0].path, "/t/acme/api/v1/oauth/token");
    assert_eq!((log[0].status, log[0].client_id.as_deref()), (200, Some("agt_bot")));
    assert_eq!(log[1].client_id.as_deref(), Some("agt_bot"));
    assert_eq!((log[2].status, &log[2].client_id), (401, &None), "an unknown id is not written down");
    let shown = format!("{log:?} {:?} {emulator:?}", emulator.audit());
    assert!(!shown.contains("s3cret") && !shown.contains(&token), "{shown}");
}
