//! The agent about itself: who it is, what it may do, what it may spend (`docs/wire.md`, rows A).

mod budget;
mod identity;
mod info;
mod register;

pub use budget::{Budget, BudgetLimit};
pub use identity::{GetIdentity, Identity, ME, Workspace};
pub use info::{AgentInfo, GetInfo, USERINFO};
#[cfg(any(feature = "emulator", test))]
pub(crate) use register::PRIVATE_MEMBERS;
pub use register::{REGISTER, Register, Registration};

use crate::route::Route;

pub(super) const ROUTES: &[Route] = &[USERINFO, ME, REGISTER];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::operation::{Answer, Context, Operation};
    use crate::site::Site;
    use crate::wire::Response;
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    fn answer<O: Operation>(operation: &O, body: &Value) -> Result<O::Output, Error> {
        let response = Response::new(StatusCode::OK, HeaderMap::new(), body.to_string());
        match operation.response(&response)? {
            Answer::Done(output) => Ok(output),
            Answer::Again(_) => panic!("none of these polls"),
        }
    }

    #[test]
    fn info_finds_the_id_wherever_it_is() {
        let id = |body: Value| answer(&GetInfo, &body).map(|info| info.id);
        assert_eq!(id(json!({"id": "a", "agent_id": "b", "sub": "c"})).unwrap(), "a");
        assert_eq!(id(json!({"agent_id": "b", "identity": {"id": "x"}, "sub": "c"})).unwrap(), "b");
        assert_eq!(id(json!({"identity": {"id": "x"}, "sub": "c"})).unwrap(), "x");
        assert_eq!(id(json!({"sub": "agent:bot"})).unwrap(), "agent:bot");
        assert!(id(json!({"name": "bot"})).unwrap_err().to_string().contains("has no sub"));
    }

    #[test]
    fn info_reads_capabilities_and_budget() {
        let info = answer(
            &GetInfo,
            &json!({"sub": "agent:bot", "capabilities": ["read:documents"], "workload_identity": null, "x": 1,
                "budget_policy": {"max_tokens_per_day": 1000, "tokens_used_today": 1000.0, "allowed_models": ["m"]}}),
        )
        .unwrap();
        assert!(info.has_capability("read:documents") && !info.has_capability("read"));
        assert_eq!(info.extra["x"], 1);
        let budget = info.budget.unwrap();
        assert_eq!(budget.exhausted(), Some(BudgetLimit::TokensPerDay));
        assert!(budget.allows_model("m") && !budget.allows_model("n"));
        assert!(answer(&GetInfo, &json!({"sub": "a", "capabilities": "read"})).is_err());
        assert!(
            answer(&GetInfo, &json!({"sub": "a", "budget_policy": {"max_tokens_per_day": "x"}})).is_err()
        );
        assert_eq!(answer(&GetInfo, &json!({"sub": "a"})).unwrap().budget, None);
    }

    #[test]
    fn every_limit_with_a_counter_counts() {
        let exhausted = |body: Value| {
            answer(&GetInfo, &json!({"sub": "a", "budget_policy": body})).unwrap().budget.unwrap().exhausted()
        };
        assert_eq!(exhausted(json!({})), None);
        assert_eq!(exhausted(json!({"max_tokens_per_day": 10, "tokens_used_today": 9})), None);
        assert_eq!(exhausted(json!({"max_tokens_per_day": 0})), Some(BudgetLimit::TokensPerDay));
        assert_eq!(
            exhausted(json!({"max_api_calls_per_hour": 5, "api_calls_this_hour": 5})),
            Some(BudgetLimit::ApiCallsPerHour)
        );
        assert_eq!(
            exhausted(json!({"max_cost_per_month_usd": 5.5, "cost_this_month_usd": 5.5})),
            Some(BudgetLimit::CostPerMonth)
        );
        assert_eq!(exhausted(json!({"max_cost_per_month_usd": 5.5})), None, "no counter, nothing to compare");
    }

    #[test]
    fn identity_in_both_shapes() {
        let identity = answer(
            &GetIdentity,
            &json!({"identity": {"id": "agt_1", "type": "agent", "tenant": "Acme Corp"},
            "capabilities": ["ROLE_X"], "workspace": {"slug": "acme", "api_base": "/t/acme/api/v1/"}}),
        )
        .unwrap();
        assert_eq!(
            (identity.id.as_str(), identity.kind.as_deref(), identity.roles.len()),
            ("agt_1", Some("agent"), 1)
        );
        assert_eq!(identity.workspace.unwrap().slug.unwrap(), "acme");
        let identity = answer(
            &GetIdentity,
            &json!({"agent_id": "agt_2", "name": "bot", "scopes": ["a"], "expires_at": "x"}),
        )
        .unwrap();
        assert_eq!((identity.id.as_str(), identity.name.as_deref()), ("agt_2", Some("bot")));
        assert_eq!(identity.extra["expires_at"], "x");
        assert!(answer(&GetIdentity, &json!({"identity": {}})).is_err());
    }

    #[test]
    fn register_sends_what_is_set() {
        let site = Site::tenant("acme").unwrap();
        let body = |operation: Register| -> Value {
            serde_json::from_slice(operation.request(&Context::new(&site)).unwrap().body()).unwrap()
        };
        assert_eq!(
            body(Register::new("bot").or_client_id("agt_1")),
            json!({"name": "bot", "client_id": "agt_1"})
        );
        assert_eq!(
            body(
                Register::new("bot")
                    .client_id("x")
                    .or_client_id("y")
                    .description("d")
                    .capabilities(["a"])
                    .jwks_uri("https://a/jwks")
            ),
            json!({"name": "bot", "client_id": "x", "description": "d", "capabilities": ["a"], "jwks_uri": "https://a/jwks"})
        );
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qY"});
        assert_eq!(
            body(Register::new("bot").jwks([key.clone()])),
            json!({"name": "bot", "jwks": {"keys": [key]}})
        );
        let refused = |register: Register| match register.request(&Context::new(&site)) {
            Err(error @ Error::Input(_)) => format!("{error} {register:?}"),
            other => panic!("{other:?}"),
        };
        for member in PRIVATE_MEMBERS {
            let mut private = key.clone();
            private[member] = "canary".into();
            let text = refused(Register::new("bot").jwks([key.clone(), private]));
            assert!(text.contains("public halves") && !text.contains("canary"), "{member}: {text}");
        }
        assert!(refused(Register::new("bot").jwks([json!({"x": "11qY"})])).contains("kty"));
        assert!(refused(Register::new("bot").jwks([])).contains("one key"));
        let both = Register::new("bot").jwks([key]).jwks_uri("https://a/jwks");
        assert!(refused(both).contains("one of the two"));
        let registration =
            answer(&Register::new("bot"), &json!({"success": true, "agent_id": "agt_9"})).unwrap();
        assert_eq!((registration.agent_id.as_str(), registration.name.as_str()), ("agt_9", "bot"));
        assert!(answer(&Register::new("bot"), &json!({"success": false, "agent_id": "agt_9"})).is_err());
    }
}
