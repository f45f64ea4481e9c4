//! Permissions just in time with the vendor's Python SDK: it walks on the emulator, and what it asks means what ours does.

use std::collections::BTreeMap;

use lumoauth::jit::{AuthorizationDetails, FileAction, Permission, Wanted};
use lumoauth::{Agent, ApiRequest, Emulator};
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
        "status" => json!({"request_id": "jit_2", "status": "pending"}),
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
