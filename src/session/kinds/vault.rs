//! Tokens out of the vault: for somebody else's service, of one connection and perhaps one user.

use super::super::keep::{Just, Keep, Keeper, Kind, Lead, Life};
use super::super::part::Within;
use super::super::{Call, Machine, Session};
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::{GetVaultToken, VaultToken};
use crate::time::Now;

/// Everything that makes such a token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct VaultKey {
    /// The agent's credentials, counted.
    epoch: u64,
    /// The scopes of the agent's own token, by which it is asked for.
    own_scopes: Vec<String>,
    wanted: GetVaultToken,
}

/// The token of this connection.
pub(crate) struct Vault {
    session: Session,
    wanted: GetVaultToken,
}

impl Kind for Vault {
    type Key = VaultKey;
    type Value = VaultToken;
    type Fetch = Call<GetVaultToken>;
    const NAME: &'static str = "connections.token";
    const PHASE: &'static str = "waiting for another call's token";

    fn keeper(&self) -> &Keeper<VaultKey, VaultToken> {
        &self.session.shared.vault
    }

    fn key(&self) -> Result<VaultKey, Error> {
        Ok(VaultKey {
            epoch: self.session.epoch(),
            own_scopes: self.session.scopes().sorted(),
            wanted: self.wanted.clone(),
        })
    }

    fn fetch(&self, lead: Lead) -> Result<Call<GetVaultToken>, Error> {
        Ok(Call::leading(&self.session, self.wanted.clone(), lead))
    }

    fn life(&self, token: &VaultToken, asked: &Now) -> Life {
        Life::of(token.lifetime(), asked)
    }
}

impl Session {
    /// The machine that gets a token out of the vault: the one held if it is fresh.
    pub fn vault_token(&self, wanted: GetVaultToken) -> impl Machine<Output = VaultToken> + Send + use<> {
        let total = self.total_of(&wanted.terms());
        Within::new(Just(Keep::new(Vault { session: self.clone(), wanted })), total)
    }
}
