//! Who presents a bearer token (RFC 6750).

use http::StatusCode;

use super::answer::Answer;
use super::engine::Call;
use super::state::{State, Token};
use crate::site::Route;

/// The token's record. Exactly one `Authorization: Bearer`, nothing in the query or the body.
pub(super) fn bearer(state: &State, call: &mut Call<'_>) -> Result<Token, Answer> {
    let incoming = call.incoming;
    if incoming.query_has("access_token") || incoming.form_has("access_token") {
        return Err(refusal(
            call,
            400,
            Some("invalid_request"),
            "The token belongs in the Authorization header",
        ));
    }
    let authorization =
        incoming.authorization().map_err(|problem| refusal(call, 400, Some("invalid_request"), problem))?;
    let credentials = match authorization {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("bearer") => credentials,
        // No code without a token, or with a scheme that is not supported (RFC 6750 section 3.1).
        _ => return Err(refusal(call, 401, None, "Authentication is required")),
    };
    if !is_token(credentials) {
        return Err(refusal(call, 400, Some("invalid_request"), "The token is malformed"));
    }
    match state.world.tokens.find(credentials, call.now) {
        Some(token) if token.tenant == call.tenant => {
            call.client_id = Some(token.client_id.clone());
            Ok(token.clone())
        }
        _ => {
            Err(refusal(call, 401, Some("invalid_token"), "The access token is invalid, expired or revoked"))
        }
    }
}

/// The syntax `b64token` (RFC 6750 section 2.1).
fn is_token(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// A refusal with its challenge (RFC 6750 section 3), in the route's envelope.
fn refusal(call: &Call<'_>, status: u16, code: Option<&str>, problem: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut challenge = format!("Bearer realm=\"{}\"", call.slug);
    if let Some(code) = code {
        challenge.push_str(&format!(", error=\"{code}\", error_description=\"{problem}\""));
    }
    let code = code.unwrap_or("invalid_token");
    let answer = if call.route == Route::UserInfo {
        Answer::oauth(status, code, problem)
    } else {
        Answer::plain(status, code, problem)
    };
    answer.challenge(&challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_a_token() {
        for good in ["a", "aA0-._~+/", "abc=="] {
            assert!(is_token(good), "{good}");
        }
        for bad in ["", "=", "a b", "a=b", "a,b", "ä", "\"a\""] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
