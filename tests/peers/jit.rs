//! Permissions just in time with the vendor's Python SDK: it walks on the emulator, and what it asks means what ours does.

use std::collections::BTreeMap;
use std::time::Duration;

use lumoauth::embed::operations::GetPermission;
use lumoauth::jit::{AuthorizationDetails, FileAction, Permission, Reviewer, Wanted};
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Agent, ApiRequest, Emulator, Layout, Scopes, Site, TokenType};
use serde_json::{Value, json};

use super::child::Python;
use super::hostile::{Recorded, Reply, Server};

#[test]
fn its_jit_context_walks_on_the_emulator() {
    let Some(mut python) = Python::start("JIT on the emulator and Python") else { return };
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let answer = python.ask(&json!({
        "do": "jit", "base_url": served.url(), "org_id": emulator.tenant(), "client_id": emulator.client_id(),
        "client_secret": emulator.secret().expose(), "escalate": true,
        "file": format!("/orgs/{}/api/v1/jit-demo/q3.pdf", emulator.tenant()),
    }));
    assert_eq!(
        (&answer["status"], &answer["waiting"], &answer["called"], &answer["escalated"], &answer["done"]),
        (&json!("approved"), &json!("pending"), &json!(200), &json!(200), &json!(true)),
        "{answer}"
    );
    println!(
        "Python 1.1.0: task, two requests, token, call, escalation, evaluation and completion on the emulator"
    );
}

/// The least that each route is answered; the second request waits.
fn answer(request: &Recorded) -> Reply {
    let path = request.path();
    let body = match path.rsplit('/').next().unwrap_or_default() {
        _ if path.ends_with("/oauth/token") => {
            json!({"access_token": "own", "token_type": "Bearer", "expires_in": 3600})
        }
        "task" => json!({"task_id": "task_1", "caep_session_id": "caep_1"}),
        "request" => {
            let waits = request.text().contains("delete");
            let (id, status) = if waits { ("jit_2", "pending") } else { ("jit_1", "approved") };
            json!({
                "request_id": id, "status": status, "risk_level": "low", "task_id": "task_1",
                "status_url": format!("{path}/{id}/status"), "token_url": format!("{path}/{id}/token"),
            })
        }
        "status" => {
            json!({"request_id": path.rsplit('/').nth(1), "status": "pending", "risk_level": "high", "task_id": "task_1"})
        }
        "pending" => json!({"pending_requests": [], "count": 0, "data": []}),
        _ if path.contains("/jit/approve/") => {
            json!({"request_id": "jit_2", "status": "approved", "granted_ttl": 600})
        }
        _ if path.contains("/jit/deny/") => json!({"request_id": "jit_3", "status": "denied"}),
        "token" => json!({"access_token": "jit", "token_type": "Bearer", "expires_in": 300}),
        "complete" => json!({"task_id": "task_1", "status": "completed"}),
        _ => json!({}),
    };
    Reply::json(200, body.to_string())
}

/// What each route of JIT was asked: who asks, and the body. Paths are behind the API's base.
fn asked(server: &Server) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut all: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for request in server.requests() {
        let path = request.path();
        let Some((_, route)) = path.split_once("/api/v1/").filter(|(_, route)| route.starts_with("jit/"))
        else {
            continue;
        };
        assert!(request.query().is_empty(), "{:?}", request.query());
        let body = serde_json::from_str(&request.text()).unwrap_or_default();
        let bearer = request.header("authorization").unwrap_or_default().to_owned();
        all.entry(route.to_owned()).or_default().push((bearer, body));
    }
    all
}

/// What is not the same, and why. Beside bodies: ours names tasks and requests in `Idempotency-Key`, and paths are the tenant's.
const DIFFERENCES: &[(&str, &str)] = &[(
    "jit/request requested_ttl",
    "the SDK always says 300; ours says nothing unless the caller does (P-ttl)",
)];

