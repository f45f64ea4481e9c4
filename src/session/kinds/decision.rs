//! Decisions that may be used again for a moment, where the caller wants that.

use std::time::Duration;

use super::super::keep::{Just, Keep, Keeper, Kind, Lead, Life, Policy};
use super::super::part::Within;
use super::super::{Arrived, Call, Machine, Session, Step};
use crate::error::Error;
use crate::operation::{Context, Operation};
use crate::operations::Decision;
use crate::time::Now;

/// The longest that a decision may be used again.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// A question, and who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DecisionKey {
    /// The credentials, counted.
    epoch: u64,
    /// The scopes of the token that it travels with.
    scopes: Vec<String>,
    operation: &'static str,
    question: Vec<u8>,
}

/// The decision about this.
pub(crate) struct Decided<O> {
    session: Session,
    operation: O,
    question: Vec<u8>,
}

impl<O: Operation<Output = Decision> + Clone> Kind for Decided<O> {
    type Key = DecisionKey;
    type Value = Decision;
    type Fetch = Call<O>;
    const NAME: &'static str = "authz.check";
    const PHASE: &'static str = "waiting for another call's decision";
    /// A failure is the answer for those who waited, and for nobody else.
    const POLICY: Policy = Policy { pace: Duration::ZERO, memory: |_, _| Duration::ZERO, ..Policy::TOKENS };

    fn keeper(&self) -> &Keeper<DecisionKey, Decision> {
        &self.session.shared.decisions
    }

    fn key(&self) -> Result<DecisionKey, Error> {
        Ok(DecisionKey {
            epoch: self.session.epoch(),
            scopes: self.session.scopes().sorted(),
            operation: self.operation.terms().name,
            question: self.question.clone(),
        })
    }

    fn fetch(&self, lead: Lead) -> Result<Call<O>, Error> {
        Ok(Call::leading(&self.session, self.operation.clone(), lead))
    }

    /// A denial lives as long as an allow, and neither is renewed early.
    fn life(&self, _: &Decision, asked: &Now) -> Life {
        let age = self.session.settings().decisions;
        Life::between(age, age, asked)
    }
}

impl Session {
    /// The machine for a question: asks, or uses a decision of the last moments if [`Settings::remember_decisions`](super::super::Settings::remember_decisions)
    /// says so.
    ///
    /// # Errors
    /// [`Error::Input`] for a question that cannot be asked.
    pub fn decide<O>(&self, operation: O) -> Result<impl Machine<Output = Decision> + Send + use<O>, Error>
    where
        O: Operation<Output = Decision> + Clone + Send,
    {
        if self.settings().decisions.is_zero() {
            return Ok(Decide::Anew(Call::new(self.clone(), operation, None)));
        }
        let total = self.total_of(&operation.terms());
        let question = operation.request(&Context::new(self.site()))?.body().to_vec();
        let decided = Decided { session: self.clone(), operation, question };
        Ok(Decide::Recent(Within::new(Just(Keep::new(decided)), total)))
    }
}

#[allow(clippy::large_enum_variant)] // one for each call
enum Decide<O: Operation<Output = Decision> + Clone> {
    Anew(Call<O>),
    Recent(Within<Just<Decided<O>>>),
}

impl<O: Operation<Output = Decision> + Clone> Machine for Decide<O> {
    type Output = Decision;

    fn draws_secrets(&self) -> bool {
        match self {
            Decide::Anew(call) => call.draws_secrets(),
            Decide::Recent(part) => part.draws_secrets(),
        }
    }

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Decision>, Error> {
        match self {
            Decide::Anew(call) => Machine::step(call, now, arrived),
            Decide::Recent(part) => part.step(now, arrived),
        }
    }
}
