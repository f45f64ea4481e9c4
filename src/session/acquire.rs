//! Getting a token: from the cache, by fetching it, or by waiting for the call that fetches it.

use std::sync::Arc;
use std::time::Duration;

use super::identity::{Identity, OwnToken};
use super::lifecycle::{Lease, Loan, Need, Search, Slot};
use super::retry::{ATTEMPTS, Failure, Verdict, verdict};
use super::{Action, Arrived, Machine, Session, Step, attach, ended, nothing_arrived};
use crate::error::{Error, ProtocolError, ProtocolFault, Redactor, WorkloadError};
use crate::operation::{Answer, Operation, Terms};
use crate::operations::ClientCredentials;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Held};

/// One attempt of a renewal that nobody has to wait for.
const SOFT_ATTEMPT: Duration = Duration::from_secs(2);

/// The machine inside every call that needs a token.
pub(super) struct Acquire {
    session: Session,
    scopes: Scopes,
    search: Search,
    phase: Phase,
}

enum Phase {
    Deciding,
    Waiting {
        until: Duration,
    },
    /// The platform's token is wanted first.
    Asking(Fetch),
    Fetching(Fetch, OwnToken),
    Pausing {
        fetch: Fetch,
        until: Duration,
    },
}

/// A fetch under way.
struct Fetch {
    lease: Lease,
    slot: Arc<Slot>,
    /// Who the slot belongs to, and which of all that the session has had.
    identity: Identity,
    epoch: u64,
    /// The token that is good enough if this fails.
    fallback: Option<Held>,
    attempts: u32,
    asked: Now,
    secrets: Vec<Secret>,
    /// The attempt had less time than an attempt should have, because the caller's deadline is near.
    hurried: bool,
}

/// The usual case: the token is there and fresh. None if anything has to be done or said.
pub(super) fn ready(session: &Session, now: &Now) -> Option<Loan> {
    let slot = session.wanted_slot(now).ok()?;
    slot.fresh(now).map(|held| Loan::new(held, slot))
}

impl Acquire {
    pub(super) fn new(session: &Session, force: bool) -> Self {
        let scopes = session.scopes();
        let newer_than = force.then(|| session.shared.tokens.newest());
        Acquire {
            session: session.clone(),
            scopes,
            search: Search { newer_than, ..Search::default() },
            phase: Phase::Deciding,
        }
    }