#[test]
fn its_requests_and_ours_mean_the_same() {
    let Some(mut python) = Python::start("JIT requests and Python") else { return };
    let (theirs, ours) = (Server::start(answer), Server::start(answer));
    let walked = python.ask(&json!({
        "do": "jit", "base_url": theirs.url(), "org_id": "acme", "client_id": "agt_1", "client_secret": "s",
        "escalate": false, "file": "/orgs/acme/api/v1/jit-demo/q3.pdf",
    }));
    assert_eq!(walked["done"], json!(true), "{walked}");

    let agent =
        Agent::builder().base_url(ours.url()).organization("acme").client_id("agt_1").client_secret("s");
    let agent = agent.build().unwrap();
    let jit = agent.jit();
    let task = jit.begin(lumoauth::jit::BeginTask::new("clean up").kind("analysis")).unwrap();
    let file = |action| AuthorizationDetails::file_access([action]).identifier("q3.pdf");
    let read = Wanted::new(file(FileAction::Read)).justification("to read it");
    let approved = task.request(read).unwrap().require().unwrap();
    let waiting = task.request(file(FileAction::Delete)).unwrap();
    assert!(matches!(waiting, Permission::Pending(_)));
    task.call(&approved, ApiRequest::get("jit-demo/q3.pdf")).unwrap();
    task.fail("no such file").unwrap();

    let (mut theirs, ours) = (asked(&theirs), asked(&ours));
    // Whether a status is asked for at all in no time is each one's own matter.
    theirs.retain(|route, _| !route.ends_with("/status"));
    let mut differences = Vec::new();
    for (route, all) in &mut theirs {
        for (_, body) in all {
            if route == "jit/request" && body["requested_ttl"] == json!(300) {
                body.as_object_mut().unwrap().remove("requested_ttl");
                differences.push("jit/request requested_ttl");
            }
        }
    }
    differences.dedup();
    assert_eq!(differences, DIFFERENCES.iter().map(|(what, _)| *what).collect::<Vec<_>>());
    assert_eq!(theirs, ours);
    println!(
        "Python 1.1.0: {} routes of JIT are asked alike; {} difference listed",
        ours.len(),
        differences.len()
    );
}

/// What of the reviewers' routes is not the same, and why.
const REVIEWERS: &[(&str, &str)] = &[(
    "absent members",
    "the generated client says null for notes, lifetimes and messages that there are none of; ours leaves them out",
)];

#[test]
fn statuses_and_reviewers_are_asked_alike() {
    let Some(mut python) = Python::start("reviewers and Python") else { return };
    let (theirs, ours) = (Server::start(answer), Server::start(answer));
    let walked = python.ask(&json!({
        "do": "reviewer", "base_url": theirs.url(), "org_id": "acme", "token": "a-users-token",
        "status": "jit_2", "approve": "jit_2", "deny": "jit_3",
    }));
    assert_eq!(
        (&walked["status"], &walked["approved"], &walked["denied"]),
        (&json!("pending"), &json!("approved"), &json!("denied")),
        "{walked}"
    );

    let site = Site::new(ours.url(), Layout::Organization("acme".into())).unwrap();
    let reviewer = Reviewer::new(&site, "a-users-token").unwrap();
    let token = AccessToken::new(
        "a-users-token".into(),
        TokenType::Bearer,
        Scopes::none(),
        Timestamp::from_unix(0),
        Duration::from_secs(3600),
    );
    let agent =
        Agent::builder().base_url(ours.url()).organization("acme").client_id("agt_1").client_secret("s");
    let agent = agent.build().unwrap();
    let status = agent.run(GetPermission::new("jit_2").token(token)).unwrap();
    assert!(matches!(status, Permission::Pending(_)));
    assert!(reviewer.pending().unwrap().is_empty());
    reviewer.approve("jit_2", Some("only today")).unwrap();
    reviewer.deny("jit_3", "too much").unwrap();

    let (mut theirs, ours) = (asked(&theirs), asked(&ours));
    let mut nulls = 0;
    for (_, body) in theirs.values_mut().flatten() {
        if let Value::Object(members) = body {
            let before = members.len();
            members.retain(|_, value| !value.is_null());
            nulls += before - members.len();
        }
    }
    assert_eq!(theirs, ours);
    println!(
        "Python 1.1.0: a status and {} routes of reviewers are asked alike; {nulls} members that say nothing ({} difference listed)",
        ours.len() - 1,
        REVIEWERS.len()
    );
}

#[test]
fn its_reviewers_decide_on_the_emulator() {
    let Some(mut python) = Python::start("reviewers on the emulator and Python") else { return };
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let agent = emulator.agent().unwrap();
    let task = agent.jit().begin("clean up").unwrap();
    let file = |name: &str| AuthorizationDetails::file_access([FileAction::Delete]).identifier(name);
    let [approve, deny] =
        ["a.pdf", "b.pdf"].map(|name| task.request(file(name)).unwrap().request_id().to_owned());
    let token = emulator.user_token(emulator.client_id(), "alice", ["jit:approve"]).unwrap();
    let walked = python.ask(&json!({
        "do": "reviewer", "base_url": served.url(), "org_id": emulator.tenant(), "token": token.expose(),
        "approve": &approve, "deny": &deny,
    }));
    assert_eq!(walked["pending"], json!([&approve, &deny]), "{walked}");
    assert_eq!((&walked["approved"], &walked["denied"]), (&json!("approved"), &json!("denied")), "{walked}");
    let Permission::Approved(approved) =
        task.wait(&approve, &file("a.pdf"), Duration::from_secs(10)).unwrap()
    else {
        panic!("approved")
    };
    assert_eq!(approved.message(), Some("only today"));
    let Permission::Denied(denied) = task.wait(&deny, &file("b.pdf"), Duration::from_secs(10)).unwrap()
    else {
        panic!("denied")
    };
    assert_eq!(denied.reason(), Some("too much"));
    task.finish().unwrap();
    println!("Python 1.1.0: its reviewers list, approve and deny on the emulator");
}
