//! What published documents have in common: read again after an hour, and used for a day while that fails.

use std::sync::Arc;
use std::time::Duration;

use super::super::keep::{Life, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Step};
use crate::error::{Error, ProtocolFault};
use crate::json;
use crate::operations::NO_S256;
use crate::time::{Deadline, Now};

/// A document is read again after this long.
const FRESH: Duration = Duration::from_secs(3600);
/// It is used so long if reading it again fails.
const LAST_RESORT: Duration = Duration::from_secs(24 * 3600);

pub(super) const POLICY: Policy = Policy { soft_pause: Duration::from_secs(30), ..Policy::TOKENS };

pub(super) fn life(asked: &Now) -> Life {
    Life::between(FRESH, LAST_RESORT, asked)
}

/// True of what an issuer's document says that is the answer, though another place may say nothing of it: with a field of
/// the wrong type it says something, and that is not what is allowed. A list is no document at all.
pub(crate) fn settles(error: &Error) -> bool {
    let Error::Protocol(error) = error else { return false };
    let mistyped = matches!(error.fault(), ProtocolFault::Mistyped { field, .. } if *field != json::BODY);
    mistyped || *error.fault() == NO_S256
}

/// What a part brings, for many.
pub(crate) struct Shared<P>(pub(super) P);

impl<P: Part> Part for Shared<P> {
    type Output = Arc<P::Output>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        Ok(Step::Done(Arc::new(ready!(self.0.step(now, arrived, time)?))))
    }
}
