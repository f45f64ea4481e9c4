//! Flows as an agent walks them, written once for both clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule, JitChallenge, JitForms, Tenant};
use lumoauth::error::PermissionError;
use lumoauth::jit::{Allowed, AuthorizationDetails, Escalation, FileAction, PaymentAction, Permission, Risk};
use lumoauth::{ApiRequest, Ask, Delegation, Error, ToolCall};
use serde_json::json;

use super::{Reviewer, agent, hooked};

const MINUTE: Duration = Duration::from_secs(60);

fn with(forms: JitForms) -> Emulator {
    Emulator::builder().tenant(Tenant::demo()).jit(forms).build().unwrap()
}

fn read() -> AuthorizationDetails {
    AuthorizationDetails::file_access([FileAction::Read]).identifier("q3.pdf")
}

fn delete() -> AuthorizationDetails {
    AuthorizationDetails::file_access([FileAction::Delete]).identifier("q3.pdf")
}

/// When each request to a route came, in seconds since the first of them.
fn times(emulator: &Emulator, route: &str) -> Vec<u64> {
    let log = emulator.log();
    let all: Vec<u64> =
        log.iter().filter(|entry| entry.route == route).map(|entry| entry.time.unix()).collect();
    all.iter().map(|at| at - all[0]).collect()
}

fn expired(result: Result<lumoauth::Response, Error>, id: &str) {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::Permission(PermissionError::Expired { request_id }) if request_id == id),
        "{error:?}"
    );
}

flow!(a_low_risk_is_approved_at_once_and_its_token_is_taken_once {
    for forms in [JitForms::new(), JitForms::new().older(), JitForms::new().tokens_without_details()] {
        let emulator = with(forms);
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        let approved = w!(task.request(read())).unwrap().require().unwrap();
        assert_eq!((approved.risk(), approved.task_id()), (Some(&Risk::Low), Some(task.id())));
        for _ in 0..3 {
            let answer = w!(task.call(&approved, ApiRequest::get("jit-demo/q3.pdf"))).unwrap();
            assert_eq!(answer.status(), 200);
        }
        // It is good for that file and that action.
        let other = w!(task.call(&approved, ApiRequest::get("jit-demo/q4.pdf"))).unwrap();
        assert_eq!(other.status(), 403);
        assert_eq!(emulator.count("jit.request.token").unwrap(), 1);
        let token = w!(task.token(&approved)).unwrap();
        let end = w!(task.finish()).unwrap();
        assert!(!end.was_over && end.evaluation.is_none());
        let request = ApiRequest::get("jit-demo/q3.pdf").token(token);
        assert_eq!(w!(agent(&emulator).run(request)).unwrap().status(), 401, "the task is over, and its token");
        assert_eq!((emulator.count("jit.task.create").unwrap(), emulator.count("jit.task.complete").unwrap()), (1, 1));
    }
});

flow!(f14_a_decision_is_waited_for_politely {
    for (forms, gap) in [(JitForms::new(), 5), (JitForms::new().interval(Duration::from_secs(12)), 12)] {
        let emulator = with(forms.accepted());
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let agent = hooked(&emulator, Arc::new(move |emulator, request| {
            if request.url().path().ends_with("/status") && counted.fetch_add(1, Ordering::SeqCst) == 3 {
                let id = emulator.pending_permissions()[0].id.clone();
                emulator.approve_permission(&id).unwrap();
            }
        }));
        let task = w!(agent.jit().begin("clean up")).unwrap();
        let permission = w!(task.request_and_wait(delete(), 4 * MINUTE)).unwrap();
        assert!(permission.is_approved(), "{permission:?}");
        assert_eq!(times(&emulator, "jit.request.status"), [0, gap, 2 * gap, 3 * gap]);
        assert_eq!(emulator.count("jit.request.create").unwrap(), 1);
        let approved = permission.require().unwrap();
        let answer = w!(task.call(&approved, ApiRequest::delete("jit-demo/q3.pdf"))).unwrap();
        assert_eq!(answer.status(), 200);
        w!(task.finish()).unwrap();
    }
});

