//! The agent about itself: who it is, what it may do, what it may spend (`docs/wire.md`, rows A).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, InputError};
use crate::json::Fields;
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Request, Response};

/// What the service says of the agent.
pub const USERINFO: Route = Route::get("oauth.userinfo", "oauth/userinfo").warm(1);
/// What the agent is.
pub const ME: Route = Route::get("agents.me", "agents/me").warm(2);
/// Agents register here.
pub const REGISTER: Route = Route::post("agents.register", "agents/register");
pub(super) const ROUTES: &[Route] = &[USERINFO, ME, REGISTER];

/// Asks for the agent's own record: name, capabilities, budget. `GET oauth/userinfo`, no parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetInfo;

impl Operation for GetInfo {
    type Output = AgentInfo;

    fn terms(&self) -> Terms {
        Terms::new(USERINFO.name(), Effect::Read, Auth::Bearer).callers(Callers::PRINCIPALS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(USERINFO))
    }

    fn response(&self, response: &Response) -> Result<Answer<AgentInfo>, Error> {
        let mut fields = wire::read(USERINFO.name(), response)?;
        let agent_id = fields.identifier("agent_id")?;
        let id = fields.identifier("id")?;
        let nested = match fields.object("identity")? {
            Some(mut identity) => identity.identifier("id")?,
            None => None,
        };
        let subject = fields.identifier("sub")?;
        let id = id.or_else(|| agent_id.clone()).or(nested).or_else(|| subject.clone());
        let budget = fields.object("budget_policy")?.map(Budget::read).transpose()?;
        Ok(Answer::Done(AgentInfo {
            id: id.filter(|id| !id.is_empty()).ok_or_else(|| fields.missing("sub"))?,
            subject,
            agent_id,
            name: fields.text("name")?,
            identity_type: fields.text("identity_type")?,
            capabilities: fields.texts("capabilities")?,
            workload_identity: fields.value("workload_identity"),
            tenant: fields.text("tenant")?,
            budget,
            extra: fields.rest(),
        }))
    }
}

/// The agent's own record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentInfo {
    /// The agent's id: `id`, else `agent_id`, else the nested one, else `sub`.
    pub id: String,
    /// `sub`, an opaque text; its form differs between versions of the service.
    pub subject: Option<String>,
    /// `agent_id`, `agt_...`.
    pub agent_id: Option<String>,
    /// The name for people.
    pub name: Option<String>,
    /// `agent` for agents.
    pub identity_type: Option<String>,
    /// What the agent may do, as slugs: `read:documents`. Compare with [`AgentInfo::has_capability`].
    pub capabilities: Vec<String>,
    /// The platform identity it is bound to, as the service describes it.
    pub workload_identity: Option<Value>,
    /// The tenant's slug.
    pub tenant: Option<String>,
    /// What it may spend. None means that no budget is set.
    pub budget: Option<Budget>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl AgentInfo {
    /// True if the capability is among the agent's. Exact equality: there are no wildcards.
    pub fn has_capability(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|own| own == capability)
    }
}

/// What an agent may spend and has spent (`budget_policy`). Every part may be absent; an absent limit is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Budget {
    /// Tokens a day.
    pub max_tokens_per_day: Option<i64>,
    /// Tokens used today.
    pub tokens_used_today: Option<i64>,
    /// Calls an hour.
    pub max_api_calls_per_hour: Option<i64>,
    /// Calls in this hour.
    pub api_calls_this_hour: Option<i64>,
    /// US dollars a month.
    pub max_cost_per_month_usd: Option<f64>,
    /// US dollars spent this month, where the service counts them.
    pub cost_this_month_usd: Option<f64>,
    /// The models that the agent may use; empty means that none is named.
    pub allowed_models: Vec<String>,
    /// Above this many US dollars a human must approve.
    pub require_approval_above_usd: Option<f64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A limit of a [`Budget`] that has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BudgetLimit {
    /// `max_tokens_per_day`.
    TokensPerDay,
    /// `max_api_calls_per_hour`.
    ApiCallsPerHour,
    /// `max_cost_per_month_usd`.
    CostPerMonth,
}

impl std::fmt::Display for BudgetLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BudgetLimit::TokensPerDay => "tokens per day",
            BudgetLimit::ApiCallsPerHour => "API calls per hour",
            BudgetLimit::CostPerMonth => "cost per month",
        })
    }
}

