//! The drivers of the verifiers: they fetch an issuer's keys when a check asks for them.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use super::agent::Agent;
use super::run::{Outside, turn};
use super::{Transport, dual, example, twin};
use crate::error::ConfigError;
use crate::secret::Secret;
use crate::service::Answer;
use crate::verify::{
    IdVerifier, IdVerifierConfig, VerifiedIdToken, VerifiedToken, Verifier, VerifierConfig, VerifyError,
    bearer,
};

#[doc = twin!("Verifies the access tokens that arrive at an API or MCP server ([`crate::verify`]).", "TokenVerifier")]
///
/// Cheap to clone; clones share the issuer's keys. `Send` and `Sync`: one serves all threads and tasks. With its keys at
/// hand it sends nothing.
///
#[doc = example!("let config = lumoauth::verify::VerifierConfig::new(emulator.site().api_base(), emulator.client_id());\nlet verifier = TokenVerifier::build_with(config, emulator.transport())?;\n\nlet token = agent.authenticate([\"read:documents\"])", "?;\nlet verified = verifier.verify(token.secret())", "?;\nassert!(verified.scopes().contains(\"read:documents\"));")]
#[derive(Clone)]
pub struct TokenVerifier {
    verifier: Verifier,
    transport: Arc<dyn Transport>,
}

impl TokenVerifier {
    /// A verifier on a transport of your own.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work. Nothing is sent.
    pub fn build_with(
        config: VerifierConfig,
        transport: impl Transport + 'static,
    ) -> Result<Self, ConfigError> {
        Ok(TokenVerifier { verifier: Verifier::new(config)?, transport: Arc::new(transport) })
    }

    /// Verifies the tokens that the agent's own tenant issues for this audience, over the agent's connections. The issuer is the
    /// tenant's API base, as its tokens have it in `iss`; where they have another text, use [`TokenVerifier::build_with`].
    ///
    #[doc = example!("let verifier = TokenVerifier::of(&agent, emulator.client_id())?;\nlet token = agent.access_token()", "?;\nassert_eq!(verifier.verify(token.secret())", "?.client_id(), emulator.client_id());")]
    ///
    /// # Errors
    /// [`ConfigError`] if the audience cannot be one. Nothing is sent.
    pub fn of(agent: &Agent, audience: impl Into<String>) -> Result<Self, ConfigError> {
        let config = VerifierConfig::new(agent.session().site().api_base(), audience);
        TokenVerifier::with_config(agent, config)
    }

    /// The same with settings of your own, such as the scopes that every token must have.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work. Nothing is sent.
    pub fn with_config(agent: &Agent, config: VerifierConfig) -> Result<Self, ConfigError> {
        let transport = Arc::clone(&agent.driver().transport);
        Ok(TokenVerifier { verifier: Verifier::new(config)?, transport })
    }

    /// The answer to a request whose token is not accepted: [`Verifier::answer`].
    pub fn answer(&self, error: &VerifyError) -> Answer {
        self.verifier.answer(error)
    }

    /// The verifier behind it: challenges, the RFC 9728 document, and checks for drivers of your own.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

#[dual(AFIT)]
impl TokenVerifier {
    /// Finds out the audience where that is read from the service ([`VerifierConfig::described_at`]); else there is nothing to do.
    ///
    /// # Errors
    /// [`VerifyError::Unavailable`] if the service does not say.
    pub async fn ready(&self) -> Result<(), VerifyError> {
        turn(Outside::wire(self.transport.as_ref()), self.verifier.ready()).await?
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// [`VerifyError`]; answer with [`TokenVerifier::answer`].
    pub async fn verify(&self, token: &Secret) -> Result<VerifiedToken, VerifyError> {
        turn(Outside::wire(self.transport.as_ref()), self.verifier.check(token)).await?
    }

    /// Verifies the bearer token in a request's headers.
    ///
    /// # Errors
    /// [`VerifyError`], [`VerifyError::MissingToken`] among them.
    pub async fn verify_headers(&self, headers: &HeaderMap) -> Result<VerifiedToken, VerifyError> {
        let token = bearer(headers)?;
        self.verify(&token).await
    }

    /// Verifies a token at the service (RFC 7662), opaque or JWT: what was revoked is refused. `agent` is the client that
    /// asks, with an id and a secret at the service whose tokens these are. One request for each token, unless
    /// [`VerifierConfig::remember_answers`] says otherwise.
    ///
    /// # Errors
    /// [`VerifyError`]; [`VerifyError::Unavailable`] if the service gives no clear answer.
    pub async fn verify_at_service(
        &self,
        agent: &Agent,
        token: &Secret,
    ) -> Result<VerifiedToken, VerifyError> {
        let driver = agent.driver();
        driver.turn(self.verifier.check_at_service(&driver.session, token)).await?
    }

    /// Verifies the bearer token in a request's headers at the service.
    ///
    /// # Errors
    /// As [`TokenVerifier::verify_at_service`], and [`VerifyError::MissingToken`].
    pub async fn verify_headers_at_service(
        &self,
        agent: &Agent,
        headers: &HeaderMap,
    ) -> Result<VerifiedToken, VerifyError> {
        let token = bearer(headers)?;
        self.verify_at_service(agent, &token).await
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TokenVerifier { verifier, transport: _ } = self;
        f.debug_struct("TokenVerifier").field("verifier", verifier).finish_non_exhaustive()
    }
}

#[doc = twin!("Verifies the ID tokens of sign-ins ([`crate::verify::IdVerifier`]).", "IdTokenVerifier")]
///
/// Cheap to clone.
///
#[doc = example!("let config = lumoauth::verify::IdVerifierConfig::new(emulator.site().api_base(), \"my-client-id\");\nlet verifier = IdTokenVerifier::build_with(config, emulator.transport())?;\n\nlet nonce = \"the nonce of the authorization request\".into();\nlet refused = verifier.verify(&\"not.a.token\".into(), Some(&nonce))", ".unwrap_err();\nassert_eq!(refused.status(), 401);")]
#[derive(Clone)]
pub struct IdTokenVerifier {
    verifier: IdVerifier,
    transport: Arc<dyn Transport>,
}

impl IdTokenVerifier {
    /// A verifier on a transport of your own.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work. Nothing is sent.
    pub fn build_with(
        config: IdVerifierConfig,
        transport: impl Transport + 'static,
    ) -> Result<Self, ConfigError> {
        Ok(IdTokenVerifier { verifier: IdVerifier::new(config)?, transport: Arc::new(transport) })
    }

    /// The verifier behind it, for drivers of your own.
    pub fn verifier(&self) -> &IdVerifier {
        &self.verifier
    }
}

#[dual(AFIT)]
impl IdTokenVerifier {
    /// Verifies an ID token against the nonce that the sign-in sent.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(
        &self,
        token: &Secret,
        nonce: Option<&Secret>,
    ) -> Result<VerifiedIdToken, VerifyError> {
        turn(Outside::wire(self.transport.as_ref()), self.verifier.check(token, nonce)).await?
    }
}

impl fmt::Debug for IdTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IdTokenVerifier { verifier, transport: _ } = self;
        f.debug_struct("IdTokenVerifier").field("verifier", verifier).finish_non_exhaustive()
    }
}
