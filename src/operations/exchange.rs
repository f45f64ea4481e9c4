//! Token exchange (RFC 8693): acting for somebody, handing on authority, binding a token to one server.

use serde_json::Value;

use super::grants::{TokenSet, Whose, token_request, token_set};
use super::token::TOKEN;
use crate::claims::UnverifiedClaims;
use crate::credentials::{ClientAuth, Credentials};
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::origin::same_resource;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::token::{AccessToken, TokenType};
use crate::wire::{self, Form, Request, Response};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Kinds of tokens in an exchange (RFC 8693 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeTokenType {
    /// An access token, opaque or `at+jwt`. The default everywhere.
    AccessToken,
    /// A JWT of somebody else's, such as a platform's workload token.
    Jwt,
    /// An ID token that was issued to this client.
    IdToken,
    /// A refresh token.
    RefreshToken,
    /// Another kind, by its URI.
    Uri(&'static str),
}

impl ExchangeTokenType {
    /// The URI on the wire.
    pub const fn uri(self) -> &'static str {
        match self {
            ExchangeTokenType::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            ExchangeTokenType::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            ExchangeTokenType::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            ExchangeTokenType::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            ExchangeTokenType::Uri(uri) => uri,
        }
    }
}

/// Trades a token for another one (RFC 8693). `POST oauth/token`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | subject: on whose behalf | REQUIRED | `subject_token`, `subject_token_type` |
/// | actor: who acts | REQUIRED to act for somebody | `actor_token`, `actor_token_type` |
/// | scopes | OPTIONAL | `scope`; the answer may not have more |
/// | resource: an absolute URI without fragment | OPTIONAL | `resource` (RFC 8707) |
/// | audience | OPTIONAL | `audience` |
/// | client authentication: the session's client, or another | OPTIONAL, none as the vendor's SDKs | in the body or as Basic |
#[derive(Clone, Debug)]
pub struct Exchange {
    subject: (Secret, ExchangeTokenType),
    actor: Option<(Secret, ExchangeTokenType)>,
    subject_issuer: Option<String>,
    scopes: Scopes,
    most: Scopes,
    resource: Option<String>,
    audience: Option<String>,
    requested: Option<ExchangeTokenType>,
    client_auth: Option<ClientAuth>,
    client: Option<Credentials>,
    shows_actor: bool,
}

impl Exchange {
    /// Trades this access token.
    pub fn new(subject: impl Into<Secret>) -> Self {
        Exchange {
            subject: (subject.into(), ExchangeTokenType::AccessToken),
            actor: None,
            subject_issuer: None,
            scopes: Scopes::none(),
            most: Scopes::none(),
            resource: None,
            audience: None,
            requested: None,
            client_auth: None,
            client: None,
            shows_actor: false,
        }
    }

    /// The subject's token is of another kind.
    pub fn subject_type(mut self, kind: ExchangeTokenType) -> Self {
        self.subject.1 = kind;
        self
    }

    /// Who acts: the access token of the agent.
    pub fn actor(mut self, actor: impl Into<Secret>) -> Self {
        self.actor = Some((actor.into(), ExchangeTokenType::AccessToken));
        self
    }

    /// The actor's token is of another kind. Without an actor it means nothing.
    pub fn actor_type(mut self, kind: ExchangeTokenType) -> Self {
        if let Some((_, own)) = &mut self.actor {
            *own = kind;
        }
        self
    }

    /// Takes no JWT that names nobody who acts (`act`, RFC 8693 section 4.1) when an actor was sent: with such a token the agent passes
    /// for the user. Opaque tokens say nothing either way, and are taken.
    pub fn must_show_actor(mut self) -> Self {
        self.shows_actor = true;
        self
    }

    /// Which platform issued a workload token: `kubernetes`, `aws`, `gcp`, `azure` or `oidc`.
    pub fn subject_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.subject_issuer = Some(issuer.into());
        self
    }

    /// Only these scopes.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// When no scopes are named: more than these is a fault. Not sent.
    pub fn at_most(mut self, scopes: impl Into<Scopes>) -> Self {
        self.most = scopes.into();
        self
    }

    /// The resource that the token is for: an absolute `http` or `https` URI without fragment.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The audience that the token is for, by a name that the service knows.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Which kind of token is wanted; an access token if not set.
    pub fn requested(mut self, kind: ExchangeTokenType) -> Self {
        self.requested = Some(kind);
        self
    }

    /// Authenticates the client as well, which strict services demand.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = Some(client_auth);
        self
    }

    /// Authenticates this client in place of the session's: the one that will use the token, such as a sub-agent that is run here.
    pub fn client(mut self, client: Credentials, client_auth: ClientAuth) -> Self {
        (self.client, self.client_auth) = (Some(client), Some(client_auth));
        self
    }
}

