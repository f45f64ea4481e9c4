//! Renewals of tokens for resources: one refresh token is sent once for all who were there, and for nobody who comes later.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::super::keep::{Keep, Keeper, Kind, Lead, Life, Misfit, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Step};
use super::KeyHolder;
use super::signed::AsHolder;
use crate::error::Error;
use crate::operations::aauth::{AuthToken, Refresh};
use crate::operations::routes::aauth::TOKEN;
use crate::secret::Secret;
use crate::time::{Deadline, Now};

/// Stands for a refresh token, of which it says nothing.
pub(super) type RenewalKey = [u8; 32];

/// What came of a renewal.
#[derive(Clone)]
pub(super) struct Renewed {
    /// The token that was renewed: others may have had the same refresh token.
    earlier: Secret,
    token: AuthToken,
}

/// The renewal of this token.
pub(super) struct Renewal {
    holder: KeyHolder,
    token: AuthToken,
    refresh_token: Secret,
    resource_token: Secret,
}

impl Renewal {
    pub(super) fn new(
        holder: &KeyHolder,
        token: AuthToken,
        refresh_token: Secret,
        resource_token: Secret,
    ) -> Self {
        Renewal { holder: holder.clone(), token, refresh_token, resource_token }
    }
}

impl Kind for Renewal {
    type Key = RenewalKey;
    type Value = Renewed;
    type Fetch = Renew;
    const NAME: &'static str = TOKEN.name();
    const PHASE: &'static str = "waiting for another call's renewal";
    /// Who comes later brings another resource token, and is told neither what came of this one nor why nothing did.
    const POLICY: Policy = Policy {
        pace: Duration::ZERO,
        misfit: Misfit::Wait,
        memory: |_, _| Duration::ZERO,
        ..Policy::TOKENS
    };

    fn keeper(&self) -> &Keeper<RenewalKey, Renewed> {
        &self.holder.shared.renewals
    }

    fn key(&self) -> Result<RenewalKey, Error> {
        Ok(Sha256::digest(self.refresh_token.expose().as_bytes()).into())
    }

    fn fetch(&self, lead: Lead) -> Result<Renew, Error> {
        let refresh = Refresh::new(self.refresh_token.clone(), self.resource_token.clone());
        let refresh = refresh.granted(self.token.scopes());
        Ok(Renew { earlier: self.token.clone(), call: AsHolder::leading(&self.holder, refresh, lead) })
    }

    fn life(&self, _: &Renewed, asked: &Now) -> Life {
        Life::once(asked)
    }

    fn fits(&self, renewed: &Renewed) -> bool {
        renewed.earlier == *self.token.auth_token()
    }
}

pub(super) struct Renew {
    earlier: AuthToken,
    call: AsHolder<Refresh>,
}

impl Part for Renew {
    type Output = Renewed;

    fn unknown(&self) -> Option<Error> {
        self.call.unknown()
    }

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Renewed>, Failed> {
        let token = ready!(self.call.step(now, arrived, time)?);
        let earlier = self.earlier.auth_token().clone();
        Ok(Step::Done(Renewed { earlier, token: token.for_resource_of(&self.earlier)? }))
    }
}

/// The new token alone.
pub(super) struct Token(pub(super) Keep<Renewal>);

impl Part for Token {
    type Output = AuthToken;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AuthToken>, Failed> {
        Ok(Step::Done(ready!(self.0.step(now, arrived, time)?).value.token))
    }
}
