//! The one rule for what may be at several places: on to the next one upon anything but a good answer.

use std::collections::VecDeque;

use crate::error::{Error, Sent};

/// The places that are left, in order, and what was wrong at those before.
pub(crate) struct Places<P> {
    left: VecDeque<P>,
    told: Option<Error>,
}

impl<P> Places<P> {
    pub(crate) fn new(places: impl IntoIterator<Item = P>) -> Self {
        Places { left: places.into_iter().collect(), told: None }
    }

    /// The next place to ask at.
    pub(crate) fn next(&mut self) -> Option<P> {
        self.left.pop_front()
    }

    /// How many there are after this one.
    pub(crate) fn left(&self) -> u32 {
        u32::try_from(self.left.len()).unwrap_or(u32::MAX)
    }

    /// Nothing good came of a place: it was refused, is none, or what is there cannot be used. Who cannot be reached is not
    /// asked for another document.
    pub(crate) fn failed(&mut self, error: Error, same: impl Fn(&P) -> bool) {
        if matches!(&error, Error::Transport(error) if error.sent() == Sent::NotSent) {
            self.left.retain(|place| !same(place));
        }
        // That there is no document says less than what was wrong with one.
        self.told = self.told.take().filter(|first| !first.is_not_found()).or(Some(error));
    }

    /// What was wrong so far.
    pub(crate) fn told(&self) -> Option<Error> {
        self.told.clone()
    }
}