/// What is used of what there is, for people: `1250 of 100000 tokens per day, 0 of 1000 API calls per hour`.
impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |limit: Option<i64>, used: Option<i64>, of| {
            limit.map(|limit| format!("{} of {limit} {of}", used.unwrap_or(0)))
        };
        let cost = self.max_cost_per_month_usd.map(|limit| match self.cost_this_month_usd {
            Some(spent) => format!("{spent:.2} of {limit:.2} USD per month"),
            None => format!("at most {limit:.2} USD per month"),
        });
        let parts = [
            count(self.max_tokens_per_day, self.tokens_used_today, BudgetLimit::TokensPerDay),
            count(self.max_api_calls_per_hour, self.api_calls_this_hour, BudgetLimit::ApiCallsPerHour),
            cost,
            self.require_approval_above_usd
                .map(|above| format!("a person approves what costs over {above:.2} USD")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "no limit" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl Budget {
    fn read(mut fields: Fields) -> Result<Self, Error> {
        #[allow(clippy::cast_possible_truncation)] // `as` saturates, which is what an absurd number deserves
        let mut count = |field| fields.number(field).map(|number| number.map(|number| number as i64));
        Ok(Budget {
            max_tokens_per_day: count("max_tokens_per_day")?,
            tokens_used_today: count("tokens_used_today")?,
            max_api_calls_per_hour: count("max_api_calls_per_hour")?,
            api_calls_this_hour: count("api_calls_this_hour")?,
            max_cost_per_month_usd: fields.number("max_cost_per_month_usd")?,
            cost_this_month_usd: fields.number("cost_this_month_usd")?,
            allowed_models: fields.texts("allowed_models")?,
            require_approval_above_usd: fields.number("require_approval_above_usd")?,
            extra: fields.rest(),
        })
    }

    /// The first limit that is reached, over every limit that has a counter; none if the agent may go on.
    ///
    /// The counters of tokens and calls count as zero when absent, so that a limit of zero is always reached. The cost
    /// is compared only where the service counts it: no source shows that counter.
    pub fn exhausted(&self) -> Option<BudgetLimit> {
        let reached =
            |limit: Option<i64>, used: Option<i64>| limit.is_some_and(|limit| used.unwrap_or(0) >= limit);
        if reached(self.max_tokens_per_day, self.tokens_used_today) {
            Some(BudgetLimit::TokensPerDay)
        } else if reached(self.max_api_calls_per_hour, self.api_calls_this_hour) {
            Some(BudgetLimit::ApiCallsPerHour)
        } else if self
            .max_cost_per_month_usd
            .zip(self.cost_this_month_usd)
            .is_some_and(|(limit, used)| used >= limit)
        {
            Some(BudgetLimit::CostPerMonth)
        } else {
            None
        }
    }

    /// True if the model may be used: no list means any.
    pub fn allows_model(&self, model: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.iter().any(|own| own == model)
    }
}

/// Asks for the agent's identity, roles and workspace. `GET agents/me`, no parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetIdentity;

impl Operation for GetIdentity {
    type Output = Identity;

    fn terms(&self) -> Terms {
        Terms::new(ME.name(), Effect::Read, Auth::Bearer).callers(Callers::PRINCIPALS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(ME))
    }

    /// Reads both shapes: nested under `identity`, and flat with `agent_id`.
    fn response(&self, response: &Response) -> Result<Answer<Identity>, Error> {
        let mut fields = wire::read(ME.name(), response)?;
        let workspace = match fields.object("workspace")? {
            None => None,
            Some(mut workspace) => {
                Some(Workspace { slug: workspace.text("slug")?, api_base: workspace.text("api_base")? })
            }
        };
        let roles = fields.texts("capabilities")?;
        let scopes = fields.texts("scopes")?;
        let nested = fields.object("identity")?;
        let is_nested = nested.is_some();
        let (mut own, mut rest) = match nested {
            Some(identity) => (identity, Some(fields)),
            None => (fields, None),
        };
        let agent_id = own.identifier("agent_id")?;
        let id = own.identifier("id")?.or_else(|| agent_id.clone()).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| own.missing(if is_nested { "identity.id" } else { "agent_id" }))?;
        let kind = own.text("type")?;
        // The organization generation says `organization` for the same thing.
        let organization = own.text("organization")?;
        let tenant = own.text("tenant")?.or(organization);
        let (name, status) = (own.text("name")?, own.text("status")?);
        let mut extra = own.rest();
        if let Some(rest) = rest.take() {
            // What the nested object says of the same name counts.
            const TAKEN: [&str; 6] = ["id", "type", "tenant", "agent_id", "name", "status"];
            extra.extend(rest.rest().into_iter().filter(|(name, _)| !TAKEN.contains(&name.as_str())));
        }
        Ok(Answer::Done(Identity {
            id,
            kind,
            tenant,
            agent_id,
            name,
            status,
            roles,
            scopes,
            workspace,
            extra,
        }))
    }
}

/// Who the agent is to the service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Identity {
    /// The id.
    pub id: String,
    /// `type`: `agent` or `user`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The tenant's (or organization's) name.
    pub tenant: Option<String>,
    /// `agent_id`, agents only.
    pub agent_id: Option<String>,
    /// The name, where the service gives one.
    pub name: Option<String>,
    /// Such as `active`, agents only.
    pub status: Option<String>,
    /// The agent's roles, `ROLE_...`. The wire calls them `capabilities`; the slugs are in [`AgentInfo::capabilities`].
    pub roles: Vec<String>,
    /// The token's scopes, in the flat shape only.
    pub scopes: Vec<String>,
    /// Where its API is.
    pub workspace: Option<Workspace>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The workspace of an [`Identity`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Workspace {
    /// The tenant's slug.
    pub slug: Option<String>,
    /// A path on the service's host. For display: the library makes its own URLs.
    pub api_base: Option<String>,
}

/// Registers an agent, or updates one. `POST agents/register`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | name | REQUIRED | `name` |
/// | client id | OPTIONAL, the agent's own if the client sets it | `client_id` |
/// | description, capabilities | OPTIONAL | `description`, `capabilities` |
/// | public keys, or the URL where they are | OPTIONAL, one of the two | `jwks`, as a set; `jwks_uri` |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    name: String,
    client_id: Option<String>,
    description: Option<String>,
    capabilities: Vec<String>,
    jwks_uri: Option<String>,
    /// The keys, or what is wrong with them: a private one is not kept.
    jwks: Option<Result<Vec<Value>, &'static str>>,
}

/// The members that hold what is private, or shared in secret, in a key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
pub(crate) const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Itself, if it is a public key.
fn public_key(key: Value) -> Result<Value, &'static str> {
    let kind = key.get("kty").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    match kind {
        None => Err("have one without a kty: each is a JWK"),
        _ if PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some()) => {
            Err("have a private or secret one: register the public halves only")
        }
        Some(_) => Ok(key),
    }
}

