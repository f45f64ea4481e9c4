//! Machines are made of parts: a part goes on within a deadline that runs already, and says whose failure it is.

use std::time::Duration;

use super::{Action, Arrived, Machine, Step, ended};
use crate::error::Error;
use crate::time::{Deadline, Now};

/// A piece of a machine.
pub(crate) trait Part {
    /// What it is done with.
    type Output;

    /// The next thing to do. Not to be stepped again after its end.
    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed>;

    /// What is to be said if it is dropped now: that something was handed out which must not happen twice, and whose outcome
    /// nobody knows. None if whoever comes next may begin anew.
    fn unknown(&self) -> Option<Error> {
        None
    }
}

/// Hands an action of an inner part on, or gives what the part is done with.
macro_rules! ready {
    ($step:expr) => {
        match $step {
            $crate::session::Step::Done(output) => output,
            $crate::session::Step::Do(action) => return Ok($crate::session::Step::Do(action)),
        }
    };
}
pub(crate) use ready;

/// How a part failed.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) whose: Whose,
}

/// Whom a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Everybody who wants the same: it failed.
    Everybody,
    /// This caller alone: it brought a wrong argument, and nothing was sent.
    Caller,
    /// This caller's own time ended before its attempts did. That says nothing about the service: whoever has the time goes on.
    Open(Open),
}

/// Where somebody else may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open {
    /// Attempts that were made.
    pub(crate) tried: u32,
    /// Not before this long.
    pub(crate) pause: Duration,
}

impl Failed {
    /// The caller ran out of time.
    pub(crate) fn open(error: impl Into<Error>, open: Open) -> Self {
        Failed { error: error.into(), whose: Whose::Open(open) }
    }
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        let error = error.into();
        let whose = match &error {
            Error::Input(_) | Error::Config(_) => Whose::Caller,
            _ => Whose::Everybody,
        };
        Failed { error, whose }
    }
}

/// The time of a call is over.
pub(crate) fn late(operation: &'static str, phase: &'static str, time: &Deadline) -> Error {
    Error::DeadlineExceeded { operation, total: time.total(), phase, last: None }
}

/// A part as a whole machine: with a deadline that starts at its first step.
pub(crate) struct Within<P> {
    part: Option<P>,
    total: Duration,
    deadline: Option<Deadline>,
    /// The last action brings something.
    expects: bool,
}

impl<P> Within<P> {
    pub(crate) fn new(part: P, total: Duration) -> Self {
        Within { part: Some(part), total, deadline: None, expects: false }
    }

    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = Some(deadline);
    }
}

impl<P: Part> Machine for Within<P> {
    type Output = P::Output;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<P::Output>, Error> {
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, self.total));
        // Taken out, and put back only if it goes on: who has ended leads no longer.
        let Some(mut part) = self.part.take() else { return Err(ended()) };
        match part.step(now, arrived.filter(|_| self.expects), &deadline) {
            Ok(Step::Do(action)) => {
                self.expects = action.brings();
                self.part = Some(part);
                Ok(Step::Do(action))
            }
            Ok(Step::Done(output)) => Ok(Step::Done(output)),
            Err(failed) => Err(failed.error),
        }
    }
}

impl Action {
    /// True if something comes of it that the machine is to be given.
    pub(crate) fn brings(&self) -> bool {
        match self {
            Action::Send(_) | Action::Given(_) | Action::Store(_) | Action::Sign(_) => true,
            Action::Wait(_) | Action::Join(_) => false,
        }
    }
}
