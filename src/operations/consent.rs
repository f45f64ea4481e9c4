//! Asking a person for consent: the URL to send them to, and what comes back from there (RFC 6749 section 4.1).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::error::{ConsentError, Error, InputError};
use crate::pkce::Pkce;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::site::Site;

/// People are sent here, with their browsers.
pub const AUTHORIZE: Route = Route::get("oauth.authorize", "oauth/authorize");
pub(super) const ROUTES: &[Route] = &[AUTHORIZE];

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
const OWN: [&str; 13] = [
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

/// An absolute URI without fragment, blank or control character. Private schemes are allowed (RFC 8252 section 7.1).
pub(crate) fn check_redirect_uri(uri: &str) -> Result<(), InputError> {
    let bad = |problem| Err(InputError::new("redirect_uri", problem));
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

/// The origin as browsers write it (empty for a path alone), and the path. A URI without authority is all path.
fn split_place(place: &str) -> (String, &str) {
    let Some((scheme, rest)) = place.split_once("://") else { return (String::new(), place) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
    let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    let origin = origin.strip_suffix(default_port).map(str::to_owned).unwrap_or(origin);
    (origin, if path.is_empty() { "/" } else { path })
}

/// What came back to the redirect URI.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where it came to, as far as that was told.
    place: Option<String>,
    code: Option<Secret>,
    state: Option<Secret>,
    issuer: Option<String>,
    error: Option<(String, Option<String>)>,
}

impl Callback {
    /// Reads the URL that the person's browser was sent to, or its query alone.
    ///
    /// # Errors
    /// [`ConsentError::Twice`] if a parameter that counts is there twice (RFC 6749 section 3.1).
    pub fn read(url: &str) -> Result<Self, ConsentError> {
        if !url.contains(['?', '=']) {
            return Err(ConsentError::NoUrl);
        }
        let (place, query) = url.split_once('?').map_or(("", url), |(place, query)| (place, query));
        let query = query.split('#').next().unwrap_or_default();
        let mut found: [(&'static str, Option<String>); 5] =
            [("code", None), ("state", None), ("iss", None), ("error", None), ("error_description", None)];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some((known, slot)) = found.iter_mut().find(|(known, _)| *known == name) {
                if slot.is_some() {
                    return Err(ConsentError::Twice { parameter: known });
                }
                *slot = Some(value.into_owned());
            }
        }
        let [code, state, issuer, error, description] = found.map(|(_, value)| value);
        let code = code.map(Secret::new);
        Ok(Callback {
            place: (!place.is_empty()).then(|| place.to_owned()),
            code,
            state: state.map(Secret::new),
            issuer,
            error: error.map(|code| (code, description)),
        })
    }

    /// The state, to find out which request this answers. Trust it only after [`Callback::accept`].
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }

    /// True if it answers the request that had this state. Compared in constant time.
    pub fn answers(&self, state: &Secret) -> bool {
        let own = self.state.as_ref();
        own.is_some_and(|own| bool::from(own.expose().as_bytes().ct_eq(state.expose().as_bytes())))
    }

    /// The issuer that the answer names (RFC 9207).
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Compares where the answer came to with the redirect URI that was sent, whatever their queries: the whole URL, or its
    /// path if it was read without origin, as servers see it. A query alone does not tell. A redirect URI with https is met by the
    /// same host and port with http too: so a server sees it behind a proxy that ends TLS.
    ///
    /// # Errors
    /// [`ConsentError::WrongPlace`].
    pub fn check_place(&self, redirect_uri: &str) -> Result<(), ConsentError> {
        let Some(place) = &self.place else { return Ok(()) };
        let sent = redirect_uri.split_once('?').map_or(redirect_uri, |(sent, _)| sent);
        let ((origin, path), sent) = (split_place(place), split_place(sent));
        // Behind a proxy that ends TLS, a server does not know that it was called by https.
        let behind_tls =
            || origin.strip_prefix("http://").is_some_and(|own| sent.0.strip_prefix("https://") == Some(own));
        if (origin.is_empty() || origin == sent.0 || behind_tls()) && path == sent.1 {
            return Ok(());
        }
        Err(ConsentError::WrongPlace)
    }

    /// The code, if everything fits: the state that was sent (compared in constant time), the issuer byte for byte
    /// (`issuer` is the tenant's; `required` if its metadata says that answers carry it), and no refusal.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn accept(
        self,
        state: &Secret,
        issuer: Option<&str>,
        required: bool,
    ) -> Result<Secret, ConsentError> {
        if !self.answers(state) {
            return Err(ConsentError::WrongState);
        }
        match (&self.issuer, issuer) {
            (Some(own), Some(issuer)) if own != issuer => return Err(ConsentError::WrongIssuer),
            (None, _) if required => return Err(ConsentError::NoIssuer),
            _ => {}
        }
        if let Some((code, description)) = self.error {
            return Err(ConsentError::Refused { code, description });
        }
        self.code.filter(|code| !code.is_empty()).ok_or(ConsentError::NoCode)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Callback { place, code, state, issuer, error } = self;
        f.debug_struct("Callback")
            .field("place", &place.as_deref().map(crate::error::inert))
            .field("code", code)
            .field("state", state)
            .field("issuer", &issuer.as_deref().map(crate::error::inert))
            .field("error", &error.as_ref().map(|(code, _)| crate::error::inert(code)))
            .finish()
    }
}

impl From<ConsentError> for Error {
    fn from(error: ConsentError) -> Self {
        Error::Consent(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Secret {
        Secret::new("s-1")
    }

    #[test]
    fn a_proxy_that_ends_tls_hides_the_scheme_and_nothing_else() {
        let at = |place: &str, sent: &str| {
            Callback::read(&format!("{place}?code=c")).unwrap().check_place(sent).is_ok()
        };
        for (place, sent) in [
            ("http://app.example/cb", "https://app.example/cb"),
            ("http://app.example:8443/cb", "https://app.example:8443/cb"),
            ("http://App.example:80/cb", "https://app.example:443/cb"),
        ] {
            assert!(at(place, sent), "{place} {sent}");
        }
        for (place, sent) in [
            ("https://127.0.0.1:8080/cb", "http://127.0.0.1:8080/cb"),
            ("http://app.example:8080/cb", "https://app.example/cb"),
            ("http://app.example/cb", "https://app.example:8443/cb"),
            ("http://app.example/cb2", "https://app.example/cb"),
            ("http://app.example.evil.test/cb", "https://app.example/cb"),
            ("ftp://app.example/cb", "https://app.example/cb"),
            ("http://app.example/cb", "com.example.app:/cb"),
        ] {
            assert!(!at(place, sent), "{place} {sent}");
        }
    }

    #[test]
    fn the_url() {
        let site = Site::tenant("acme-corp").unwrap();
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let request = AuthorizationRequest::new(
            "agt_1",
            "https://myapp.com/consent",
            ["read:documents", "x"],
            "s-1",
            &pkce,
        )
        .unwrap();
        assert_eq!(
            request.url(&site),
            "https://app.lumoauth.dev/t/acme-corp/api/v1/oauth/authorize?response_type=code&client_id=agt_1\
             &redirect_uri=https%3A%2F%2Fmyapp.com%2Fconsent&scope=read%3Adocuments+x&state=s-1&prompt=consent\
             &access_type=offline&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        );
        for bad in ["", "/consent", "https://a/#x", "https://a/\r\nb", "javascript:alert(1)", "https://ä/"] {
            assert!(AuthorizationRequest::new("agt_1", bad, [], "s", &pkce).is_err(), "{bad}");
        }
        assert!(AuthorizationRequest::new("agt_1", "com.example.app:/cb", [], "s", &pkce).is_ok());
    }

    #[test]
    fn a_sign_in_sends_what_it_is_told_and_nothing_else() {
        let site = Site::tenant("acme-corp").unwrap();
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let request = || {
            AuthorizationRequest::sign_in("app_1", "https://myapp.com/callback", ["openid"], "s-1", &pkce)
                .unwrap()
                .nonce("n-1")
        };
        let query = |request: AuthorizationRequest| {
            request.url(&site).split_once("?response_type=code&client_id=app_1&").unwrap().1.to_owned()
        };
        let bare = "redirect_uri=https%3A%2F%2Fmyapp.com%2Fcallback&scope=openid&state=s-1";
        let rest =
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&nonce=n-1";
        assert_eq!(query(request()), format!("{bare}&{rest}"));
        for (prompt, word) in [
            (Prompt::None, "none"),
            (Prompt::Login, "login"),
            (Prompt::Consent, "consent"),
            (Prompt::Create, "create"),
        ] {
            let twice = request().prompt(Prompt::Login).prompt(prompt);
            assert_eq!(query(twice), format!("{bare}&prompt={word}&{rest}"));
        }
        let full = request()
            .access_type(AccessType::Online)
            .max_age(Duration::from_millis(5_900))
            .login_hint("a b@c")
            .parameter("ui_locales", "de")
            .unwrap();
        assert_eq!(
            query(full),
            format!("{bare}&access_type=online&{rest}&max_age=5&login_hint=a+b%40c&ui_locales=de")
        );
        for own in OWN.into_iter().chain(["", "request", "request_uri"]) {
            assert!(request().parameter(own, "x").is_err(), "{own}");
        }
        assert!(request().parameter("a", "1").unwrap().parameter("a", "2").is_err());
    }

    #[test]
    fn a_good_answer() {
        let url =
            "https://myapp.com/consent?code=c%2B1&state=s-1&iss=https%3A%2F%2Fi.example&other=1&other=2";
        let code = Callback::read(url).unwrap().accept(&state(), Some("https://i.example"), true).unwrap();
        assert_eq!(code.expose(), "c+1");
        assert!(
            Callback::read("code=c&state=s-1")
                .unwrap()
                .accept(&state(), Some("https://i.example"), false)
                .is_ok()
        );
    }

    #[test]
    fn everything_else_is_refused() {
        let end = |query: &str, required| {
            Callback::read(query)
                .and_then(|callback| callback.accept(&state(), Some("https://i.example"), required))
        };
        assert_eq!(end("code=c&state=s-2", false), Err(ConsentError::WrongState));
        assert_eq!(end("code=c", false), Err(ConsentError::WrongState));
        assert_eq!(end("code=c&state=s-1&iss=https://i.example/", false), Err(ConsentError::WrongIssuer));
        assert_eq!(end("code=c&state=s-1&iss=https://I.example", false), Err(ConsentError::WrongIssuer));
        assert_eq!(end("code=c&state=s-1", true), Err(ConsentError::NoIssuer));
        assert_eq!(end("state=s-1", false), Err(ConsentError::NoCode));
        assert_eq!(end("code=c&code=d&state=s-1", false), Err(ConsentError::Twice { parameter: "code" }));
        assert_eq!(end("code=c&state=s-1&state=s-1", false), Err(ConsentError::Twice { parameter: "state" }));
        let refused = end("error=access_denied&error_description=no+%1b%5b31m&state=s-1", false).unwrap_err();
        assert_eq!(refused.to_string(), "the consent was refused: access_denied (no \\u{1b}[31m)");
        assert_eq!(end("error=access_denied&state=other", false), Err(ConsentError::WrongState));
    }
}
