//! Asking for authorization at a resource, and taking the answer that a person came back with.

use super::super::code::{is_unused, outcome};
use super::super::keep::{Just, Keep};
use super::super::kinds::Issuer;
use super::super::part::{Failed, Open, Part, late, ready};
use super::super::{Action, Arrived, Step, ended};
use super::KeyHolder;
use super::signed::AsHolder;
use crate::error::Sent;
use crate::operation::Operation;
use crate::operations::Callback;
use crate::operations::aauth::{AuthToken, Authorization, Consent, RedeemCode};
use crate::operations::routes::aauth::TOKEN;
use crate::pkce::derive;
use crate::secret::Secret;
use crate::time::{Deadline, Now};

/// Adds where a person comes back to, and the state that must come back, as far as they are not there.
type Prepare<O> = fn(O, Option<&str>, Secret) -> O;

/// Asks for a token: with a state of its own, for the consent that may be the answer.
pub(super) struct Asking<O: Operation> {
    holder: KeyHolder,
    prepare: Prepare<O>,
    at: At<O>,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum At<O: Operation> {
    Start(Option<O>),
    Sent(AsHolder<O>),
}

impl<O: Operation<Output = Authorization>> Asking<O> {
    pub(super) fn new(holder: &KeyHolder, operation: O, prepare: Prepare<O>) -> Self {
        Asking { holder: holder.clone(), prepare, at: At::Start(Some(operation)) }
    }
}

impl<O: Operation<Output = Authorization>> Part for Asking<O> {
    type Output = Authorization;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Authorization>, Failed> {
        loop {
            match &mut self.at {
                At::Start(operation) => {
                    let operation = operation.take().ok_or_else(ended)?;
                    let state = Secret::new(derive("aauth state", now));
                    let operation = (self.prepare)(operation, self.holder.redirect_uri.as_deref(), state);
                    self.at = At::Sent(AsHolder::new(&self.holder, operation));
                }
                At::Sent(call) => {
                    let authorization = ready!(call.step(now, arrived.take(), time)?);
                    // A consent URL elsewhere is refused at once, not when somebody reads it.
                    if let Authorization::Consent(consent) = &authorization {
                        self.holder.consent_url(consent)?;
                    }
                    return Ok(Step::Done(authorization));
                }
            }
        }
    }
}

/// Takes the answer to a consent, by what the issuer says of itself, and trades its code.
pub(super) struct Answered {
    holder: KeyHolder,
    consent: Consent,
    callback: Option<Callback>,
    /// The consent is used up, and its code not sent.
    unsent: bool,
    at: Answering,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum Answering {
    Issuer(Just<Issuer>),
    Redeem(AsHolder<RedeemCode>),
}

impl Answered {
    pub(super) fn new(holder: &KeyHolder, consent: Consent, callback: Callback) -> Self {
        let at = Answering::Issuer(Just(Keep::new(Issuer::new(&holder.session))));
        Answered { holder: holder.clone(), consent, callback: Some(callback), unsent: false, at }
    }

    /// Whatever failed, and whoever gave up: a code that was not sent is good still.
    fn give_back(&mut self) {
        if std::mem::take(&mut self.unsent) {
            self.consent.give_back();
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Part for Answered {
    type Output = AuthToken;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AuthToken>, Failed> {
        loop {
            match &mut self.at {
                Answering::Issuer(issuer) => {
                    let issuer = ready!(issuer.step(now, arrived.take(), time)?);
                    if time.passed(now) {
                        // The consent stays as it is: there is no time to trade its code.
                        return Err(Failed::open(late(TOKEN.name(), "starting", time), Open::default()));
                    }
                    let callback = self.callback.take().ok_or_else(ended)?;
                    let required = issuer.answers_carry_issuer;
                    let redeem = self.consent.accept(callback, Some(&issuer.issuer), required)?;
                    self.unsent = true;
                    self.at = Answering::Redeem(AsHolder::new(&self.holder, redeem));
                }
                Answering::Redeem(call) => {
                    let came = arrived.take();
                    self.unsent |=
                        matches!(&came, Some(Arrived::Failed(error)) if error.sent() == Sent::NotSent);
                    let step = call.step(now, came, time);
                    match &step {
                        Ok(Step::Do(Action::Send(_)) | Step::Done(_)) => self.unsent = false,
                        Ok(Step::Do(_)) => {}
                        Err(failed) => {
                            self.unsent |= is_unused(&failed.error);
                            self.give_back();
                        }
                    }
                    return step
                        .map_err(|failed| Failed { error: outcome(TOKEN.name(), failed.error), ..failed });
                }
            }
        }
    }
}
