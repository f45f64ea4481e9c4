//! The tokens behind a session: the user's, renewed once for all; and those that exchanges gave, held until they end.

use super::super::dual;
use super::{DelegationChain, DelegationKey, LOOK_AGAIN};
use crate::error::{ConsentError, Error, InputError};
use crate::operations::{Exchange, Refresh, Revoke, TokenHint, UserSession, UserToken};
use crate::scopes::Scopes;
use crate::session::Claim;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Freshness};

impl DelegationChain {
    pub(super) fn forget(&self, session: &str) {
        self.delegations.retain(|key| key.session != session);
    }
}

#[dual(AFIT)]
impl DelegationChain {
    /// A delegated token, and whether it was held already.
    pub(super) async fn delegated(
        &self,
        session: &str,
        scopes: &Scopes,
        resource: Option<&str>,
        deadline: &Deadline,
    ) -> Result<(AccessToken, bool), Error> {
        loop {
            let (user, record) = self.user_token(session, deadline).await?;
            let key = DelegationKey {
                session: session.to_owned(),
                user: record.fingerprint(),
                scopes: scopes.sorted(),
                resource: resource.map(str::to_owned),
            };
            let now = self.driver.transport.now()?;
            if let Some((token, Freshness::Fresh)) = self.delegations.get(&key, &now) {
                return Ok((token, true));
            }
            // One exchange at a time for each session: whoever waits finds the token held.
            let name = format!("exchange {}", key.session);
            let _lease = match self.driver.session.claim(&name, &now, deadline) {
                Claim::Yours(lease) => lease,
                Claim::Taken(ticket) => {
                    self.driver.transport.join(ticket).await;
                    self.not_late(deadline)?;
                    continue;
                }
            };
            // Never without its actor: if the agent's token cannot be had, nothing is exchanged.
            let actor = self.driver.turn(self.driver.session.token().within(*deadline)).await?;
            let mut exchange = Exchange::new(user.secret().clone()).actor(actor.secret().clone());
            exchange = exchange.scopes(scopes).at_most(record.scopes());
            if let Some(resource) = resource {
                exchange = exchange.resource(resource);
            }
            let asked = self.driver.transport.now()?;
            let tokens = self.driver.run_within(self.authenticated(exchange), deadline).await?;
            self.delegations.put(key, &tokens.access, &asked, &self.driver.transport.now()?);
            return Ok((tokens.access, false));
        }
    }

    pub(super) fn authenticated(&self, exchange: Exchange) -> Exchange {
        match self.client_auth {
            Some(client_auth) => exchange.client_auth(client_auth),
            None => exchange,
        }
    }

    fn not_late(&self, deadline: &Deadline) -> Result<(), Error> {
        if deadline.passed(&self.driver.transport.now()?) {
            let phase = "waiting for another call's tokens";
            let (operation, total) = ("oauth.token", deadline.total());
            return Err(Error::DeadlineExceeded { operation, total, phase, last: None });
        }
        Ok(())
    }

    /// The user's token, renewed if it is about to end: once, however many ask.
    async fn user_token(
        &self,
        session: &str,
        deadline: &Deadline,
    ) -> Result<(AccessToken, UserSession), Error> {
        loop {
            let now = self.driver.transport.now()?;
            let unknown =
                || InputError::new("session", "is not known: send the user to its consent URL first");
            let (record, _) = self.load(session).await?.ok_or_else(unknown)?;
            match record.user_token(now.wall) {
                UserToken::Ready(token) => return Ok((token, record)),
                UserToken::Missing => return Err(ConsentError::Needed.into()),
                UserToken::Claimed => {
                    self.not_late(deadline)?;
                    self.driver.transport.sleep(LOOK_AGAIN).await;
                }
                UserToken::Renew(_) => {
                    match self.driver.session.claim(&format!("user {session}"), &now, deadline) {
                        Claim::Yours(_lease) => self.renew(session, &now, deadline).await?,
                        Claim::Taken(ticket) => {
                            self.driver.transport.join(ticket).await;
                            self.not_late(deadline)?;
                        }
                    }
                }
            }
        }
    }

    /// Renews the user's token, if it still has to be, and if no other process has claimed it.
    async fn renew(&self, session: &str, now: &Now, deadline: &Deadline) -> Result<(), Error> {
        let Some((mut record, version)) = self.load(session).await? else { return Ok(()) };
        let UserToken::Renew(refresh) = record.user_token(now.wall) else { return Ok(()) };
        let granted = record.scopes();
        let own = now.identifier();
        record.claim(&own, now.wall);
        if !self.store.save_if(session, Some(version), &record.to_bytes()).await? {
            return Ok(());
        }
        let outcome = self.driver.run_within(Refresh::new(refresh).granted(granted), deadline).await;
        match outcome {
            // Stored before anybody uses it.
            Ok(tokens) => {
                let change = |record: &mut UserSession| {
                    record.is_claimed_by(&own).then(|| record.store_tokens(tokens.clone()))
                };
                if let Some(Some(stored)) = self.change_known(session, change).await? {
                    return stored;
                }
                // Revoked meanwhile, or begun anew: what came too late belongs to nobody.
                if let Some(refresh) = tokens.refresh {
                    let revoke = Revoke::new(refresh).hint(TokenHint::RefreshToken);
                    self.driver.run_within(revoke, deadline).await?;
                }
                Ok(())
            }
            Err(error) => {
                let spent = UserSession::is_spent_by(&error);
                let change = |record: &mut UserSession| {
                    if !record.is_claimed_by(&own) {
                    } else if spent {
                        record.spend_refresh_token();
                    } else {
                        record.give_back();
                    }
                };
                self.change_known(session, change).await?;
                Err(error)
            }
        }
    }
}
