//! What is under way and what was given out: nonces, consents, codes, tokens.

use std::collections::HashMap;

use crate::aauth::MemoryReplayStore;
use crate::emulator::aauth::grant::Asked;
use crate::emulator::tokens::digest;
use crate::secret::Secret;
use crate::time::Timestamp;

/// From how many records of a kind on the ended ones are swept out.
const SWEEP_FROM: usize = 4096;

/// The digest of a secret text, which stands for it.
pub(super) type Digest = [u8; 32];

/// What `reset` forgets.
#[derive(Default)]
pub(in crate::emulator) struct Store {
    /// The nonces that were used at the authorization server.
    pub(super) nonces: MemoryReplayStore,
    /// Those that were used at served resources, which are somebody else.
    pub(super) demo_nonces: MemoryReplayStore,
    requests: HashMap<Digest, Request>,
    codes: HashMap<Digest, Code>,
    issued: HashMap<String, Issued>,
    refresh: HashMap<Digest, Refresh>,
    /// Resource tokens that were used, until they end.
    used: HashMap<Digest, Timestamp>,
    consents: Vec<Consent>,
    families: u64,
}

/// A request that waits for a person.
struct Request {
    asked: Asked,
    ends: Timestamp,
}

/// What a person's consent gave.
pub(super) struct Code {
    pub asked: Asked,
    pub user: String,
    pub request: Digest,
    pub family: u64,
    pub ends: Timestamp,
    pub kept_until: Timestamp,
    pub used: bool,
}

/// A token that was given out.
pub(super) struct Issued {
    pub tenant: usize,
    pub agent: String,
    pub resource: String,
    pub user: Option<String>,
    pub family: u64,
    pub ends: Timestamp,
}

/// A refresh token.
pub(super) struct Refresh {
    pub asked: Asked,
    pub user: Option<String>,
    pub family: u64,
    pub ends: Timestamp,
    pub replaced: bool,
}

/// What a person has agreed to.
pub(super) struct Consent {
    pub tenant: usize,
    pub user: String,
    pub agent: String,
    pub resource: String,
    pub scopes: Vec<String>,
}

fn keep<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: V, lives: impl Fn(&V) -> bool) {
    if map.len() >= SWEEP_FROM {
        map.retain(|_, own| lives(own));
    }
    map.insert(key, value);
}

impl Store {
    /// A number for the tokens of one authorization: what is revoked together.
    pub(super) fn family(&mut self) -> u64 {
        self.families = self.families.saturating_add(1);
        self.families
    }

    pub(super) fn wait(&mut self, token: &Secret, asked: Asked, ends: Timestamp, now: Timestamp) {
        keep(&mut self.requests, digest(token.expose()), Request { asked, ends }, |own| own.ends > now);
    }

    /// A request that still waits, by its token.
    pub(super) fn waiting(&self, token: &str, tenant: usize, now: Timestamp) -> Option<(Digest, &Asked)> {
        let digest = digest(token);
        let request = self.requests.get(&digest)?;
        (now < request.ends && request.asked.tenant == tenant).then_some((digest, &request.asked))
    }

    /// Takes a request out: it is decided once.
    pub(super) fn decide(&mut self, request: &Digest, now: Timestamp) -> Option<Asked> {
        let request = self.requests.remove(request)?;
        (now < request.ends).then_some(request.asked)
    }

    pub(super) fn insert_code(&mut self, text: &Secret, code: Code, now: Timestamp) {
        keep(&mut self.codes, digest(text.expose()), code, |own| own.kept_until > now);
    }

    pub(super) fn code_mut(&mut self, text: &str) -> Option<&mut Code> {
        self.codes.get_mut(&digest(text))
    }

    pub(super) fn insert_token(&mut self, id: String, issued: Issued, now: Timestamp) {
        keep(&mut self.issued, id, issued, |own| own.ends > now);
    }

    /// A token that was given out, has not ended and was not revoked.
    pub(super) fn token(&self, id: &str, now: Timestamp) -> Option<&Issued> {
        self.issued.get(id).filter(|own| now < own.ends)
    }

    pub(super) fn revoke_token(&mut self, id: &str) {
        self.issued.remove(id);
    }

    pub(super) fn insert_refresh(&mut self, text: &Secret, refresh: Refresh, now: Timestamp) {
        keep(&mut self.refresh, digest(text.expose()), refresh, |own| own.ends > now);
    }

    pub(super) fn refresh_mut(&mut self, text: &str, now: Timestamp) -> Option<&mut Refresh> {
        self.refresh.get_mut(&digest(text)).filter(|own| now < own.ends)
    }

    pub(super) fn revoke_family(&mut self, family: u64) {
        self.issued.retain(|_, own| own.family != family);
        self.refresh.retain(|_, own| own.family != family);
    }

    /// Notes that a resource token was used.
    pub(super) fn use_resource_token(&mut self, token: Digest, ends: Timestamp, now: Timestamp) {
        keep(&mut self.used, token, ends, |own| *own > now);
    }

    pub(super) fn was_used(&self, token: &Digest) -> bool {
        self.used.contains_key(token)
    }

    /// Keeps what a person has agreed to.
    pub(super) fn consent(&mut self, consent: Consent) {
        self.consents.retain(|own| {
            (own.tenant, &own.user, &own.agent, &own.resource)
                != (consent.tenant, &consent.user, &consent.agent, &consent.resource)
                || !own.scopes.iter().all(|scope| consent.scopes.contains(scope))
        });
        self.consents.push(consent);
    }

    /// Who has agreed to all of this: this very person, if it must be one.
    pub(super) fn consented(&self, asked: &Asked) -> Option<&str> {
        let fits = |own: &&Consent| {
            (own.tenant, &own.agent, &own.resource) == (asked.tenant, &asked.agent, &asked.resource)
                && asked.user.as_ref().is_none_or(|user| *user == own.user)
                && asked.scopes.iter().all(|scope| own.scopes.contains(scope))
        };
        self.consents.iter().rev().find(fits).map(|own| own.user.as_str())
    }

    /// Takes back what a person has agreed to for an agent, with every token that stands on it.
    pub(in crate::emulator) fn revoke_consent(&mut self, user: &str, agent: &str) {
        self.consents.retain(|own| own.user != user || own.agent != agent);
        let theirs = |own: Option<&str>, its: &str| own == Some(user) && its == agent;
        self.issued.retain(|_, own| !theirs(own.user.as_deref(), &own.agent));
        self.refresh.retain(|_, own| !theirs(own.user.as_deref(), &own.asked.agent));
        self.codes.retain(|_, own| !theirs(Some(&own.user), &own.asked.agent));
    }
}
