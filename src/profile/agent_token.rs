//! Agents that were verified: by their token, and by a request that is signed with their key.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::bound;
use super::received::{ReceivedMessage, check_fresh};
use super::refusal::RequestError;
use super::replay::{MemoryReplayStore, Reservation, Reserved};
use crate::crypto::VerifyingKey;
use crate::time::{Now, Timestamp};
use crate::verify::{Claims, Core, IssuerKeys, Leeway, VerifyError};

/// An agent's own token whose signature and claims were checked (`docs/wire.md`, aauth-agent-token): the agent says which of its
/// delegates has which key. **It proves nothing about who sent it**; that is [`VerifiedAgentRequest`].
///
/// ```compile_fail,E0308
/// # use lumoauth::aauth::{VerifiedAgentRequest, VerifiedAgentToken};
/// fn decide(request: &VerifiedAgentRequest) {}
/// # fn somewhere(token: &VerifiedAgentToken) {
/// decide(token);
/// # }
/// ```
///
/// A clone shares the content.
#[derive(Clone)]
pub struct VerifiedAgentToken(Arc<Inner>);

struct Inner {
    agent: String,
    delegate: String,
    audience: Vec<String>,
    expires_at: Timestamp,
    id: Option<String>,
    key: VerifyingKey,
    thumbprint: String,
    claims: Map<String, Value>,
}

impl VerifiedAgentToken {
    /// The claims of a token that this agent's key has signed.
    pub(super) fn check(
        mut claims: Claims,
        core: &Core,
        keys: Option<&IssuerKeys>,
        own: &str,
        window: Leeway,
        now: &Now,
    ) -> Result<Self, VerifyError> {
        claims.issuer(core.issuer_name())?;
        let times = claims.times()?;
        if now.wall >= times.expires_at {
            return Err(VerifyError::Expired);
        }
        times.check(now, window)?;
        let audience = claims.audience()?;
        if !audience.iter().any(|name| name == own) {
            return Err(VerifyError::audience(own));
        }
        let (key, thumbprint) = key_of(&mut claims, keys)?;
        Ok(VerifiedAgentToken(Arc::new(Inner {
            agent: core.issuer_name().to_owned(),
            delegate: claims.required_text("sub")?,
            audience,
            expires_at: times.expires_at,
            id: claims.text("jti")?,
            key,
            thumbprint,
            claims: claims.rest(),
        })))
    }

    /// It is not over.
    fn check_expiry(&self, now: &Now) -> Result<(), VerifyError> {
        if now.wall >= self.0.expires_at { Err(VerifyError::Expired) } else { Ok(()) }
    }

    /// `iss`: the agent, as the directory has it.
    pub fn agent(&self) -> &str {
        &self.0.agent
    }

    /// `sub`: who of the agent's acts for it.
    pub fn delegate(&self) -> &str {
        &self.0.delegate
    }

    /// `aud`: everybody it is for, you among them.
    pub fn audience(&self) -> &[String] {
        &self.0.audience
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// `jti`: the token's own id.
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// The delegate's key (`cnf`).
    pub fn public_key(&self) -> &VerifyingKey {
        &self.0.key
    }

    /// Its thumbprint (RFC 7638, SHA-256).
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// The claims that have no name of their own here. Their types are yours to check.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }
}

/// The key in `cnf.jwk`, or the one of the agent's published keys that has the thumbprint in `cnf.jkt`; and its thumbprint. The
/// published keys are those that the token was verified with: a key published since then counts when they are fetched again.
fn key_of(claims: &mut Claims, keys: Option<&IssuerKeys>) -> Result<(VerifyingKey, String), VerifyError> {
    let unusable = |problem| VerifyError::Claim { claim: "cnf", problem };
    let mut confirmation = claims.confirmation()?.ok_or(VerifyError::missing("cnf"))?;
    if confirmation.contains_key("jwk") {
        let bound = bound::read(&confirmation)?;
        return Ok((bound.key, bound.thumbprint));
    }
    let Some(Value::String(jkt)) = confirmation.remove("jkt") else {
        return Err(unusable("has neither jwk nor jkt"));
    };
    let key = keys.and_then(|keys| keys.of_thumbprint(&jkt));
    let key = key.ok_or(unusable("names a key that the agent has not published"))?.clone();
    if key.message_algorithm().is_none() {
        return Err(unusable("names a key that cannot sign messages"));
    }
    Ok((key, jkt))
}

impl fmt::Debug for VerifiedAgentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { agent, delegate, audience, expires_at, id: _, key, thumbprint, claims } = &*self.0;
        f.debug_struct("VerifiedAgentToken")
            .field("agent", agent)
            .field("delegate", delegate)
            .field("audience", audience)
            .field("expires_at", expires_at)
            .field("key", key)
            .field("thumbprint", thumbprint)
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A request that an agent's key has signed, and that may be a copy of an earlier one: nothing can be done with it until its
/// nonce is reserved.
#[must_use = "the request may be a replay until its nonce is reserved"]
pub struct ProvenAgentRequest {
    request: VerifiedAgentRequest,
    reservation: Reservation,
    window: Leeway,
}

impl ProvenAgentRequest {
    pub(super) fn of(
        received: &ReceivedMessage<'_>,
        token: VerifiedAgentToken,
        window: Leeway,
    ) -> Result<Self, RequestError> {
        received.prove(&token.0.key)?;
        let reservation =
            Reservation::of(token.thumbprint(), received.nonce(), received.created(), window.duration());
        let request = VerifiedAgentRequest { token, created: received.created() };
        Ok(ProvenAgentRequest { request, reservation, window })
    }

    /// What is to be reserved.
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// The request, if this is the first use of its nonce. `now` is when the store had answered, as in
    /// [`super::ProvenRequest::reserved`].
    ///
    /// # Errors
    /// [`RequestError::Replayed`], [`RequestError::Full`], [`MessageFault::NotFresh`](super::MessageFault::NotFresh) and
    /// [`VerifyError::Expired`].
    pub fn reserved(self, outcome: Reserved, now: &Now) -> Result<VerifiedAgentRequest, RequestError> {
        let ProvenAgentRequest { request, reservation: _, window } = self;
        outcome.first()?;
        check_fresh(request.created, window, now)?;
        request.token.check_expiry(now)?;
        Ok(request)
    }

    /// Both steps, with a store in this process' memory.
    ///
    /// # Errors
    /// As [`ProvenAgentRequest::reserved`].
    pub fn reserve(self, store: &MemoryReplayStore, now: &Now) -> Result<VerifiedAgentRequest, RequestError> {
        let outcome = store.reserve(&self.reservation, now);
        self.reserved(outcome, now)
    }
}

impl fmt::Debug for ProvenAgentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProvenAgentRequest { request: _, reservation, window: _ } = self;
        f.debug_struct("ProvenAgentRequest").field("reservation", reservation).finish_non_exhaustive()
    }
}

/// A request that an agent has signed: the key is the one that the agent's token names, and the token is signed with a key that
/// the agent has published.
#[derive(Clone, Debug)]
pub struct VerifiedAgentRequest {
    token: VerifiedAgentToken,
    created: Timestamp,
}

impl VerifiedAgentRequest {
    /// The agent's token.
    pub fn token(&self) -> &VerifiedAgentToken {
        &self.token
    }

    /// The agent.
    pub fn agent(&self) -> &str {
        self.token.agent()
    }

    /// Who of the agent's signed it.
    pub fn delegate(&self) -> &str {
        self.token.delegate()
    }

    /// When it was signed, by the sender's clock.
    pub fn created(&self) -> Timestamp {
        self.created
    }
}
