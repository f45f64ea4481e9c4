//! The machine of one check: keys at hand, or fetched, or waited for; then the signature; then the claims.

use std::sync::Arc;

#[cfg(feature = "aauth")]
use super::compact::unverified_claims;
use super::compact::{Compact, Header, KnownHeaders, Types};
use super::config::Issuer;
use super::error::VerifyError;
use super::id_token::VerifiedIdToken;
use super::kept::{Kept, Keys};
use super::keys::{IssuerKeys, Wanted};
use super::named::Naming;
use super::rules::Claims;
use super::token::VerifiedToken;
use super::{IdVerifier, Verifier};
use crate::crypto::VerifyingKey;
use crate::error::Error;
use crate::secret::Secret;
use crate::session::keep::Keep;
#[cfg(feature = "signin")]
use crate::session::part::{Failed, ready};
use crate::session::part::{Part, late};
use crate::session::{Arrived, Machine, Step};
use crate::time::{Deadline, Now};

const NAME: &str = "verify";

/// What checks of one issuer's tokens share.
pub(crate) struct Core {
    pub(super) issuer: Issuer,
    pub(super) types: Types,
    pub(super) longest: usize,
    /// True if a token must name its key.
    named: bool,
    keys: Arc<Kept>,
    known: KnownHeaders,
}

impl Core {
    pub(crate) fn new(issuer: Issuer, types: Types, longest: usize) -> Self {
        let keys = Arc::new(Kept::new(issuer.source.clone(), issuer.keys_max_age));
        Core { issuer, types, longest, named: false, keys, known: KnownHeaders::default() }
    }

    /// For tokens that must name their key.
    #[cfg(feature = "aauth")]
    pub(crate) fn named(self) -> Self {
        Core { named: true, ..self }
    }

    #[cfg(feature = "aauth")]
    pub(crate) fn issuer_name(&self) -> &str {
        &self.issuer.name
    }
}

/// Everything up to the claims of a token whose signature verified.
pub(crate) struct Flow {
    core: Arc<Core>,
    token: Secret,
    deadline: Option<Deadline>,
    phase: Phase,
    /// The keys among which the token's was looked for.
    used: Option<Arc<IssuerKeys>>,
    /// The key that was tried and did not verify a token which names none.
    tried: Option<VerifyingKey>,
    /// The claims, if they were read before the signature was verified.
    claims: Option<Claims>,
}

enum Phase {
    Start,
    Keys { compact: Compact, keep: Box<Keep<Keys>> },
    Over,
}

/// A step towards the claims of a verified signature.
pub(crate) type Verifying = Result<Step<Claims>, VerifyError>;

impl Flow {
    pub(crate) fn new(core: &Arc<Core>, token: &Secret) -> Self {
        let (core, token) = (Arc::clone(core), token.clone());
        Flow { core, token, deadline: None, phase: Phase::Start, used: None, tried: None, claims: None }
    }

    /// The flow with the issuer that the token names, if it is found; else who was expected: nobody is asked because a token says so. Nothing is
    /// verified by it.
    #[cfg(feature = "aauth")]
    pub(crate) fn among(
        token: &Secret,
        longest: usize,
        find: impl FnOnce(&str) -> Result<Arc<Core>, String>,
    ) -> Result<(Self, Arc<Core>), VerifyError> {
        if token.expose().len() > longest {
            return Err(VerifyError::TooLong);
        }
        let claims = unverified_claims(token.expose())?;
        let core = find(claims.named_issuer()?).map_err(VerifyError::issuer)?;
        Ok((Flow { claims: Some(claims), ..Flow::new(&core, token) }, core))
    }

