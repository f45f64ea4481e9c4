//! How an agent stands with others: attestation of its workload, its card, and the tools of MCP servers that it may use
//! (`docs/wire.md`, rows W).

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::decision::{self, Decision, allowed, echoed};
use super::token::{access_token, bearer_of};
use crate::error::{ApiError, Error, InputError, ProtocolFault};
use crate::json;
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::token::AccessToken;
use crate::wire::{self, Request, Response};

/// A workload is attested here.
pub const ATTEST: Route = Route::post("agents.attest", "agents/{agent_id}/attest");
/// The card of an agent.
pub const AGENT_CARD: Route = Route::get("agents.agent_card", "agents/{agent_id}/agent-card");
/// A card is verified here.
pub const AGENT_CARD_VERIFY: Route = Route::post("agents.agent_card.verify", "agents/agent-card/verify");
/// Whether the agent may use a tool of an MCP server.
pub const MCP_AUTHORIZE: Route = Route::post("agents.mcp_authorize", "agents/me/mcp/authorize");
pub(super) const ROUTES: &[Route] = &[ATTEST, AGENT_CARD, AGENT_CARD_VERIFY, MCP_AUTHORIZE];

/// Shows a platform's attestation of this workload, and gets a token of the agent's for it. `POST agents/{agent_id}/attest`, without
/// any credential.
///
/// | part | | on the wire |
/// |---|---|---|
/// | agent id | REQUIRED | in the path |
/// | attestation | REQUIRED | `attestation_token` |
#[derive(Clone, Debug)]
pub struct Attest {
    agent_id: String,
    attestation: Secret,
}

impl Attest {
    /// Of this agent, by this attestation.
    pub fn new(agent_id: impl Into<String>, attestation: impl Into<Secret>) -> Self {
        Attest { agent_id: agent_id.into(), attestation: attestation.into() }
    }
}

/// What an attestation brought.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attested {
    /// The agent's token, for [`ApiRequest::token`](super::ApiRequest::token) and exchanges.
    pub token: AccessToken,
    /// Who the platform says it is: provider, subject, issuer.
    pub identity: Identified,
}

/// Who a platform says that a workload is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Identified {
    /// The platform.
    pub provider: Option<String>,
    /// Its name for the workload.
    pub subject: Option<String>,
    /// Who signed that.
    pub issuer: Option<String>,
}

impl Operation for Attest {
    type Output = Attested;

    fn terms(&self) -> Terms {
        Terms::new(ATTEST.name(), Effect::Repeatable, Auth::None).total(Duration::from_secs(20))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.attestation.expose().trim().is_empty() {
            return Err(InputError::new("attestation", "is empty").into());
        }
        let request = context.to_with(ATTEST, &[&self.agent_id])?;
        let body = json!({"attestation_token": self.attestation.expose()});
        Ok(request.json(&body).carries(&self.attestation))
    }

    fn response(&self, response: &Response) -> Result<Answer<Attested>, Error> {
        let mut fields = wire::read(ATTEST.name(), response)?;
        if response.status() != 200 {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        let token = access_token(&mut fields, response, &Scopes::none())?;
        let token = bearer_of(ATTEST, token)?;
        let identity = match fields.object("identity")? {
            None => Identified::default(),
            Some(mut said) => Identified {
                provider: said.text("provider")?,
                subject: said.text("subject")?,
                issuer: said.text("issuer")?,
            },
        };
        Ok(Answer::Done(Attested { token, identity }))
    }
}

/// Reads the card of an agent (A2A): what it is, what it can do, and the service's signature. `GET agents/{agent_id}/agent-card`,
/// without any credential. Believe it after [`VerifyAgentCard`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetAgentCard {
    agent_id: String,
}

impl GetAgentCard {
    /// Of this agent.
    pub fn new(agent_id: impl Into<String>) -> Self {
        GetAgentCard { agent_id: agent_id.into() }
    }
}

/// The card of an agent, as it was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AgentCard {
    card: Map<String, Value>,
}

impl AgentCard {
    /// A card from elsewhere.
    ///
    /// # Errors
    /// [`InputError`] if it is no object.
    pub fn new(card: impl Into<Value>) -> Result<Self, InputError> {
        match card.into() {
            Value::Object(card) => Ok(AgentCard { card }),
            _ => Err(InputError::new("card", "is no JSON object")),
        }
    }

    /// The agent's name.
    pub fn name(&self) -> Option<&str> {
        self.card.get("name").and_then(Value::as_str)
    }