    /// True while it waits for something to arrive.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.phase, Phase::Fetching(..) | Phase::Asking(_))
    }

    pub(super) fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<Loan>, Error> {
        match std::mem::replace(&mut self.phase, Phase::Deciding) {
            Phase::Deciding => self.decide(now, deadline),
            Phase::Waiting { until } if now.monotonic < until => Ok(self.wait(until, now)),
            Phase::Waiting { .. } => self.decide(now, deadline),
            Phase::Pausing { fetch, until } if now.monotonic < until => {
                self.phase = Phase::Pausing { fetch, until };
                Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))))
            }
            // The credentials were replaced meanwhile: nobody wants the token of the old ones.
            Phase::Pausing { fetch, .. } if fetch.epoch != self.session.epoch() => self.decide(now, deadline),
            Phase::Pausing { fetch, .. } => self.attempt(fetch, now, deadline),
            Phase::Asking(fetch) => self.subject(fetch, now, arrived, deadline),
            Phase::Fetching(fetch, operation) => self.arrived(fetch, &operation, now, arrived, deadline),
        }
    }

    fn wait(&mut self, until: Duration, now: &Now) -> Step<Loan> {
        self.phase = Phase::Waiting { until };
        Step::Do(Action::Wait(until.saturating_sub(now.monotonic)))
    }

    fn decide(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<Loan>, Error> {
        // Anew each time: credentials may have been replaced while this call waited.
        let (key, identity) = self.session.key(&self.scopes)?;
        let slot = self.session.shared.tokens.slot(&key, now);
        match slot.need(now, &self.search, deadline) {
            Need::Use(held) => Ok(Step::Done(Loan::new(held, slot))),
            Need::Fail(error) => Err(error),
            Need::Join(ticket) => {
                self.search.joined = Some(ticket.flight());
                Ok(Step::Do(Action::Join(ticket)))
            }
            Need::Wait(pause, _) if pause >= deadline.remaining(now) => {
                Err(late("waiting before the next token request", deadline))
            }
            Need::Wait(pause, tried) => {
                self.search.tried = tried;
                Ok(self.wait(now.monotonic.saturating_add(pause), now))
            }
            Need::Lead(lease, fallback) => {
                let (attempts, epoch) = (lease.tried, key.epoch);
                let (asked, secrets, hurried) = (*now, Vec::new(), false);
                let fetch =
                    Fetch { lease, slot, identity, epoch, fallback, attempts, asked, secrets, hurried };
                self.attempt(fetch, now, deadline)
            }
        }
    }

    fn attempt(&mut self, fetch: Fetch, now: &Now, deadline: &Deadline) -> Result<Step<Loan>, Error> {
        match fetch.identity {
            Identity::Client(_) => {
                let operation = OwnToken::Client(ClientCredentials::new(&self.scopes));
                self.send(fetch, operation, now, deadline)
            }
            // Anew for every attempt: the platform replaces it now and then.
            Identity::Workload(_) => {
                self.phase = Phase::Asking(fetch);
                Ok(Step::Do(Action::Subject))
            }
        }
    }

    fn subject(
        &mut self,
        fetch: Fetch,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<Loan>, Error> {
        if deadline.passed(now) {
            return Err(late("getting the workload token", deadline));
        }
        let subject = match arrived {
            Some(Arrived::Subject(subject)) => subject,
            _ => Err(WorkloadError::NoSource),
        };
        let operation = match &fetch.identity {
            Identity::Workload(workload) => {
                subject.and_then(|subject| OwnToken::by_exchange(workload, &subject, &self.scopes))
            }
            Identity::Client(_) => Ok(OwnToken::Client(ClientCredentials::new(&self.scopes))),
        };
        match operation {
            Ok(operation) => self.send(fetch, operation, now, deadline),
            Err(error) => {
                log::debug!("oauth.token: {error}");
                self.failed(fetch, error.into(), now, deadline)
            }
        }
    }

    fn send(
        &mut self,
        mut fetch: Fetch,
        operation: OwnToken,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<Loan>, Error> {
        let terms = operation.terms();
        let remaining = deadline.remaining(now);
        let (wanted, most) = match fetch.fallback {
            // The call itself has to fit in as well.
            Some(_) => (SOFT_ATTEMPT, remaining.checked_div(2).unwrap_or_default()),
            None => (self.session.settings().attempt.unwrap_or(terms.attempt), remaining),
        };
        let time = wanted.min(most);
        let credentials = fetch.identity.credentials();
        let mut request =
            match attach::prepare(&self.session, &operation, &terms, None, credentials, None, time) {
                Ok(request) => request,
                // Wrong scopes: nothing was sent, and it is this caller's to correct.
                Err(error) => return fetch.or_fallback(error),
            };
        fetch.attempts = fetch.attempts.saturating_add(1);
        fetch.asked = *now;
        fetch.hurried = time < wanted;
        fetch.secrets = request.take_secrets();
        log::debug!("oauth.token: attempt {}", fetch.attempts);
        self.phase = Phase::Fetching(fetch, operation);
        Ok(Step::Do(Action::Send(request)))
    }

    fn arrived(
        &mut self,
        fetch: Fetch,
        operation: &OwnToken,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<Loan>, Error> {
        let outcome = match arrived {
            Some(Arrived::Response(response)) => operation.response(&response.received_at(now.wall)),
            Some(Arrived::Failed(error)) => Err(Error::Transport(error.of_operation("oauth.token"))),
            Some(Arrived::Subject(_) | Arrived::Signature(_)) | None => Err(nothing_arrived()),
        };
        let error = match outcome {
            Ok(Answer::Done(token)) => {
                self.session.shared.quota.success();
                log::debug!("oauth.token: a token for {} s", token.lifetime().as_secs());
                let Fetch { lease, slot, asked, fallback, .. } = fetch;
                let held = lease.succeed(token, &asked, now).or_else(|error| fallback.ok_or(error))?;
                return Ok(Step::Done(Loan::new(held, slot)));
            }
            Ok(Answer::Again(_)) => {
                let fault = ProtocolFault::Other("a token request has no \"later\"");
                Error::Protocol(ProtocolError::new("oauth.token", 200, fault))
            }
            Err(error) => error.redacted(&Redactor::new(&fetch.secrets)),
        };
        log::debug!("oauth.token: {error}");
        self.failed(fetch, error, now, deadline)
    }

    fn failed(
        &mut self,
        fetch: Fetch,
        error: Error,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<Loan>, Error> {
        if fetch.fallback.is_some() {
            // One attempt is all that an early renewal has. Who waits for its end has the others.
            return fetch.hand_over(error, 1, Duration::ZERO, now);
        }
        let failure = match &error {
            Error::Transport(error) => Some(Failure::Transport(error)),
            Error::Api(error) => Some(Failure::Answer(error)),
            _ => None,
        };
        let (effect, remaining) = (terms().effect, deadline.remaining(now));
        let quota = &self.session.shared.quota;
        let made = fetch.attempts;
        match failure.map(|failure| verdict(failure, effect, made, remaining, now, quota)) {
            Some(Verdict::After(pause)) => {
                self.phase = Phase::Pausing { fetch, until: now.monotonic.saturating_add(pause) };
                Ok(Step::Do(Action::Wait(pause)))
            }
            // The caller ran out of its own time; that says nothing about the service.
            _ if fetch.hurried && error.is_timeout() => {
                fetch.hand_over(error, made.saturating_sub(1), Duration::ZERO, now)
            }
            Some(Verdict::NoTime(pause)) => fetch.hand_over(error, made, pause, now),
            _ => {
                fetch.lease.fail(&error, now);
                Err(error)
            }
        }
    }
}

impl Fetch {
    fn or_fallback(self, error: Error) -> Result<Step<Loan>, Error> {
        let Fetch { slot, fallback, .. } = self;
        fallback.map(|held| Step::Done(Loan::new(held, slot))).ok_or(error)
    }

    fn hand_over(self, error: Error, tried: u32, pause: Duration, now: &Now) -> Result<Step<Loan>, Error> {
        let Fetch { lease, slot, fallback, .. } = self;
        lease.hand_over(&error, tried.min(ATTEMPTS), pause, now);
        fallback.map(|held| Step::Done(Loan::new(held, slot))).ok_or(error)
    }
}

/// Of a request for the agent's own token, however it is made.
fn terms() -> Terms {
    ClientCredentials::default().terms()
}

fn late(phase: &'static str, deadline: &Deadline) -> Error {
    Error::DeadlineExceeded { operation: "oauth.token", total: deadline.total(), phase, last: None }
}

/// The machine that gets the agent's token and nothing else.
pub struct TokenCall {
    session: Session,
    force: bool,
    deadline: Option<Deadline>,
    acquire: Option<Acquire>,
    over: bool,
}

impl TokenCall {
    pub(super) fn new(session: &Session, force: bool) -> Self {
        // The scopes as they are now: what others set later is not this call's.
        let session = session.with_scopes(session.scopes());
        TokenCall { session, force, deadline: None, acquire: None, over: false }
    }

    /// Within a deadline that runs already.
    pub fn within(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Machine for TokenCall {
    type Output = AccessToken;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<AccessToken>, Error> {
        let total = self.session.total.unwrap_or_else(|| terms().total);
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, total));
        // Taken out, and put back only if it goes on: who has ended leads no longer.
        if std::mem::replace(&mut self.over, true) {
            return Err(ended());
        }
        let mut acquire = self.acquire.take().unwrap_or_else(|| Acquire::new(&self.session, self.force));
        let arrived = arrived.filter(|_| acquire.is_sent());
        if arrived.is_none() && deadline.passed(now) {
            return Err(late("getting a token", &deadline));
        }
        let action = match acquire.step(now, arrived, &deadline)? {
            Step::Done(loan) => return Ok(Step::Done(loan.held.token)),
            Step::Do(action) => Step::Do(action),
        };
        (self.acquire, self.over) = (Some(acquire), false);
        Ok(action)
    }
}