    pub(crate) fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Verifying {
        let total = self.core.issuer.timeout;
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, total));
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Start => {
                if self.token.expose().len() > self.core.longest {
                    return Err(VerifyError::TooLong);
                }
                let core = &self.core;
                let compact =
                    Compact::parse(self.token.expose(), &core.issuer.algorithms, &core.types, &core.known)?;
                if core.named && compact.header.key_id.is_none() {
                    return Err(VerifyError::UnknownKey);
                }
                match core.keys.at_hand(now, &wanted(&compact.header, None)) {
                    Some(keys) => self.finish(compact, &keys, now, &deadline),
                    None => {
                        self.is_worth_a_request(&compact)?;
                        self.decide(compact, now, &deadline)
                    }
                }
            }
            Phase::Keys { compact, keep } => self.look(compact, keep, arrived, now, &deadline),
            Phase::Over => Err(VerifyError::Unavailable(late(NAME, "over", &deadline))),
        }
    }

    /// The keys with which the token was verified.
    #[cfg(feature = "aauth")]
    pub(crate) fn used(&self) -> Option<&IssuerKeys> {
        self.used.as_deref()
    }

    /// A token that says itself that it is another issuer's is not. What it claims is not kept while others are waited for.
    fn is_worth_a_request(&mut self, compact: &Compact) -> Result<(), VerifyError> {
        let claims = self.claims.take().map_or_else(|| compact.claims(self.token.expose()), Ok);
        claims?.issuer(&self.core.issuer.name)
    }

    fn decide(&mut self, compact: Compact, now: &Now, deadline: &Deadline) -> Verifying {
        let wanted = wanted(&compact.header, self.tried.as_ref());
        let keep = Keep::new(Keys::new(&self.core.keys, &wanted));
        self.look(compact, Box::new(keep), None, now, deadline)
    }

    fn look(
        &mut self,
        compact: Compact,
        mut keep: Box<Keep<Keys>>,
        arrived: Option<Arrived>,
        now: &Now,
        deadline: &Deadline,
    ) -> Verifying {
        match keep.step(now, arrived, deadline) {
            Ok(Step::Do(action)) => {
                self.phase = Phase::Keys { compact, keep };
                Ok(Step::Do(action))
            }
            Ok(Step::Done(loan)) => self.finish(compact, &loan.value, now, deadline),
            Err(failed) => Err(VerifyError::Unavailable(failed.error)),
        }
    }

    fn finish(
        &mut self,
        compact: Compact,
        keys: &Arc<IssuerKeys>,
        now: &Now,
        deadline: &Deadline,
    ) -> Verifying {
        self.used = Some(Arc::clone(keys));
        let key = keys.find(&wanted(&compact.header, None))?;
        if self.tried.as_ref().is_some_and(|tried| tried.is_same_key(key)) {
            return Err(VerifyError::Signature);
        }
        if let Err(error) = compact.verify(self.token.expose(), key) {
            let given = self.core.keys.given().is_some();
            if given || self.tried.is_some() || compact.header.key_id.is_some() {
                return Err(error);
            }
            // The token names no key: the issuer may have another by now.
            self.is_worth_a_request(&compact).map_err(|_| error)?;
            self.tried = Some(key.clone());
            return self.decide(compact, now, deadline);
        }
        self.core.known.keep(self.token.expose(), &compact);
        let claims = self.claims.take().map_or_else(|| compact.claims(self.token.expose()), Ok);
        claims.map(Step::Done)
    }
}

fn wanted<'t>(header: &'t Header, but: Option<&'t VerifyingKey>) -> Wanted<'t> {
    Wanted { key_id: header.key_id.as_deref(), algorithm: header.algorithm, but }
}

/// A step of the flow, with the claims of a verified signature brought to an end.
pub(crate) fn end<T>(
    step: Verifying,
    check: impl FnOnce(Claims) -> Result<T, VerifyError>,
) -> Step<Result<T, VerifyError>> {
    match step {
        Ok(Step::Do(action)) => Step::Do(action),
        Ok(Step::Done(claims)) => Step::Done(check(claims)),
        Err(error) => Step::Done(Err(error)),
    }
}

/// The check of one access token: a machine without I/O, turned by [`crate::TokenVerifier`] or by any driver.
pub struct Check {
    naming: Naming,
    flow: Flow,
    verifier: Verifier,
}

impl Check {
    pub(super) fn new(verifier: &Verifier, token: &Secret) -> Self {
        let naming = Naming::new(verifier);
        Check { naming, flow: Flow::new(&verifier.core, token), verifier: verifier.clone() }
    }
}

impl Machine for Check {
    type Output = Result<VerifiedToken, VerifyError>;

    fn step(&mut self, now: &Now, mut arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        if !self.naming.is_over() {
            match self.naming.step(&self.verifier, now, arrived.take()) {
                Ok(Step::Done(())) => {}
                Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                Err(error) => return Ok(Step::Done(Err(error))),
            }
        }
        let step = self.flow.step(now, arrived);
        Ok(end(step, |claims| VerifiedToken::check(claims, &self.verifier, now)))
    }
}

/// Has the keys of an issuer at hand before there is a token: who cannot have them gives nothing away for one.
#[cfg(feature = "signin")]
pub(crate) struct KeysAhead(Option<Keep<Keys>>);

#[cfg(feature = "signin")]
impl KeysAhead {
    pub(super) fn new(verifier: &IdVerifier) -> Self {
        let keys = &verifier.core.keys;
        KeysAhead(keys.given().is_none().then(|| Keep::new(Keys::any(keys))))
    }
}

#[cfg(feature = "signin")]
impl Part for KeysAhead {
    type Output = ();

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<()>, Failed> {
        if let Some(keep) = &mut self.0 {
            ready!(keep.step(now, arrived, time)?);
        }
        Ok(Step::Done(()))
    }
}

/// The check of one ID token, in the same way.
pub struct IdCheck {
    flow: Flow,
    verifier: IdVerifier,
    nonce: Option<Secret>,
}

impl IdCheck {
    pub(super) fn new(verifier: &IdVerifier, token: &Secret, nonce: Option<&Secret>) -> Self {
        IdCheck { flow: Flow::new(&verifier.core, token), verifier: verifier.clone(), nonce: nonce.cloned() }
    }
}

impl Machine for IdCheck {
    type Output = Result<VerifiedIdToken, VerifyError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        let step = self.flow.step(now, arrived);
        let IdVerifier { core, config } = &self.verifier;
        let nonce = self.nonce.as_ref();
        Ok(end(step, |claims| VerifiedIdToken::check(claims, &core.issuer.name, config, nonce, now)))
    }
}