    /// Where it is reached.
    pub fn url(&self) -> Option<&str> {
        self.card.get("url").and_then(Value::as_str)
    }

    /// All of it.
    pub fn members(&self) -> &Map<String, Value> {
        &self.card
    }
}

impl Operation for GetAgentCard {
    type Output = AgentCard;

    fn terms(&self) -> Terms {
        Terms::new(AGENT_CARD.name(), Effect::Read, Auth::None)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        context.to_with(AGENT_CARD, &[&self.agent_id])
    }

    fn response(&self, response: &Response) -> Result<Answer<AgentCard>, Error> {
        Ok(Answer::Done(AgentCard { card: wire::read(AGENT_CARD.name(), response)?.rest() }))
    }
}

/// Has the service verify the signatures of a card. `POST agents/agent-card/verify`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | card | REQUIRED | the body |
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyAgentCard {
    card: AgentCard,
}

impl VerifyAgentCard {
    /// This card.
    pub fn new(card: AgentCard) -> Self {
        VerifyAgentCard { card }
    }
}

/// What the service says of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CardVerdict {
    /// True if the service said so, and only then.
    pub valid: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The id of the key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

impl Operation for VerifyAgentCard {
    type Output = CardVerdict;

    fn terms(&self) -> Terms {
        Terms::new(AGENT_CARD_VERIFY.name(), Effect::Read, Auth::Bearer).callers(Callers::PRINCIPALS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(AGENT_CARD_VERIFY).json(&Value::Object(self.card.card.clone())))
    }

    /// The same rule as for an allow: 200, `valid` the boolean `true`, and nothing beside it that says otherwise.
    fn response(&self, response: &Response) -> Result<Answer<CardVerdict>, Error> {
        let mut fields = decision::read(AGENT_CARD_VERIFY.name(), response)?;
        let valid = fields.required_boolean("valid")?;
        let error = fields.text("error")?;
        if valid && error.is_some() {
            let problem = "the answer says valid and reports an error at once";
            return Err(fields.fault(ProtocolFault::Other(problem)));
        }
        let key_id = fields.object("signer")?.map(|mut signer| signer.text("kid")).transpose()?.flatten();
        Ok(Answer::Done(CardVerdict { valid, error, key_id }))
    }
}

/// May the agent use this tool of this MCP server? `POST agents/me/mcp/authorize`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | server, by its id | REQUIRED | `server_id` |
/// | tool | REQUIRED | `tool` |
///
/// A 403 that says `"allowed": false` is a denial; every other is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeTool {
    server: String,
    tool: String,
}

impl AuthorizeTool {
    /// Asks about this tool of this server.
    pub fn new(server: impl Into<String>, tool: impl Into<String>) -> Self {
        AuthorizeTool { server: server.into(), tool: tool.into() }
    }
}

impl Operation for AuthorizeTool {
    type Output = Decision;

    fn terms(&self) -> Terms {
        Terms::new(MCP_AUTHORIZE.name(), Effect::Read, Auth::Bearer).total(Duration::from_secs(8))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        for (name, text) in [("server", &self.server), ("tool", &self.tool)] {
            if text.trim().is_empty() {
                return Err(InputError::new(name, "is empty").into());
            }
        }
        let body = json!({"server_id": self.server, "tool": self.tool});
        Ok(context.to(MCP_AUTHORIZE).json(&body))
    }

    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        let action = format!("{} of {}", self.tool, self.server);
        if response.status() == 403 {
            let refused = || Error::Api(ApiError::read(MCP_AUTHORIZE.name(), response));
            let denied = match json::parse(response.body()) {
                Ok(Value::Object(map)) if map.get("allowed") == Some(&Value::Bool(false)) => map,
                _ => return Err(refused()),
            };
            let text = |name: &str| denied.get(name).and_then(Value::as_str).map(str::to_owned);
            let reason = text("reason").or_else(|| text("message")).or_else(|| text("error"));
            return Ok(Answer::Done(Decision::bare(false, &action).because(reason, text("audit_id"))));
        }
        let mut fields = decision::read(MCP_AUTHORIZE.name(), response)?;
        let allowed = allowed(&mut fields, "allowed")?;
        if let Some(mut resource) = fields.object("resource")? {
            echoed(&mut resource, "server_id", &self.server)?;
            echoed(&mut resource, "tool", &self.tool)?;
        }
        Ok(Answer::Done(Decision::of(fields, allowed, &action, &Map::new())?))
    }
}
