//! One call, from the first thought to the answer: token, send, 401 once, again after a pause, poll; one deadline.

use std::time::Duration;

use http::Uri;

use super::acquire::{self, Acquire};
use super::lifecycle::Loan;
use super::retry::{Failure, Verdict, verdict};
use super::signature::Unsigned;
use super::{Action, Arrived, Machine, Session, Step, attach, ended, nothing_arrived};
use crate::error::{ApiError, Error, Redactor, SignerError};
use crate::operation::{Answer, AttemptId, Auth, Effect, Operation, Terms};
use crate::secret::Secret;
use crate::time::{Deadline, Now};
use crate::wire::{Limits, Request, Response};

/// The shortest pause between two polls, whatever the operation says.
const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// The machine for one call of an operation. Turn it with [`Machine::step`]; dropping it hurts nobody.
pub struct Call<O: Operation> {
    session: Session,
    operation: O,
    terms: Terms,
    deadline: Option<Deadline>,
    /// Given with the first step.
    attempt_id: Option<AttemptId>,
    phase: Phase,
    loan: Option<Loan>,
    /// Attempts of the operation since it last got an answer.
    attempts: u32,
    /// The token was refused once; a second refusal is the answer.
    refused: bool,
    last: Option<Error>,
}

enum Phase {
    /// Nothing has happened.
    Start,
    /// Getting the token.
    Token(Box<Acquire>),
    /// The request waits for its signature.
    Signing(Box<Unsigned>),
    /// The request has left: what must not be shown, and where it went.
    Sent(Vec<Secret>, Uri),
    /// Letting time pass before the next attempt.
    Pausing { until: Duration },
    /// Finished; a step is a mistake of the driver.
    Over,
}

impl<O: Operation> Call<O> {
    pub(super) fn new(session: Session, operation: O, deadline: Option<Deadline>) -> Self {
        let terms = operation.terms();
        Call {
            session,
            operation,
            terms,
            deadline,
            attempt_id: None,
            phase: Phase::Start,
            loan: None,
            attempts: 0,
            refused: false,
            last: None,
        }
    }

