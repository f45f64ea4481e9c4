//! The verifier of a resource: the whole request, in one order, or not at all.

use std::fmt;
use std::sync::Arc;

use super::bound::BoundKeys;
use super::received::{IncomingMessage, MessagePolicy, ReceivedMessage, check_fresh};
use super::refusal::RequestError;
use super::replay::{MemoryReplayStore, Reservation, Reserved};
use super::token::VerifiedToken;
use crate::crypto::Algorithm;
use crate::error::{ConfigError, Error};
use crate::operations::aauth::AuthTokenClaims;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::{Arrived, Machine, Step};
use crate::time::Now;
use crate::verify::{Core, Flow, Leeway, TrustedIssuer, Types, VerifyError, end};

/// What an authorization server may sign its tokens with (`docs/wire.md`, aauth-auth-token).
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// Settings of a [`RequestVerifier`]. The resource and at least one issuer are required.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a verifier is made of them"]
pub struct VerifierConfig {
    resource: String,
    authority: Option<String>,
    issuers: Vec<TrustedIssuer>,
    window: Leeway,
    longest_body: Option<usize>,
    scopes: Scopes,
    max_actors: usize,
    longest_token: usize,
}

impl VerifierConfig {
    /// For this resource: its identifier as tokens have it in `aud`, byte for byte, an absolute URL; its host is the
    /// authority that signatures must be for. Tokens of this issuer are taken; its keys are at `{issuer}/aauth/jwks.json`,
    /// unless the issuer says otherwise.
    pub fn new(resource: impl Into<String>, issuer: impl Into<TrustedIssuer>) -> Self {
        VerifierConfig {
            resource: resource.into(),
            authority: None,
            issuers: vec![issuer.into()],
            window: Leeway::default(),
            longest_body: None,
            scopes: Scopes::none(),
            max_actors: 3,
            longest_token: 16 * 1024,
        }
    }

    /// One more issuer whose tokens are taken.
    pub fn also_issuer(mut self, issuer: impl Into<TrustedIssuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// The URL that agents call, if the resource is known by another name: its scheme, host and port are what signatures
    /// must be for. The `Host` header of a request is never looked at.
    pub fn called_at(mut self, url: impl Into<String>) -> Self {
        self.authority = Some(url.into());
        self
    }

    /// How far the time of a signature may be from yours, before or after; 60 s if not set.
    pub fn window(mut self, window: Leeway) -> Self {
        self.window = window;
        self
    }

    /// The longest body in bytes, 1 MiB if not set.
    pub fn longest_body(mut self, bytes: usize) -> Self {
        self.longest_body = Some(bytes);
        self
    }

    /// The longest token in bytes, 16 KiB if not set.
    pub fn longest_token(mut self, bytes: usize) -> Self {
        self.longest_token = bytes;
        self
    }

    /// Scopes that every request must have; for one route more, ask [`VerifiedRequest::require_scopes`].
    pub fn require_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The longest chain of actors, 3 if not set; 0 refuses every delegated token.
    pub fn max_actors(mut self, depth: usize) -> Self {
        self.max_actors = depth;
        self
    }
}

/// Verifies signed requests. Pure: [`RequestVerifier::check`] gives a machine that says when keys must be fetched;
/// [`crate::aauth::Verifier`] turns it. Cheap to clone; clones share keys.
#[derive(Clone)]
pub struct RequestVerifier(Arc<Inner>);

struct Inner {
    resource: String,
    policy: MessagePolicy,
    issuers: Vec<Arc<Core>>,
    scopes: Scopes,
    max_actors: usize,
    longest_token: usize,
    keys: BoundKeys,
}

impl RequestVerifier {
    /// A verifier with these settings and no keys yet.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work: a resource (or the URL that it is called at) that is no absolute URL, an
    /// issuer that is not an https URL (or http to this machine), an empty list of algorithms.
    pub fn new(config: VerifierConfig) -> Result<Self, ConfigError> {
        let VerifierConfig {
            resource,
            authority,
            issuers,
            window,
            longest_body,
            scopes,
            max_actors,
            longest_token,
        } = config;
        let (setting, url) = match &authority {
            Some(url) => ("called_at", url),
            None => ("resource", &resource),
        };
        let mut policy = MessagePolicy::new(url)
            .map_err(|error| match error {
                ConfigError::BadUrl { problem, .. } => ConfigError::BadUrl { setting, problem },
                other => other,
            })?
            .window(window);
        if let Some(bytes) = longest_body {
            policy = policy.longest_body(bytes);
        }
        if resource.is_empty() {
            let hint = "it is the resource's identifier, as tokens have it in \"aud\"";
            return Err(ConfigError::Missing { setting: "resource", hint });
        }
        let issuers = issuers.into_iter().map(|issuer| {
            let keys = format!("{}/aauth/jwks.json", issuer.name().trim_end_matches('/'));
            let issuer = issuer.or_algorithms(&ALGORITHMS).or_jwks_url(keys).settle()?;
            Ok(Arc::new(Core::new(issuer, Types::Exactly("auth+jwt"), longest_token).named()))
        });
        let issuers = issuers.collect::<Result<_, ConfigError>>()?;
        let keys = BoundKeys::default();
        Ok(RequestVerifier(Arc::new(Inner {
            resource,
            policy,
            issuers,
            scopes,
            max_actors,
            longest_token,
            keys,
        })))
    }

