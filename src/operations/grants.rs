//! Tokens for somebody: the authorization-code and refresh grants, and revoking (RFC 6749, RFC 7009).

use std::fmt;

use http::header::{CACHE_CONTROL, HeaderValue};

use super::token::{TOKEN, access_token};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::pkce::Pkce;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::token::AccessToken;
use crate::wire::{self, Form, Request, Response};

/// Tokens are revoked here (RFC 7009).
pub const REVOKE: Route = Route::post("oauth.revoke", "oauth/revoke");
pub(super) const ROUTES: &[Route] = &[REVOKE];

/// Everything that a token endpoint may hand out at once.
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenSet {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token, if there is one. Single use where the service rotates: store it before anything else.
    pub refresh: Option<Secret>,
    /// The ID token, if `openid` was among the scopes. Not verified here.
    pub id: Option<Secret>,
    /// The scopes about the user that nobody asked for and the service added: they are the token's, and nothing more is made of
    /// them. Only `openid`, `profile`, `email`, `address` and `phone` can be among them, and only of a user's own token.
    pub added: Scopes,
    /// What was issued (RFC 8693 section 2.2.1), exchanges only.
    pub issued_token_type: Option<String>,
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TokenSet { access, refresh, id, added, issued_token_type } = self;
        f.debug_struct("TokenSet")
            .field("access", access)
            .field("refresh", refresh)
            .field("id", id)
            .field("added", added)
            .field("issued_token_type", issued_token_type)
            .finish()
    }
}

/// What services add to what was asked for, since a user who consented has signed in (OpenID Connect Core section 5.4). Such a
/// scope gives nothing but facts about the user.
const ABOUT_THE_USER: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

/// Whose token an answer carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A user's own: what is about the user may be added to what was asked for.
    User,
    /// One that an agent acts with.
    Agent,
}

/// Reads a token answer whole; a granted scope beyond those asked for is a fault.
pub(super) fn token_set(response: &Response, asked: &Scopes, whose: Whose) -> Result<TokenSet, Error> {
    let mut fields = wire::read(TOKEN.name(), response)?;
    if response.status() != 200 {
        return Err(fields.fault(ProtocolFault::UnexpectedStatus));
    }
    let secret =
        |fields: &mut Fields, name| fields.text(name).map(|text| text.filter(|text| !text.is_empty()));
    let refresh = secret(&mut fields, "refresh_token")?.map(Secret::new);
    let id = secret(&mut fields, "id_token")?.map(Secret::new);
    let issued_token_type = fields.text("issued_token_type")?;
    let access = access_token(&mut fields, response, asked)?;
    let added = if asked.is_empty() { Scopes::none() } else { access.scopes().without(asked) };
    let may_be_added = match whose {
        Whose::User => Scopes::from(ABOUT_THE_USER),
        Whose::Agent => Scopes::none(),
    };
    if !added.are_within(&may_be_added) {
        return Err(fields.fault(ProtocolFault::WiderScope));
    }
    Ok(TokenSet { access, refresh, id, added, issued_token_type })
}

