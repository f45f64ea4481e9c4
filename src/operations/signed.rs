//! Any operation, signed.

use std::fmt;

use crate::error::Error;
use crate::operation::{Answer, Auth, Context, Operation, Signing, Terms};
use crate::origin::Origin;
use crate::secret::Secret;
use crate::wire::{Request, Response};

/// An operation around another one: every attempt is signed with the client's key, with a time and a nonce of its own, so
/// that no signature is sent twice. What is repeated, and when, stays the other one's. See [`Signing`] for what may travel
/// along and where it may go.
///
/// The client must have a signer; without one the call ends with [`Error::Signer`] and nothing is sent.
#[derive(Clone)]
pub struct Signed<O> {
    operation: O,
    signing: Signing,
    keeps_credential: bool,
}

impl<O: Operation> Signed<O> {
    /// This operation, signed in place of its own credential, which is not attached.
    pub fn new(operation: O) -> Self {
        Signed { operation, signing: Signing::new(), keeps_credential: false }
    }

    /// This operation with its own credential, and the signature over that.
    pub fn over(operation: O) -> Self {
        Signed { operation, signing: Signing::new(), keeps_credential: true }
    }

    /// The operation, without its signature.
    #[cfg_attr(not(feature = "aauth"), allow(dead_code))]
    pub(crate) fn into_inner(self) -> O {
        self.operation
    }

    /// With the agent's own token (`agent+jwt`), for the authorization server: [`Signing::agent_token`].
    pub fn agent_token(mut self, token: impl Into<Secret>) -> Self {
        self.signing = self.signing.agent_token(token);
        self
    }

    /// With the token for a resource (`auth+jwt`), and the only origin that it may go to: [`Signing::authorization`].
    pub fn auth_token(mut self, token: impl Into<Secret>, origin: Origin) -> Self {
        self.signing = self.signing.authorization(token, origin);
        self
    }

    /// Says which key signs, in words of the receiver: [`Signing::signature_key`].
    pub fn signature_key(mut self, name: impl Into<String>) -> Self {
        self.signing = self.signing.signature_key(name);
        self
    }
}

impl<O: Operation> Operation for Signed<O> {
    type Output = O::Output;

    fn terms(&self) -> Terms {
        let terms = self.operation.terms();
        let signing = self.signing.clone();
        let signing = if self.keeps_credential { signing.over(terms.auth.clone()) } else { signing };
        Terms { auth: Auth::Signed(signing), ..terms }
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.operation.request(context)
    }

    fn response(&self, response: &Response) -> Result<Answer<O::Output>, Error> {
        self.operation.response(response)
    }
}

impl<O: fmt::Debug> fmt::Debug for Signed<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { operation, signing, keeps_credential: _ } = self;
        f.debug_struct("Signed")
            .field("operation", operation)
            .field("signing", signing)
            .finish_non_exhaustive()
    }
}
