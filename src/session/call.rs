//! One call, from the first thought to the answer: token, send, 401 once, again after a pause, poll; one deadline.

mod own;

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

pub(crate) use own::Own;

use super::identity::Identity;
use super::keep::{Keep, Lead, Loan, Policy};
use super::part::{Failed, Open, Part, Whose};
use super::retry::{ATTEMPTS, Failure, Verdict, no_earlier, patience, verdict};
use super::signature::Unsigned;
use super::{Action, Arrived, Giver, Machine, Session, Step, attach, ended, nothing_arrived};
use crate::credentials::Key;
use crate::error::{
    ApiError, Error, Redactor, Sent, SignerError, TransportError, TransportFault, WorkloadError,
};
use crate::operation::{Answer, AttemptId, Auth, Effect, Operation, Terms};
use crate::secret::Secret;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::{Limits, Request, Response, retry_after};

/// The shortest pause between two polls, whatever the operation says.
const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// One attempt of a renewal that nobody has to wait for.
const EARLY_ATTEMPT: Duration = Duration::from_secs(2);

/// The machine for one call of an operation. Turn it with [`Machine::step`]; dropping it hurts nobody.
pub struct Call<O: Operation> {
    session: Session,
    operation: O,
    terms: Terms,
    deadline: Option<Deadline>,
    /// Given with the first step.
    attempt_id: Option<AttemptId>,
    /// Whose credentials it travels with, if not the session's of the moment.
    identity: Option<Identity>,
    phase: Phase,
    loan: Option<Loan<AccessToken>>,
    /// What is sent in place of a token.
    key: Option<Arc<Key>>,
    /// What the driver's surroundings gave for this attempt.
    given: Option<Secret>,
    /// Attempts of the operation since it last got an answer.
    attempts: u32,
    /// Failures in a row that something which waits for a person has survived.
    failures: u32,
    /// One short attempt is all that it has.
    early: bool,
    /// One attempt is all that it has.
    single: bool,
    /// The attempt had less time than an attempt should have, because the deadline is near.
    hurried: bool,
    /// The token was refused once; a second refusal is the answer.
    refused: bool,
    /// An attempt may have taken effect, and nobody knows.
    blind: bool,
    /// The last action brings something.
    expects: bool,
    last: Option<Error>,
}