pub(super) fn token_request(context: &Context<'_>, form: Form) -> Request {
    let request = context.to(TOKEN).form(form);
    request.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Trades an authorization code for tokens (RFC 6749 section 4.1.3). `POST oauth/token`, once.
///
/// | part | | on the wire |
/// |---|---|---|
/// | code | REQUIRED | `code` |
/// | redirect URI, exactly as in the authorization request | REQUIRED | `redirect_uri` |
/// | PKCE verifier | REQUIRED | `code_verifier` |
/// | client id and secret | REQUIRED | attached by the session |
/// | scopes that were asked for | OPTIONAL | not sent; the answer may not have more |
///
/// **Security:** a second use of a code makes the service revoke what the first one gave (RFC 6749 section 10.5), so this
/// is never repeated once anything was sent.
#[derive(Clone, Debug)]
pub struct RedeemCode {
    code: Secret,
    redirect_uri: String,
    pkce: Pkce,
    scopes: Scopes,
    resources: Vec<String>,
}

impl RedeemCode {
    /// This code, with the redirect URI and the PKCE pair of the authorization request that it answers.
    pub fn new(code: impl Into<Secret>, redirect_uri: impl Into<String>, pkce: Pkce) -> Self {
        let (code, redirect_uri) = (code.into(), redirect_uri.into());
        RedeemCode { code, redirect_uri, pkce, scopes: Scopes::none(), resources: Vec::new() }
    }

    /// The scopes that were asked for: more than these is a fault.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// A resource that the token is for (RFC 8707), one of those authorized.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }
}

impl Operation for RedeemCode {
    type Output = TokenSet;

    fn terms(&self) -> Terms {
        Terms::new(TOKEN.name(), Effect::Once, Auth::Client).total(super::token::TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.code.is_empty() {
            return Err(InputError::new("code", "is empty").into());
        }
        let mut form = Form::new()
            .field("grant_type", "authorization_code")
            .secret("code", &self.code)
            .field("redirect_uri", &self.redirect_uri)
            .secret("code_verifier", self.pkce.verifier());
        for resource in &self.resources {
            form = form.field("resource", resource);
        }
        Ok(token_request(context, form))
    }

    fn response(&self, response: &Response) -> Result<Answer<TokenSet>, Error> {
        token_set(response, &self.scopes, Whose::User).map(Answer::Done)
    }
}

/// Renews tokens (RFC 6749 section 6). `POST oauth/token`, once.
///
/// | part | | on the wire |
/// |---|---|---|
/// | refresh token | REQUIRED | `refresh_token` |
/// | scopes, only to have fewer | OPTIONAL | `scope` |
/// | client id and secret | REQUIRED | attached by the session |
///
/// **Security:** where the service rotates, a refresh token used twice is taken for a stolen one, so this is never
/// repeated once anything was sent. Store the new one before anything else.
#[derive(Clone, Debug)]
pub struct Refresh {
    token: Secret,
    scopes: Scopes,
    granted: Scopes,
}

impl Refresh {
    /// With this refresh token.
    pub fn new(token: impl Into<Secret>) -> Self {
        Refresh { token: token.into(), scopes: Scopes::none(), granted: Scopes::none() }
    }

    /// Only these scopes from now on.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The scopes that were granted at first: more than these is a fault, and the last renewal may have brought fewer. Not sent.
    pub fn granted(mut self, scopes: impl Into<Scopes>) -> Self {
        self.granted = scopes.into();
        self
    }
}

impl Operation for Refresh {
    type Output = TokenSet;

    fn terms(&self) -> Terms {
        Terms::new(TOKEN.name(), Effect::Once, Auth::Client).total(super::token::TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.token.is_empty() {
            return Err(InputError::new("refresh_token", "is empty").into());
        }
        let scope = self.scopes.parameter()?;
        let form = Form::new()
            .field("grant_type", "refresh_token")
            .secret("refresh_token", &self.token)
            .optional("scope", scope.as_deref());
        Ok(token_request(context, form))
    }

    fn response(&self, response: &Response) -> Result<Answer<TokenSet>, Error> {
        let asked = if self.scopes.is_empty() { &self.granted } else { &self.scopes };
        token_set(response, asked, Whose::User).map(Answer::Done)
    }
}

/// What kind of token is meant (`token_type_hint`, RFC 7009 section 2.1). The service may look further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenHint {
    /// `access_token`.
    AccessToken,
    /// `refresh_token`.
    RefreshToken,
}

impl TokenHint {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            TokenHint::AccessToken => "access_token",
            TokenHint::RefreshToken => "refresh_token",
        }
    }
}

/// Makes a token invalid (RFC 7009). `POST oauth/revoke`. Unknown tokens are a success too: they are not valid.
///
/// | part | | on the wire |
/// |---|---|---|
/// | token | REQUIRED | `token` |
/// | hint | OPTIONAL | `token_type_hint` |
/// | client id and secret | REQUIRED | attached by the session |
#[derive(Clone, Debug)]
pub struct Revoke {
    token: Secret,
    hint: Option<TokenHint>,
}

impl Revoke {
    /// This token.
    pub fn new(token: impl Into<Secret>) -> Self {
        Revoke { token: token.into(), hint: None }
    }

    /// Says what kind of token it is.
    pub fn hint(mut self, hint: TokenHint) -> Self {
        self.hint = Some(hint);
        self
    }
}

impl Operation for Revoke {
    type Output = ();

    fn terms(&self) -> Terms {
        Terms::new(REVOKE.name(), Effect::Repeatable, Auth::Client)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.token.is_empty() {
            return Err(InputError::new("token", "is empty").into());
        }
        let form = Form::new()
            .secret("token", &self.token)
            .optional("token_type_hint", self.hint.map(TokenHint::as_str));
        Ok(context.to(REVOKE).form(form))
    }

    /// Any 2xx, with or without a body: services answer 200 `{}` or 204. One that reports an error has not revoked anything.
    fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
        wire::done(REVOKE.name(), response).map(Answer::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use http::{HeaderMap, StatusCode};

    fn body<O: Operation>(operation: &O) -> String {
        let site = Site::tenant("acme").unwrap();
        String::from_utf8(operation.request(&Context::new(&site)).unwrap().body().to_vec()).unwrap()
    }

    fn answer<O: Operation>(operation: &O, status: u16, body: &str) -> Result<O::Output, Error> {
        let response =
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes());
        match operation.response(&response)? {
            Answer::Done(output) => Ok(output),
            Answer::Again(_) => panic!("none of these polls"),
        }
    }

    #[test]
    fn a_code_is_redeemed_with_its_verifier() {
        let code =
            RedeemCode::new("c+1", "https://myapp.com/consent", Pkce::from_verifier("v".repeat(43)).unwrap());
        assert_eq!(
            body(&code),
            format!(
                "grant_type=authorization_code&code=c%2B1&redirect_uri=https%3A%2F%2Fmyapp.com%2Fconsent&code_verifier={}",
                "v".repeat(43)
            )
        );
        assert!(body(&code.clone().resource("https://a/")).ends_with("&resource=https%3A%2F%2Fa%2F"));
        assert_eq!(code.terms().effect, Effect::Once);
    }

