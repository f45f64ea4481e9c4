//! The tokens behind a session: the user's, renewed once for all; and those that exchanges gave, held until they end.

use super::super::dual;
use super::{DelegationChain, DelegationKey, LOOK_AGAIN};
use crate::error::{ConsentError, Error, InputError};
use crate::operation::AttemptId;
use crate::operations::{Exchange, Refresh, UserSession, UserToken};
use crate::scopes::Scopes;
use crate::session::Claim;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Freshness};

/// The name of the work that renewing a user's token is.
fn user_claim(session: &str) -> String {
    format!("user {session}")
}

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
                epoch: self.driver.session.epoch(),
                own_scopes: self.driver.session.scopes().sorted(),
                session: session.to_owned(),
                user: record.fingerprint(),
                scopes: scopes.sorted(),
                resource: resource.map(str::to_owned),
            };
            let now = self.driver.transport.now()?;
            let current = match self.delegations.get(&key, &now) {
                Some((token, Freshness::Fresh)) => return Ok((token, true)),
                current => current.map(|(token, _)| token),
            };
            // One exchange at a time for each session: whoever waits finds the token held.
            let name = format!("exchange {}", key.session);
            let _lease = match (self.driver.session.claim(&name, &now, deadline), &current) {
                (Claim::Yours(lease), _) => lease,
                // Somebody renews it, and it still is good.
                (Claim::Taken(_), Some(token)) => return Ok((token.clone(), true)),
                (Claim::Taken(ticket), None) => {
                    self.driver.transport.join(ticket).await;
                    self.not_late(deadline)?;
                    continue;
                }
            };
            // It may have been got between the look and the claim.
            if let Some((token, Freshness::Fresh)) = self.delegations.get(&key, &now) {
                return Ok((token, true));
            }
            let mut exchange = Exchange::new(user.secret().clone());
            exchange = exchange.scopes(scopes).at_most(record.scopes());
            if let Some(resource) = resource {
                exchange = exchange.resource(resource);
            }
            let asked = self.driver.transport.now()?;
            let exchanged = self.exchange_with_actor(exchange, deadline).await;
            let fetched = exchanged.is_ok();
            let after = self.driver.transport.now()?;
            let token = self.delegations.settle(key, current, exchanged, (&asked, &after))?;
            return Ok((token, !fetched));
        }
    }

    /// Never without its actor: if the agent's token cannot be had, nothing is exchanged.
    async fn exchange_with_actor(
        &self,
        exchange: Exchange,
        deadline: &Deadline,
    ) -> Result<AccessToken, Error> {
        let actor = self.driver.turn(self.driver.session.token().within(*deadline)).await?;
        let exchange = self.authenticated(exchange.actor(actor.secret().clone()));
        Ok(self.driver.run_within(exchange, deadline).await?.access)
    }

    pub(super) fn authenticated(&self, exchange: Exchange) -> Exchange {
        match self.client_auth {
            Some(client_auth) => exchange.client_auth(client_auth),
            None => exchange,
        }
    }

    fn not_late(&self, deadline: &Deadline) -> Result<(), Error> {
        let now = self.driver.transport.now()?;
        self.driver.not_late(&now, deadline, "oauth.token", "waiting for another call's tokens")
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
                    match self.driver.session.claim(&user_claim(session), &now, deadline) {
                        // It is renewed in this process.
                        Claim::Taken(ticket) => self.driver.transport.join(ticket).await,
                        Claim::Yours(lease) => {
                            drop(lease);
                            self.driver.transport.sleep(LOOK_AGAIN).await;
                        }
                    }
                }
                UserToken::Renew(_) => {
                    let name = user_claim(session);
                    match (self.driver.session.claim(&name, &now, deadline), record.good_token(now.wall)) {
                        (Claim::Yours(_lease), _) => self.renew(session, &now, deadline).await?,
                        // Somebody renews it, and it still is good.
                        (Claim::Taken(_), Some(token)) => return Ok((token, record)),
                        (Claim::Taken(ticket), None) => {
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
        let own = AttemptId::of(now).to_string();
        self.not_late(deadline)?;
        record.claim(&own, now.wall);
        if !self.store.save_if(session, Some(version), &record.to_bytes()).await? {
            return Ok(());
        }
        let outcome = self.driver.run_within(Refresh::new(refresh).granted(granted), deadline).await;
        match outcome {
            // Stored before anybody uses it.
            Ok(tokens) => {
                let change = |record: &mut UserSession| {
                    record.is_claimed_by(&own).then(|| record.store_renewed(tokens.clone()))
                };
                if let Some(stored) = self.change_known(session, change).await? {
                    return stored;
                }
                // Revoked meanwhile, or begun anew: what came too late belongs to nobody.
                self.take_back(&tokens).await
            }
            Err(error) => {
                let (spent, after) = (UserSession::is_spent_by(&error), self.driver.transport.now()?);
                let change = |record: &mut UserSession| {
                    record.is_claimed_by(&own).then(|| {
                        if spent {
                            record.spend_refresh_token();
                        } else {
                            record.give_back(after.wall);
                        }
                        record.good_token(after.wall).is_some()
                    })
                };
                let good = self.change_known(session, change).await?;
                // A renewal that fails for the moment takes nothing away from a token that is good.
                let for_the_moment = error.is_temporary() || matches!(error, Error::OutcomeUnknown { .. });
                if good == Some(true) && for_the_moment { Ok(()) } else { Err(error) }
            }
        }
    }
}
