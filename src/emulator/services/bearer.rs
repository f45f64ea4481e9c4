//! Who presents a bearer token (RFC 6750).

use http::StatusCode;

use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::tokens::{Principal, Token};
use crate::emulator::values::answer::Answer;

/// Why a token is not taken (RFC 6750 section 3.1). Without a code there was none to judge.
pub(crate) struct Refused {
    pub status: StatusCode,
    pub code: Option<&'static str>,
    pub problem: &'static str,
}

/// The token's record. Exactly one `Authorization: Bearer`, nothing in the query or the body.
pub(crate) fn access_token(state: &State, call: &mut Call<'_>) -> Result<Token, Refused> {
    let incoming = call.incoming;
    let malformed =
        |problem| Refused { status: StatusCode::BAD_REQUEST, code: Some("invalid_request"), problem };
    if incoming.query_has("access_token") || incoming.form_has("access_token") {
        return Err(malformed("The token belongs in the Authorization header"));
    }
    let unauthorized = |code, problem| Refused { status: StatusCode::UNAUTHORIZED, code, problem };
    let credentials = match incoming.authorization().map_err(malformed)? {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("bearer") => credentials,
        // No code without a token, or with a scheme that is not supported (RFC 6750 section 3.1).
        _ => return Err(unauthorized(None, "Authentication is required")),
    };
    if !is_token(credentials) {
        return Err(malformed("The token is malformed"));
    }
    match state.world.tokens.access(credentials, call.now) {
        Some(token) if token.tenant == call.tenant => {
            call.client_id = Some(token.client_id.clone());
            Ok(token.clone())
        }
        _ => Err(unauthorized(Some("invalid_token"), "The access token is invalid, expired or revoked")),
    }
}

/// The token's record, or a refusal in the envelope of everything beside OAuth.
pub(crate) fn bearer(state: &State, call: &mut Call<'_>) -> Result<Token, Answer> {
    access_token(state, call).map_err(|refused| refusal(call, &refused, Answer::plain))
}

/// The record of an agent's own token. A user's is refused: what an agent may is not what its users may.
pub(crate) fn own_token(state: &State, call: &mut Call<'_>) -> Result<Token, Answer> {
    let token = bearer(state, call)?;
    if token.principal == Principal::Agent {
        return Ok(token);
    }
    Err(Answer::plain(StatusCode::FORBIDDEN, "agent_token_required", "This needs the agent's own token"))
}

/// The syntax `b64token` (RFC 6750 section 2.1).
fn is_token(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// A refusal with its challenge (RFC 6750 section 3), in this envelope.
pub(crate) fn refusal(
    call: &Call<'_>,
    refused: &Refused,
    envelope: fn(StatusCode, &str, &str) -> Answer,
) -> Answer {
    let Refused { status, code, problem } = *refused;
    let mut challenge = format!("Bearer realm=\"{}\"", call.slug);
    if let Some(code) = code {
        challenge.push_str(&format!(", error=\"{code}\", error_description=\"{problem}\""));
    }
    let code = code.unwrap_or("invalid_token");
    envelope(status, code, problem).challenge(&challenge)
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
