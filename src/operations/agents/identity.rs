//! Who the agent is to the service.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Request, Response};

/// What the agent is.
pub const ME: Route = Route::get("agents.me", "agents/me").warm(2);

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
    /// The agent's roles, `ROLE_...`. The wire calls them `capabilities`; the slugs are in [`AgentInfo::capabilities`](super::AgentInfo::capabilities).
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