/// The most actors in a chain (`docs/wire.md`, X-depth).
pub(super) const MAX_DEPTH: usize = 3;

/// How many actors a token says that it has; none if it cannot be read. The service counts too.
pub(super) fn depth(token: &Secret) -> usize {
    UnverifiedClaims::read(token).map_or(0, |claims| claims.unverified_actors().len())
}

/// Whether a token names somebody who acts; `None` if it is opaque. A JWT that cannot be read names nobody.
pub(super) fn names_actor(token: &Secret) -> Option<bool> {
    match UnverifiedClaims::of_jwt(token) {
        Ok(None) => None,
        Ok(Some(claims)) => Some(!claims.unverified_actors().is_empty()),
        Err(_) => Some(false),
    }
}

/// True for an absolute `http` or `https` URI without fragment (RFC 8707 section 2).
pub(crate) fn is_resource(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let absolute = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    absolute && !text.contains('#') && text.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some())
}

/// True if a token is for one resource alone, if it says whom it is for: a JWT does, and one for nobody in particular, or for
/// somebody else as well, is not. Without a resource to compare with, any one name will do.
///
/// # Errors
/// What is wrong with a token that is a malformed JWT.
pub(super) fn bound_alone(token: &AccessToken, resource: Option<&str>) -> Result<bool, &'static str> {
    let claims = UnverifiedClaims::of_jwt(token.secret()).map_err(|_| "it is a malformed JWT")?;
    let Some(claims) = claims else { return Ok(true) };
    let name = match claims.unverified_claims().get("aud") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => match names.as_slice() {
            [Value::String(name)] => Some(name),
            _ => None,
        },
        _ => None,
    };
    Ok(name.is_some_and(|name| resource.map_or(!name.is_empty(), |resource| same_resource(name, resource))))
}

