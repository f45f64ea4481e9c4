//! A request to a resource, and what follows its refusals: each is answered once.

use super::super::keep::{Keep, Kind, Loan};
use super::super::kinds::{Description, Mcp};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Step, ended, lock};
use super::{Checked, Resource};
use crate::challenge::Challenge;
use crate::error::Error;
use crate::operations::{ApiRequest, Demand, choose_scopes, granted, union};
use crate::scopes::Scopes;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::Response;

/// True of a refusal that another choice of scopes may avoid (RFC 6749 section 5.2).
fn is_about_scopes(error: &Error) -> bool {
    matches!(error.code(), Some("invalid_scope" | "insufficient_scope"))
}

/// A request to the server: with a token, with another one after a 401, and with more scopes after a 403, each once. Or only what
/// follows an answer that somebody else has received.
pub(super) struct Talk {
    resource: Resource,
    request: Option<ApiRequest>,
    received: Option<Response>,
    /// What is demanded in this call is kept only when it was granted: a server's word alone changes nothing for later.
    scopes: Scopes,
    /// A 401 was met.
    met: bool,
    stepped_up: bool,
    /// What was asked for besides is nobody's demand, and the service may refuse it.
    otherwise: Option<Otherwise>,
    at: At,
}

/// How it goes on without the scopes that the resource merely supports: an agent need not be registered for all of them.
struct Otherwise {
    scopes: Scopes,
    answer: Response,
    /// There is another token to be had.
    replaced: bool,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum At {
    Token(Keep<Mcp>),
    Sent(Call<ApiRequest>, Option<Loan<AccessToken>>),
    Describing(Describing),
    Over,
}

/// A refusal, and what the resource says of itself being read.
struct Describing {
    checked: Checked,
    /// A description only adds scopes: half of what is left of the time is for what is done without one.
    time: Deadline,
    answer: Response,
    challenge: Option<Challenge>,
    /// The scopes so far are too few.
    lacking: bool,
    replaced: bool,
}

/// What a talk ends with.
#[allow(clippy::large_enum_variant)] // one at a time
pub(super) enum Talked {
    /// This is the server's answer, whatever it is.
    Answer(Response),
    /// This is the token to send again with.
    Token(AccessToken),
    /// What was received stands.
    Nothing,
}

/// A talk that sends the request itself.
pub(super) struct Spoken(pub(super) Talk);

impl Part for Spoken {
    type Output = Response;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Response>, Failed> {
        match ready!(self.0.step(now, arrived, time)?) {
            Talked::Answer(answer) => Ok(Step::Done(answer)),
            Talked::Token(_) | Talked::Nothing => Err(ended().into()),
        }
    }
}

/// A talk that somebody else does.
pub(super) struct Answered(pub(super) Talk);

impl Part for Answered {
    type Output = Option<AccessToken>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Option<AccessToken>>, Failed> {
        Ok(Step::Done(match ready!(self.0.step(now, arrived, time)?) {
            Talked::Token(token) => Some(token),
            Talked::Answer(_) | Talked::Nothing => None,
        }))
    }
}

impl Talk {
    pub(super) fn new(
        resource: &Resource,
        request: Option<ApiRequest>,
        received: Option<Response>,
        scopes: Scopes,
    ) -> Self {
        let at = At::Token(Keep::new(Mcp::new(&resource.session, resource.wanted(&scopes))));
        let (met, stepped_up, otherwise) = (false, false, None);
        Talk { resource: resource.clone(), request, received, scopes, met, stepped_up, otherwise, at }
    }

    fn token(&self) -> At {
        At::Token(Keep::new(Mcp::new(&self.resource.session, self.resource.wanted(&self.scopes))))
    }

    /// What follows an answer: None if it is the call's.
    fn answered(
        &mut self,
        answer: &Response,
        loan: Option<Loan<AccessToken>>,
        now: &Now,
        time: &Deadline,
    ) -> Result<Option<At>, Failed> {
        let half = time.remaining(now).checked_div(2).unwrap_or_default();
        let describe = |resource: &Resource, challenge: Option<Challenge>, lacking, replaced| {
            let places = resource.places(challenge.as_ref())?;
            let description = Description::new(&resource.session, &resource.server, places);
            let checked = Checked::new(&resource.session, Keep::new(description));
            let (time, answer) = (Deadline::start(now, half), answer.clone());
            let describing = Describing { checked, time, answer, challenge, lacking, replaced };
            Ok::<At, Failed>(At::Describing(describing))
        };
        match Demand::of(answer) {
            Demand::Token(challenge) => {
                // Whatever follows: it is not sent again.
                let replaced = loan.is_some_and(|loan| loan.refused(&Mcp::POLICY, now));
                if std::mem::replace(&mut self.met, true) {
                    return Ok(None);
                }
                describe(&self.resource, challenge, false, replaced).map(Some)
            }
            Demand::MoreScopes(_) if self.stepped_up => Ok(None),
            Demand::MoreScopes(more) if more.is_empty() => {
                self.stepped_up = true;
                describe(&self.resource, None, true, false).map(Some)
            }
            Demand::MoreScopes(more) => {
                self.stepped_up = true;
                Ok(self.widen(union(&self.scopes, &more)).then(|| self.token()))
            }
            Demand::Nothing => Ok(None),
        }
    }

