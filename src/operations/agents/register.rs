//! Registering an agent.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, InputError};
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Request, Response};

/// Agents register here.
pub const REGISTER: Route = Route::post("agents.register", "agents/register");

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
