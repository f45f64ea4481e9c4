//! Ends one task that was left, before another machine's first request and within that one's own time.

use std::time::Duration;

use super::super::part::Part;
use super::super::{Action, Arrived, Call, Machine, Session, Step};
use super::left::LeftTask;
use crate::error::Error;
use crate::operations::CompleteTask;
use crate::time::{Deadline, Now};
use crate::wire::{Limits, Request};

/// The longest that it takes.
const LONGEST: Duration = Duration::from_secs(2);

/// A machine that may have something to do ahead.
pub struct Ahead<M> {
    session: Session,
    machine: M,
    at: At,
}

enum At {
    /// Nothing has happened.
    First,
    /// A task is being ended; the machine's first request waits.
    Ending(Box<Errand>),
    /// The machine goes on alone.
    Alone,
}

struct Errand {
    task: Option<LeftTask>,
    call: Call<CompleteTask>,
    deadline: Deadline,
    expects: bool,
    request: Request,
    began: Duration,
    left: Session,
}

impl Drop for Errand {
    /// Dropped unfinished: the task waits on.
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.left.leave_task(task);
        }
    }
}

impl<M> Ahead<M> {
    pub(super) fn new(session: &Session, machine: M) -> Self {
        Ahead { session: session.clone(), machine, at: At::First }
    }
}

impl Errand {
    /// The next thing to do for it, or the request that waited.
    fn step(
        mut self: Box<Self>,
        now: &Now,
        arrived: Option<Arrived>,
    ) -> Result<(Box<Self>, Action), Request> {
        let arrived = arrived.filter(|_| self.expects);
        match Part::step(&mut self.call, now, arrived, &self.deadline) {
            // Who fetches the token may be this very machine: nobody waits for it here.
            Ok(Step::Do(Action::Join(_))) => {}
            Ok(Step::Do(action)) => {
                self.expects = action.brings();
                return Ok((self, action));
            }
            Ok(Step::Done(_)) => self.task = None,
            Err(failed) => {
                log::debug!("jit.task.complete: {}", failed.error);
                if let Some(task) = self.task.take() {
                    self.left.leave_task(task.failed());
                }
            }
        }
        let spent = now.monotonic.saturating_sub(self.began);
        let limits = *self.request.attempt_limits();
        let total = limits.total.saturating_sub(spent).max(Duration::from_millis(1));
        let limits = Limits { total, connect: limits.connect.min(total), ..limits };
        Err(self.request.clone().limits(limits))
    }
}

impl<M: Machine> Ahead<M> {
    fn errand(&mut self, errand: Box<Errand>, now: &Now, arrived: Option<Arrived>) -> Step<M::Output> {
        Step::Do(match errand.step(now, arrived) {
            Ok((errand, action)) => {
                self.at = At::Ending(errand);
                action
            }
            Err(request) => Action::Send(request),
        })
    }
}

impl<M: Machine> Machine for Ahead<M> {
    type Output = M::Output;

    fn draws_secrets(&self) -> bool {
        matches!(self.at, At::Ending(_)) || self.machine.draws_secrets()
    }

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<M::Output>, Error> {
        match std::mem::replace(&mut self.at, At::Alone) {
            At::Ending(errand) => return Ok(self.errand(errand, now, arrived)),
            At::First if self.session.shared.left.any() => {}
            At::First | At::Alone => return self.machine.step(now, arrived),
        }
        let request = match self.machine.step(now, arrived)? {
            Step::Do(Action::Send(request)) => request,
            step => return Ok(step),
        };
        let Some(task) = self.session.shared.left.take() else { return Ok(Step::Do(Action::Send(request))) };
        let half = request.attempt_limits().total.checked_div(2).unwrap_or_default();
        let errand = Errand {
            call: Call::new(self.session.clone(), task.completion(), None).single(),
            task: Some(task),
            deadline: Deadline::start(now, LONGEST.min(half)),
            expects: false,
            request,
            began: now.monotonic,
            left: self.session.clone(),
        };
        Ok(self.errand(Box::new(errand), now, None))
    }
}