    #[test]
    fn tokens_are_read_whole_and_never_wider_than_asked() {
        let code = RedeemCode::new("c", "https://a/", Pkce::from_verifier("v".repeat(43)).unwrap())
            .scopes(["a", "b"]);
        let tokens =
            answer(&code, 200, r#"{"access_token":"t","refresh_token":"r","id_token":"i","scope":"b"}"#)
                .unwrap();
        assert_eq!(tokens.refresh.unwrap().expose(), "r");
        assert_eq!(tokens.id.unwrap().expose(), "i");
        assert_eq!(tokens.access.scopes(), &Scopes::from("b"));
        let wider = answer(&code, 200, r#"{"access_token":"t","scope":"b c"}"#).unwrap_err();
        assert!(wider.to_string().contains("more than was asked for"), "{wider}");
        assert!(answer(&code, 201, r#"{"access_token":"t"}"#).is_err());
        assert!(answer(&code, 200, r#"{"access_token":"t","refresh_token":7}"#).is_err());
    }

    #[test]
    fn refreshing() {
        assert_eq!(body(&Refresh::new("r1")), "grant_type=refresh_token&refresh_token=r1");
        assert_eq!(
            body(&Refresh::new("r1").scopes("a")),
            "grant_type=refresh_token&refresh_token=r1&scope=a"
        );
        assert!(
            answer(&Refresh::new("r").granted("a"), 200, r#"{"access_token":"t","scope":"a b"}"#).is_err()
        );
        assert_eq!(Refresh::new("r").terms().effect, Effect::Once);
    }

    #[test]
    fn revoking() {
        assert_eq!(
            body(&Revoke::new("t").hint(TokenHint::RefreshToken)),
            "token=t&token_type_hint=refresh_token"
        );
        assert!(answer(&Revoke::new("t"), 200, "{}").is_ok());
        assert!(answer(&Revoke::new("t"), 204, "").is_ok());
        assert!(
            answer(&Revoke::new("t"), 401, r#"{"error":"invalid_client"}"#).unwrap_err().is_unauthorized()
        );
        let site = Site::tenant("acme").unwrap();
        assert!(Revoke::new("").request(&Context::new(&site)).is_err());
    }

    #[test]
    fn what_is_about_the_user_may_be_added_to_a_users_own_token() {
        let code =
            RedeemCode::new("c", "https://a/", Pkce::from_verifier("v".repeat(43)).unwrap()).scopes(["a"]);
        let refresh = Refresh::new("r").granted(["a"]);
        let body = |scope: &str| format!(r#"{{"access_token":"t","scope":"{scope}"}}"#);
        let five = "a openid profile email address phone";
        for tokens in [answer(&code, 200, &body(five)).unwrap(), answer(&refresh, 200, &body(five)).unwrap()]
        {
            assert_eq!(tokens.access.scopes(), &Scopes::from(five));
            assert_eq!(tokens.added, Scopes::from("openid profile email address phone"));
        }
        assert!(answer(&code, 200, &body("a")).unwrap().added.is_empty());
        let asked = code.clone().scopes(["a", "openid"]);
        assert_eq!(answer(&asked, 200, &body("a openid email")).unwrap().added, Scopes::from("email"));
        for more in ["offline_access", "Openid", "admin", "openid admin", "email:write"] {
            let wider = |error: Error| {
                assert!(error.to_string().contains("more than was asked for"), "{more}: {error}")
            };
            wider(answer(&code, 200, &body(&format!("a {more}"))).unwrap_err());
            wider(answer(&refresh, 200, &body(&format!("a {more}"))).unwrap_err());
        }
        let exchange = super::super::Exchange::new("t").scopes(["a"]);
        for more in ["openid", "profile", "email", "address", "phone"] {
            assert!(answer(&exchange, 200, &body(&format!("a {more}"))).is_err(), "{more}");
        }
    }

    #[test]
    fn scopes_may_be_a_list() {
        let code = RedeemCode::new("c", "https://a/", Pkce::from_verifier("v".repeat(43)).unwrap())
            .scopes(["a", "b"]);
        let scopes = |scope: &str| {
            let body = format!(r#"{{"access_token":"t","scope":{scope}}}"#);
            answer(&code, 200, &body).map(|tokens| tokens.access.scopes().clone())
        };
        assert_eq!(scopes(r#"["a","b"]"#).unwrap(), Scopes::from("a b"));
        assert_eq!(scopes("[]").unwrap(), Scopes::none());
        assert_eq!(scopes("null").unwrap(), Scopes::from("a b"));
        for bad in ["[1]", r#"["a",null]"#, r#"{"a":"b"}"#, "5", r#"["a","c"]"#] {
            assert!(matches!(scopes(bad), Err(Error::Protocol(_))), "{bad}");
        }
    }
}
