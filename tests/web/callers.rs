//! Callers by their kind: extractors and rules, and what each refuses.

use axum::Router;
use axum::routing::get as route;
use lumoauth::axum::{AgentCaller, Person, RequiredScopes, Scoped};
use lumoauth::service::{Caller, Rule};
use lumoauth::tower::Verified;
use serde_json::json;

use super::support::*;

struct Delete;

impl RequiredScopes for Delete {
    const SCOPES: &'static [&'static str] = &["documents:delete", "documents:read"];
}

fn app(issuer: &Issuer) -> Router {
    Router::new()
        .route("/any", route(async |caller: Caller| format!("{:?}", caller.kind())))
        .route("/maybe", route(async |caller: Option<Caller>| caller.is_some().to_string()))
        .route("/person", route(async |person: Person| person.subject().to_owned()))
        .route("/agent", route(async |agent: AgentCaller| agent.agent_id().unwrap_or("none").to_owned()))
        .route("/scoped", route(async |caller: Scoped<Delete>| caller.subject().to_owned()))
        .layer(Verified::new(issuer.verifier()))
}

#[test]
fn each_kind_where_it_belongs() {
    let issuer = Issuer::new();
    let app = app(&issuer);
    run(async {
        let callers = [issuer.person(), issuer.agent(), issuer.agent_for_alice(), issuer.unknown()];
        let mut seen = Vec::new();
        for path in ["/any", "/person", "/agent"] {
            for token in &callers {
                let (status, challenge, body) = told(get(&app, path, Some(token)).await).await;
                assert!(status == 200 || (status == 403 && challenge.is_none()));
                seen.push(if status == 200 { body } else { String::new() });
            }
        }
        assert_eq!(
            seen,
            [
                "Person",
                "Agent",
                "AgentFor",
                "Unknown",
                "user:alice",
                "",
                "",
                "",
                "",
                "agt_demo",
                "agt_demo",
                ""
            ]
        );
        assert_eq!(text(get(&app, "/maybe", Some(&callers[3])).await).await, "true");
    });
}

#[test]
fn scopes_of_a_handler_are_all_named() {
    let issuer = Issuer::new();
    let app = app(&issuer);
    run(async {
        let with = |scope: &str| issuer.token(&json!({"scope": scope}));
        let (status, challenge, _) = told(get(&app, "/scoped", Some(&with("documents:read"))).await).await;
        assert_eq!(status, 403);
        assert!(
            challenge
                .unwrap()
                .contains("scope=\"documents:delete documents:read\", resource_metadata=\"https://")
        );
        assert_eq!(get(&app, "/scoped", Some(&with("documents:read documents:delete"))).await.status(), 200);
    });
}

#[test]
fn extractors_without_a_layer_refuse() {
    let app = Router::new()
        .route("/any", route(async |_: Caller| "in"))
        .route("/person", route(async |_: Person| "in"))
        .route("/agent", route(async |_: AgentCaller| "in"))
        .route("/scoped", route(async |_: Scoped<Delete>| "in"))
        .route("/signed", route(async |_: lumoauth::aauth::VerifiedRequest| "in"));
    run(async {
        let token = Issuer::new().person();
        for path in ["/any", "/person", "/agent", "/scoped", "/signed"] {
            assert_eq!(get(&app, path, Some(&token)).await.status(), 401, "{path}");
        }
    });
}

#[test]
fn rules_of_a_layer() {
    let issuer = Issuer::new();
    run(async {
        let statuses = async |rule: Rule| {
            let handler = Handler::default();
            let app = handler.behind(Verified::new(issuer.verifier()).require(rule));
            let mut statuses = Vec::new();
            let capable = issuer.token(&json!({"sub": "agent:bot", "agent_id": "a", "scope": "tool"}));
            for token in
                [issuer.person(), issuer.agent(), issuer.agent_for_alice(), issuer.unknown(), capable]
            {
                statuses.push(get(&app, "/x", Some(&token)).await.status().as_u16());
            }
            assert_eq!(handler.runs() as usize, statuses.iter().filter(|status| **status == 200).count());
            statuses
        };
        assert_eq!(statuses(Rule::new()).await, [200, 200, 200, 200, 200]);
        assert_eq!(statuses(Rule::new().people_only()).await, [200, 403, 403, 403, 403]);
        assert_eq!(statuses(Rule::new().agents_only()).await, [403, 200, 200, 403, 200]);
        assert_eq!(statuses(Rule::new().capability("tool")).await, [403, 403, 403, 403, 200]);
    });
}
