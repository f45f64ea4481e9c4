//! The agent's own record.

use serde::Serialize;
use serde_json::{Map, Value};

use super::budget::Budget;
use crate::error::Error;
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Request, Response};

/// What the service says of the agent.
pub const USERINFO: Route = Route::get("oauth.userinfo", "oauth/userinfo").warm(1);

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
