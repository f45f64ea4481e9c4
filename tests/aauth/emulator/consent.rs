//! A person's consent: on the page over HTTP, in process, and automatic.

use std::time::Duration;

use lumoauth::embed::wire::{Form, Request};
use lumoauth::http::Method;
use lumoauth::http::header::LOCATION;
use serde_json::json;

use super::world::*;

#[test]
fn the_page_asks_and_the_code_becomes_a_token() {
    let world = World::new();
    let consent = ok(&world.authorize("agreed", "read write"));
    let request = text(&consent, "request_token");
    let url = text(&consent, "authorization_uri");
    assert_eq!(url, world.url(&format!("aauth/agent/auth?request_token={request}")));
    assert_eq!(
        consent,
        json!({"request_type": "auth", "request_token": request, "authorization_uri": url, "expires_in": 600})
    );
    let url = format!("{url}&state=s-1");
    let portal =
        format!("https://lumoauth.test/orgs/acme/portal/aauth/authorize?request_token={request}&state=s-1");
    assert_eq!(world.page(&url), portal);
    let html = world.get(&portal).text();
    for shown in [AGENT, "alice", "bob", "<li>read</li>", "<li>write</li>", &world.url("aauth-demo/agreed")] {
        assert!(html.contains(shown), "{shown} in {html}");
    }
    let back = world.decide(&url, Some("alice"));
    assert!(back.starts_with("https://agent.example/cb?code=aauth_code_"), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("s-1"));
    assert_eq!(parameter(&back, "iss"), Some(world.issuer.clone()));
    let answer = ok(&world.redeem(&parameter(&back, "code").unwrap()));
    assert_eq!(answer["request_type"], "code");
    let said = claims(&text(&answer, "auth_token"));
    assert_eq!((&said["sub"], &said["scope"]), (&json!("user:alice"), &json!("read write")));

    // It was decided: nobody can open the page again, and another time nobody is asked.
    assert_eq!(world.get(&portal).status(), 400);
    assert_eq!(world.get(&url).status(), 400);
    let again = world.granted("agreed", "read");
    assert_eq!(claims(&text(&again, "auth_token"))["sub"], "user:alice");
    world.emulator.revoke_consent("alice", AGENT);
    assert!(world.granted("agreed", "read")["authorization_uri"].is_string());
}

#[test]
fn a_person_gives_what_it_has_and_may_refuse() {
    let world = World::new();
    let url = || text(&ok(&world.authorize("present", "read write")), "authorization_uri");
    let refused = world.decide(&url(), None);
    assert_eq!(parameter(&refused, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&refused, "iss"), Some(world.issuer.clone()));
    assert_eq!((parameter(&refused, "code"), parameter(&refused, "state")), (None, None));
    for user in ["carol", "nobody"] {
        assert_eq!(parameter(&world.decide(&url(), Some(user)), "error").as_deref(), Some("access_denied"));
    }
    let back = world.decide(&url(), Some("bob"));
    let answer = ok(&world.redeem(&parameter(&back, "code").unwrap()));
    let said = claims(&text(&answer, "auth_token"));
    assert_eq!((&said["sub"], &said["scope"]), (&json!("user:bob"), &json!("read")));
    assert!(answer.get("refresh_token").is_none(), "a person has to be there each time");
    assert!(
        ok(&world.authorize("present", "read"))["authorization_uri"].is_string(),
        "and is asked each time"
    );
}

#[test]
fn a_code_is_good_once_for_its_agent_and_address() {
    let world = World::new();
    let consent = ok(&world.authorize("agreed", "read"));
    let back = world.decide(&text(&consent, "authorization_uri"), Some("alice"));
    let value = parameter(&back, "code").unwrap();
    let redeem = |number: u8, body: serde_json::Value| {
        let mut all = json!({"request_type": "code", "code": value});
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        world.post(number, "aauth/agent/token", &all)
    };
    for body in [
        json!({"redirect_uri": "https://agent.example/cb/"}),
        json!({"redirect_uri": CALLBACK, "request_token": "other"}),
    ] {
        assert_eq!(refusal(&redeem(1, body.clone())), code(400, "invalid_grant"), "{body}");
    }
    assert_eq!(
        refusal(&redeem(2, json!({"redirect_uri": CALLBACK}))),
        code(400, "invalid_grant"),
        "another agent"
    );
    let first = ok(&redeem(1, json!({"redirect_uri": CALLBACK, "request_token": consent["request_token"]})));
    let data = |token: &str| world.send(&world.data("agreed", token, 1, "")).status().as_u16();
    assert_eq!(data(&text(&first, "auth_token")), 200);
    assert_eq!(refusal(&redeem(1, json!({"redirect_uri": CALLBACK}))), code(400, "invalid_grant"), "used");
    assert_eq!(data(&text(&first, "auth_token")), 401, "whoever used it twice has lost the first token too");

    world.emulator.revoke_consent("alice", AGENT);
    let consent = ok(&world.authorize("agreed", "read"));
    let late = parameter(&world.decide(&text(&consent, "authorization_uri"), Some("alice")), "code").unwrap();
    world.emulator.advance(Duration::from_secs(600));
    assert_eq!(refusal(&world.redeem(&late)), code(400, "invalid_grant"), "expired");
}

