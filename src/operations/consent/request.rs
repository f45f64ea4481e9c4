//! The URL to send a person to.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::InputError;
use crate::pkce::Pkce;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::site::Site;

/// People are sent here, with their browsers.
pub const AUTHORIZE: Route = Route::get("oauth.authorize", "oauth/authorize");

/// An authorization request: where the person goes to consent. Always with PKCE S256; there is no way without.
///
/// | part | | on the wire |
/// |---|---|---|
/// | client id, redirect URI, state, PKCE | REQUIRED | `client_id`, `redirect_uri`, `state`, `code_challenge` |
/// | scopes | OPTIONAL | `scope` |
/// | resources | OPTIONAL | `resource` (RFC 8707), repeated |
/// | nonce | OPTIONAL | `nonce`, for ID tokens |
/// | what the person is shown | OPTIONAL | `prompt` |
/// | whether there is to be a refresh token | OPTIONAL | `access_type` |
/// | how long ago the person may have signed in | OPTIONAL | `max_age`, in seconds |
/// | who the person is | OPTIONAL | `login_hint` |
/// | anything else | OPTIONAL | under its name |
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    parameters: Vec<(Cow<'static, str>, String)>,
}

/// What a person is shown when the browser comes (`prompt`, OpenID Connect Core 1.0 section 3.1.2.1, Initiating User Registration 1.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing at all: where something would have to be shown, the answer is a refusal (`login_required`, `consent_required`).
    None,
    /// The sign-in, also to somebody who is signed in.
    Login,
    /// The consent, also to somebody who has given it.
    Consent,
    /// The page on which somebody who has no account makes one.
    Create,
}

impl Prompt {
    /// As it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Prompt::None => "none",
            Prompt::Login => "login",
            Prompt::Consent => "consent",
            Prompt::Create => "create",
        }
    }
}

/// Whether tokens are to be renewed while the person is away (`access_type`, `docs/wire.md`, C-prompt).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessType {
    /// No refresh token is asked for.
    Online,
    /// A refresh token is asked for.
    Offline,
}

impl AccessType {
    /// As it is on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            AccessType::Online => "online",
            AccessType::Offline => "offline",
        }
    }
}

/// What [`AuthorizationRequest::parameter`] does not take: it has a method or an argument of its own, or must not be changed.
pub(super) const OWN: [&str; 13] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "prompt",
    "access_type",
    "max_age",
    "code_challenge",
    "code_challenge_method",
    // The answer comes in the query of the redirect URI, which is where it is looked for.
    "response_mode",
];

impl AuthorizationRequest {
    /// A request for consent that may be renewed later (`prompt=consent`, `access_type=offline`).
    ///
    /// # Errors
    /// [`InputError`] if the redirect URI is not absolute or has a fragment (RFC 6749 section 3.1.2), or a scope cannot
    /// be sent.
    pub fn new(
        client_id: &str,
        redirect_uri: &str,
        scopes: impl Into<Scopes>,
        state: &str,
        pkce: &Pkce,
    ) -> Result<Self, InputError> {
        let request = AuthorizationRequest::sign_in(client_id, redirect_uri, scopes, state, pkce)?;
        Ok(request.prompt(Prompt::Consent).access_type(AccessType::Offline))
    }

    /// A request to sign a person in: the service decides what it shows, and whether there is a refresh token. Add a
    /// [`nonce`](AuthorizationRequest::nonce), and name `openid` among the scopes.
    ///
    /// # Errors
    /// As [`AuthorizationRequest::new`].
    pub fn sign_in(
        client_id: &str,
        redirect_uri: &str,
        scopes: impl Into<Scopes>,
        state: &str,
        pkce: &Pkce,
    ) -> Result<Self, InputError> {
        check_redirect_uri(redirect_uri)?;
        let scope = scopes.into().parameter()?;
        let mut request = AuthorizationRequest { parameters: Vec::new() };
        request.set("response_type", "code");
        request.set("client_id", client_id);
        request.set("redirect_uri", redirect_uri);
        if let Some(scope) = scope {
            request.set("scope", scope);
        }
        request.set("state", state);
        request.set("code_challenge", pkce.challenge());
        request.set("code_challenge_method", "S256");
        Ok(request)
    }

    /// Sets a parameter that is there once.
    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.parameters.retain(|(own, _)| own != name);
        // Where the vendor's SDK has them.
        let before = matches!(name, "prompt" | "access_type").then_some("code_challenge");
        let at = self.parameters.iter().position(|(own, _)| Some(&**own) == before);
        let at = at.unwrap_or(self.parameters.len());
        self.parameters.insert(at, (Cow::Borrowed(name), value.into()));
    }

    /// What the person is shown.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.set("prompt", prompt.as_str());
        self
    }

    /// Whether there is to be a refresh token.
    pub fn access_type(mut self, access_type: AccessType) -> Self {
        self.set("access_type", access_type.as_str());
        self
    }

    /// Who signed in longer ago than this signs in again; in whole seconds, rounded down. **Check `auth_time`** of the ID token that comes: the
    /// person's browser carries this parameter, and can leave it out.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.set("max_age", age.as_secs().to_string());
        self
    }

    /// Who the person may be (an email address, a name): the service may fill that in.
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.set("login_hint", hint);
        self
    }

    /// A parameter of the service's own, or of an extension (`ui_locales`, `acr_values`).
    ///
    /// # Errors
    /// [`InputError`] for a parameter that has a method or an argument here, that is there already, or that is empty.
    pub fn parameter(mut self, name: &str, value: impl Into<String>) -> Result<Self, InputError> {
        if name.is_empty() || OWN.contains(&name) || name.starts_with("request") {
            return Err(InputError::new(
                "parameter",
                "is one that is set in another way, or must not be set",
            ));
        }
        if name != "resource" && self.parameters.iter().any(|(own, _)| own == name) {
            return Err(InputError::new("parameter", "is there already"));
        }
        self.parameters.push((Cow::Owned(name.to_owned()), value.into()));
        Ok(self)
    }

    /// A resource that tokens are for: an absolute URI, exactly as registered.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.parameters.push((Cow::Borrowed("resource"), resource.into()));
        self
    }

    /// A value that the ID token must carry back.
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.set("nonce", nonce);
        self
    }

    /// The parameters, for pushing them ahead.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// The URL to send the person to. Nothing in this library opens it.
    pub fn url(&self, site: &Site) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.parameters());
        format!("{}?{}", site.url(AUTHORIZE), query.finish())
    }
}

/// Where a browser comes back to with an answer.
pub(crate) fn check_redirect_uri(uri: &str) -> Result<(), InputError> {
    check_return_uri("redirect_uri", uri)
}

/// An absolute URI without fragment, blank or control character. Private schemes are allowed (RFC 8252 section 7.1).
pub(crate) fn check_return_uri(argument: &'static str, uri: &str) -> Result<(), InputError> {
    let bad = |problem| Err(InputError::new(argument, problem));
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return bad("is not an absolute URI");
    }
    if matches!(&*scheme.to_ascii_lowercase(), "javascript" | "data" | "file" | "vbscript") {
        return bad("has a scheme that must not receive codes");
    }
    if uri.contains('#') {
        return bad("has a fragment");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return bad("has a blank, control character or character beyond ASCII");
    }
    Ok(())
}
