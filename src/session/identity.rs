//! Whose tokens a session holds, and how that one asks for them.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::credentials::{Credentials, Key, Workload};
use crate::error::{ConfigError, Error, WorkloadError};
use crate::operation::{Answer, Auth, Context, Operation, Terms};
use crate::operations::{ClientCredentials, Exchange, ExchangeTokenType, bearer};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::hex;
use crate::token::AccessToken;
use crate::wire::{Request, Response};

/// The longest platform's token that is exchanged, in bytes.
const LONGEST_SUBJECT: usize = 16 * 1024;

/// Everything that makes an agent's own token what it is. Two keys are the same token only if all of it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    /// Counts how often the credentials were replaced: what the old ones leave behind never touches the new ones.
    pub(super) epoch: u64,
    client_id: String,
    grant: Grant,
    /// Sorted.
    scopes: Vec<String>,
}

/// How a token is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Grant {
    ClientCredentials,
    Workload,
    Key,
}

/// Who the agent is to the service.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Client(Arc<Credentials>),
    Workload(Arc<Workload>),
    /// Nothing is fetched for it.
    Key(Arc<Key>),
}

impl Identity {
    pub(super) fn client(credentials: Credentials) -> Self {
        Identity::Client(Arc::new(credentials))
    }

    pub(super) fn workload(workload: Workload) -> Self {
        Identity::Workload(Arc::new(workload))
    }

    pub(super) fn key(key: Key) -> Self {
        Identity::Key(Arc::new(key))
    }

    /// The client's credentials, if it has any.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        match self {
            Identity::Client(credentials) => Some(credentials),
            Identity::Workload(_) | Identity::Key(_) => None,
        }
    }

    /// What tells one credential from another without being it: whoever has another secret finds none of this one's tokens.
    /// None for a client that has no token of its own, and for a workload of which it is not known which client it is.
    pub(super) fn fingerprint(&self, service: &str) -> Option<String> {
        match self {
            Identity::Client(credentials) if credentials.is_public() => None,
            Identity::Client(credentials) => {
                let mut hash = Sha256::new();
                let secret = credentials.client_secret().expose();
                for part in ["lumoauth shared tokens 1", service, credentials.client_id(), secret] {
                    // The length first: no two lists of parts give the same bytes.
                    hash.update(part.len().to_le_bytes());
                    hash.update(part);
                }
                Some(hex(&hash.finalize()))
            }
            Identity::Workload(workload) => {
                workload.client_id().map(|_| format!("workload {}", workload.provider()))
            }
            // Nothing is fetched for it, so there is nothing to share.
            Identity::Key(_) => None,
        }
    }

    pub(super) fn client_id(&self) -> Option<&str> {
        match self {
            Identity::Client(credentials) => Some(credentials.client_id()),
            Identity::Workload(workload) => workload.client_id(),
            Identity::Key(_) => None,
        }
    }
}

/// Whose tokens they are.
pub(super) struct Owner {
    identity: Option<Identity>,
    /// Counts how often the identity was replaced.
    epoch: u64,
}

impl Owner {
    pub(super) fn new(identity: Option<Identity>) -> Self {
        Owner { identity, epoch: 0 }
    }

    pub(super) fn replace(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.epoch = self.epoch.saturating_add(1);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn client_id(&self) -> Option<&str> {
        self.identity.as_ref()?.client_id()
    }

    pub(super) fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        match &self.identity {
            Some(Identity::Client(credentials)) => Ok(Arc::clone(credentials)),
            Some(Identity::Workload(_)) => {
                let hint = "this operation needs the client's secret, and a workload has none";
                Err(ConfigError::Missing { setting: "client_secret", hint }.into())
            }
            Some(Identity::Key(_)) => {
                let hint =
                    "this operation needs a client's id and secret, and a key or a user's token is neither";
                Err(ConfigError::Missing { setting: "client_secret", hint }.into())
            }
            None => Err(nobody()),
        }
    }