    /// The longest body that is taken, in bytes: whoever reads it need read no further.
    pub fn longest_body(&self) -> usize {
        self.0.policy.body_bound()
    }

    /// The machine that checks one request up to the proof; what is left is to reserve its nonce
    /// ([`ProvenRequest::reserve`]).
    pub fn check<'a>(&self, message: IncomingMessage<'a>) -> RequestCheck<'a> {
        RequestCheck { verifier: self.clone(), phase: Phase::Start(message) }
    }

    /// The machine that checks a token alone: good for looking at it, not for acting on it.
    pub fn check_token(&self, token: &Secret) -> TokenCheck {
        TokenCheck { verifier: self.clone(), token: token.clone(), flow: None }
    }

    /// The flow of a token, with the keys of the issuer that it names, if that one is trusted.
    fn flow(&self, token: &Secret) -> Result<(Flow, Arc<Core>), VerifyError> {
        let issuers = &self.0.issuers;
        Flow::among(token, self.0.longest_token, |issuer| {
            issuers.iter().find(|core| core.issuer_name() == issuer).map(Arc::clone).ok_or_else(|| {
                let names: Vec<_> = issuers.iter().map(|core| core.issuer_name()).collect();
                names.join(" or ")
            })
        })
    }

    fn settle(
        &self,
        claims: crate::verify::Claims,
        core: &Core,
        now: &Now,
    ) -> Result<VerifiedToken, VerifyError> {
        let Inner { resource, max_actors, keys, .. } = &*self.0;
        VerifiedToken::check(claims, core.issuer_name(), resource, *max_actors, keys, now)
    }
}

impl fmt::Debug for RequestVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { resource, policy, issuers, scopes, max_actors, longest_token: _, keys: _ } = &*self.0;
        f.debug_struct("RequestVerifier")
            .field("resource", resource)
            .field("policy", policy)
            .field("issuers", &issuers.iter().map(|core| core.issuer_name()).collect::<Vec<_>>())
            .field("scopes", scopes)
            .field("max_actors", max_actors)
            .finish_non_exhaustive()
    }
}

/// The check of one token.
pub struct TokenCheck {
    verifier: RequestVerifier,
    token: Secret,
    flow: Option<(Flow, Arc<Core>)>,
}

impl Machine for TokenCheck {
    type Output = Result<VerifiedToken, VerifyError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        if self.flow.is_none() {
            match self.verifier.flow(&self.token) {
                Ok(flow) => self.flow = Some(flow),
                Err(error) => return Ok(Step::Done(Err(error))),
            }
        }
        let Some((flow, core)) = &mut self.flow else {
            return Ok(Step::Done(Err(VerifyError::MissingToken)));
        };
        Ok(end(flow.step(now, arrived), |claims| self.verifier.settle(claims, core, now)))
    }
}

/// The check of one request.
pub struct RequestCheck<'a> {
    verifier: RequestVerifier,
    phase: Phase<'a>,
}

#[allow(clippy::large_enum_variant)] // one at a time, on the stack
enum Phase<'a> {
    Start(IncomingMessage<'a>),
    Token { received: ReceivedMessage<'a>, check: TokenCheck },
    Over,
}

impl Machine for RequestCheck<'_> {
    type Output = Result<ProvenRequest, RequestError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        let (received, mut check) = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Start(message) => match self.begin(&message, now) {
                Ok(begun) => begun,
                Err(error) => return Ok(Step::Done(Err(error))),
            },
            Phase::Token { received, check } => (received, check),
            Phase::Over => return Ok(Step::Done(Err(VerifyError::MissingToken.into()))),
        };
        let token = match check.step(now, arrived)? {
            Step::Done(token) => token,
            Step::Do(action) => {
                self.phase = Phase::Token { received, check };
                return Ok(Step::Do(action));
            }
        };
        let proven = token.map_err(RequestError::from).and_then(|token| self.prove(&received, token));
        Ok(Step::Done(proven))
    }
}

