//! The agents and resources of AAuth: identifiers, keys, and what they may.

use serde_json::Value;

use crate::crypto::VerifyingKey;
use crate::emulator::values::error::BuildError;
use crate::profile::AgentKey;
use crate::scopes::Scopes;

/// How much a resource wants to know of whoever comes (`docs/wire.md`, aauth-levels).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthLevel {
    /// Nothing: every registered agent gets a token.
    None,
    /// Which agent it is: every registered agent gets a token.
    Authenticated,
    /// That a person has agreed, once.
    #[default]
    Authorized,
    /// That a person agrees, each time: no refresh token, and no consent is remembered.
    User,
}

/// An agent of AAuth to start with: who signs with a key of its own.
#[derive(Clone, Debug)]
#[must_use = "an agent does nothing until it is handed to a tenant"]
pub struct AAuthAgentSeed {
    pub(crate) id: String,
    pub(crate) identifier: String,
    pub(crate) name: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) keys: Keys,
}

impl AAuthAgentSeed {
    /// An agent of this id (letters, digits and `-_.~`) and identifier: an https URL, compared byte for byte. Without a key
    /// of yours, one is made at each start: [`Emulator::aauth_key`](crate::emulator::Emulator::aauth_key).
    pub fn new(id: impl Into<String>, identifier: impl Into<String>) -> Self {
        AAuthAgentSeed {
            id: id.into(),
            identifier: identifier.into(),
            name: None,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            keys: Keys::default(),
        }
    }

    /// Registers a public key: a JWK with `kid`, Ed25519 or RSA.
    pub fn key(mut self, jwk: Value) -> Self {
        self.keys.given.push(jwk);
        self
    }

    /// The name for people, on the consent page; the identifier if none is set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a redirect URI for consent, compared exactly. One of `http://127.0.0.1` or `http://[::1]` stands for every port.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds scopes of the platform's own API, for `aauth.agent.platform_token`.
    pub fn platform_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes.extend(scopes.into().iter().map(str::to_owned));
        self
    }
}

/// A resource of AAuth to start with: what agents have tokens for.
#[derive(Clone, Debug)]
#[must_use = "a resource does nothing until it is handed to a tenant"]
pub struct AAuthResourceSeed {
    pub(crate) id: String,
    /// None: the emulator serves it, and its identifier is where.
    pub(crate) identifier: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) required: Option<Vec<String>>,
    pub(crate) level: AuthLevel,
    pub(crate) keys: Keys,
}

impl AAuthResourceSeed {
    /// A resource of this id (letters, digits and `-_.~`) and identifier: an https URL, compared byte for byte. Without a
    /// key of yours, one is made at each start.
    pub fn new(id: impl Into<String>, identifier: impl Into<String>) -> Self {
        AAuthResourceSeed { identifier: Some(identifier.into()), ..AAuthResourceSeed::served(id) }
    }

    /// A resource that the emulator serves itself, to try tokens on. Its identifier is its URL,
    /// `{API base}/aauth-demo/{id}`; behind it are `/data`, which wants a token and a signature, `/token`, which gives
    /// resource tokens, and `/.well-known/aauth-resource`.
    pub fn served(id: impl Into<String>) -> Self {
        AAuthResourceSeed {
            id: id.into(),
            identifier: None,
            scopes: Vec::new(),
            required: None,
            level: AuthLevel::default(),
            keys: Keys::default(),
        }
    }

    /// Registers a public key: a JWK with `kid`, Ed25519 or RSA. A served resource signs with a key of its own beside it.
    pub fn key(mut self, jwk: Value) -> Self {
        self.keys.given.push(jwk);
        self
    }

    /// Adds scopes that it knows. No token has others.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes.extend(scopes.into().iter().map(str::to_owned));
        self
    }

    /// The scopes that `/data` of a served resource demands; all that it knows unless set.
    pub fn required_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.required = Some(scopes.into().iter().map(str::to_owned).collect());
        self
    }

    /// Its level; [`AuthLevel::Authorized`] unless set.
    pub fn level(mut self, level: AuthLevel) -> Self {
        self.level = level;
        self
    }

    pub(crate) fn demands(&self) -> &[String] {
        self.required.as_ref().unwrap_or(&self.scopes)
    }
}

/// The keys of an agent or a resource: those that were given, and one of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    given: Vec<Value>,
    pub own: Option<AgentKey>,
    public: Vec<PublicKey>,
}

/// A public key under its id.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    pub id: String,
    pub key: VerifyingKey,
    pub thumbprint: String,
    pub jwk: Value,
}

impl Keys {
    /// Checks the keys that were given; makes one if there is none, or if the owner has to sign here.
    pub(crate) fn prepare(&mut self, owner: &str, signs: bool) -> Result<(), BuildError> {
        if signs || self.given.is_empty() {
            self.own = Some(AgentKey::generate()?);
        }
        let own = self.own.as_ref().map(AgentKey::public_jwk);
        let bad = |problem| BuildError::BadText { what: "the key of", value: owner.to_owned(), problem };
        let mut public: Vec<PublicKey> = Vec::new();
        for jwk in own.into_iter().chain(self.given.iter().cloned()) {
            let key = PublicKey::read(jwk).map_err(bad)?;
            if public.iter().any(|other| other.id == key.id) {
                return Err(BuildError::Twice { what: "the kid", value: key.id });
            }
            public.push(key);
        }
        self.public = public;
        Ok(())
    }

    pub(crate) fn all(&self) -> &[PublicKey] {
        &self.public
    }

    pub(crate) fn find(&self, id: &str) -> Option<&PublicKey> {
        self.public.iter().find(|key| key.id == id)
    }
}

impl PublicKey {
    /// Reads a public JWK that can sign messages.
    pub(crate) fn read(jwk: Value) -> Result<Self, &'static str> {
        let key = VerifyingKey::from_jwk(&jwk).map_err(|_| "it is not a sound public JWK")?;
        if key.message_algorithm().is_none() {
            return Err("it cannot sign messages: use Ed25519 or RSA");
        }
        let id = key.key_id().filter(|id| !id.is_empty()).ok_or("it has no kid")?.to_owned();
        Ok(PublicKey { id, thumbprint: key.to_jwk().thumbprint().to_owned(), key, jwk })
    }
}
