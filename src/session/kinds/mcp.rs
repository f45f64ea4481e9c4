//! Tokens that are bound to one MCP server: exchanges of the agent's own.

use super::super::keep::{Keeper, Kind, Lead, Life, Policy, Told};
use super::super::shared::{Place, Shared};
use super::super::{Call, Session};
use super::exchanged;
use crate::credentials::ClientAuth;
use crate::error::Error;
use crate::operations::McpToken;
use crate::time::Now;
use crate::token::AccessToken;

/// Everything that makes such a token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct McpKey {
    /// The agent's credentials, counted.
    epoch: u64,
    /// The scopes of the agent's own token, which the other one comes from.
    own_scopes: Vec<String>,
    server: String,
    scopes: Vec<String>,
    client_auth: Option<ClientAuth>,
}

/// The token for this server with these scopes.
pub(crate) struct Mcp {
    session: Session,
    wanted: McpToken,
}

impl Mcp {
    pub(crate) fn new(session: &Session, wanted: McpToken) -> Self {
        Mcp { session: session.clone(), wanted }
    }
}

impl Kind for Mcp {
    type Key = McpKey;
    type Value = AccessToken;
    type Fetch = Shared<Call<McpToken>>;
    const NAME: &'static str = "oauth.token";
    const PHASE: &'static str = "waiting for another call's token";
    const POLICY: Policy = exchanged::POLICY;

    fn keeper(&self) -> &Keeper<McpKey, AccessToken> {
        &self.session.shared.mcp
    }

    fn key(&self) -> Result<McpKey, Error> {
        Ok(McpKey {
            epoch: self.session.epoch(),
            own_scopes: self.session.scopes().sorted(),
            server: self.wanted.server().to_owned(),
            scopes: self.wanted.asked_scopes().sorted(),
            client_auth: self.wanted.asked_client_auth(),
        })
    }

    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error> {
        let place = Place::mcp(&self.session, &self.session.identity()?, &self.wanted);
        Ok(Shared::new(Call::leading(&self.session, self.wanted.clone(), lead), place, lead))
    }

    fn tell(fetch: &mut Self::Fetch, told: Told<AccessToken>) {
        fetch.tell(told);
    }

    fn life(&self, token: &AccessToken, asked: &Now) -> Life {
        Life::of(token.lifetime(), asked)
    }

    fn life_of(&self, fetch: &Self::Fetch, token: &AccessToken, asked: &Now) -> Life {
        fetch.life(token, asked)
    }
}