/// True if the answer itself does not say that its token is for something else (`resource`): that is how an opaque token can say it.
/// Without a resource to compare with, any one will do.
pub(super) fn told_alone(response: &Response, resource: Option<&str>) -> Result<bool, Error> {
    let mut fields = wire::read(TOKEN.name(), response)?;
    let told = match fields.value("resource") {
        None => return Ok(true),
        Some(Value::String(one)) => vec![one],
        Some(other) => {
            let texts = other.as_array().map(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            let texts = texts.flatten().map(|all| all.into_iter().map(str::to_owned).collect());
            texts.ok_or_else(|| fields.mistyped("resource", "a text or a list of texts", &other))?
        }
    };
    let is_ours = |told: &str| resource.map_or(!told.is_empty(), |own| same_resource(told, own));
    Ok(matches!(told.as_slice(), [one] if is_ours(one)))
}

impl Operation for Exchange {
    type Output = TokenSet;

    fn terms(&self) -> Terms {
        let auth = match (&self.client, self.client_auth) {
            (Some(client), how) => Auth::ClientAs(client.clone(), how.unwrap_or_default()),
            (None, Some(how)) => Auth::ClientBy(how),
            (None, None) => Auth::None,
        };
        Terms::new(TOKEN.name(), Effect::Repeatable, auth).total(super::token::TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let (subject, kind) = &self.subject;
        if subject.is_empty() || self.actor.as_ref().is_some_and(|(actor, _)| actor.is_empty()) {
            return Err(InputError::new("token", "is empty").into());
        }
        if self.actor.is_some() && depth(subject) >= MAX_DEPTH {
            let problem = "has three actors in its chain already, which is the most there may be";
            return Err(InputError::new("subject", problem).into());
        }
        if self.resource.as_deref().is_some_and(|resource| !is_resource(resource)) {
            return Err(InputError::new("resource", "is not an absolute http(s) URI without fragment").into());
        }
        let scope = self.scopes.parameter()?;
        let mut form = Form::new()
            .field("grant_type", GRANT)
            .secret("subject_token", subject)
            .field("subject_token_type", kind.uri());
        if let Some((actor, kind)) = &self.actor {
            form = form.secret("actor_token", actor).field("actor_token_type", kind.uri());
        }
        let form = form
            .optional("subject_issuer", self.subject_issuer.as_deref())
            .optional("scope", scope.as_deref())
            .optional("resource", self.resource.as_deref())
            .optional("audience", self.audience.as_deref())
            .optional("requested_token_type", self.requested.map(ExchangeTokenType::uri));
        Ok(token_request(context, form))
    }

    fn response(&self, response: &Response) -> Result<Answer<TokenSet>, Error> {
        let asked = if self.scopes.is_empty() { &self.most } else { &self.scopes };
        let mut tokens = token_set(response, asked, Whose::Agent)?;
        no_details(response)?;
        let unusable = |problem| {
            let fault = ProtocolFault::UnusableToken { problem };
            Err(ProtocolError::new(TOKEN.name(), 200, fault).into())
        };
        let wanted = self.requested.unwrap_or(ExchangeTokenType::AccessToken);
        // RFC 8693 requires it, older answers of this service go without (`docs/wire.md`, X-issued).
        let other = tokens.issued_token_type.as_deref().is_some_and(|issued| {
            let jwt = issued == ExchangeTokenType::Jwt.uri() && self.requested.is_none();
            issued != wanted.uri() && !jwt
        });
        if other {
            return unusable("another kind of token was issued than the one asked for");
        }
        // RFC 8693 section 2.2.1: `N_A` says that what was issued is no access token.
        let none =
            matches!(tokens.access.token_type(), TokenType::Other(kind) if kind.eq_ignore_ascii_case("N_A"));
        if none && wanted == ExchangeTokenType::AccessToken {
            return unusable("it is no access token, and one was asked for");
        }
        if self.shows_actor && self.actor.is_some() && names_actor(tokens.access.secret()) == Some(false) {
            return unusable("it names nobody who acts for its user, though an actor was sent");
        }
        if depth(tokens.access.secret()) > MAX_DEPTH {
            return unusable("its chain has more than three actors");
        }
        if let Some(resource) = &self.resource {
            match bound_alone(&tokens.access, Some(resource)) {
                Ok(true) if told_alone(response, Some(resource))? => {}
                Ok(true) => return unusable("the answer says that it is for another resource"),
                Ok(false) => return unusable("it is not bound to the resource alone"),
                Err(problem) => return unusable(problem),
            }
            tokens.access = tokens.access.for_resource(resource);
        }
        Ok(Answer::Done(tokens))
    }
}

/// Rights in detail (RFC 9396) are never asked for here, so any are more than was asked for.
fn no_details(response: &Response) -> Result<(), Error> {
    let mut fields = wire::read(TOKEN.name(), response)?;
    match fields.value("authorization_details") {
        None => Ok(()),
        Some(Value::Array(details)) if details.is_empty() => Ok(()),
        Some(Value::Array(_)) => Err(fields.fault(ProtocolFault::WiderScope)),
        Some(other) => Err(fields.mistyped("authorization_details", "a list", &other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use http::{HeaderMap, StatusCode};

    fn form(operation: &Exchange) -> Result<Vec<(String, String)>, Error> {
        let site = Site::tenant("acme").unwrap();
        let request = operation.request(&Context::new(&site))?;
        Ok(form_urlencoded::parse(request.body()).into_owned().collect())
    }

    #[test]
    fn on_behalf_of_a_user() {
        let exchange =
            Exchange::new("user").actor("agent").scopes("read:documents").resource("https://api.example/x");
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", "user"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("actor_token", "agent"),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", "read:documents"),
            ("resource", "https://api.example/x"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(form(&exchange).unwrap(), expected);
        assert!(matches!(exchange.terms().auth, Auth::None));
        assert!(matches!(
            exchange.client_auth(ClientAuth::Basic).terms().auth,
            Auth::ClientBy(ClientAuth::Basic)
        ));
    }

    #[test]
    fn an_actor_of_another_kind_and_another_client() {
        let field = |exchange: &Exchange, name: &str| {
            form(exchange).unwrap().into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
        };
        let exchange = Exchange::new("user").actor("agent");
        for kind in
            [ExchangeTokenType::Jwt, ExchangeTokenType::IdToken, ExchangeTokenType::Uri("urn:x:agent")]
        {
            let sent = field(&exchange.clone().actor_type(kind), "actor_token_type");
            assert_eq!(sent.as_deref(), Some(kind.uri()));
        }
        assert_eq!(
            field(&Exchange::new("user").actor_type(ExchangeTokenType::Jwt), "actor_token_type"),
            None
        );
        let sub_agent = Credentials::new("sub-agent", "its-own-secret").unwrap();
        let terms = exchange.client_auth(ClientAuth::Basic).client(sub_agent, ClientAuth::Post).terms();
        let Auth::ClientAs(client, ClientAuth::Post) = terms.auth else { panic!("{:?}", terms.auth) };
        assert_eq!(client.client_id(), "sub-agent");
    }

    #[test]
    fn a_token_that_hides_who_acts_can_be_refused() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let answered = |exchange: &Exchange, token: &str| {
            let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#);
            exchange.response(&Response::new(StatusCode::OK, HeaderMap::new(), body)).is_ok()
        };
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let plain = Exchange::new("user").actor("agent");
        let strict = plain.clone().must_show_actor();
        let (shown, hidden) = (jwt(r#"{"sub":"u","act":{"sub":"a"}}"#), jwt(r#"{"sub":"u"}"#));
        assert!([&*shown, &*hidden, "opaque"].iter().all(|token| answered(&plain, token)));
        assert!(answered(&strict, &shown) && answered(&strict, "opaque"));
        for odd in
            [&*hidden, &*jwt(r#"{"sub":"u","act":null}"#), &*jwt(r#"{"act":{}}"#), &*jwt(r#"{"act":"a"}"#)]
        {
            assert!(!answered(&strict, odd), "{odd}");
        }
        // Without an actor there is nobody to name.
        assert!(answered(&Exchange::new("user").must_show_actor(), &hidden));
    }

    #[test]
    fn what_cannot_be_sent() {
        for resource in ["urn:x", "/x", "https://a/#f", "ftp://a/", "https://", ""] {
            assert!(form(&Exchange::new("t").resource(resource)).is_err(), "{resource}");
        }
        assert!(form(&Exchange::new("")).is_err());
        assert!(form(&Exchange::new("t").actor("")).is_err(), "never without its actor");
    }

    #[test]
    fn the_kind_of_token_is_the_one_asked_for() {
        let answer = |exchange: &Exchange, issued: &str| {
            let body =
                format!(r#"{{"access_token":"t","issued_token_type":"{issued}","token_type":"Bearer"}}"#);
            exchange.response(&Response::new(StatusCode::OK, HeaderMap::new(), body))
        };
        assert!(answer(&Exchange::new("t"), ExchangeTokenType::AccessToken.uri()).is_ok());
        assert!(answer(&Exchange::new("t"), ExchangeTokenType::Jwt.uri()).is_ok());
        assert!(answer(&Exchange::new("t"), ExchangeTokenType::RefreshToken.uri()).is_err());
        let wants_jwt = Exchange::new("t").requested(ExchangeTokenType::Jwt);
        assert!(answer(&wants_jwt, ExchangeTokenType::AccessToken.uri()).is_err());
    }

    #[test]
    fn a_token_for_a_resource_is_for_it_alone() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;

        let exchange = Exchange::new("t").actor("a").resource("https://API.example:443/v1");
        let answer = |exchange: &Exchange, claims: &str| {
            let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
            let jwt = format!("{}.{}.AA", part(r#"{"alg":"RS256"}"#), part(claims));
            let body = format!(r#"{{"access_token":"{jwt}","token_type":"Bearer"}}"#);
            exchange.response(&Response::new(StatusCode::OK, HeaderMap::new(), body)).map(drop)
        };
        for good in [r#"{"aud":"https://api.example/v1"}"#, r#"{"aud":["https://API.example:443/v1"]}"#] {
            answer(&exchange, good).unwrap();
        }
        for bad in [
            r#"{"aud":"agt_1"}"#,
            r#"{"aud":"https://api.example/v2"}"#,
            r#"{"aud":"https://api.example/v1/"}"#,
            r#"{"aud":["https://api.example/v1","https://other.example"]}"#,
            r#"{"aud":[]}"#,
            r#"{"sub":"u"}"#,
        ] {
            let error = answer(&exchange, bad).unwrap_err();
            assert!(error.to_string().contains("not bound to the resource"), "{bad}: {error}");
            answer(&Exchange::new("t").actor("a"), bad).unwrap();
        }
        let opaque = Response::new(StatusCode::OK, HeaderMap::new(), r#"{"access_token":"opaque"}"#);
        assert!(exchange.response(&opaque).is_ok());
    }
}
