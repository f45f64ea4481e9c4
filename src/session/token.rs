//! The machine that gets the agent's own token and nothing else.

use super::call::Own;
use super::keep::{Keep, Loan};
use super::part::{Failed, Part, Within, ready};
use super::{Arrived, Machine, Session, Step};
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::ClientCredentials;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

/// The machine that gets the agent's token and nothing else.
pub struct TokenCall(Within<Token>);

struct Token {
    session: Session,
    force: bool,
    keep: Option<Keep<Own>>,
}

impl TokenCall {
    pub(super) fn new(session: &Session, force: bool) -> Self {
        // The scopes as they are now: what others set later is not this call's.
        let session = session.with_scopes(session.scopes());
        let total = session.total.unwrap_or_else(|| ClientCredentials::default().terms().total);
        TokenCall(Within::new(Token { session, force, keep: None }, total))
    }

    /// Within a deadline that runs already.
    pub fn within(mut self, deadline: Deadline) -> Self {
        self.0.set_deadline(deadline);
        self
    }
}

impl Part for Token {
    type Output = AccessToken;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AccessToken>, Failed> {
        let Token { session, force, keep } = self;
        let keep = keep.get_or_insert_with(|| {
            let own = Own::new(session);
            if *force { Keep::anew(own) } else { Keep::new(own) }
        });
        let Loan { value, .. } = ready!(keep.step(now, arrived, time)?);
        Ok(Step::Done(value))
    }
}

impl Machine for TokenCall {
    type Output = AccessToken;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<AccessToken>, Error> {
        self.0.step(now, arrived)
    }
}
