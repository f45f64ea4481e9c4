//! What follows a request for authorization: the code, the renewal, and the next hop.

use super::authorize::{Authorization, authorization, granted};
use super::consent::Consent;
use super::token::{AuthToken, TOKEN};
use super::{Body, terms};
use crate::error::{ConsentError, Error, InputError};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::operations::consent::{Callback, check_redirect_uri};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::wire::{Request, Response};

/// Trades the code that a person's consent gave for a token. `POST aauth/agent/token`, `request_type` `code`, signed, once.
///
/// | part | | on the wire |
/// |---|---|---|
/// | code | REQUIRED | `code` |
/// | redirect URI, exactly as in the request for authorization | REQUIRED | `redirect_uri` |
/// | request token | OPTIONAL | `request_token`, which older services read |
/// | scopes that were asked for | OPTIONAL | not sent; the answer may not have more |
///
/// **Security:** a code is good once, so this is never repeated once anything was sent.
#[derive(Clone, Debug)]
pub struct RedeemCode {
    code: Secret,
    redirect_uri: String,
    request_token: Option<Secret>,
    scopes: Scopes,
}

impl RedeemCode {
    /// This code, with the redirect URI of the request that it answers.
    pub fn new(code: impl Into<Secret>, redirect_uri: impl Into<String>) -> Self {
        let (code, redirect_uri) = (code.into(), redirect_uri.into());
        RedeemCode { code, redirect_uri, request_token: None, scopes: Scopes::none() }
    }

    /// The request token of the consent.
    pub fn request_token(mut self, request_token: impl Into<Secret>) -> Self {
        self.request_token = Some(request_token.into());
        self
    }

    /// The scopes that were asked for: more than these is a fault.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }
}

impl Operation for RedeemCode {
    type Output = AuthToken;

