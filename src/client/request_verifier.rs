//! The driver of a resource's verifier of signed requests: it fetches keys and reserves nonces.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;

use super::aauth_client::Client;
use super::replay::ReplayStore;
use super::run::{Outside, turn};
use super::{Transport, dual, example, twin};
use crate::error::{ConfigError, Error};
use crate::operations::aauth::VerifyAuthToken;
use crate::profile::{
    IncomingMessage, MemoryReplayStore, RequestError, RequestVerifier, VerifiedRequest, VerifiedToken,
    VerifierConfig,
};
use crate::secret::Secret;
use crate::time::Now;
use crate::verify::{VerifyError, bearer};

#[doc = twin!("Verifies the signed requests that arrive at a resource (AAuth).", "aauth::Verifier")]
///
/// In this order: bounds; what the signature covers; its time; the digest of the body; the token, of a trusted issuer; the
/// proof that the sender has the token's key; the nonce, reserved in the replay store; the scopes. Cheap to clone; clones
/// share keys and store. With its keys at hand it sends nothing.
///
#[doc = example!("use lumoauth::aauth::{IncomingMessage, VerifierConfig};\n\nlet config = VerifierConfig::new(\"https://api.example.com\", emulator.site().api_base());\nlet verifier = aauth::Verifier::build_with(config, emulator.transport())?;\n\nlet request = lumoauth::http::Request::get(\"/v1/data?limit=2\").body(())?;\nlet refused = verifier.verify_request(IncomingMessage::new(&request, b\"\"))", ".unwrap_err();\nassert_eq!(refused.status(), 401); // it is not signed")]
#[derive(Clone)]
pub struct Verifier {
    verifier: RequestVerifier,
    transport: Arc<dyn Transport>,
    store: Arc<dyn ReplayStore>,
    service: Option<Client>,
}

impl Verifier {
    /// A verifier on a transport of your own, which remembers nonces in this process' memory.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work. Nothing is sent.
    pub fn build_with(
        config: VerifierConfig,
        transport: impl Transport + 'static,
    ) -> Result<Self, ConfigError> {
        let (transport, store) = (Arc::new(transport), Arc::new(MemoryReplayStore::new()));
        Ok(Verifier { verifier: RequestVerifier::new(config)?, transport, store, service: None })
    }

    /// Remembers nonces in this store. Several processes that serve one resource need one that they share.
    pub fn replay_store(mut self, store: impl ReplayStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Asks the service about each token, last of all, as this resource (`docs/wire.md`, aauth-verify): that is the only way
    /// to see that a token was revoked before its end. If the service cannot be asked, the request is refused.
    pub fn ask_service(mut self, resource: Client) -> Self {
        self.service = Some(resource);
        self
    }

    fn now(&self) -> Result<Now, VerifyError> {
        self.transport.now().map_err(|error| VerifyError::from(Error::from(error)))
    }

    /// The verifier behind it, for drivers of your own.
    pub fn verifier(&self) -> &RequestVerifier {
        &self.verifier
    }
}

#[dual(AFIT)]
impl Verifier {
    /// Verifies a request whole. Verify it once: a second time it is a replay.
    ///
    /// # Errors
    /// [`RequestError`]; answer with its status and challenge.
    pub async fn verify_request(
        &self,
        message: IncomingMessage<'_>,
    ) -> Result<VerifiedRequest, RequestError> {
        let checked = turn(Outside::wire(self.transport.as_ref()), self.verifier.check(message)).await;
        let proven = checked.map_err(VerifyError::from)??;
        let now = self.now()?;
        let outcome = self.store.reserve(proven.reservation(), &now).await.map_err(RequestError::Store)?;
        let request = proven.reserved(outcome, &self.now()?)?;
        let Some(service) = &self.service else { return Ok(request) };
        let question = VerifyAuthToken::new(bearer(message.headers)?).resource(request.token().audience());
        let told = service.verify_auth_token(question).await;
        request.confirmed(told.map_err(RequestError::Service)?.as_ref())
    }

    /// Verifies a token alone, to look at it. Its bearer is not proven to be its agent.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify_token(&self, token: &Secret) -> Result<VerifiedToken, VerifyError> {
        turn(Outside::wire(self.transport.as_ref()), self.verifier.check_token(token)).await?
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verifier { verifier, transport: _, store: _, service: _ } = self;
        f.debug_struct("Verifier").field("verifier", verifier).finish_non_exhaustive()
    }
}
