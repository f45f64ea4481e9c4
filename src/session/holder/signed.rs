//! A call at the service, signed as the agent or the resource; once more if the agent's token is refused.

use super::super::keep::{Kind, Lead, Loan};
use super::super::part::{Failed, Part};
use super::super::{Arrived, Call, Step, ended};
use super::agent_token::{Own, Shown};
use super::{KeyHolder, Signs};
use crate::error::{ApiError, Error};
use crate::operation::Operation;
use crate::operations::Signed;
use crate::operations::aauth::AgentToken;
use crate::secret::Secret;
use crate::time::{Deadline, Now};

/// One call of an operation.
pub(super) struct AsHolder<O: Operation> {
    holder: KeyHolder,
    lead: Lead,
    /// Puts the agent's token where it is traded.
    trades: Option<fn(O, &Secret) -> O>,
    /// The token was refused once; a second refusal is the answer.
    met: bool,
    at: At<O>,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum At<O: Operation> {
    Start(O),
    Token(Shown, O),
    Sent(Box<Call<Signed<O>>>, Option<Loan<AgentToken>>),
    Over,
}

impl<O: Operation> AsHolder<O> {
    pub(super) fn new(holder: &KeyHolder, operation: O) -> Self {
        let (lead, trades, met) = (Lead::default(), None, false);
        AsHolder { holder: holder.clone(), lead, trades, met, at: At::Start(operation) }
    }

    /// It trades the agent's token, besides being signed with it.
    pub(super) fn trading(holder: &KeyHolder, operation: O, trades: fn(O, &Secret) -> O) -> Self {
        AsHolder { trades: Some(trades), ..AsHolder::new(holder, operation) }
    }

    /// For all who want the same.
    pub(super) fn leading(holder: &KeyHolder, operation: O, lead: Lead) -> Self {
        AsHolder { lead, ..AsHolder::new(holder, operation) }
    }

    fn send(&self, signed: Signed<O>, loan: Option<Loan<AgentToken>>) -> At<O> {
        At::Sent(Box::new(Call::leading(&self.holder.session, signed, self.lead)), loan)
    }

    /// True if it is the agent's token that is not good (`docs/wire.md`, aauth-errors).
    fn is_refused(&self, error: &Error) -> bool {
        let shown = error.status() == Some(401) && error.code() == Some("authentication_required");
        shown || (self.trades.is_some() && error.as_api().is_some_and(ApiError::refuses_traded_token))
    }
}

impl<O: Operation> Part for AsHolder<O> {
    type Output = O::Output;

    fn unknown(&self) -> Option<Error> {
        match &self.at {
            At::Sent(call, _) => call.unknown(),
            _ => None,
        }
    }

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        loop {
            match std::mem::replace(&mut self.at, At::Over) {
                At::Start(operation) => {
                    self.at = match &self.holder.shared.signs {
                        Signs::Agent(_) => At::Token(Shown::of(&self.holder)?, operation),
                        Signs::Resource(key) => self.send(Signed::new(operation).signature_key(key), None),
                    };
                }
                At::Token(mut shown, operation) => {
                    let (token, loan) = match shown.step(now, arrived.take(), time)? {
                        Step::Done(token) => token,
                        Step::Do(action) => {
                            self.at = At::Token(shown, operation);
                            return Ok(Step::Do(action));
                        }
                    };
                    let operation = match self.trades {
                        Some(trade) => trade(operation, &token),
                        None => operation,
                    };
                    self.at = self.send(Signed::new(operation).agent_token(token), loan);
                }
                At::Sent(mut call, loan) => match call.step(now, arrived.take(), time) {
                    Ok(Step::Done(output)) => return Ok(Step::Done(output)),
                    Ok(Step::Do(action)) => {
                        self.at = At::Sent(call, loan);
                        return Ok(Step::Do(action));
                    }
                    Err(failed) => {
                        let refused = !self.met && self.is_refused(&failed.error);
                        let replaced = refused && loan.is_some_and(|loan| loan.refused(&Own::POLICY, now));
                        if !replaced || time.passed(now) {
                            return Err(failed);
                        }
                        self.met = true;
                        self.at = At::Start(call.into_operation().into_inner());
                    }
                },
                At::Over => return Err(ended().into()),
            }
        }
    }
}
