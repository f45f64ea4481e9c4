//! Introspection (RFC 7662): what the service says of a token at this moment, revocation included.

use serde::Serialize;
use serde_json::{Map, Value};

use super::grants::TokenHint;
use crate::error::{Error, InputError};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::{self, Form, Request, Response};

/// Tokens are looked at here (RFC 7662).
pub const INTROSPECT: Route = Route::post("oauth.introspect", "oauth/introspect").warm(3);
pub(super) const ROUTES: &[Route] = &[INTROSPECT];

/// Asks the service about a token. `POST oauth/introspect`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | token | REQUIRED | `token` |
/// | hint | OPTIONAL | `token_type_hint` |
/// | client id and secret | REQUIRED | attached by the session |
#[derive(Clone, Debug)]
pub struct Introspect {
    token: Secret,
    hint: Option<TokenHint>,
}

impl Introspect {
    /// This token.
    pub fn new(token: impl Into<Secret>) -> Self {
        Introspect { token: token.into(), hint: None }
    }

    /// Says what kind of token it is.
    pub fn hint(mut self, hint: TokenHint) -> Self {
        self.hint = Some(hint);
        self
    }
}

impl Operation for Introspect {
    type Output = Introspection;

    fn terms(&self) -> Terms {
        Terms::new(INTROSPECT.name(), Effect::Read, Auth::Client)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.token.is_empty() {
            return Err(InputError::new("token", "is empty").into());
        }
        let form = Form::new()
            .secret("token", &self.token)
            .optional("token_type_hint", self.hint.map(TokenHint::as_str));
        Ok(context.to(INTROSPECT).form(form))
    }

    fn response(&self, response: &Response) -> Result<Answer<Introspection>, Error> {
        let mut fields = wire::read(INTROSPECT.name(), response)?;
        if !fields.required_boolean("active")? {
            return Ok(Answer::Done(Introspection::Inactive));
        }
        let audience = match fields.value("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Some(other) => return Err(fields.mistyped("aud", "a text or a list of texts", &other)),
        };
        Ok(Answer::Done(Introspection::Active(ActiveToken {
            subject: fields.text("sub")?,
            client_id: fields.text("client_id")?,
            issuer: fields.text("iss")?,
            audience,
            scopes: fields.text("scope")?.map(Scopes::from).unwrap_or_default(),
            expires_at: fields.timestamp("exp")?,
            token_type: fields.text("token_type")?,
            extra: fields.rest(),
        })))
    }
}

/// What the service says of a token.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an introspection that nobody looks at checks nothing"]
pub enum Introspection {
    /// Not valid (any more), for whatever reason.
    Inactive,
    /// Valid at this moment.
    Active(ActiveToken),
}

impl Introspection {
    /// What is known of the token, if it is valid.
    pub fn active(self) -> Option<ActiveToken> {
        match self {
            Introspection::Inactive => None,
            Introspection::Active(token) => Some(token),
        }
    }
}

/// A token that the service says is valid.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActiveToken {
    /// `sub`.
    pub subject: Option<String>,
    /// `client_id`.
    pub client_id: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Vec<String>,
    /// `scope`.
    #[serde(skip)]
    pub scopes: Scopes,
    /// `exp`.
    #[serde(skip)]
    pub expires_at: Option<Timestamp>,
    /// `token_type`.
    pub token_type: Option<String>,
    /// Everything else, `act` among it.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
