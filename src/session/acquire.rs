//! Getting a token: from the cache, by fetching it, or by waiting for the call that fetches it.

use std::time::Duration;

use super::lifecycle::{Lease, Need, TokenKey};
use super::retry::{Failure, Verdict, verdict};
use super::{Action, Arrived, Machine, Session, attach};
use crate::error::{Error, ProtocolError, ProtocolFault, Redactor};
use crate::operation::{Answer, Operation};
use crate::operations::ClientCredentials;
use crate::secret::Secret;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Held};

/// One attempt of a renewal that nobody has to wait for.
const SOFT_ATTEMPT: Duration = Duration::from_secs(2);

/// The machine inside every call that needs a token.
pub(super) struct Acquire {
    session: Session,
    key: TokenKey,
    operation: ClientCredentials,
    force: bool,
    phase: Phase,
}

enum Phase {
    Deciding,
    Waiting { until: Duration },
    Fetching(Fetch),
    Pausing { fetch: Fetch, until: Duration },
}

/// A fetch under way.
struct Fetch {
    lease: Lease,
    /// The token that is good enough if this fails.
    fallback: Option<Held>,
    attempts: u32,
    asked: Now,
    secrets: Vec<Secret>,
    /// The attempt had less time than an attempt should have, because the caller's deadline is near.
    hurried: bool,
}

impl Acquire {
    pub(super) fn new(session: &Session, force: bool) -> Result<Self, Error> {
        Ok(Acquire {
            session: session.clone(),
            key: session.key()?,
            operation: ClientCredentials::new(session.scopes()),
            force,
            phase: Phase::Deciding,
        })
    }

    pub(super) fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Action<Held>, Error> {
        match std::mem::replace(&mut self.phase, Phase::Deciding) {
            Phase::Deciding => self.decide(now, deadline),
            Phase::Waiting { until } if now.monotonic < until => self.wait(until, now),
            Phase::Waiting { .. } => self.decide(now, deadline),
            Phase::Pausing { fetch, until } if now.monotonic < until => {
                self.phase = Phase::Pausing { fetch, until };
                Ok(Action::Wait(until.saturating_sub(now.monotonic)))
            }
            Phase::Pausing { fetch, .. } => self.send(fetch, now, deadline),
            Phase::Fetching(fetch) => self.arrived(fetch, now, arrived, deadline),
        }
    }

    fn wait(&mut self, until: Duration, now: &Now) -> Result<Action<Held>, Error> {
        self.phase = Phase::Waiting { until };
        Ok(Action::Wait(until.saturating_sub(now.monotonic)))
    }

    fn decide(&mut self, now: &Now, deadline: &Deadline) -> Result<Action<Held>, Error> {
        let remaining = deadline.remaining(now);
        let slot = self.session.shared.tokens.slot(&self.key, now);
        match slot.need(now, self.force) {
            Need::Use(held) => Ok(Action::Done(held)),
            Need::Fail(error) => Err(error),
            Need::Join(ticket) => {
                // Whoever waited for a new token has it when the other call has settled.
                self.force = false;
                Ok(Action::Join(ticket.limited(remaining)))
            }
            Need::Wait(pause) if pause >= remaining => Err(Error::DeadlineExceeded {
                operation: "oauth.token",
                total: deadline.total(),
                phase: "waiting before the next token request",
                last: None,
            }),
            Need::Wait(pause) => self.wait(now.monotonic.saturating_add(pause), now),
            Need::Lead(lease, fallback) => {
                self.force = false;
                let fetch =
                    Fetch { lease, fallback, attempts: 0, asked: *now, secrets: Vec::new(), hurried: false };
                self.send(fetch, now, deadline)
            }
        }
    }