    fn terms(&self) -> Terms {
        terms(TOKEN, Effect::Once)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        check_redirect_uri(&self.redirect_uri)?;
        let mut body = Body::new()
            .text("request_type", "code")
            .secret("code", &self.code)?
            .text("redirect_uri", &self.redirect_uri);
        if let Some(request_token) = &self.request_token {
            body = body.secret("request_token", request_token)?;
        }
        Ok(body.post(context, TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<AuthToken>, Error> {
        granted(response, &self.scopes).map(Answer::Done)
    }
}

/// Renews a token. `POST aauth/agent/token`, `request_type` `refresh`, signed, once.
///
/// | part | | on the wire |
/// |---|---|---|
/// | refresh token | REQUIRED | `refresh_token` |
/// | resource token, fresh from the resource | REQUIRED | `resource_token` |
/// | scopes, only to have fewer | OPTIONAL | `scope` |
///
/// The answer keeps the refresh token unless a new one comes with it.
///
/// **Security:** older services rotate, and take a refresh token used twice for a stolen one; so this is never repeated once
/// anything was sent.
#[derive(Clone, Debug)]
pub struct Refresh {
    refresh_token: Secret,
    resource_token: Secret,
    scopes: Scopes,
    granted: Scopes,
}

impl Refresh {
    /// With this refresh token and a fresh resource token.
    pub fn new(refresh_token: impl Into<Secret>, resource_token: impl Into<Secret>) -> Self {
        Refresh {
            refresh_token: refresh_token.into(),
            resource_token: resource_token.into(),
            scopes: Scopes::none(),
            granted: Scopes::none(),
        }
    }

    /// Only these scopes from now on.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The scopes of the token that is renewed: more than these is a fault. Not sent.
    pub fn granted(mut self, scopes: impl Into<Scopes>) -> Self {
        self.granted = scopes.into();
        self
    }
}

impl Operation for Refresh {
    type Output = AuthToken;

    fn terms(&self) -> Terms {
        terms(TOKEN, Effect::Once)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let scope = self.scopes.parameter()?;
        let body = Body::new()
            .text("request_type", "refresh")
            .secret("refresh_token", &self.refresh_token)?
            .secret("resource_token", &self.resource_token)?
            .optional("scope", scope.as_deref());
        Ok(body.post(context, TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<AuthToken>, Error> {
        let asked = if self.scopes.is_empty() { &self.granted } else { &self.scopes };
        let token = granted(response, asked)?;
        Ok(Answer::Done(match token.refresh_token() {
            Some(_) => token,
            None => token.refresh(self.refresh_token.clone()),
        }))
    }
}

/// Trades a token that was addressed to this agent for one at the next resource. `POST aauth/agent/token`, `request_type`
/// `exchange`, signed.
///
/// | part | | on the wire |
/// |---|---|---|
/// | token of the caller, addressed to this agent | REQUIRED | `auth_token`; `subject_token` for older services |
/// | resource token of the next resource | REQUIRED | `resource_token` |
/// | scopes that are wanted | OPTIONAL | not sent: they are bound by the resource token; the answer may not have more |
/// | redirect URI, state | OPTIONAL | not sent; for the consent that may be the answer |
///
/// The answer may be that a person has to consent, as with [`super::Authorize`].
#[derive(Clone, Debug)]
pub struct Exchange {
    upstream: Secret,
    resource_token: Secret,
    scopes: Scopes,
    redirect_uri: Option<String>,
    state: Option<Secret>,
    older: bool,
}

impl Exchange {
    /// The token that arrived at this agent, and the resource token of where it goes next.
    pub fn new(upstream: impl Into<Secret>, resource_token: impl Into<Secret>) -> Self {
        Exchange {
            upstream: upstream.into(),
            resource_token: resource_token.into(),
            scopes: Scopes::none(),
            redirect_uri: None,
            state: None,
            older: false,
        }
    }

    /// The scopes that the resource token is for: more than these is a fault.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Where the person comes back to if the answer is that one has to consent.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The value that the person's answer must carry back: unguessable, new for every request.
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))] // its users are the clients
    pub(crate) fn or(mut self, redirect_uri: Option<&str>, state: Secret) -> Self {
        self.redirect_uri = self.redirect_uri.or_else(|| redirect_uri.map(str::to_owned));
        self.state.get_or_insert(state);
        self
    }

    /// For services that read the caller's token under its older name, `subject_token` (`docs/wire.md`, aauth-older).
    pub fn older(mut self) -> Self {
        self.older = true;
        self
    }
}

impl Operation for Exchange {
    type Output = Authorization;

    fn terms(&self) -> Terms {
        terms(TOKEN, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let name = if self.older { "subject_token" } else { "auth_token" };
        let body = Body::new()
            .text("request_type", "exchange")
            .secret(name, &self.upstream)?
            .secret("resource_token", &self.resource_token)?;
        Ok(body.post(context, TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<Authorization>, Error> {
        let (redirect_uri, state) = (self.redirect_uri.as_deref(), self.state.as_ref());
        authorization(response, redirect_uri, state, &self.scopes).map(Answer::Done)
    }
}

impl Consent {
    /// The next step with a code whose state and issuer **you have checked yourself**.
    ///
    /// # Errors
    /// [`InputError`] if the request had no redirect URI.
    pub fn redeem(&self, code: impl Into<Secret>) -> Result<RedeemCode, InputError> {
        let missing =
            || InputError::new("redirect_uri", "is missing: set it on the request for authorization");
        let redirect_uri = self.redirect_uri.clone().ok_or_else(missing)?;
        let mut redeem = RedeemCode::new(code, redirect_uri).scopes(&self.scopes);
        if let Some(request_token) = &self.request_token {
            redeem = redeem.request_token(request_token.clone());
        }
        Ok(redeem)
    }

    /// The next step with what came back to the redirect URI, if it fits: the state, the issuer byte for byte (`required`
    /// if the service says that answers carry it), no refusal. The first that fits uses the consent up.
    ///
    /// # Errors
    /// [`ConsentError`] if it does not fit, was used before, or is a refusal; [`InputError`] if the request had no redirect
    /// URI or no state.
    pub fn accept(
        &self,
        callback: Callback,
        issuer: Option<&str>,
        required: bool,
    ) -> Result<RedeemCode, Error> {
        let missing = || InputError::new("state", "is missing: set it on the request for authorization");
        let state = self.state.as_ref().ok_or_else(missing)?;
        let accepted = callback.accept(state, issuer, required);
        let fits = accepted.is_ok() || matches!(accepted, Err(ConsentError::Refused { .. }));
        if fits && !self.use_up() {
            return Err(ConsentError::WrongState.into());
        }
        Ok(self.redeem(accepted?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::consent::tests::{GOOD, consent};
    use super::super::tests::{reads, sent};
    use super::*;
    use crate::time::Timestamp;
    use serde_json::json;

    #[test]
    fn the_code() {
        let redeem = RedeemCode::new("c", "https://agent.example/cb").scopes("read");
        assert_eq!(
            sent(&redeem).unwrap().1,
            json!({"request_type": "code", "code": "c", "redirect_uri": "https://agent.example/cb"})
        );
        assert_eq!(sent(&redeem.clone().request_token("q")).unwrap().1["request_token"], "q");
        assert_eq!(redeem.terms().effect, Effect::Once);
        assert!(sent(&RedeemCode::new("", "https://agent.example/cb")).is_err());
        assert!(sent(&RedeemCode::new("c", "")).is_err());
        assert!(reads(&redeem, 200, r#"{"auth_token":"t","scope":"read"}"#).is_ok());
        for body in [r#"{"auth_token":"t","scope":"read write"}"#, r#"{"request_token":"q"}"#] {
            assert!(matches!(reads(&redeem, 200, body), Err(Error::Protocol(_))), "{body}");
        }
        let consent = r#"{"error":"authorization_required","auth_url":"https://app.lumoauth.dev/x"}"#;
        assert!(reads(&redeem, 401, consent).unwrap_err().is_unauthorized());
    }

    #[test]
    fn the_renewal_keeps_its_refresh_token() {
        let refresh = Refresh::new("r-1", "rt").scopes("read");
        assert_eq!(
            sent(&refresh).unwrap().1,
            json!({"request_type": "refresh", "refresh_token": "r-1", "resource_token": "rt", "scope": "read"})
        );
        assert_eq!(refresh.terms().effect, Effect::Once);
        assert!(sent(&Refresh::new("r", "")).is_err(), "never without a fresh resource token");
        let kept =
            |body: &str| reads(&refresh, 200, body).unwrap().refresh_token().unwrap().expose().to_owned();
        assert_eq!(kept(r#"{"auth_token":"t"}"#), "r-1");
        assert_eq!(kept(r#"{"auth_token":"t","refresh_token":""}"#), "r-1");
        assert_eq!(kept(r#"{"auth_token":"t","refresh_token":"r-2"}"#), "r-2");
        let granted = Refresh::new("r", "rt").granted("read");
        assert!(reads(&granted, 200, r#"{"auth_token":"t","scope":"read write"}"#).is_err());
    }

    #[test]
    fn the_next_hop() {
        let exchange = Exchange::new("up", "rt");
        assert_eq!(
            sent(&exchange).unwrap().1,
            json!({"request_type": "exchange", "auth_token": "up", "resource_token": "rt"})
        );
        assert_eq!(
            sent(&exchange.clone().older()).unwrap().1,
            json!({"request_type": "exchange", "subject_token": "up", "resource_token": "rt"})
        );
        assert_eq!(exchange.terms().effect, Effect::Repeatable);
        assert!(reads(&exchange, 200, r#"{"auth_token":"t"}"#).unwrap().granted().is_some());
        assert!(reads(&exchange, 401, r#"{"request_token":"q"}"#).unwrap().consent().is_some());
        assert!(reads(&exchange, 401, r#"{"error":"invalid_signature"}"#).is_err());
    }

    #[test]
    fn the_callback_is_checked_and_counts_once() {
        let consent = consent(GOOD);
        assert_eq!(consent.expires_at(), Some(Timestamp::from_unix(1_600)));
        let end = |url: &str| consent.accept(Callback::read(url).unwrap(), Some("https://i"), false);
        assert!(matches!(
            end("https://agent.example/cb?code=c&state=other"),
            Err(Error::Consent(ConsentError::WrongState))
        ));
        assert!(matches!(
            end("https://agent.example/cb?code=c&state=s-1&iss=https://other"),
            Err(Error::Consent(ConsentError::WrongIssuer))
        ));
        assert!(end("https://agent.example/cb?code=c&state=s-1&iss=https://i").is_ok());
        assert!(matches!(
            end("https://agent.example/cb?code=c&state=s-1"),
            Err(Error::Consent(ConsentError::WrongState))
        ));
    }
}