flow!(f14_waiting_ends_when_the_request_does {
    let emulator = with(JitForms::new().patience(Duration::from_secs(42)));
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let began = emulator.now();
    let permission = w!(task.request_and_wait(delete(), 10 * MINUTE)).unwrap();
    assert!(matches!(&permission, Permission::Expired(it) if it.request_id() == permission.request_id()));
    assert_eq!(emulator.now().saturating_since(began), Duration::from_secs(42));
    assert_eq!(times(&emulator, "jit.request.status"), [0, 5, 10, 15, 20, 25, 30, 35, 40]);
    let error = permission.require().unwrap_err();
    assert!(matches!(error, Error::Permission(PermissionError::Expired { .. })));
    w!(task.finish()).unwrap();
});

flow!(f14_waiting_ends_with_the_callers_time_and_goes_on_elsewhere {
    let emulator = with(JitForms::new());
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let began = emulator.now();
    let permission = w!(task.request_and_wait(delete(), Duration::from_secs(17))).unwrap();
    let Permission::Pending(pending) = permission else { panic!("{permission:?}") };
    assert!(emulator.now().saturating_since(began) <= Duration::from_secs(17));
    assert_eq!(times(&emulator, "jit.request.status"), [0, 5, 10, 15]);
    // Another process has the id, and knows what was asked for.
    let elsewhere = agent(&emulator).jit();
    assert!(!w!(elsewhere.status(pending.request_id(), &delete())).unwrap().is_approved());
    emulator.approve_permission(pending.request_id()).unwrap();
    let approved = w!(elsewhere.wait(pending.request_id(), &delete(), MINUTE)).unwrap().require().unwrap();
    assert_eq!(approved.details(), Some(&delete()));
    assert_eq!(w!(elsewhere.call(&approved, ApiRequest::delete("jit-demo/q3.pdf"))).unwrap().status(), 200);
    w!(task.finish()).unwrap();
});

flow!(f14_failed_polls_lose_nothing {
    let emulator = with(JitForms::new());
    let failing = |nth| FaultRule::on("jit.request.status").nth(nth);
    emulator.fault(failing(1).status(503)).unwrap();
    emulator.fault(failing(2).reset()).unwrap();
    emulator.fault(failing(3).status(429).retry_after("30")).unwrap();
    let agent = hooked(&emulator, Arc::new(|emulator, request| {
        if request.url().path().ends_with("/status") && emulator.count("jit.request.status").unwrap() == 4 {
            let id = emulator.pending_permissions()[0].id.clone();
            emulator.deny_permission(&id, "not today").unwrap();
        }
    }));
    let task = w!(agent.jit().begin("clean up")).unwrap();
    let permission = w!(task.request_and_wait(delete(), 5 * MINUTE)).unwrap();
    assert!(matches!(&permission, Permission::Denied(it) if it.reason() == Some("not today")), "{permission:?}");
    let times = times(&emulator, "jit.request.status");
    assert_eq!(times.len(), 5, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 5), "{times:?}");
    assert!(times[3] - times[2] >= 30, "{times:?}");
    w!(task.cancel("denied")).unwrap();
    assert_eq!(emulator.count("jit.request.create").unwrap(), 1);
});

