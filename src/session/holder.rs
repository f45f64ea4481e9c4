//! An agent, or a resource, with a key of its own (AAuth): what it signs and as whom, and the tokens that one call gets for many.

mod agent_token;
mod authorization;
mod renewal;
mod signed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::agent_token::Shown;
use self::authorization::{Answered, Asking};
use self::renewal::{Renewal, RenewalKey, Renewed};
use self::signed::AsHolder;
use super::keep::{Keep, Keeper};
use super::part::Within;
use super::{Call, Machine, Session};
use crate::error::{Error, InputError};
use crate::operation::Operation;
use crate::operations::aauth::{
    AgentToken, AuthToken, Authorization, Authorize, Consent, Exchange, GetPlatformToken, PlatformToken,
    identifier,
};
use crate::operations::{ApiRequest, Callback, Signed, check_redirect_uri};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Now;

/// The whole time of a call here, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(20);

/// Makes an agent's token.
type Mint = dyn Fn(&Now) -> Result<AgentToken, Error> + Send + Sync;

/// Where the token of an agent (`agent+jwt`) comes from.
#[derive(Clone)]
pub struct AgentTokens(Source);

#[derive(Clone)]
enum Source {
    Given(Secret),
    Minted(Arc<Mint>),
    Asked,
}

impl AgentTokens {
    /// This one, as it is; it is not renewed.
    pub fn given(token: impl Into<Secret>) -> Self {
        AgentTokens(Source::Given(token.into()))
    }

    /// It is made here, and a new one before it ends; once for all who ask. A [`Now`] is given once: its randomness may become
    /// the token's id.
    pub fn minted(mint: impl Fn(&Now) -> Result<AgentToken, Error> + Send + Sync + 'static) -> Self {
        AgentTokens(Source::Minted(Arc::new(mint)))
    }

    /// The driver is asked ([`Giver::AgentToken`](super::Giver::AgentToken)), and again before it ends; once for all who ask.
    pub fn asked() -> Self {
        AgentTokens(Source::Asked)
    }
}

impl fmt::Debug for AgentTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Given(_) => "AgentTokens(given)",
            Source::Minted(_) => "AgentTokens(minted)",
            Source::Asked => "AgentTokens(asked)",
        })
    }
}

/// An agent, or a resource, with a key of its own, as a session speaks for it. Cheap to clone; clones share everything.
///
/// Its machines ask for signatures ([`Action::Sign`](super::Action::Sign)): the driver has the key, and always the same one.
#[derive(Clone)]
pub struct KeyHolder {
    session: Session,
    shared: Arc<Shared>,
    redirect_uri: Option<Arc<str>>,
    thumbprint: Option<Arc<str>>,
}

struct Shared {
    identifier: String,
    signs: Signs,
    tokens: Keeper<(), AgentToken>,
    renewals: Keeper<RenewalKey, Renewed>,
}

/// As whom it signs at the service.
enum Signs {
    /// An agent shows its token.
    Agent(AgentTokens),
    /// A resource names its key.
    Resource(String),
}

impl KeyHolder {
    /// The agent of this identifier, an https URL (http on this machine only), exactly as it is registered.
    ///
    /// # Errors
    /// [`InputError`] if the identifier is none.
    pub fn agent(
        session: &Session,
        agent: impl Into<String>,
        tokens: AgentTokens,
    ) -> Result<Self, InputError> {
        let agent = agent.into();
        identifier("agent", &agent)?;
        Ok(KeyHolder::of(session, agent, Signs::Agent(tokens)))
    }

    /// The resource of this identifier, an https URL (http on this machine only), with the key of this id.
    ///
    /// # Errors
    /// [`InputError`] if the identifier is none.
    pub fn resource(
        session: &Session,
        resource: impl Into<String>,
        key_id: &str,
    ) -> Result<Self, InputError> {
        let resource = resource.into();
        identifier("resource", &resource)?;
        let key = format!("{resource}#{key_id}");
        Ok(KeyHolder::of(session, resource, Signs::Resource(key)))
    }

    fn of(session: &Session, identifier: String, signs: Signs) -> Self {
        let most = session.settings().most_kept;
        let (tokens, renewals) = (Keeper::bounded(most), Keeper::bounded(most));
        let shared = Arc::new(Shared { identifier, signs, tokens, renewals });
        KeyHolder { session: session.clone(), shared, redirect_uri: None, thumbprint: None }
    }

    /// Where people come back to after consent, exactly as it is registered.
    ///
    /// # Errors
    /// [`InputError`] if it is not absolute or has a fragment.
    pub fn redirect_uri(mut self, redirect_uri: &str) -> Result<Self, InputError> {
        check_redirect_uri(redirect_uri)?;
        self.redirect_uri = Some(redirect_uri.into());
        Ok(self)
    }

