//! What the service says of a token at this moment (RFC 7662), held to the same rules as a token that verified here.

use serde_json::Value;

use super::Verifier;
use super::error::VerifyError;
use super::named::Naming;
use super::rules::Claims;
use super::token::VerifiedToken;
use crate::error::{Error, ProtocolFault};
use crate::operation::{Answer, Context, Operation, Terms};
use crate::operations::{Introspect, TokenHint};
use crate::secret::Secret;
use crate::session::{Arrived, Call, Machine, Session, Step};
use crate::time::Now;
use crate::wire::{self, Request, Response};

/// The question about one token. Its answer is read as claims are: exact types, malformed is never absent.
struct Question(Introspect);

impl Operation for Question {
    /// None: not valid.
    type Output = Option<Claims>;

    fn terms(&self) -> Terms {
        self.0.terms()
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.0.request(context)
    }

    fn response(&self, response: &Response) -> Result<Answer<Self::Output>, Error> {
        let mut fields = wire::read("oauth.introspect", response)?;
        if response.status() != 200 {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        if !fields.required_boolean("active")? {
            return Ok(Answer::Done(None));
        }
        let unreadable = || fields.fault(ProtocolFault::Other("it is not one JSON object of claims"));
        Claims::parse(response.body()).ok_or_else(unreadable).map(|claims| Answer::Done(Some(claims)))
    }
}

/// The check of one token at the service: a machine without I/O, turned by [`crate::TokenVerifier`] or by any driver.
pub struct ServiceCheck {
    call: Call<Question>,
    verifier: Verifier,
    token: Secret,
    naming: Naming,
    begun: bool,
}

impl ServiceCheck {
    pub(super) fn new(verifier: &Verifier, session: &Session, token: &Secret) -> Self {
        let question = Question(Introspect::new(token.clone()).hint(TokenHint::AccessToken));
        let (verifier, token) = (verifier.clone(), token.clone());
        let naming = Naming::new(&verifier);
        ServiceCheck { call: session.call(question), verifier, token, naming, begun: false }
    }

    /// What is known without asking: that it cannot be a token, or what was said of it a moment ago.
    fn known(&self, now: &Now) -> Option<Result<VerifiedToken, VerifyError>> {
        let text = self.token.expose();
        if text.len() > self.verifier.core.longest {
            return Some(Err(VerifyError::TooLong));
        }
        if text.is_empty() {
            return Some(Err(VerifyError::Malformed("it is empty")));
        }
        let held = self.verifier.remembered.get(&self.token, now)?;
        held.check_times(self.verifier.config.leeway, now).is_ok().then_some(Ok(held))
    }

    fn checked(&self, mut claims: Claims, now: &Now) -> Result<VerifiedToken, VerifyError> {
        let Verifier { config, remembered, .. } = &self.verifier;
        claims.drop_answered();
        // RFC 7662 section 2.2. Here a refresh token is "active" too, and is no credential for an API.
        match claims.other("token_type") {
            None => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("Bearer") => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("DPoP") && config.bound => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("DPoP") => return Err(VerifyError::Bound),
            Some(Value::String(_)) => return Err(VerifyError::Type),
            Some(_) => return Err(VerifyError::mistyped("token_type")),
        }
        let token = VerifiedToken::check(claims, &self.verifier, now)?;
        remembered.keep(&self.token, &token, now);
        Ok(token)
    }
}

impl Machine for ServiceCheck {
    type Output = Result<VerifiedToken, VerifyError>;

    fn step(&mut self, now: &Now, mut arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        if !self.naming.is_over() {
            match self.naming.step(&self.verifier, now, arrived.take()) {
                Ok(Step::Done(())) => {}
                Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                Err(error) => return Ok(Step::Done(Err(error))),
            }
        }
        if !std::mem::replace(&mut self.begun, true)
            && let Some(known) = self.known(now)
        {
            return Ok(Step::Done(known));
        }
        Ok(match self.call.step(now, arrived) {
            Ok(Step::Done(Some(claims))) => Step::Done(self.checked(claims, now)),
            Ok(Step::Done(None)) => Step::Done(Err(VerifyError::Inactive)),
            Ok(Step::Do(action)) => Step::Do(action),
            Err(error) => Step::Done(Err(VerifyError::Unavailable(error))),
        })
    }
}
