//! Those who ask for permissions, in every documented form: the risk table, the lists of reviewers, and the form by scopes.

use std::time::Duration;

use lumoauth::approvals::Approval;
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{ApprovalForms, Delivery, Emulator, JitForms, Tenant};
use lumoauth::http::Method;
use lumoauth::http::header::{AUTHORIZATION, HeaderValue};
use lumoauth::jit::{AuthorizationDetails, FileAction, Permission, Reviewer, Risk};
use serde_json::{Value, json};

use crate::support::{body, token_request};

fn emulator(forms: JitForms) -> Emulator {
    Emulator::builder().tenant(Tenant::demo()).jit(forms).build().unwrap()
}

/// A request of the agent's, with its own token.
fn ask(emulator: &Emulator, token: &str, method: Method, path: &str, json: Value) -> Response {
    let url = emulator.site().join(&format!("/t/{}/api/v1/{path}", emulator.tenant())).unwrap();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let request = Request::new(method, url).header(AUTHORIZATION, bearer);
    let request = if json.is_null() { request } else { request.json(&json) };
    emulator.handle_in_process(&request).response
}

#[test]
fn a_test_says_how_risky_things_are() {
    let forms =
        JitForms::new().risk("file_access", "delete", Risk::Low).risk("file_access", "read", Risk::Critical);
    let emulator = emulator(forms);
    let agent = emulator.agent().unwrap();
    let task = agent.jit().begin("clean up").unwrap();
    for (action, waits) in [(FileAction::Delete, false), (FileAction::Read, true), (FileAction::Write, false)]
    {
        let permission = task.request(AuthorizationDetails::file_access([action])).unwrap();
        assert_eq!(matches!(permission, Permission::Pending(_)), waits, "{permission:?}");
    }
    task.finish().unwrap();
}

#[test]
fn what_waits_is_listed_in_every_form() {
    for forms in [JitForms::new(), JitForms::new().older(), JitForms::new().bare_list()] {
        let emulator = emulator(forms);
        let agent = emulator.agent().unwrap();
        let task = agent.jit().begin("clean up").unwrap();
        let details = AuthorizationDetails::file_access([FileAction::Delete]);
        let permission = task.request(details).unwrap();
        let token = emulator.user_token(emulator.client_id(), "alice", ["jit:approve"]).unwrap();
        let reviewer = Reviewer::with_transport(emulator.site(), token, emulator.transport()).unwrap();
        let waiting = reviewer.pending().unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].request_id, permission.request_id());
        task.finish().unwrap();
    }
}

#[test]
fn the_form_by_scopes_walks_from_the_task_to_its_token() {
    let emulator = emulator(JitForms::new().scopes());
    let agent = emulator.agent().unwrap();
    let own = agent.access_token().unwrap().secret().expose().to_owned();
    let ask = |method, path: &str, json| ask(&emulator, &own, method, path, json);
    let exchange = |task: &str, scope: &str| {
        let form = Form::new()
            .field("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .field("subject_token", &own)
            .field("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .field("jit_task_id", task)
            .field("scope", scope);
        emulator.handle_in_process(&token_request(emulator.site(), form)).response
    };
    // Reading is approved at once.
    let begun = ask(
        Method::POST,
        "jit/task",
        json!({"task_description": "report", "required_scopes": ["documents.read"], "duration": 600, "resources": []}),
    );
    let begun = body(&begun);
    let task = begun["task_id"].as_str().unwrap();
    assert!(task.starts_with("jit_task_"), "{begun}");
    assert_eq!((&begun["status"], &begun["expires_in"]), (&json!("approved"), &json!(600)));
    assert!(begun["approval_url"].is_string());
    // One scope more waits for a person.
    let more = json!({"task_id": task, "scope": "documents.delete", "justification": "it was replaced"});
    let more = body(&ask(Method::POST, "jit/request", more));
    assert_eq!(more["status"], "pending", "{more}");
    let status = || body(&ask(Method::GET, &format!("jit/status/{task}"), Value::Null));
    assert_eq!(status()["approved_scopes"], json!(["documents.read"]));
    assert_eq!(exchange(task, "documents.delete").status(), 403);
    let token = emulator.user_token(emulator.client_id(), "alice", ["jit:approve"]).unwrap();
    let reviewer = Reviewer::with_transport(emulator.site(), token, emulator.transport()).unwrap();
    reviewer.approve(more["request_id"].as_str().unwrap(), None).unwrap();
    let now = status();
    assert_eq!(now["approved_scopes"], json!(["documents.read", "documents.delete"]));
    assert_eq!(now["approved_by"], "alice");
    assert!(now["approved_at"].is_string(), "{now}");
    let issued = body(&exchange(task, "documents.delete documents.read"));
    assert_eq!(issued["scope"], "documents.delete documents.read", "{issued}");
    // It ends with the task.
    let text = issued["access_token"].as_str().unwrap();
    let asks = json!({"action": "read_document"});
    let uses = || self::ask(&emulator, text, Method::POST, "agents/ask", asks.clone()).status();
    assert_eq!(uses(), 200);
    assert_eq!(ask(Method::POST, &format!("jit/task/{task}/complete"), Value::Null).status(), 200);
    assert_eq!(uses(), 401);
    assert_eq!(exchange(task, "documents.read").status(), 400);
    assert_eq!(status()["status"], "expired");
    // What is not as the page has it is refused; the usual form goes on beside it.
    for wrong in [
        json!({"task_description": "report"}),
        json!({"required_scopes": ["documents.read"]}),
        json!({"task_description": "report", "required_scopes": []}),
        json!({"task_description": "report", "required_scopes": [7]}),
        json!({"task_description": "report", "required_scopes": ["two words"]}),
    ] {
        assert_eq!(ask(Method::POST, "jit/task", wrong.clone()).status(), 400, "{wrong}");
    }
    let task = agent.jit().begin("clean up").unwrap();
    assert!(task.id().starts_with("task_"));
    task.finish().unwrap();
}

#[test]
fn without_being_asked_for_the_form_by_scopes_is_not_there() {
    let emulator = emulator(JitForms::new());
    let own = emulator.agent().unwrap().access_token().unwrap().secret().expose().to_owned();
    let begun = json!({"task_description": "report", "required_scopes": ["documents.read"]});
    let begun = body(&ask(&emulator, &own, Method::POST, "jit/task", begun));
    let task = begun["task_id"].as_str().unwrap();
    assert!(task.starts_with("task_") && begun["approval_url"].is_null(), "{begun}");
    assert_eq!(ask(&emulator, &own, Method::GET, &format!("jit/status/{task}"), Value::Null).status(), 404);
    let more = json!({"task_id": task, "scope": "documents.delete", "justification": "it was replaced"});
    assert_eq!(ask(&emulator, &own, Method::POST, "jit/request", more).status(), 400);
}

#[test]
fn what_becomes_of_questions_is_as_it_was_built_until_a_test_says_otherwise() {
    let forms = ApprovalForms::new().delivery(Delivery::Approved).patience(Duration::from_secs(60));
    let emulator = Emulator::builder().tenant(Tenant::demo()).approvals(forms).build().unwrap();
    let approvals = emulator.agent().unwrap().approvals();
    let ask = || approvals.ask(Approval::new("t", "why").on_behalf_of("alice")).unwrap().is_approved();
    assert!(ask());
    emulator.decide_approvals(Delivery::Denied);
    assert!(!ask());
    emulator.reset();
    assert!(
        emulator
            .agent()
            .unwrap()
            .approvals()
            .ask(Approval::new("t", "why").on_behalf_of("alice"))
            .unwrap()
            .is_approved()
    );
}