    /// The thumbprint of its key (RFC 7638): a platform token that is bound to another key is a fault.
    pub fn thumbprint(mut self, thumbprint: &str) -> Self {
        self.thumbprint = Some(thumbprint.into());
        self
    }

    /// A sibling whose calls have this whole time each. They share tokens and renewals.
    pub fn with_total(&self, total: Duration) -> Self {
        KeyHolder { session: self.session.with_total(total), ..self.clone() }
    }

    /// The identifier of the agent, or of the resource.
    pub fn identifier(&self) -> &str {
        &self.shared.identifier
    }

    /// The session behind it.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The URL to send the person to. Nothing in this library opens it.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the service named a URL that is not on its own origin.
    pub fn consent_url(&self, consent: &Consent) -> Result<String, Error> {
        consent.url(self.session.site())
    }

    /// The machine for one call of an operation at the service, signed; its own credential is not attached. If the service
    /// says that the agent's token is not good, another one is got, and the call is made again, once.
    pub fn call<O: Operation>(&self, operation: O) -> impl Machine<Output = O::Output> + use<O> {
        let total = self.session.total_of(&operation.terms());
        Within::new(AsHolder::new(self, operation), total)
    }

    /// The machine that sends a request to the resource that a token is for: signed, with the token, and only to that origin.
    ///
    /// # Errors
    /// [`InputError`] if the token does not say which resource it is for.
    pub fn request(
        &self,
        token: &AuthToken,
        request: ApiRequest,
    ) -> Result<Call<Signed<ApiRequest>>, InputError> {
        let unknown = "does not say which resource it is for: name it with AuthToken::bound_to";
        let origin = token.resource_origin().ok_or_else(|| InputError::new("token", unknown))?;
        Ok(self.session.call(Signed::new(request).auth_token(token.auth_token().clone(), origin)))
    }

    /// The machine that asks for a token for a resource. It is granted, or a person has to consent first.
    pub fn authorize(&self, authorize: Authorize) -> impl Machine<Output = Authorization> + Send + use<> {
        Within::new(Asking::new(self, authorize, Authorize::or), self.total())
    }

    /// The machine that trades a token that was addressed to this agent for one at the next resource, likewise.
    pub fn exchange(&self, exchange: Exchange) -> impl Machine<Output = Authorization> + Send + use<> {
        Within::new(Asking::new(self, exchange, Exchange::or), self.total())
    }

    /// The machine that takes the answer that a person's browser came back with, and trades its code, once.
    pub fn answer(
        &self,
        consent: &Consent,
        callback: Callback,
    ) -> impl Machine<Output = AuthToken> + Send + use<> {
        Within::new(Answered::new(self, consent.clone(), callback), self.total())
    }

    /// The machine that renews a token with a fresh resource token. All who wait for the same refresh token share one request
    /// and its outcome.
    ///
    /// # Errors
    /// [`InputError`] if the token has no refresh token.
    pub fn renew(
        &self,
        token: &AuthToken,
        resource_token: Secret,
    ) -> Result<impl Machine<Output = AuthToken> + Send + use<>, InputError> {
        let missing = || InputError::new("token", "has no refresh token: ask for authorization again");
        let refresh_token = token.refresh_token().ok_or_else(missing)?.clone();
        let renewal = Renewal::new(self, token.clone(), refresh_token, resource_token);
        Ok(Within::new(renewal::Token(Keep::new(renewal)), self.total()))
    }

    /// The machine that gets a token for the platform's own API, bound to the key.
    ///
    /// # Errors
    /// [`InputError`] for a resource.
    pub fn platform_token(
        &self,
        scopes: Scopes,
    ) -> Result<impl Machine<Output = PlatformToken> + Send + use<>, InputError> {
        Shown::of(self)?;
        let get = GetPlatformToken::new("").scopes(scopes);
        let get = match &self.thumbprint {
            Some(thumbprint) => get.bound_to(&**thumbprint),
            None => get,
        };
        Ok(Within::new(AsHolder::trading(self, get, GetPlatformToken::of), self.total()))
    }

    /// The machine that gets the agent's token: the one in use, or a new one if that is about to end.
    ///
    /// # Errors
    /// [`InputError`] for a resource.
    pub fn agent_token(&self) -> Result<impl Machine<Output = Secret> + Send + use<>, InputError> {
        Ok(Within::new(agent_token::Token(Shown::of(self)?), self.total()))
    }

    fn total(&self) -> Duration {
        self.session.total().unwrap_or(TOTAL)
    }
}

impl fmt::Debug for KeyHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHolder")
            .field("session", &self.session)
            .field("identifier", &self.shared.identifier)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