    pub(super) fn standing_key(&self) -> Option<Arc<Key>> {
        match &self.identity {
            Some(Identity::Key(key)) => Some(Arc::clone(key)),
            _ => None,
        }
    }

    pub(super) fn identity(&self) -> Result<Identity, Error> {
        self.identity.clone().ok_or_else(nobody)
    }

    /// The key of this identity's own token with these scopes.
    pub(super) fn key(&self, identity: &Identity, scopes: &Scopes) -> TokenKey {
        let grant = match identity {
            Identity::Client(_) => Grant::ClientCredentials,
            Identity::Workload(_) => Grant::Workload,
            Identity::Key(_) => Grant::Key,
        };
        let client_id = identity.client_id().unwrap_or_default().to_owned();
        TokenKey { epoch: self.epoch, client_id, grant, scopes: scopes.sorted() }
    }
}

fn nobody() -> Error {
    let hint = "this operation needs credentials: set client_id and client_secret on the builder";
    ConfigError::Missing { setting: "client_id", hint }.into()
}

/// The request for the agent's own token.
pub(crate) enum OwnToken {
    Client(ClientCredentials),
    /// There is none, for this reason.
    Nobodys(&'static str),
    /// By an exchange of the platform's token.
    Workload(Arc<Workload>, Scopes),
}

impl OwnToken {
    pub(super) fn of(identity: &Identity, scopes: &Scopes) -> Self {
        match identity {
            Identity::Client(credentials) if credentials.is_public() => {
                OwnToken::Nobodys("this operation needs the client's own token, and a public client has none")
            }
            Identity::Key(_) => OwnToken::Nobodys(
                "this operation needs a token of the agent's own: a key or a user's token is sent as it is, and traded for nothing",
            ),
            Identity::Client(_) => OwnToken::Client(ClientCredentials::new(scopes)),
            Identity::Workload(workload) => OwnToken::Workload(Arc::clone(workload), scopes.clone()),
        }
    }
}

fn exchange(workload: &Workload, subject: &Secret, scopes: &Scopes) -> Result<Exchange, WorkloadError> {
    let subject = subject.expose().trim();
    if subject.is_empty() {
        return Err(WorkloadError::Empty);
    }
    if subject.len() > LONGEST_SUBJECT {
        return Err(WorkloadError::TooLong);
    }
    if !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(WorkloadError::BadText);
    }
    let exchange = Exchange::new(subject).subject_type(ExchangeTokenType::Jwt);
    Ok(exchange.subject_issuer(workload.provider()).scopes(scopes))
}

impl Operation for OwnToken {
    type Output = AccessToken;

    fn terms(&self) -> Terms {
        let terms = ClientCredentials::default().terms();
        match self {
            OwnToken::Client(_) | OwnToken::Nobodys(_) => terms,
            OwnToken::Workload(..) => Terms { auth: Auth::Workload, ..terms },
        }
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        match self {
            OwnToken::Client(operation) => operation.request(context),
            OwnToken::Nobodys(hint) => Err(ConfigError::Missing { setting: "client_secret", hint }.into()),
            OwnToken::Workload(workload, scopes) => {
                let subject = context.given().ok_or(WorkloadError::NoSource)?;
                exchange(workload, subject, scopes)?.request(context)
            }
        }
    }

    fn response(&self, response: &Response) -> Result<Answer<AccessToken>, Error> {
        match self {
            OwnToken::Client(operation) => operation.response(response),
            OwnToken::Nobodys(_) => ClientCredentials::default().response(response),
            OwnToken::Workload(_, scopes) => {
                Ok(match Exchange::new("").scopes(scopes).response(response)? {
                    Answer::Done(tokens) => Answer::Done(bearer(tokens.access)?),
                    Answer::Again(pause) => Answer::Again(pause),
                })
            }
        }
    }
}
