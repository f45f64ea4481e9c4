//! Taking a token back.

use super::{Body, read, terms};
use crate::error::{Error, ProtocolFault};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::secret::Secret;
use crate::wire::{Request, Response};

/// Tokens are revoked here.
pub const REVOKE: Route = Route::post("aauth.token.revoke", "aauth/token/revoke");
pub(super) const ROUTES: &[Route] = &[REVOKE];

/// Makes a token invalid. `POST aauth/token/revoke`, signed. Unknown tokens are a success too: they are not valid.
///
/// | part | | on the wire |
/// |---|---|---|
/// | id (`jti`) of a token, or a refresh token | REQUIRED | `token` |
/// | which of the two | REQUIRED | `token_type`: `auth_token` or `refresh_token` |
#[derive(Clone, Debug)]
pub struct Revoke {
    token: Secret,
    kind: &'static str,
}

impl Revoke {
    /// The token of this id (`jti`).
    pub fn auth_token(id: impl Into<Secret>) -> Self {
        Revoke { token: id.into(), kind: "auth_token" }
    }

    /// This refresh token.
    pub fn refresh_token(token: impl Into<Secret>) -> Self {
        Revoke { token: token.into(), kind: "refresh_token" }
    }
}

impl Operation for Revoke {
    type Output = ();

    fn terms(&self) -> Terms {
        terms(REVOKE, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let body = Body::new().secret("token", &self.token)?.text("token_type", self.kind);
        Ok(body.post(context, REVOKE))
    }

    fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
        let mut fields = read(REVOKE, response)?;
        if fields.required_boolean("revoked")? {
            return Ok(Answer::Done(()));
        }
        Err(fields.fault(ProtocolFault::Other("the service says that it did not revoke the token")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reads, sent};
    use super::*;
    use serde_json::json;

    #[test]
    fn both_kinds() {
        let (path, body) = sent(&Revoke::auth_token("jti-1")).unwrap();
        assert_eq!(
            (path.as_str(), body),
            ("aauth/token/revoke", json!({"token": "jti-1", "token_type": "auth_token"}))
        );
        let refresh = Revoke::refresh_token("r");
        assert_eq!(sent(&refresh).unwrap().1, json!({"token": "r", "token_type": "refresh_token"}));
        assert!(matches!(sent(&Revoke::auth_token("")), Err(Error::Input(_))));
        assert!(reads(&refresh, 200, r#"{"revoked":true}"#).is_ok());
        for body in [r#"{"revoked":false}"#, r#"{"revoked":"true"}"#, "{}", ""] {
            assert!(matches!(reads(&refresh, 200, body), Err(Error::Protocol(_))), "{body}");
        }
    }
}