    fn send(&mut self, mut fetch: Fetch, now: &Now, deadline: &Deadline) -> Result<Action<Held>, Error> {
        let terms = self.operation.terms();
        let wanted = match fetch.fallback {
            Some(_) => SOFT_ATTEMPT,
            None => self.session.settings().attempt.unwrap_or(terms.attempt),
        };
        let time = wanted.min(deadline.remaining(now));
        let request = match attach::prepare(&self.session, &self.operation, &terms, None, "", time) {
            Ok(request) => request,
            // Wrong scopes or no credentials: nothing was sent, and it is this caller's to correct.
            Err(error) => return fetch.fallback.map(Action::Done).ok_or(error),
        };
        fetch.attempts = fetch.attempts.saturating_add(1);
        fetch.asked = *now;
        fetch.hurried = time < wanted;
        fetch.secrets = request.secrets().to_vec();
        log::debug!("oauth.token: attempt {} for {:?}", fetch.attempts, self.key.grant);
        self.phase = Phase::Fetching(fetch);
        Ok(Action::Send(request))
    }

    fn arrived(
        &mut self,
        fetch: Fetch,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Action<Held>, Error> {
        let outcome = match arrived {
            Some(Arrived::Response(response)) => self.operation.response(&response.received_at(now.wall)),
            Some(Arrived::Failed(error)) => Err(Error::Transport(error)),
            None => Err(super::call::nothing_arrived()),
        };
        let error = match outcome {
            Ok(Answer::Done(token)) => {
                self.session.shared.quota.success();
                log::debug!("oauth.token: a token for {} s", token.lifetime().as_secs());
                return fetch.lease.succeed(token, &fetch.asked, now).map(Action::Done);
            }
            Ok(Answer::Again(_)) => {
                let fault = ProtocolFault::Other("a token request has no \"later\"");
                Error::Protocol(ProtocolError::new("oauth.token", 200, fault))
            }
            Err(error) => error.redacted(&Redactor::new(&fetch.secrets)),
        };
        log::debug!("oauth.token: {error}");
        let failure = match &error {
            Error::Transport(error) => Some(Failure::Transport(error)),
            Error::Api(error) => Some(Failure::Answer(error)),
            _ => None,
        };
        let (effect, remaining) = (self.operation.terms().effect, deadline.remaining(now));
        let quota = &self.session.shared.quota;
        let again = failure
            .filter(|_| fetch.fallback.is_none())
            .map(|failure| verdict(failure, effect, fetch.attempts, remaining, now, quota));
        if let Some(Verdict::After(pause)) = again {
            self.phase = Phase::Pausing { fetch, until: now.monotonic.saturating_add(pause) };
            return Ok(Action::Wait(pause));
        }
        if fetch.hurried && error.is_timeout() {
            // This caller ran out of its own time; that says nothing about the service. Another caller takes over.
            drop(fetch.lease);
        } else {
            fetch.lease.fail(&error, now);
        }
        fetch.fallback.map(Action::Done).ok_or(error)
    }
}

/// The machine that gets the agent's token and nothing else.
pub struct TokenCall {
    session: Session,
    force: bool,
    acquire: Option<Acquire>,
    deadline: Option<Deadline>,
}

impl TokenCall {
    pub(super) fn new(session: &Session, force: bool) -> Self {
        TokenCall { session: session.clone(), force, acquire: None, deadline: None }
    }

    /// Within a deadline that runs already.
    pub fn within(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Machine for TokenCall {
    type Output = AccessToken;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Action<AccessToken>, Error> {
        let total = self.session.total.unwrap_or_else(|| ClientCredentials::default().terms().total);
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, total));
        if arrived.is_none() && deadline.passed(now) {
            return Err(Error::DeadlineExceeded {
                operation: "oauth.token",
                total: deadline.total(),
                phase: "getting a token",
                last: None,
            });
        }
        let acquire = match &mut self.acquire {
            Some(acquire) => acquire,
            none => none.insert(Acquire::new(&self.session, self.force)?),
        };
        Ok(match acquire.step(now, arrived, &deadline)? {
            Action::Done(held) => Action::Done(held.token),
            Action::Send(request) => Action::Send(request),
            Action::Wait(pause) => Action::Wait(pause),
            Action::Join(ticket) => Action::Join(ticket),
        })
    }
}