    /// The operation's name.
    pub fn name(&self) -> &'static str {
        self.terms.name
    }

    /// It has one from the first step on.
    fn attempt_id(&self) -> AttemptId {
        self.attempt_id.unwrap_or(AttemptId::from_bytes([0; 16]))
    }

    fn needs_token(&self) -> bool {
        matches!(self.terms.auth.credential(), Auth::Bearer | Auth::InBody)
    }

    fn begin(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Error> {
        if !self.needs_token() {
            return self.send(now, deadline);
        }
        if let Some(loan) = acquire::ready(&self.session, now) {
            self.loan = Some(loan);
            return self.send(now, deadline);
        }
        let acquire = Box::new(Acquire::new(&self.session, false));
        let action = self.acquire(acquire, now, None, deadline)?;
        if let (Phase::Token(_), Auth::Bearer) = (&self.phase, self.terms.auth.credential()) {
            // A wrong argument is the answer before any request, and before any waiting for a token.
            let attempt_id = self.attempt_id;
            let request = attach::unattached(&self.session, &self.operation, &self.terms, None, attempt_id);
            if let Err(error) = request {
                self.phase = Phase::Over;
                return Err(error);
            }
        }
        Ok(action)
    }

    fn acquire(
        &mut self,
        mut acquire: Box<Acquire>,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Error> {
        let action = match acquire.step(now, arrived, deadline)? {
            Step::Done(loan) => {
                self.loan = Some(loan);
                return if deadline.passed(now) {
                    Err(self.late("getting a token", deadline))
                } else {
                    self.send(now, deadline)
                };
            }
            Step::Do(action) => Step::Do(action),
        };
        self.phase = Phase::Token(acquire);
        Ok(action)
    }

    fn send(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Error> {
        let attempt = self.session.settings().attempt.filter(|_| !self.terms.own_times);
        let attempt = attempt.unwrap_or(self.terms.attempt);
        let time = attempt.min(deadline.remaining(now));
        let token = self.loan.as_ref().map(|loan| &loan.held.token);
        let attempt_id = self.attempt_id;
        let request =
            attach::prepare(&self.session, &self.operation, &self.terms, token, None, attempt_id, time)?;
        self.attempts = self.attempts.saturating_add(1);
        log::debug!("{}: attempt {} ({})", self.terms.name, self.attempts, self.attempt_id());
        let Auth::Signed(signing) = &self.terms.auth else { return Ok(self.sent(request)) };
        let (unsigned, to_sign) = Unsigned::new(request, signing, now)?;
        self.phase = Phase::Signing(Box::new(unsigned));
        Ok(Step::Do(Action::Sign(to_sign)))
    }

    fn sent(&mut self, mut request: Request) -> Step<O::Output> {
        self.phase = Phase::Sent(request.take_secrets(), request.url().clone());
        Step::Do(Action::Send(request))
    }

    /// The signature is here; what it took comes off the attempt's time.
    fn signed(
        &mut self,
        unsigned: Unsigned,
        arrived: Option<Arrived>,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Error> {
        let signature = match arrived {
            Some(Arrived::Signature(signature)) => signature?,
            _ => return Err(SignerError::NoSigner.into()),
        };
        if deadline.passed(now) {
            return Err(self.late("signing the request", deadline));
        }
        let request = unsigned.finish(&signature)?;
        let limits = *request.attempt_limits();
        let total = limits.total.min(deadline.remaining(now));
        Ok(self.sent(request.limits(Limits { connect: limits.connect.min(total), total, ..limits })))
    }

    fn arrived(
        &mut self,
        arrived: Option<Arrived>,
        (secrets, url): (Vec<Secret>, Uri),
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Error> {
        match arrived {
            Some(Arrived::Response(response)) => {
                self.answered(&response.received_at(now.wall).answering(secrets).from_url(url), now, deadline)
            }
            Some(Arrived::Failed(error)) => {
                let error = Error::Transport(error.of_operation(self.terms.name));
                self.failed(error.redacted(&Redactor::new(&secrets)), now, deadline)
            }
            Some(Arrived::Subject(_) | Arrived::Signature(_)) | None => {
                self.failed(nothing_arrived(), now, deadline)
            }
        }
    }

    fn answered(
        &mut self,
        response: &Response,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Error> {
        let status = response.status();
        log::debug!("{}: {} ({})", self.terms.name, status.as_u16(), self.attempt_id());
        let refused = status == 401 && self.token_was_refused(now);
        if refused && !deadline.passed(now) {
            return self.begin(now, deadline);
        }
        if status.is_client_error() || status.is_server_error() {
            let error = Error::Api(ApiError::read(self.terms.name, response))
                .redacted(&Redactor::new(response.secrets()));
            match self.verdict(&error, now, deadline) {
                Verdict::After(pause) => return self.pause(pause, Some(error), now),
                Verdict::Unknown => return Err(self.unknown(error)),
                Verdict::Stop | Verdict::NoTime(_) => {}
            }
        }
        match self.operation.response(response) {
            Ok(Answer::Done(output)) => {
                if !status.is_server_error() {
                    self.session.shared.quota.success();
                }
                Ok(Step::Done(output))
            }
            Ok(Answer::Again(pause)) => {
                let pause = pause.max(SHORTEST_POLL);
                if pause >= deadline.remaining(now) {
                    return Err(self.late("polling", deadline));
                }
                self.attempts = 0;
                self.pause(pause, None, now)
            }
            Err(error) => Err(error.redacted(&Redactor::new(response.secrets()))),
        }
    }

    /// True if there is another token to try with: once per call, and never because of anything but a 401.
    fn token_was_refused(&mut self, now: &Now) -> bool {
        if self.refused || !self.needs_token() {
            return false;
        }
        let Some(loan) = self.loan.take() else { return false };
        self.refused = true;
        loan.refused(now)
    }

    fn failed(&mut self, error: Error, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Error> {
        log::debug!("{}: {error} ({})", self.terms.name, self.attempt_id());
        match self.verdict(&error, now, deadline) {
            Verdict::After(pause) => self.pause(pause, Some(error), now),
            Verdict::Unknown => Err(self.unknown(error)),
            _ if error.is_timeout() && deadline.passed(now) => {
                self.last = Some(error);
                Err(self.late("waiting for the answer", deadline))
            }
            Verdict::Stop | Verdict::NoTime(_) => Err(error),
        }
    }

    fn verdict(&self, error: &Error, now: &Now, deadline: &Deadline) -> Verdict {
        let failure = match error {
            Error::Transport(error) => Failure::Transport(error),
            Error::Api(error) => Failure::Answer(error),
            _ => return Verdict::Stop,
        };
        let (effect, remaining) = (self.terms.effect, deadline.remaining(now));
        verdict(failure, effect, self.attempts, remaining, now, &self.session.shared.quota)
    }

    fn pause(&mut self, pause: Duration, last: Option<Error>, now: &Now) -> Result<Step<O::Output>, Error> {
        self.last = last;
        self.phase = Phase::Pausing { until: now.monotonic.saturating_add(pause) };
        Ok(Step::Do(Action::Wait(pause)))
    }

    fn unknown(&self, source: Error) -> Error {
        Error::OutcomeUnknown {
            operation: self.terms.name,
            attempt_id: self.attempt_id().to_string(),
            source: Box::new(source),
        }
    }

    fn late(&mut self, phase: &'static str, deadline: &Deadline) -> Error {
        let last = self.last.take().map(Box::new);
        Error::DeadlineExceeded { operation: self.terms.name, total: deadline.total(), phase, last }
    }
}

impl<O: Operation> Machine for Call<O> {
    type Output = O::Output;

    /// Reading without a signature draws pauses and the attempt's name, and no more.
    fn draws_secrets(&self) -> bool {
        self.terms.effect != Effect::Read || matches!(self.terms.auth, Auth::Signed(_))
    }

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<O::Output>, Error> {
        let total = self.session.total.filter(|_| !self.terms.own_times).unwrap_or(self.terms.total);
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, total));
        self.attempt_id.get_or_insert_with(|| AttemptId::of(now));
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        let is_sent = match &phase {
            Phase::Sent(..) | Phase::Signing(_) => true,
            Phase::Token(acquire) => acquire.is_sent(),
            Phase::Start | Phase::Pausing { .. } | Phase::Over => false,
        };
        let arrived = arrived.filter(|_| is_sent);
        // What has arrived is looked at even if it is late; nothing new is begun.
        if arrived.is_none() && deadline.passed(now) {
            return Err(match phase {
                Phase::Sent(..) => {
                    self.failed(nothing_arrived(), now, &deadline).err().unwrap_or_else(nothing_arrived)
                }
                Phase::Token(_) => self.late("getting a token", &deadline),
                Phase::Signing(_) => self.late("signing the request", &deadline),
                Phase::Pausing { .. } => self.late("waiting before the next attempt", &deadline),
                Phase::Start => self.late("starting", &deadline),
                Phase::Over => ended(),
            });
        }
        match phase {
            Phase::Start => self.begin(now, &deadline),
            Phase::Token(acquire) => self.acquire(acquire, now, arrived, &deadline),
            Phase::Pausing { until } if now.monotonic < until => {
                self.phase = Phase::Pausing { until };
                Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))))
            }
            Phase::Pausing { .. } => self.begin(now, &deadline),
            Phase::Signing(unsigned) => self.signed(*unsigned, arrived, now, &deadline),
            Phase::Sent(secrets, url) => self.arrived(arrived, (secrets, url), now, &deadline),
            Phase::Over => Err(ended()),
        }
    }
}