enum Phase {
    /// Nothing has happened.
    Start,
    /// Getting the token.
    Token(Box<Keep<Own>>),
    /// Something is asked of the driver's surroundings, for this attempt.
    Giving,
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
            identity: None,
            phase: Phase::Start,
            loan: None,
            key: None,
            given: None,
            attempts: 0,
            failures: 0,
            early: false,
            single: false,
            hurried: false,
            refused: false,
            blind: false,
            expects: false,
            last: None,
        }
    }

    /// For all who want the same: with what others have tried already, and one short attempt if there is no haste.
    pub(crate) fn leading(session: &Session, operation: O, lead: Lead) -> Self {
        let call = Call::new(session.clone(), operation, None);
        Call { attempts: lead.tried, early: lead.early, ..call }
    }

    /// One attempt is all that it has: who runs it tries again in its own way, or not.
    pub(super) fn single(mut self) -> Self {
        self.single = true;
        self
    }

    /// True if this is the request of the operation itself, and not one for the token that it travels with.
    pub(crate) fn asks(&self, request: &Request) -> bool {
        matches!(&self.phase, Phase::Sent(_, url) if url == request.url())
    }

    /// With these credentials, whatever the session's become meanwhile.
    pub(super) fn by(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
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
        matches!(self.terms.auth.credential(), Auth::Bearer | Auth::InBody | Auth::InBodyBy(_))
    }

    fn begin(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Failed> {
        if !self.needs_token() {
            return self.ask(now, deadline);
        }
        if let Some(loan) = own::at_hand(&self.session, now) {
            self.loan = Some(loan);
            return self.ask(now, deadline);
        }
        if matches!(self.terms.auth.credential(), Auth::Bearer) {
            self.key = self.session.standing_key();
            if self.key.is_some() {
                return self.ask(now, deadline);
            }
        }
        let step = self.look(Box::new(Keep::new(Own::new(&self.session))), now, None, deadline)?;
        if let (Phase::Token(_), Auth::Bearer) = (&self.phase, self.terms.auth.credential()) {
            // A wrong argument is the answer before any request, and before any waiting for a token.
            let attempt_id = self.attempt_id;
            let carried = attach::Carried::default();
            let request =
                attach::unattached(&self.session, &self.operation, &self.terms, carried, attempt_id);
            if let Err(error) = request {
                self.phase = Phase::Over;
                return Err(error.into());
            }
        }
        Ok(step)
    }

    fn look(
        &mut self,
        mut keep: Box<Keep<Own>>,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        match keep.step(now, arrived, deadline) {
            Ok(Step::Done(loan)) => self.loan = Some(loan),
            Ok(Step::Do(action)) => {
                self.phase = Phase::Token(keep);
                return Ok(Step::Do(action));
            }
            Err(failed) => return self.outlive(&failed.error, now, deadline).unwrap_or(Err(failed)),
        }
        if deadline.passed(now) {
            return Err(self.late("getting a token", deadline));
        }
        self.ask(now, deadline)
    }

    /// What an attempt needs of the driver's surroundings is asked for anew each time: a platform replaces its token now and
    /// then.
    fn ask(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Failed> {
        match self.terms.auth.credential() {
            Auth::Workload => {
                self.phase = Phase::Giving;
                Ok(Step::Do(Action::Given(Giver::Workload)))
            }
            _ => self.send(now, deadline),
        }
    }

    fn given(
        &mut self,
        arrived: Option<Arrived>,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        if deadline.passed(now) {
            return Err(self.late("getting the workload token", deadline));
        }
        self.given = Some(match arrived {
            Some(Arrived::Given(given)) => given?.into_secret(),
            _ => return Err(Error::from(WorkloadError::NoSource).into()),
        });
        self.send(now, deadline)
    }

    fn send(&mut self, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Failed> {
        let remaining = deadline.remaining(now);
        let attempt = self.session.settings().attempt.filter(|_| !self.terms.own_times);
        let wanted = attempt.unwrap_or(self.terms.attempt);
        let time = if self.early {
            // The call itself has to fit in as well.
            EARLY_ATTEMPT.min(remaining.checked_div(2).unwrap_or_default())
        } else {
            wanted.min(remaining)
        };
        self.hurried = time < wanted;
        let token = self.loan.as_ref().map(|loan| &loan.value);
        let credentials = self.identity.as_ref().and_then(Identity::credentials);
        let (given, attempt_id) = (self.given.as_ref(), self.attempt_id);
        let key = self.key.as_deref();
        let carried = attach::Carried { token, key, given, credentials, blind: self.blind };
        let request =
            attach::prepare(&self.session, &self.operation, &self.terms, carried, attempt_id, time)?;
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
    ) -> Result<Step<O::Output>, Failed> {
        let signature = match arrived {
            Some(Arrived::Signature(signature)) => signature.map_err(Error::from)?,
            _ => return Err(Error::from(SignerError::NoSigner).into()),
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
    ) -> Result<Step<O::Output>, Failed> {
        match arrived {
            Some(Arrived::Response(response)) => {
                self.answered(&response.received_at(now.wall).answering(secrets).from_url(url), now, deadline)
            }
            Some(Arrived::Failed(error)) => {
                let error = Error::Transport(error.of_operation(self.terms.name));
                self.failed(error.redacted(&Redactor::new(&secrets)), now, deadline)
            }
            Some(Arrived::Given(_) | Arrived::Stored(_) | Arrived::Signature(_)) | None => {
                self.failed(nothing_arrived(), now, deadline)
            }
        }
    }

    fn answered(
        &mut self,
        response: &Response,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        let status = response.status();
        log::debug!("{}: {} ({})", self.terms.name, status.as_u16(), self.attempt_id());
        if status == 401 && self.token_was_refused(now) && !deadline.passed(now) {
            return self.begin(now, deadline);
        }
        let mut whose = Whose::Everybody;
        let failed = status.is_client_error() || status.is_server_error();
        if failed && self.terms.waits.is_none() {
            let error = Error::Api(ApiError::read(self.terms.name, response))
                .redacted(&Redactor::new(response.secrets()));
            // The token travelled in the body, and it is the token that is refused.
            let in_body = matches!(self.terms.auth, Auth::InBody | Auth::InBodyBy(_));
            let subject = in_body && error.as_api().is_some_and(ApiError::refuses_traded_token);
            if subject && self.token_was_refused(now) && !deadline.passed(now) {
                return self.begin(now, deadline);
            }
            // A service, or a gateway before it, that fails may have done it first.
            self.blind |= status.is_server_error();
            match self.verdict(&error, now, deadline) {
                Verdict::After(pause) => return self.pause(pause, Some(error), now),
                Verdict::Unknown => return Err(self.unknown_because(error).into()),
                verdict => whose = self.whose(verdict, false),
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
                let usual = pause.max(SHORTEST_POLL);
                // What the answer itself asks for is for this one time.
                let asked = retry_after(response);
                let pause = no_earlier(usual, asked, now);
                if pause >= deadline.remaining(now) {
                    return Err(self.late_for(asked, deadline));
                }
                (self.attempts, self.failures) = (0, 0);
                self.terms.waits = self.terms.waits.map(|_| usual);
                self.pause(pause, None, now)
            }
            Err(error) => {
                let error = error.redacted(&Redactor::new(response.secrets()));
                if let Some(step) = self.outlive(&error, now, deadline) {
                    return step;
                }
                let failed = Failed::from(error);
                Err(if failed.whose == Whose::Caller { failed } else { Failed { whose, ..failed } })
            }
        }
    }

    /// What follows a failure that passes, for something that waits for a person: the next question, after a longer pause.
    fn outlive(
        &mut self,
        error: &Error,
        now: &Now,
        deadline: &Deadline,
    ) -> Option<Result<Step<O::Output>, Failed>> {
        let usual = self.terms.waits.filter(|_| error.is_temporary())?;
        log::debug!("{}: it goes on waiting: {error} ({})", self.terms.name, self.attempt_id());
        self.failures = self.failures.saturating_add(1);
        self.attempts = 0;
        let asked = error.retry_after();
        match patience(usual, self.failures, asked, deadline.remaining(now), now) {
            Some(pause) => Some(self.pause(pause, Some(error.clone()), now)),
            None => {
                self.last = Some(error.clone());
                Some(Err(self.late_for(asked, deadline)))
            }
        }
    }

    /// True if there is another token to try with: once per call, and never because of anything but a 401.
    fn token_was_refused(&mut self, now: &Now) -> bool {
        if self.refused || !self.needs_token() {
            return false;
        }
        let Some(loan) = self.loan.take() else { return false };
        self.refused = true;
        loan.refused(&Policy::TOKENS, now)
    }

    fn failed(&mut self, error: Error, now: &Now, deadline: &Deadline) -> Result<Step<O::Output>, Failed> {
        log::debug!("{}: {error} ({})", self.terms.name, self.attempt_id());
        self.blind |= matches!(&error, Error::Transport(error) if error.sent() == Sent::Unknown);
        if let Some(step) = self.outlive(&error, now, deadline) {
            return step;
        }
        let verdict = match self.verdict(&error, now, deadline) {
            Verdict::After(pause) => return self.pause(pause, Some(error), now),
            Verdict::Unknown => return Err(self.unknown_because(error).into()),
            verdict => verdict,
        };
        let whose = self.whose(verdict, error.is_timeout());
        if error.is_timeout() && deadline.passed(now) {
            self.last = Some(error);
            return Err(Failed { whose, ..self.late("waiting for the answer", deadline) });
        }
        Err(Failed { error, whose })
    }

    /// Whom it concerns that no more attempts are made.
    fn whose(&self, verdict: Verdict, timeout: bool) -> Whose {
        match verdict {
            // One attempt is all that an early renewal has. Who waits for its end has the others.
            _ if self.early => Whose::Open(Open { tried: 1, pause: Duration::ZERO }),
            // The caller ran out of its own time; that says nothing about the service.
            _ if self.hurried && timeout => {
                Whose::Open(Open { tried: self.attempts.saturating_sub(1), pause: Duration::ZERO })
            }
            Verdict::NoTime(pause) => Whose::Open(Open { tried: self.attempts.min(ATTEMPTS), pause }),
            _ => Whose::Everybody,
        }
    }

    fn verdict(&self, error: &Error, now: &Now, deadline: &Deadline) -> Verdict {
        if self.early {
            return Verdict::Stop;
        }
        let failure = match error {
            Error::Transport(error) => Failure::Transport(error),
            Error::Api(error) => Failure::Answer(error),
            _ => return Verdict::Stop,
        };
        let (effect, remaining) = (self.terms.effect, deadline.remaining(now));
        // What may have happened is told apart even if nothing follows.
        let attempts = if self.single { ATTEMPTS } else { self.attempts };
        verdict(failure, effect, attempts, remaining, now, &self.session.shared.quota)
    }

    fn pause(&mut self, pause: Duration, last: Option<Error>, now: &Now) -> Result<Step<O::Output>, Failed> {
        self.last = last;
        self.phase = Phase::Pausing { until: now.monotonic.saturating_add(pause) };
        Ok(Step::Do(Action::Wait(pause)))
    }

    fn unknown_because(&self, source: Error) -> Error {
        Error::OutcomeUnknown {
            operation: self.terms.name,
            attempt_id: self.attempt_id().to_string(),
            source: Box::new(source),
        }
    }

    fn late(&mut self, phase: &'static str, deadline: &Deadline) -> Failed {
        let last = self.last.take().map(Box::new);
        let error =
            Error::DeadlineExceeded { operation: self.terms.name, total: deadline.total(), phase, last };
        let open = Open { tried: self.attempts.min(ATTEMPTS), pause: Duration::ZERO };
        Failed::open(error, open)
    }

    /// There is no time for the next question; the service wants none before this, if it said so.
    fn late_for(&mut self, asked: Option<Duration>, deadline: &Deadline) -> Failed {
        let Failed { error, .. } = self.late("polling", deadline);
        Failed::open(error, Open { tried: 0, pause: asked.unwrap_or_default() })
    }
}

impl<O: Operation> Call<O> {
    /// The operation, to be called once more.
    #[cfg_attr(not(feature = "aauth"), allow(dead_code))]
    pub(super) fn into_operation(self) -> O {
        self.operation
    }
}

impl<O: Operation> Part for Call<O> {
    type Output = O::Output;

    fn unknown(&self) -> Option<Error> {
        let dropped =
            || TransportError::unknown(TransportFault::Other, "the call was dropped before its end");
        let sent = matches!(self.phase, Phase::Sent(..)) && self.terms.effect == Effect::Once;
        sent.then(|| self.unknown_because(dropped().into()))
    }

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        deadline: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        self.attempt_id.get_or_insert_with(|| AttemptId::of(now));
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        // What has arrived is looked at even if it is late; nothing new is begun.
        if arrived.is_none() && deadline.passed(now) {
            return Err(match phase {
                Phase::Sent(..) => match self.failed(nothing_arrived(), now, deadline) {
                    Err(failed) => failed,
                    Ok(_) => nothing_arrived().into(),
                },
                Phase::Token(_) => self.late("getting a token", deadline),
                Phase::Giving => self.late("getting the workload token", deadline),
                Phase::Signing(_) => self.late("signing the request", deadline),
                Phase::Pausing { .. } => self.late("waiting before the next attempt", deadline),
                Phase::Start => self.late("starting", deadline),
                Phase::Over => ended().into(),
            });
        }
        match phase {
            Phase::Start => self.begin(now, deadline),
            Phase::Token(keep) => self.look(keep, now, arrived, deadline),
            Phase::Giving => self.given(arrived, now, deadline),
            Phase::Pausing { until } if now.monotonic < until => {
                self.phase = Phase::Pausing { until };
                Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))))
            }
            Phase::Pausing { .. } => self.begin(now, deadline),
            Phase::Signing(unsigned) => self.signed(*unsigned, arrived, now, deadline),
            Phase::Sent(secrets, url) => self.arrived(arrived, (secrets, url), now, deadline),
            Phase::Over => Err(ended().into()),
        }
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
        match Part::step(self, now, arrived.filter(|_| self.expects), &deadline) {
            Ok(step) => {
                self.expects = matches!(&step, Step::Do(action) if action.brings());
                Ok(step)
            }
            Err(failed) => Err(failed.error),
        }
    }
}