#[test]
fn sixty_four_threads_with_one_code_get_one_token() {
    let world = World::new();
    let consent = ok(&world.authorize("agreed", "read"));
    let value =
        parameter(&world.decide(&text(&consent, "authorization_uri"), Some("alice")), "code").unwrap();
    let good = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                if world.redeem(&value).status() == 200 {
                    good.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(good.into_inner(), 1);
}

#[test]
fn requests_end_and_pages_are_seen_before_they_are_answered() {
    let world = World::new();
    let url = text(&ok(&world.authorize("agreed", "read")), "authorization_uri");
    let portal = world.page(&url);
    for bad in ["", "?request_token=x", "?request_token=x&request_token=y"] {
        assert_eq!(world.get(&world.url(&format!("aauth/agent/auth{bad}"))).status(), 400, "{bad}");
    }
    let form = Form::new()
        .field("request", "req_1")
        .field("csrf", "x")
        .field("decision", "approve")
        .field("user", "alice");
    let bare = portal.split('?').next().unwrap();
    assert_eq!(world.send(&Request::new(Method::POST, bare.parse().unwrap()).form(form)).status(), 400);
    world.emulator.advance(Duration::from_secs(600));
    assert_eq!(
        (world.get(&url).status(), world.get(&portal).status()),
        (lumoauth::http::StatusCode::BAD_REQUEST, lumoauth::http::StatusCode::BAD_REQUEST)
    );
}

#[test]
fn decided_in_process_or_by_itself() {
    let world = World::new();
    let open = || {
        let url = text(&ok(&world.authorize("present", "read")), "authorization_uri");
        assert_eq!(world.get(&world.page(&url)).status(), 200);
        let pending = world.emulator.pending_consents();
        assert_eq!(
            (pending[0].client_id.as_str(), pending[0].scopes.as_slice()),
            (AGENT, &["read".to_owned()][..])
        );
        pending[0].id.clone()
    };
    let back = world.emulator.approve_consent(&open(), "alice").unwrap();
    assert_eq!(world.redeem(&parameter(back.expose(), "code").unwrap()).status(), 200);
    let url = text(&ok(&world.authorize("present", "read")), "authorization_uri");
    let back = world.emulator.consent_as("alice", &url).unwrap();
    assert_eq!(parameter(back.expose(), "iss"), Some(world.issuer.clone()));
    assert_eq!(world.redeem(&parameter(back.expose(), "code").unwrap()).status(), 200);
    let back = world.emulator.deny_consent(&open()).unwrap();
    assert_eq!(parameter(back.expose(), "error").as_deref(), Some("access_denied"));

    for (builder, expected) in [(builder().auto_consent("alice"), "code"), (builder().auto_deny(), "error")] {
        let world = World::of(builder);
        let url = text(&ok(&world.authorize("agreed", "read")), "authorization_uri");
        let response = world.get(&world.page(&url));
        assert_eq!(response.status(), 302);
        assert!(parameter(response.header(LOCATION).unwrap(), expected).is_some(), "{expected}");
    }
}

#[test]
fn over_http() {
    let emulator = builder().build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let issuer = format!("{}/t/acme/api/v1", served.url());
    let site = lumoauth::Site::new(served.url(), lumoauth::Layout::Tenant("acme".into())).unwrap();
    let server = lumoauth::aauth::AgentServer::new(AGENT, key(1)).unwrap().audience(issuer.clone());
    let delegate = lumoauth::aauth::Delegate::by_thumbprint("main", key(1).thumbprint()).unwrap();
    let client = lumoauth::aauth::Client::builder()
        .base_url(served.url())
        .tenant("acme")
        .key(key(1))
        .redirect_uri(CALLBACK)
        .agent_server(server, delegate)
        .build()
        .unwrap();
    let resource = format!("{issuer}/aauth-demo/agreed");
    let agent =
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().new_agent();
    let body = json!({"agent": AGENT, "agent_jkt": key(1).thumbprint(), "scope": "read"}).to_string();
    let mut answer = agent
        .post(format!("{resource}/token"))
        .header("content-type", "application/json")
        .send(body)
        .unwrap();
    let answer: serde_json::Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    let consent = client.request_authorization(text(&answer, "resource_token")).unwrap().consent().unwrap();
    let url = consent.url(&site).unwrap();
    let portal = agent.get(&url).call().unwrap().headers()["location"].to_str().unwrap().to_owned();
    let html = agent.get(&portal).call().unwrap().body_mut().read_to_string().unwrap();
    let field = |name: &str| {
        let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let form = [
        ("request", field("request")),
        ("csrf", field("csrf")),
        ("user", "alice".into()),
        ("decision", "approve".into()),
    ];
    let answer = agent.post(portal.split('?').next().unwrap()).send_form(form).unwrap();
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    let token = client.handle_callback_url(&consent, &back).unwrap();
    assert_eq!(token.resource(), Some(resource.as_str()));
    let answer = client.signed_request(&token, Method::GET, &format!("{resource}/data?limit=2")).unwrap();
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["sub"], "user:alice");
    served.shutdown();
}
