//! The agent's own tokens, by scopes: from client credentials, or by an exchange of the platform's token.

use std::sync::Arc;

use super::super::Session;
use super::super::identity::{OwnToken, TokenKey};
use super::super::keep::{Keeper, Kind, Lead, Life, Loan, Told};
use super::super::shared::{Place, Shared};
use super::Call;
use crate::error::Error;
use crate::scopes::Scopes;
use crate::time::Now;
use crate::token::AccessToken;

/// The agent's own token with the scopes that are wanted when it is asked for.
pub(crate) struct Own {
    session: Session,
    scopes: Scopes,
}

impl Own {
    pub(crate) fn new(session: &Session) -> Self {
        Own { session: session.clone(), scopes: session.scopes() }
    }
}

/// The usual case: the token is there and fresh. None if anything has to be done or said.
pub(super) fn at_hand(session: &Session, now: &Now) -> Option<Loan<AccessToken>> {
    let slot = session.wanted_slot(now).ok()?;
    slot.fresh(now).map(|held| Loan::new(held, slot))
}

impl Kind for Own {
    type Key = Arc<TokenKey>;
    type Value = AccessToken;
    type Fetch = Shared<Call<OwnToken>>;
    const NAME: &'static str = "oauth.token";
    const PHASE: &'static str = "getting a token";

    fn keeper(&self) -> &Keeper<Arc<TokenKey>, AccessToken> {
        &self.session.shared.tokens
    }

    fn key(&self) -> Result<Arc<TokenKey>, Error> {
        Ok(self.session.key(&self.scopes)?.0)
    }

    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error> {
        let (_, identity) = self.session.key(&self.scopes)?;
        let operation = OwnToken::of(&identity, &self.scopes);
        let place = Place::own(&self.session, &identity, &self.scopes);
        let call = Call::leading(&self.session, operation, lead).by(identity);
        Ok(Shared::new(call, place, lead))
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
