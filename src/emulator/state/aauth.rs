//! What is under way in AAuth and what was given out: nonces, consents, codes, tokens.

use serde_json::Value;

use super::kept::Kept;
use super::tokens::{Actor, digest};
use crate::emulator::values::seed::AuthLevel;
use crate::profile::MemoryReplayStore;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The digest of a secret text, which stands for it.
pub(crate) type Digest = [u8; 32];

/// What an agent asks for at a resource. Everything in it is allowed to be asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub tenant: usize,
    pub issuer: String,
    pub agent: String,
    pub delegate: String,
    /// The key that the token is bound to.
    pub jwk: Value,
    pub thumbprint: String,
    pub resource: String,
    pub level: AuthLevel,
    pub scopes: Vec<String>,
    /// `request_type` of the answer.
    pub kind: &'static str,
    pub redirect_uri: Option<String>,
    /// The only user that it can be for: in a chain, the one of the token before.
    pub user: Option<String>,
    /// Who acts, the first agent first; empty if it is no chain.
    pub actors: Vec<Actor>,
    /// Never later than this.
    pub until: Option<Timestamp>,
}

/// A request on a page.
#[derive(Clone)]
pub(crate) struct Asking {
    pub request: Digest,
    pub asked: Asked,
    /// Echoed, if the agent put one into the URL.
    pub state: Option<String>,
}

/// What `reset` forgets.
#[derive(Default)]
pub(crate) struct Store {
    /// The nonces that were used at the authorization server.
    pub(crate) nonces: MemoryReplayStore,
    /// Those that were used at served resources, which are somebody else.
    pub(crate) demo_nonces: MemoryReplayStore,
    requests: Kept<Digest, Request>,
    codes: Kept<Digest, Code>,
    issued: Kept<String, Issued>,
    refresh: Kept<Digest, Refresh>,
    /// Resource tokens that were used, until they end.
    used: Kept<Digest, Timestamp>,
    consents: Vec<Consent>,
    families: u64,
}

/// A request that waits for a person.
struct Request {
    asked: Asked,
    ends: Timestamp,
}

/// What a person's consent gave.
pub(crate) struct Code {
    pub asked: Asked,
    pub user: String,
    pub request: Digest,
    pub family: u64,
    pub ends: Timestamp,
    pub kept_until: Timestamp,
    pub used: bool,
}

/// A token that was given out.
pub(crate) struct Issued {
    pub tenant: usize,
    pub agent: String,
    pub resource: String,
    pub user: Option<String>,
    pub family: u64,
    pub ends: Timestamp,
}

/// A refresh token.
pub(crate) struct Refresh {
    pub asked: Asked,
    pub user: Option<String>,
    pub family: u64,
    pub ends: Timestamp,
    pub replaced: bool,
}

/// What a person has agreed to.
pub(crate) struct Consent {
    pub tenant: usize,
    pub user: String,
    pub agent: String,
    pub resource: String,
    pub scopes: Vec<String>,
}

impl Store {
    /// A number for the tokens of one authorization: what is revoked together.
    pub(crate) fn family(&mut self) -> u64 {
        self.families = self.families.saturating_add(1);
        self.families
    }

    pub(crate) fn wait(&mut self, token: &Secret, asked: Asked, ends: Timestamp, now: Timestamp) {
        self.requests.insert(digest(token.expose()), Request { asked, ends }, |own| own.ends > now);
    }

    /// A request that still waits, by its token.
    pub(crate) fn waiting(&self, token: &str, tenant: usize, now: Timestamp) -> Option<(Digest, &Asked)> {
        let digest = digest(token);
        let request = self.requests.get(&digest)?;
        (now < request.ends && request.asked.tenant == tenant).then_some((digest, &request.asked))
    }

    /// Takes a request out: it is decided once.
    pub(crate) fn decide(&mut self, request: &Digest, now: Timestamp) -> Option<Asked> {
        let request = self.requests.remove(request)?;
        (now < request.ends).then_some(request.asked)
    }

    pub(crate) fn insert_code(&mut self, text: &Secret, code: Code, now: Timestamp) {
        self.codes.insert(digest(text.expose()), code, |own| own.kept_until > now);
    }

    pub(crate) fn code_mut(&mut self, text: &str) -> Option<&mut Code> {
        self.codes.get_mut(&digest(text))
    }

    pub(crate) fn insert_token(&mut self, id: String, issued: Issued, now: Timestamp) {
        self.issued.insert(id, issued, |own| own.ends > now);
    }

    /// A token that was given out, has not ended and was not revoked.
    pub(crate) fn token(&self, id: &str, now: Timestamp) -> Option<&Issued> {
        self.issued.get(id).filter(|own| now < own.ends)
    }

    pub(crate) fn revoke_token(&mut self, id: &str) {
        self.issued.remove(id);
    }

    pub(crate) fn insert_refresh(&mut self, text: &Secret, refresh: Refresh, now: Timestamp) {
        self.refresh.insert(digest(text.expose()), refresh, |own| own.ends > now);
    }

    pub(crate) fn refresh_mut(&mut self, text: &str, now: Timestamp) -> Option<&mut Refresh> {
        self.refresh.get_mut(&digest(text)).filter(|own| now < own.ends)
    }

    pub(crate) fn revoke_family(&mut self, family: u64) {
        self.issued.retain(|own| own.family != family);
        self.refresh.retain(|own| own.family != family);
    }

    /// Notes that a resource token was used.
    pub(crate) fn use_resource_token(&mut self, token: Digest, ends: Timestamp, now: Timestamp) {
        self.used.insert(token, ends, |own| *own > now);
    }

    pub(crate) fn was_used(&self, token: &Digest) -> bool {
        self.used.get(token).is_some()
    }

    /// Keeps what a person has agreed to.
    pub(crate) fn consent(&mut self, consent: Consent) {
        self.consents.retain(|own| {
            (own.tenant, &own.user, &own.agent, &own.resource)
                != (consent.tenant, &consent.user, &consent.agent, &consent.resource)
                || !own.scopes.iter().all(|scope| consent.scopes.contains(scope))
        });
        self.consents.push(consent);
    }

    /// Who has agreed to all of this: this very person, if it must be one.
    pub(crate) fn consented(&self, asked: &Asked) -> Option<&str> {
        let fits = |own: &&Consent| {
            (own.tenant, &own.agent, &own.resource) == (asked.tenant, &asked.agent, &asked.resource)
                && asked.user.as_ref().is_none_or(|user| *user == own.user)
                && asked.scopes.iter().all(|scope| own.scopes.contains(scope))
        };
        self.consents.iter().rev().find(fits).map(|own| own.user.as_str())
    }

    /// Takes back what a person has agreed to for an agent, with every token that stands on it.
    pub(crate) fn revoke_consent(&mut self, user: &str, agent: &str) {
        self.consents.retain(|own| own.user != user || own.agent != agent);
        let theirs = |own: Option<&str>, its: &str| own == Some(user) && its == agent;
        self.issued.retain(|own| !theirs(own.user.as_deref(), &own.agent));
        self.refresh.retain(|own| !theirs(own.user.as_deref(), &own.asked.agent));
        self.codes.retain(|own| !theirs(Some(&own.user), &own.asked.agent));
    }
}