impl Register {
    /// An agent of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Register {
            name: name.into(),
            client_id: None,
            description: None,
            capabilities: Vec::new(),
            jwks_uri: None,
            jwks: None,
        }
    }

    /// The client id that it authenticates with.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// What it is for.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What it may do, as slugs.
    pub fn capabilities<S: Into<String>>(mut self, capabilities: impl IntoIterator<Item = S>) -> Self {
        self.capabilities = capabilities.into_iter().map(Into::into).collect();
        self
    }

    /// Where its public keys are.
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.jwks_uri = Some(url.into());
        self
    }

    /// Its public keys themselves, each a JWK (RFC 7517), in place of [`Register::jwks_uri`]. A private key is neither kept nor sent:
    /// it is an error when the agent is to be registered.
    pub fn jwks(mut self, keys: impl IntoIterator<Item = Value>) -> Self {
        self.jwks = Some(keys.into_iter().map(public_key).collect());
        self
    }

    /// With this client id, unless one was set.
    pub fn or_client_id(mut self, client_id: &str) -> Self {
        self.client_id.get_or_insert_with(|| client_id.to_owned());
        self
    }
}

impl<T: Into<String>> From<T> for Register {
    fn from(name: T) -> Self {
        Register::new(name)
    }
}

impl Operation for Register {
    type Output = Registration;

    fn terms(&self) -> Terms {
        // The service says that registering is an upsert, so twice is as good as once (`docs/wire.md`, A-register).
        Terms::new(REGISTER.name(), Effect::Repeatable, Auth::Bearer).callers(Callers::PRINCIPALS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.name.trim().is_empty() {
            return Err(InputError::new("name", "is empty").into());
        }
        let mut body = Map::from_iter([("name".to_owned(), Value::from(self.name.as_str()))]);
        let optional = [
            ("client_id", self.client_id.as_ref()),
            ("description", self.description.as_ref()),
            ("jwks_uri", self.jwks_uri.as_ref()),
        ];
        let set = optional
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?.as_str()))));
        body.extend(set);
        if !self.capabilities.is_empty() {
            body.insert("capabilities".into(), Value::from(self.capabilities.as_slice()));
        }
        match &self.jwks {
            None => {}
            Some(_) if self.jwks_uri.is_some() => {
                return Err(InputError::new("jwks", "are set beside jwks_uri: name one of the two").into());
            }
            Some(Err(problem)) => return Err(InputError::new("jwks", problem).into()),
            Some(Ok(keys)) if keys.is_empty() => {
                return Err(InputError::new("jwks", "are none: name one key at least").into());
            }
            Some(Ok(keys)) => drop(body.insert("jwks".into(), json!({ "keys": keys }))),
        }
        let body = Value::Object(body);
        Ok(context.to(REGISTER).json(&body))
    }

    fn response(&self, response: &Response) -> Result<Answer<Registration>, Error> {
        let mut fields = wire::read(REGISTER.name(), response)?;
        if let Some(success) = fields.value("success").filter(|success| success != &Value::Bool(true)) {
            return Err(fields.mistyped("success", "true", &success));
        }
        Ok(Answer::Done(Registration {
            agent_id: fields.identifier("agent_id")?.ok_or_else(|| fields.missing("agent_id"))?,
            name: fields.text("name")?.unwrap_or_else(|| self.name.clone()),
            client_id: fields.text("client_id")?,
            status: fields.text("status")?,
            workload_identity: fields.value("workload_identity"),
            extra: fields.rest(),
        }))
    }
}

/// The answer to a [`Register`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Registration {
    /// The agent's id.
    pub agent_id: String,
    /// Its name.
    pub name: String,
    /// Its client id, where the service says it.
    pub client_id: Option<String>,
    /// Such as `active`, where the service says it.
    pub status: Option<String>,
    /// The platform identity it is bound to.
    pub workload_identity: Option<Value>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use http::{HeaderMap, StatusCode};

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
