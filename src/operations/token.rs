//! The token endpoint (`docs/wire.md`, rows T).

use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::Value;

use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::token::{AccessToken, TokenType};
use crate::wire::{self, Form, Request, Response};

/// The endpoint of every grant.
pub const TOKEN: Route = Route::post("oauth.token", "oauth/token");
pub(super) const ROUTES: &[Route] = &[TOKEN];

/// The whole time of a token request.
pub(super) const TOTAL: Duration = Duration::from_secs(20);
/// The longest token that is taken, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;
/// The lifetime of a token whose answer does not name one.
const UNNAMED_LIFETIME: Duration = Duration::from_secs(300);

/// The client-credentials grant (RFC 6749 section 4.4): the agent's own token. `POST oauth/token`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | client id and secret | REQUIRED | attached by the session, in the body or as Basic |
/// | scopes | OPTIONAL | `scope`; none means what the agent is registered for |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCredentials {
    scopes: Scopes,
}

impl ClientCredentials {
    /// Asks for these scopes; `[]` for what the agent is registered for.
    pub fn new(scopes: impl Into<Scopes>) -> Self {
        ClientCredentials { scopes: scopes.into() }
    }
}

impl Operation for ClientCredentials {
    type Output = AccessToken;

    fn terms(&self) -> Terms {
        Terms::new(TOKEN.name(), Effect::Repeatable, Auth::Client).total(TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let scope = self.scopes.parameter()?;
        let form = Form::new().field("grant_type", "client_credentials").optional("scope", scope.as_deref());
        let request = context.to(TOKEN).form(form);
        Ok(request.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }

    fn response(&self, response: &Response) -> Result<Answer<AccessToken>, Error> {
        let mut fields = wire::read(TOKEN.name(), response)?;
        if response.status() != 200 {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        access_token(&mut fields, response, &self.scopes).and_then(bearer).map(Answer::Done)
    }
}

/// A token that this client can send: nothing else is of any use to it, and whoever asks for one is told so at once.
pub(crate) fn bearer(token: AccessToken) -> Result<AccessToken, Error> {
    bearer_of(TOKEN, token)
}

/// The same of another endpoint than the usual one.
pub(super) fn bearer_of(route: Route, token: AccessToken) -> Result<AccessToken, Error> {
    if token.token_type() == &TokenType::Bearer {
        return Ok(token);
    }
    let fault =
        ProtocolFault::UnusableToken { problem: "its type is not Bearer, so it is never sent as one" };
    Err(ProtocolError::new(route.name(), 200, fault).into())
}

/// Reads the token out of a token answer (RFC 6749 section 5.1). A missing `scope` means as asked for.
pub(crate) fn access_token(
    fields: &mut Fields,
    response: &Response,
    asked: &Scopes,
) -> Result<AccessToken, Error> {
    let secret = Secret::new(fields.required_text("access_token")?);
    sendable(&secret, fields)?;
    // RFC 6749 requires token_type, the vendor's SDKs do not (`docs/wire.md`, T-type).
    let token_type = fields.text("token_type")?.map_or(TokenType::Bearer, |text| TokenType::parse(&text));
    let scopes = scope(fields)?.unwrap_or_else(|| asked.clone());
    let lifetime = lifetime(fields)?;
    Ok(AccessToken::new(secret, token_type, scopes, response.received().unwrap_or_default(), lifetime))
}

/// `scope`: a text with blanks between (RFC 6749 section 3.3), or a list of texts as some servers write it.
pub(crate) fn scope(fields: &mut Fields) -> Result<Option<Scopes>, Error> {
    const EXPECTED: &str = "a text or a list of texts";
    let Some(value) = fields.value("scope") else { return Ok(None) };
    match &value {
        Value::String(text) => Ok(Some(Scopes::from(text.as_str()))),
        Value::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            words
                .map(|words| Some(Scopes::from(words)))
                .ok_or_else(|| fields.mistyped("scope", EXPECTED, &value))
        }
        _ => Err(fields.mistyped("scope", EXPECTED, &value)),
    }
}

/// A token that a header can carry, and that is not too long for one.
pub(super) fn sendable(secret: &Secret, fields: &Fields) -> Result<(), Error> {
    if !secret.expose().bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        let problem = "it has a character that no header can carry";
        return Err(fields.fault(ProtocolFault::UnusableToken { problem }));
    }
    if secret.expose().len() > LONGEST_TOKEN {
        let problem = "it is longer than 8 KiB, more than a request's head should carry";
        return Err(fields.fault(ProtocolFault::UnusableToken { problem }));
    }
    Ok(())
}

/// `expires_in`; absent is five minutes.
pub(super) fn lifetime(fields: &mut Fields) -> Result<Duration, Error> {
    Ok(fields.seconds("expires_in")?.unwrap_or(UNNAMED_LIFETIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use crate::time::Timestamp;
    use http::{HeaderMap, StatusCode};

    fn answer(body: &str) -> Result<AccessToken, Error> {
        let response = Response::new(StatusCode::OK, HeaderMap::new(), body.as_bytes())
            .received_at(Timestamp::from_unix(1_000));
        match ClientCredentials::new(["a", "b"]).response(&response)? {
            Answer::Done(token) => Ok(token),
            Answer::Again(_) => panic!("a token request never polls"),
        }
    }

    #[test]
    fn the_request() {
        let site = Site::tenant("acme").unwrap();
        let body =
            |operation: ClientCredentials| operation.request(&Context::new(&site)).unwrap().body().to_vec();
        assert_eq!(body(ClientCredentials::new([])), b"grant_type=client_credentials");
        assert_eq!(
            body(ClientCredentials::new(["a:b", "c"])),
            b"grant_type=client_credentials&scope=a%3Ab+c"
        );
        assert!(ClientCredentials::new(["a\nb"]).request(&Context::new(&site)).is_err());
    }

    #[test]
    fn the_answer() {
        let token =
            answer(r#"{"access_token":"t","token_type":"bearer","expires_in":3600,"scope":"a"}"#).unwrap();
        assert_eq!((token.secret().expose(), token.token_type()), ("t", &TokenType::Bearer));
        assert_eq!(token.scopes(), &Scopes::from("a"));
        assert_eq!(token.expires_at(), Timestamp::from_unix(4_600));
        assert_eq!(answer(r#"{"access_token":"t"}"#).unwrap().scopes(), &Scopes::from("a b"));
        for body in [
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":5}"#,
            r#"{"access_token":"a b"}"#,
            "[]",
            "<html>",
        ] {
            assert!(matches!(answer(body), Err(Error::Protocol(_))), "{body}");
        }
        for kind in ["DPoP", "dpop", "mac", "N_A", "auth+jwt", ""] {
            let Err(Error::Protocol(error)) =
                answer(&format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#))
            else {
                panic!("{kind}")
            };
            assert!(matches!(error.fault(), ProtocolFault::UnusableToken { .. }), "{kind}: {error}");
        }
        // A refusal in the dress of a success, as one large service has it.
        let error =
            answer(r#"{"error":"incorrect_client_credentials","error_description":"The secret is wrong."}"#);
        let error = error.unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(200), Some("incorrect_client_credentials")));
        assert_eq!(error.as_api().unwrap().description(), Some("The secret is wrong."));
        assert!(answer(r#"{"error":"","access_token":"t"}"#).is_ok());
        assert!(matches!(answer(r#"{"error":5}"#), Err(Error::Protocol(_))));
    }

    #[test]
    fn odd_lifetimes() {
        let lifetime = |json: &str| {
            answer(&format!(r#"{{"access_token":"t","expires_in":{json}}}"#))
                .map(|token| token.lifetime().as_secs())
        };
        let year = 365 * 24 * 3600;
        for (json, expected) in [
            ("0", 0),
            ("1", 1),
            ("3600.5", 3600),
            ("\"3600\"", 3600),
            ("null", 300),
            ("2147483648", year),
            ("9223372036854775808", year),
            ("18446744073709551615", year),
            ("1e308", year),
        ] {
            assert_eq!(lifetime(json).unwrap(), expected, "{json}");
        }
        for json in ["-1", "[]", "{}", "true", "\"\"", "\"-1\"", "\"1h\"", "1e999", "NaN"] {
            assert!(matches!(lifetime(json), Err(Error::Protocol(_))), "{json}");
        }
    }
}
