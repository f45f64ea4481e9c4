//! Waits for a person: asks, pauses, asks again, and ends when the request does.

use std::time::Duration;

use super::super::part::{Failed, Part};
use super::super::retry::{no_earlier, patience};
use super::super::{Action, Arrived, Call, Session, Step};
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::{AuthorizationDetails, Expired, GetPermission, Pending, Permission};
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

/// The pause between two questions if the service says nothing (`docs/wire.md`, P-poll).
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Waiting {
    session: Session,
    request_id: String,
    question: GetPermission,
    /// When the request is over, by the monotonic clock.
    over: Option<Duration>,
    pause: Duration,
    failures: u32,
    last: Option<Error>,
    pending: Option<Pending>,
    at: At,
}

enum At {
    Asking(Box<Call<GetPermission>>),
    Pausing { until: Duration },
}

impl Waiting {
    pub(super) fn new(
        session: &Session,
        request_id: &str,
        details: Option<AuthorizationDetails>,
        acting: Option<AccessToken>,
    ) -> Self {
        let question = details.into_iter().fold(GetPermission::new(request_id), GetPermission::details);
        let question = acting.into_iter().fold(question, GetPermission::token);
        let at = ask(session, &question);
        let (session, request_id) = (session.clone(), request_id.to_owned());
        let (over, pause, failures, last, pending) = (None, PAUSE, 0, None, None);
        Waiting { session, request_id, question, over, pause, failures, last, pending, at }
    }

    /// What is left: of the caller's time, or of the request's.
    fn left(&self, now: &Now, time: &Deadline) -> Duration {
        let own = time.remaining(now);
        self.over.map_or(own, |over| own.min(over.saturating_sub(now.monotonic)))
    }

    fn is_over(&self, now: &Now) -> bool {
        self.over.is_some_and(|over| now.monotonic >= over)
    }

    fn pause(&mut self, pause: Duration, now: &Now) -> Result<Step<Permission>, Failed> {
        self.at = At::Pausing { until: now.monotonic.saturating_add(pause) };
        Ok(Step::Do(Action::Wait(pause)))
    }

    fn waits_on(&mut self, pending: Pending, now: &Now, time: &Deadline) -> Result<Step<Permission>, Failed> {
        (self.failures, self.last) = (0, None);
        self.pause = pending.interval().unwrap_or(PAUSE).max(Duration::from_secs(1)).max(self.slowest());
        if let Some(left) = pending.left() {
            self.over = Some(now.monotonic.saturating_add(left));
        }
        let pause = no_earlier(self.pause, pending.again_after(), now);
        self.pending = Some(pending);
        let left = self.left(now, time);
        if pause < left {
            return self.pause(pause, now);
        }
        self.end(left, now, time)
    }

    /// The service asked to slow down: no faster than that from then on.
    fn slowest(&self) -> Duration {
        if self.pause > PAUSE { self.pause } else { Duration::ZERO }
    }

    /// No other question fits: the end of the request is waited for, the end of the caller's time is not.
    fn end(&mut self, left: Duration, now: &Now, time: &Deadline) -> Result<Step<Permission>, Failed> {
        if self.is_over(now) {
            return Ok(Step::Done(Permission::Expired(Expired::of(&self.request_id))));
        }
        if self.over.is_some() && left < time.remaining(now) {
            return self.pause(left, now);
        }
        match self.pending.take() {
            Some(pending) => Ok(Step::Done(Permission::Pending(pending))),
            None => Err(self.late(time)),
        }
    }

    fn late(&mut self, time: &Deadline) -> Failed {
        let last = self.last.take().map(Box::new);
        let (operation, phase) = (self.question.terms().name, "waiting for a decision");
        Error::DeadlineExceeded { operation, total: time.total(), phase, last }.into()
    }

    /// A failure that passes: the next question, after a longer pause. One that does not is the answer.
    fn failed(&mut self, error: Error, now: &Now, time: &Deadline) -> Result<Step<Permission>, Failed> {
        if error.code() == Some("slow_down") {
            self.pause = self.pause.saturating_add(PAUSE);
        } else if !error.is_temporary() {
            return Err(error.into());
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        log::debug!("{}: it goes on waiting: {error}", self.question.terms().name);
        let left = self.left(now, time);
        let asked = error.retry_after();
        let next = match self.failures {
            0 => Some(no_earlier(self.pause, asked, now)).filter(|pause| *pause < left),
            failures => patience(self.pause, failures, asked, left, now),
        };
        self.last = Some(error);
        match next {
            Some(pause) => self.pause(pause, now),
            // Nobody knows what has been decided meanwhile: that is no end of the request.
            None if self.failures > 0 => Err(self.late(time)),
            None => self.end(left, now, time),
        }
    }
}

fn ask(session: &Session, question: &GetPermission) -> At {
    At::Asking(Box::new(Call::new(session.clone(), question.clone(), None).single()))
}

impl Part for Waiting {
    type Output = Permission;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Permission>, Failed> {
        if let At::Pausing { until } = self.at {
            if now.monotonic < until {
                return Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))));
            }
            if self.is_over(now) || time.passed(now) {
                return self.end(Duration::ZERO, now, time);
            }
            self.at = ask(&self.session, &self.question);
        }
        let At::Asking(call) = &mut self.at else { return Err(super::super::ended().into()) };
        match Part::step(&mut **call, now, arrived, time) {
            Ok(Step::Do(action)) => Ok(Step::Do(action)),
            Ok(Step::Done(Permission::Pending(pending))) => self.waits_on(pending, now, time),
            Ok(Step::Done(decided)) => Ok(Step::Done(decided)),
            Err(failed) if time.passed(now) => {
                self.last.get_or_insert(failed.error);
                Err(self.late(time))
            }
            Err(failed) => self.failed(failed.error, now, time),
        }
    }
}
