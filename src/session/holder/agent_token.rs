//! The token that an agent with a key shows at the service (`agent+jwt`): made, or asked for, by one call for all.

use std::sync::Arc;

use super::super::keep::{Keep, Keeper, Kind, Lead, Life, Loan};
use super::super::part::{Failed, Part, Whose, ready};
use super::super::{Action, Arrived, Giver, Step};
use super::{KeyHolder, Mint, Signs, Source};
use crate::error::{ConfigError, Error, InputError, ProtocolError, ProtocolFault};
use crate::operations::aauth::AgentToken;
use crate::operations::routes::aauth::TOKEN;
use crate::secret::Secret;
use crate::time::{Deadline, Now};

/// The agent's token, as it comes from where it comes from.
pub(super) struct Own(KeyHolder, Fetch);

impl Kind for Own {
    type Key = ();
    type Value = AgentToken;
    type Fetch = Fetch;
    const NAME: &'static str = TOKEN.name();
    const PHASE: &'static str = "getting an agent token";
    const OVER: &'static str = "the agent token is over already when it arrives";

    fn keeper(&self) -> &Keeper<(), AgentToken> {
        &self.0.shared.tokens
    }

    fn key(&self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&self, _: Lead) -> Result<Fetch, Error> {
        Ok(self.1.clone())
    }

    /// What is left of it counts: somebody else may have got it before.
    fn life(&self, token: &AgentToken, asked: &Now) -> Life {
        Life::of(token.expires_at().saturating_since(asked.wall).min(token.lifetime()), asked)
    }
}

#[derive(Clone)]
pub(super) enum Fetch {
    Mint(Arc<Mint>),
    Ask,
    Asked,
}

impl Part for Fetch {
    type Output = AgentToken;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        _: &Deadline,
    ) -> Result<Step<AgentToken>, Failed> {
        let made = match self {
            Fetch::Mint(mint) => mint(now),
            Fetch::Ask => {
                *self = Fetch::Asked;
                return Ok(Step::Do(Action::Given(Giver::AgentToken)));
            }
            Fetch::Asked => match arrived {
                Some(Arrived::Given(given)) => given.map(|given| given.into_agent_token(now)),
                _ => Err(ConfigError::Unavailable("the driver gave no agent token").into()),
            },
        };
        let made = made.and_then(|token| {
            if !token.secret().is_empty() {
                return Ok(token);
            }
            let fault = ProtocolFault::UnusableToken { problem: "the agent token is empty" };
            Err(ProtocolError::new(TOKEN.name(), 200, fault).into())
        });
        // Whatever it is: nobody else would be given one now.
        made.map(Step::Done).map_err(|error| Failed { error, whose: Whose::Everybody })
    }
}

/// The agent's token, wherever it comes from.
pub(super) enum Shown {
    Given(Secret),
    Kept(Box<Keep<Own>>),
}

impl Shown {
    pub(super) fn of(holder: &KeyHolder) -> Result<Self, InputError> {
        let Signs::Agent(tokens) = &holder.shared.signs else {
            return Err(InputError::new("client", "is of a resource, which has no agent token"));
        };
        let fetch = match &tokens.0 {
            Source::Given(token) => return Ok(Shown::Given(token.clone())),
            Source::Minted(mint) => Fetch::Mint(Arc::clone(mint)),
            Source::Asked => Fetch::Ask,
        };
        Ok(Shown::Kept(Box::new(Keep::new(Own(holder.clone(), fetch)))))
    }
}

impl Part for Shown {
    /// The token, and what it is lent from if it can be replaced.
    type Output = (Secret, Option<Loan<AgentToken>>);

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        Ok(Step::Done(match self {
            Shown::Given(token) => (token.clone(), None),
            Shown::Kept(keep) => {
                let loan = ready!(keep.step(now, arrived, time)?);
                (loan.value.secret().clone(), Some(loan))
            }
        }))
    }
}

/// The token alone.
pub(super) struct Token(pub(super) Shown);

impl Part for Token {
    type Output = Secret;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<Secret>, Failed> {
        Ok(Step::Done(ready!(self.0.step(now, arrived, time)?).0))
    }
}