    /// Chooses the scopes to ask for, and says whether the server named any.
    fn choose(&mut self, at: &Describing, supported: &Scopes) -> bool {
        let named = at.challenge.as_ref().map(Challenge::scope).unwrap_or_default().if_modest();
        self.scopes = match at.lacking {
            true => union(&self.scopes, supported),
            false => choose_scopes(&self.scopes, &named, supported),
        };
        !named.is_empty()
    }

    /// True if these are other scopes than those asked for so far.
    fn widen(&mut self, scopes: Scopes) -> bool {
        let more = scopes != self.scopes;
        self.scopes = scopes;
        more
    }
}

impl Part for Talk {
    type Output = Talked;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Talked>, Failed> {
        loop {
            match std::mem::replace(&mut self.at, At::Over) {
                At::Token(mut keep) => {
                    let loan = match keep.step(now, arrived.take(), time) {
                        Ok(Step::Done(loan)) => loan,
                        Ok(Step::Do(action)) => {
                            self.at = At::Token(keep);
                            return Ok(Step::Do(action));
                        }
                        Err(failed) => match self.otherwise.take() {
                            Some(otherwise) if is_about_scopes(&failed.error) => {
                                self.scopes = otherwise.scopes;
                                if !otherwise.replaced {
                                    return Ok(Step::Done(Talked::Answer(otherwise.answer)));
                                }
                                self.at = self.token();
                                continue;
                            }
                            _ => return Err(failed),
                        },
                    };
                    self.otherwise = None;
                    if self.met || self.stepped_up {
                        let mut known = lock(&self.resource.scopes);
                        *known = union(&known, &granted(&self.scopes, &loan.value));
                    }
                    // The token that is held is the one that was refused.
                    if let Some(received) = self.received.take() {
                        match self.answered(&received, Some(loan), now, time)? {
                            Some(next) => self.at = next,
                            None => return Ok(Step::Done(Talked::Nothing)),
                        }
                        continue;
                    }
                    let Some(request) = &self.request else {
                        return Ok(Step::Done(Talked::Token(loan.value)));
                    };
                    let request = request.clone().token(loan.value.clone());
                    self.at = At::Sent(Call::new(self.resource.session.clone(), request, None), Some(loan));
                }
                At::Sent(mut call, loan) => {
                    let answer = match Part::step(&mut call, now, arrived.take(), time)? {
                        Step::Done(answer) => answer,
                        Step::Do(action) => {
                            self.at = At::Sent(call, loan);
                            return Ok(Step::Do(action));
                        }
                    };
                    match self.answered(&answer, loan, now, time)? {
                        Some(next) => self.at = next,
                        None => return Ok(Step::Done(Talked::Answer(answer))),
                    }
                }
                At::Describing(mut at) => {
                    let described = match at.checked.step(now, arrived.take(), &at.time) {
                        Ok(Step::Do(action)) => {
                            self.at = At::Describing(at);
                            return Ok(Step::Do(action));
                        }
                        // What it wants are tokens of another service, and the agent's belong to none.
                        Ok(Step::Done(described)) => Some(described?),
                        Err(failed) if time.passed(now) => return Err(failed),
                        // It only adds scopes: a server that does not describe itself gets a new token as well.
                        Err(_) => None,
                    };
                    let supported = described.map(|metadata| metadata.scopes_supported().clone());
                    let before = self.scopes.clone();
                    let named = self.choose(&at, &supported.unwrap_or_default());
                    if self.scopes == before && !at.replaced {
                        return Ok(Step::Done(Talked::Answer(at.answer)));
                    }
                    let Describing { answer, replaced, .. } = at;
                    if self.scopes != before && !named {
                        self.otherwise = Some(Otherwise { scopes: before, answer, replaced });
                    }
                    self.at = self.token();
                }
                At::Over => return Err(ended().into()),
            }
        }
    }
}