impl<'a> RequestCheck<'a> {
    /// Bounds, headers, coverage, freshness, digest; then the token of `Authorization`.
    fn begin(
        &self,
        message: &IncomingMessage<'a>,
        now: &Now,
    ) -> Result<(ReceivedMessage<'a>, TokenCheck), RequestError> {
        let received = self.verifier.0.policy.read(message, now)?;
        let token = crate::verify::bearer(message.headers)?;
        let check = self.verifier.check_token(&token);
        Ok((received, check))
    }

    /// The signature is made by the key that the token is bound to.
    fn prove(
        &self,
        received: &ReceivedMessage<'_>,
        token: VerifiedToken,
    ) -> Result<ProvenRequest, RequestError> {
        received.prove(token.key())?;
        let window = self.verifier.0.policy.allowed();
        let reservation =
            Reservation::of(token.thumbprint(), received.nonce(), received.created(), window.duration());
        Ok(ProvenRequest {
            token,
            reservation,
            created: received.created(),
            window,
            scopes: self.verifier.0.scopes.clone(),
        })
    }
}

/// A request that proves who sent it, and that may be a copy of an earlier one: nothing can be done with it until its
/// nonce is reserved.
#[must_use = "the request may be a replay until its nonce is reserved"]
pub struct ProvenRequest {
    token: VerifiedToken,
    reservation: Reservation,
    created: crate::time::Timestamp,
    window: Leeway,
    scopes: Scopes,
}

impl ProvenRequest {
    /// What is to be reserved, once and atomically, in a store of yours.
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// Ends the check with what became of the reservation. `now` is when the store had answered: a check may wait for keys and for
    /// the store, and a signature or a token that is over by then is not taken, whatever the store has forgotten meanwhile.
    ///
    /// # Errors
    /// [`RequestError::Replayed`], [`RequestError::Full`], [`MessageFault::NotFresh`](super::MessageFault::NotFresh),
    /// [`VerifyError::Expired`], or a scope that the resource requires of every request.
    pub fn reserved(self, outcome: Reserved, now: &Now) -> Result<VerifiedRequest, RequestError> {
        let ProvenRequest { token, reservation: _, created, window, scopes } = self;
        outcome.first()?;
        check_fresh(created, window, now)?;
        token.check_expiry(now)?;
        let request = VerifiedRequest { token, created };
        request.require_scopes(&scopes)?;
        Ok(request)
    }

    /// Reserves in this store and ends the check.
    ///
    /// # Errors
    /// As [`ProvenRequest::reserved`].
    pub fn reserve(self, store: &MemoryReplayStore, now: &Now) -> Result<VerifiedRequest, RequestError> {
        let outcome = store.reserve(&self.reservation, now);
        self.reserved(outcome, now)
    }
}

impl fmt::Debug for ProvenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProvenRequest { token: _, reservation, created, window: _, scopes: _ } = self;
        f.debug_struct("ProvenRequest")
            .field("reservation", reservation)
            .field("created", created)
            .finish_non_exhaustive()
    }
}

/// A request that was sent by the agent that its token names, with the body that it signed, once. There is no other way
/// to make one than to verify a request.
///
/// ```compile_fail
/// # use lumoauth::aauth::{ProvenRequest, VerifiedRequest};
/// fn act(request: VerifiedRequest) {}
/// fn with(request: ProvenRequest) {
///     act(request);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedRequest {
    token: VerifiedToken,
    created: crate::time::Timestamp,
}

impl VerifiedRequest {
    /// The token, which says who acts for whom and with which scopes.
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// When it was signed, by the agent's clock.
    pub fn created(&self) -> crate::time::Timestamp {
        self.created
    }

    /// Itself, if the service says the same of its token ([`VerifyAuthToken`](crate::embed::operations::aauth::VerifyAuthToken)).
    ///
    /// # Errors
    /// [`RequestError::Revoked`] if it says that the token is not good, or something else of it.
    pub fn confirmed(self, told: Option<&AuthTokenClaims>) -> Result<Self, RequestError> {
        match told {
            Some(told) if self.token.agrees_with(told) => Ok(self),
            _ => Err(RequestError::Revoked),
        }
    }

    /// Itself, if its token has these scopes: for a route that needs more than the verifier asks of every request.
    ///
    /// # Errors
    /// [`VerifyError::InsufficientScope`] in [`RequestError::Token`].
    pub fn require_scopes(&self, scopes: impl Into<Scopes>) -> Result<&Self, RequestError> {
        let required = scopes.into();
        if required.iter().all(|scope| self.token.scopes().contains(scope)) {
            return Ok(self);
        }
        Err(RequestError::missing_scopes(&required))
    }
}