flow!(f14_who_asks_too_often_slows_down {
    let emulator = with(JitForms::new().patience(MINUTE));
    let rule = FaultRule::on("jit.request.status").nth(2).status(400);
    emulator.fault(rule.body("application/json", r#"{"error":"slow_down"}"#)).unwrap();
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let permission = w!(task.request_and_wait(delete(), 5 * MINUTE)).unwrap();
    assert!(matches!(permission, Permission::Expired(_)));
    assert_eq!(times(&emulator, "jit.request.status"), [0, 5, 15, 25, 35, 45, 55]);
    w!(task.finish()).unwrap();
});

flow!(f14_nobody_asks_earlier_than_the_service_says {
    let slow_down = r#"{"error":"slow_down"}"#;
    for (rule, body, first, then) in [
        (FaultRule::on("jit.request.status").retry_after("20"), None, 20..=22, 5),
        (FaultRule::on("jit.request.status").status(400).retry_after("20"), Some(slow_down), 20..=22, 10),
        (FaultRule::on("jit.request.status").status(429).retry_after("20"), Some(slow_down), 20..=22, 10),
        (FaultRule::on("jit.request.status").status(429).retry_after("20"), None, 20..=22, 5),
        (FaultRule::on("jit.request.status").retry_after("-1"), None, 5..=5, 5),
    ] {
        let emulator = with(JitForms::new().patience(MINUTE));
        let rule = match body {
            Some(body) => rule.body("application/json", body),
            None => rule,
        };
        emulator.fault(rule.clone().nth(2)).unwrap();
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        let permission = w!(task.request_and_wait(delete(), 5 * MINUTE)).unwrap();
        assert!(matches!(permission, Permission::Expired(_)), "{rule:?}");
        let times = times(&emulator, "jit.request.status");
        assert!(first.contains(&(times[2] - times[1])) && times[3] - times[2] == then, "{rule:?}: {times:?}");
        w!(task.finish()).unwrap();
    }
    // Later than the request lives: it is not asked about any more.
    let emulator = with(JitForms::new().patience(MINUTE));
    emulator.fault(FaultRule::on("jit.request.status").retry_after("90").always()).unwrap();
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let permission = w!(task.request_and_wait(delete(), 5 * MINUTE)).unwrap();
    assert!(matches!(permission, Permission::Expired(_)), "{permission:?}");
    assert_eq!(times(&emulator, "jit.request.status").len(), 1);
    w!(task.finish()).unwrap();
});

flow!(f7_nothing_is_asked_for_twice {
    for route in ["jit.task.create", "jit.request.create"] {
        for fault in [FaultRule::on(route).reset(), FaultRule::on(route).truncate(5), FaultRule::on(route).status(504)] {
            let emulator = with(JitForms::new());
            let agent = agent(&emulator);
            if route == "jit.task.create" {
                emulator.fault(fault).unwrap();
                let error = w!(agent.jit().begin("clean up")).unwrap_err();
                assert!(matches!(&error, Error::OutcomeUnknown { operation, .. } if *operation == route), "{error:?}");
            } else {
                let task = w!(agent.jit().begin("clean up")).unwrap();
                emulator.fault(fault).unwrap();
                let error = w!(task.request(delete())).unwrap_err();
                assert!(matches!(&error, Error::OutcomeUnknown { operation, .. } if *operation == route), "{error:?}");
                w!(task.finish()).unwrap();
            }
            assert_eq!(emulator.count(route), Ok(1));
        }
        // What was not sent may be sent.
        let emulator = with(JitForms::new());
        emulator.fault(FaultRule::on(route).drop_before()).unwrap();
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        assert!(matches!(w!(task.request(delete())).unwrap(), Permission::Pending(_)));
        assert_eq!(emulator.pending_permissions().len(), 1);
        w!(task.finish()).unwrap();
    }
});

flow!(f7_a_token_is_asked_for_once_whatever_came_of_it {
    let emulator = with(JitForms::new());
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let approved = w!(task.request(read())).unwrap().require().unwrap();
    emulator.fault(FaultRule::on("jit.request.token").reset()).unwrap();
    for minutes in [0, 1, 30] {
        emulator.advance(minutes * MINUTE);
        let error = w!(task.token(&approved)).unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
        assert_eq!(emulator.count("jit.request.token").unwrap(), 1);
    }
    // A refusal is no use of it, and neither is what was never sent.
    let emulator = with(JitForms::new());
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let approved = w!(task.request(read())).unwrap().require().unwrap();
    emulator.fault(FaultRule::on("jit.request.token").status(429)).unwrap();
    assert!(w!(task.token(&approved)).unwrap_err().is_rate_limited());
    emulator.advance(2 * MINUTE);
    w!(task.token(&approved)).unwrap();
    assert_eq!(emulator.count("jit.request.token").unwrap(), 2);
});

flow!(a_token_that_is_over_is_not_asked_for_again {
    let emulator = with(JitForms::new());
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let approved = w!(task.request(read())).unwrap().require().unwrap();
    let get = || ApiRequest::get("jit-demo/q3.pdf");
    assert_eq!(w!(task.call(&approved, get())).unwrap().status(), 200);
    // 600 s, used until 30 s before their end, and never renewed early.
    emulator.advance(Duration::from_secs(565));
    assert_eq!(w!(task.call(&approved, get())).unwrap().status(), 200);
    for _ in 0..3 {
        emulator.advance(MINUTE);
        expired(w!(task.call(&approved, get())), approved.request_id());
    }
    assert_eq!(emulator.count("jit.request.token").unwrap(), 1);
    assert_eq!(emulator.count("jit.demo").unwrap(), 2);
    w!(task.finish()).unwrap();
});

flow!(a_token_for_something_else_is_no_permission {
    let emulator = with(JitForms::new());
    for other in [json!({"type": "file_access", "actions": ["read", "write"], "identifier": "q3.pdf"}), json!({"type": "payment"})] {
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        let permission = w!(task.request(read())).unwrap();
        emulator.grant_other_details(permission.request_id(), other).unwrap();
        let approved = permission.require().unwrap();
        for _ in 0..2 {
            let error = w!(task.call(&approved, ApiRequest::get("jit-demo/q3.pdf"))).unwrap_err();
            assert!(
                matches!(error, Error::Permission(PermissionError::OtherDetails { .. } | PermissionError::Expired { .. })),
                "{error:?}"
            );
        }
        w!(task.finish()).unwrap();
    }
    assert_eq!((emulator.count("jit.demo").unwrap(), emulator.count("jit.request.token").unwrap()), (0, 2));
    // Nor is one that is held, for a caller who asked for something else.
    let agent = agent(&emulator);
    let task = w!(agent.jit().begin("clean up")).unwrap();
    let approved = w!(task.request(read())).unwrap().require().unwrap();
    w!(task.token(&approved)).unwrap();
    let other = w!(agent.jit().status(approved.request_id(), &delete())).unwrap().require().unwrap();
    let error = w!(agent.jit().token(&other)).unwrap_err();
    assert!(matches!(error, Error::Permission(PermissionError::OtherDetails { .. })), "{error:?}");
});

flow!(a_denial_is_asked_for_in_one_call {
    let emulator = with(JitForms::new());
    let agent = agent(&emulator);
    let decision = w!(agent.ask(Ask::new("delete_user"))).unwrap();
    let call = ToolCall::new("delete_user", &json!({"id": 7})).unwrap();
    let details = AuthorizationDetails::tool_invocation().identifier("delete_user").for_call(&call);
    let (task, permission) = w!(agent.jit().request_for(&decision, details)).unwrap();
    assert!(matches!(permission, Permission::Pending(_)));
    let waiting = &emulator.pending_permissions()[0];
    assert_eq!(waiting.details["call_sha256"], json!(call.sha256()));
    assert_eq!(
        waiting.justification.as_deref(),
        Some("Required for delete_user, which was denied (insufficient_permissions)")
    );
    w!(task.cancel("")).unwrap();
    let allowed = w!(agent.ask("read_document")).unwrap();
    assert!(matches!(w!(agent.jit().request_for(&allowed, read())), Err(Error::Input(_))));
    assert_eq!(emulator.count("jit.task.create").unwrap(), 1);
});

flow!(a_failure_is_told_and_the_task_is_over_even_if_that_fails {
    for fault in [None, Some(FaultRule::on("jit.task.evaluate").status(403)), Some(FaultRule::on("jit.task.evaluate").reset())] {
        let emulator = with(JitForms::new());
        let failing = fault.is_some();
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        fault.into_iter().for_each(|fault| emulator.fault(fault).unwrap());
        let end = w!(task.fail("no such file")).unwrap();
        assert_eq!(end.evaluation.unwrap().is_err(), failing);
        assert_eq!((emulator.count("jit.task.evaluate").unwrap(), emulator.count("jit.task.complete").unwrap()), (1, 1));
    }
});

flow!(a_task_that_does_not_end_is_left_with_the_agent {
    let emulator = with(JitForms::new());
    let agent = agent(&emulator);
    let task = w!(agent.jit().begin("clean up")).unwrap();
    emulator.fault(FaultRule::on("jit.task.complete").status(503).times(3)).unwrap();
    assert!(w!(task.finish()).unwrap_err().is_temporary());
    assert_eq!(emulator.count("jit.task.complete").unwrap(), 3);
    assert!(w!(agent.is_allowed("read_document")).unwrap());
    assert_eq!(emulator.count("jit.task.complete").unwrap(), 4, "the next call ended it");
    assert!(w!(agent.is_allowed("read_document")).unwrap());
    assert_eq!(emulator.count("jit.task.complete").unwrap(), 4);
    assert!(w!(agent.jit().finish_tasks()).is_empty());
});

flow!(in_a_users_name {
    let emulator = with(JitForms::new());
    let agent = agent(&emulator);
    let error = w!(agent.jit().begin(lumoauth::jit::BeginTask::new("x").on_behalf_of("alice@acme.test"))).unwrap_err();
    assert_eq!(error.status(), Some(400), "alice has not agreed to anything");
    // A token for acting for her travels in place of the agent's own; this one is nobody's.
    let token = w!(agent.access_token()).unwrap();
    let acting = agent.jit().acting(&Delegation::new(token));
    let task = w!(acting.begin("clean up")).unwrap();
    w!(task.finish()).unwrap();
    assert!(!format!("{acting:?}").contains(w!(agent.access_token()).unwrap().secret().expose()));
});

flow!(what_a_resource_wants_is_asked_for_only_if_that_was_allowed {
    let policy = || Escalation::new().allow(Allowed::new("file_access", ["read"])).wait(MINUTE);
    for (challenge, read_again) in [
        (JitChallenge::Standard, true),
        (JitChallenge::UrlSafe, true),
        (JitChallenge::List, true),
        (JitChallenge::Broken, false),
        (JitChallenge::None, false),
    ] {
        let emulator = with(JitForms::new().challenge(challenge));
        let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
        let get = || ApiRequest::get("jit-demo/q3.pdf");
        let came = w!(task.escalate(get(), policy())).unwrap();
        assert_eq!(came.response.status(), if read_again { 200 } else { 403 }, "{challenge:?}");
        assert_eq!(came.permission.is_some(), read_again, "{challenge:?}");
        assert_eq!(emulator.count("jit.demo").unwrap(), if read_again { 2 } else { 1 });
        let asked = emulator.count("jit.request.create").unwrap();
        // Nothing by default, and no more than was allowed.
        for (request, policy) in [(get(), Escalation::new()), (ApiRequest::delete("jit-demo/q3.pdf"), policy())] {
            let came = w!(task.escalate(request, policy)).unwrap();
            assert!(came.response.status() == 403 && came.permission.is_none() && came.failure.is_none());
        }
        assert_eq!(emulator.count("jit.request.create").unwrap(), asked);
        w!(task.finish()).unwrap();
    }
});

flow!(the_first_answer_is_kept_if_there_is_no_permission {
    let emulator = with(JitForms::new().patience(Duration::from_secs(30)));
    let policy = || Escalation::new().allow(Allowed::new("file_access", ["delete", "read"])).wait(MINUTE);
    let delete = || ApiRequest::delete("jit-demo/q3.pdf");
    let task = w!(agent(&emulator).jit().begin("clean up")).unwrap();
    let came = w!(task.escalate(delete(), policy())).unwrap();
    assert_eq!((came.response.status().as_u16(), emulator.count("jit.demo").unwrap()), (403, 1));
    assert!(matches!(came.permission, Some(Permission::Expired(_))), "{:?}", came.permission);
    emulator.fault(FaultRule::on("jit.request.create").reset()).unwrap();
    let came = w!(task.escalate(delete(), policy())).unwrap();
    assert_eq!((came.response.status().as_u16(), emulator.count("jit.demo").unwrap()), (403, 2));
    assert!(matches!(came.failure, Some(Error::OutcomeUnknown { .. })), "{:?}", came.failure);
    emulator.fault(FaultRule::on("jit.request.token").status(500)).unwrap();
    let came = w!(task.escalate(ApiRequest::get("jit-demo/q3.pdf"), policy())).unwrap();
    assert_eq!(came.response.status(), 403);
    assert!(came.failure.is_some());
    // And the second answer counts, whatever it is: once.
    emulator.fault(FaultRule::on("jit.demo").nth(2).status(403)).unwrap();
    let before = emulator.count("jit.demo").unwrap();
    let came = w!(task.escalate(ApiRequest::get("jit-demo/q3.pdf"), policy())).unwrap();
    assert_eq!((came.response.status().as_u16(), emulator.count("jit.demo").unwrap() - before), (403, 2));
    w!(task.finish()).unwrap();
});

flow!(a_person_decides_with_a_token_of_that_persons_own {
    let emulator = with(JitForms::new());
    let agent = agent(&emulator);
    let task = w!(agent.jit().begin("clean up")).unwrap();
    let permission = w!(task.request(AuthorizationDetails::payment([PaymentAction::Initiate]))).unwrap();
    let user = emulator.user_token(emulator.client_id(), "alice", ["jit:approve"]).unwrap();
    let reviewer = Reviewer::with_transport(emulator.site(), user, emulator.transport()).unwrap();
    let waiting = w!(reviewer.pending()).unwrap();
    assert_eq!((waiting.len(), waiting[0].risk.as_deref()), (1, Some("critical")));
    assert_eq!(w!(reviewer.pending_page(2, 1)).unwrap(), []);
    w!(reviewer.approve(permission.request_id(), Some("only this once"))).unwrap();
    assert!(w!(reviewer.pending()).unwrap().is_empty());
    assert_eq!(w!(reviewer.deny(permission.request_id(), "late")).unwrap_err().status(), Some(409));
    let details = AuthorizationDetails::payment([PaymentAction::Initiate]);
    let approved = w!(task.wait(permission.request_id(), &details, MINUTE)).unwrap().require().unwrap();
    assert_eq!(approved.message(), Some("only this once"));
    w!(task.finish()).unwrap();
    // A person who may not.
    let bob = emulator.user_token(emulator.client_id(), "bob", ["read:documents"]).unwrap();
    let reviewer = Reviewer::with_transport(emulator.site(), bob, emulator.transport()).unwrap();
    assert!(w!(reviewer.pending()).unwrap_err().is_forbidden());
});

flow!(no_agent_decides {
    let emulator = with(JitForms::new());
    let agent = agent(&emulator);
    let task = w!(agent.jit().begin("clean up")).unwrap();
    let approved = w!(task.request(read())).unwrap().require().unwrap();
    let own = w!(agent.access_token()).unwrap().secret().expose().to_owned();
    let permitted = w!(task.token(&approved)).unwrap().secret().expose().to_owned();
    w!(task.finish()).unwrap();
    let before = emulator.count_all();
    for token in [own.as_str(), &permitted, "lmk_0123", "sk_live_0123", "secret_0123", ""] {
        let refused = Reviewer::with_transport(emulator.site(), token, emulator.transport());
        let Err(Error::Input(error)) = refused else { panic!("{token}") };
        assert_eq!(error.argument(), "user_token");
        assert!(token.len() < 20 || !error.to_string().contains(token));
    }
    assert_eq!(emulator.count_all(), before, "nothing was sent");
});
