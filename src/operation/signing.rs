//! How an operation is signed (AAuth): what travels beside the signature, and where that may go.

use super::Auth;
use crate::error::InputError;
use crate::origin::Origin;
use crate::secret::Secret;

/// The request of every attempt is signed with the client's key, whatever else it carries ([`Auth::Signed`]).
///
/// | part | | on the wire |
/// |---|---|---|
/// | the agent's token (`agent+jwt`) | REQUIRED for agents at the authorization server | `Agent-Auth`; goes to the service only |
/// | a token for a resource (`auth+jwt`) | REQUIRED at resources | `Authorization`; goes to that resource's origin only |
/// | another credential | OPTIONAL, in place of a resource's token | as without a signature; the signature covers it |
/// | name of the key | OPTIONAL | `Signature-Key` |
///
/// `Debug` shows no token.
#[derive(Clone, Debug)]
pub struct Signing {
    credential: Box<Auth>,
    agent_token: Option<Secret>,
    authorization: Option<(Secret, Origin)>,
    signature_key: Option<String>,
}

impl Signing {
    /// With the signature alone.
    pub fn new() -> Self {
        Signing {
            credential: Box::new(Auth::None),
            agent_token: None,
            authorization: None,
            signature_key: None,
        }
    }

    /// With a credential of another kind as well, which the session attaches before it signs.
    /// A token for a resource leaves no room for it.
    pub fn over(mut self, credential: Auth) -> Self {
        if self.authorization.is_none() {
            self.credential = match credential {
                Auth::Signed(signing) => signing.credential,
                credential => Box::new(credential),
            };
        }
        self
    }

    /// With the agent's own token, for the authorization server.
    pub fn agent_token(mut self, token: impl Into<Secret>) -> Self {
        self.agent_token = Some(token.into());
        self
    }

    /// With the token for a resource as `Authorization: Bearer`, and the only origin that it may go to. It takes the place of
    /// another credential.
    pub fn authorization(mut self, token: impl Into<Secret>, origin: Origin) -> Self {
        self.authorization = Some((token.into(), origin));
        self.credential = Box::new(Auth::None);
        self
    }

    /// Says which key signs, in words of the receiver.
    pub fn signature_key(mut self, name: impl Into<String>) -> Self {
        self.signature_key = Some(name.into());
        self
    }

    /// The credential below the signature.
    pub(crate) fn credential(&self) -> &Auth {
        &self.credential
    }

    /// The agent's own token, if there is one.
    pub(crate) fn agent_token_value(&self) -> Option<&Secret> {
        self.agent_token.as_ref()
    }

    /// The token for a resource, if there is one.
    pub(crate) fn authorization_value(&self) -> Option<&Secret> {
        self.authorization.as_ref().map(|(token, _)| token)
    }

    /// The name of the key, if it is said.
    pub(crate) fn signature_key_value(&self) -> Option<&str> {
        self.signature_key.as_deref()
    }

    /// The one origin that the request may go to, if it carries a token for a resource.
    pub(crate) fn home(&self) -> Option<&Origin> {
        self.authorization.as_ref().map(|(_, origin)| origin)
    }

    /// Tokens stay home, whatever the operation's URL.
    pub(crate) fn check(&self, url: &http::Uri, is_own: bool) -> Result<(), InputError> {
        if self.agent_token.is_some() && !is_own {
            return Err(InputError::new(
                "url",
                "is not the service's, and the agent's token goes nowhere else",
            ));
        }
        match self.home() {
            Some(home) if !home.is_of(url) => {
                Err(InputError::new("url", "is not on the origin of the resource that the token is for"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Signing {
    fn default() -> Self {
        Signing::new()
    }
}
