//! Who presents a bearer token (RFC 6750).

use http::StatusCode;
use subtle::ConstantTimeEq;

use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::tokens::{Principal, Token, TokenKind, digest};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::layout::Prefix;
use crate::wire::API_KEY;

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
    if incoming.headers.contains_key(&API_KEY) {
        return Err(twice());
    }
    let found = state.world.tokens.access(credentials, call.now).filter(|token| token.tenant == call.tenant);
    let token = found.cloned().or_else(|| agent_key(state, call, credentials));
    let problem = "The access token is invalid, expired or revoked";
    let token = token.ok_or_else(|| unauthorized(Some("invalid_token"), problem))?;
    call.client_id = Some(token.client_id.clone());
    Ok(token)
}

/// The real service fails when it is given two credentials.
fn twice() -> Refused {
    let problem = "Two credentials were sent at once";
    Refused { status: StatusCode::INTERNAL_SERVER_ERROR, code: Some("server_error"), problem }
}

/// What an agent's key stands for: the agent itself, with all that it may.
fn agent_key(state: &State, call: &Call<'_>, key: &str) -> Option<Token> {
    let tenant = state.world.tenants.get(call.tenant)?;
    let agent = tenant.agent_by_key(&digest(key))?;
    Some(Token {
        kind: TokenKind::Access,
        tenant: call.tenant,
        client_id: agent.seed.client_id.clone(),
        principal: Principal::Agent,
        subject: agent.subject(),
        scopes: agent.seed.capabilities.clone(),
        audience: vec![agent.seed.client_id.clone()],
        actors: Vec::new(),
        issuer: call.issuer(),
        id: String::new(),
        issued_at: call.now,
        expires_at: call.now,
        auth_time: call.now,
        family: None,
        rotated: false,
    })
}

/// Who decides about others: an agent or a user by a token, or the user who made an API key.
pub(crate) struct Caller {
    pub principal: Principal,
    /// The agent's client id; of a user the client's that the token was given to, and none with an API key.
    pub client_id: Option<String>,
    pub scopes: Vec<String>,
}

impl Caller {
    /// True if one of its scopes is this one, or all of them.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope || own == "admin")
    }
}

/// Who calls, by a token or an API key. Where the path names no tenant the credential does.
pub(crate) fn caller(state: &State, call: &mut Call<'_>) -> Result<Caller, Answer> {
    let Some(key) = api_key(call)? else {
        if call.prefix == Prefix::Bare
            && let Ok(Some((_, text))) = call.incoming.authorization()
            && let Some(token) = state.world.tokens.access(text, call.now)
        {
            call.tenant = token.tenant;
        }
        return token_caller(state, call);
    };
    let wanted = digest(key);
    let mut keys = state.world.tenants.iter().enumerate().flat_map(|(index, tenant)| {
        let here = call.prefix == Prefix::Bare || index == call.tenant;
        tenant.seed.api_keys.iter().filter(move |_| here).map(move |key| (index, key))
    });
    let found =
        keys.find(|(_, own)| own.key.as_ref().is_some_and(|own| digest(own.expose()).ct_eq(&wanted).into()));
    let (tenant, key) = found
        .ok_or_else(|| Answer::plain(StatusCode::UNAUTHORIZED, "invalid_token", "The API key is unknown"))?;
    let principal = Principal::User(key.user.clone());
    let caller = Caller { principal, client_id: None, scopes: key.scopes.clone() };
    call.tenant = tenant;
    Ok(caller)
}

/// Who calls, by a token. A permission just in time is good for nothing else.
pub(crate) fn token_caller(state: &State, call: &mut Call<'_>) -> Result<Caller, Answer> {
    let Token { principal, client_id, scopes, .. } = bearer(state, call)?;
    if matches!(principal, Principal::Permission(_)) {
        let problem = "A permission just in time is good for nothing else";
        return Err(Answer::plain(StatusCode::FORBIDDEN, "agent_token_required", problem));
    }
    Ok(Caller { principal, client_id: Some(client_id), scopes })
}

/// The API key of a request: in its own header, or in one of the older documented forms.
fn api_key<'c>(call: &Call<'c>) -> Result<Option<&'c str>, Answer> {
    let incoming = call.incoming;
    let own = incoming.only(API_KEY).map_err(Answer::bad)?;
    let authorization = incoming.authorization().map_err(Answer::bad)?;
    match (own, authorization) {
        (Some(_), Some(_)) => {
            let refused = twice();
            Err(Answer::plain(refused.status, "server_error", refused.problem))
        }
        (Some(key), None) => Ok(Some(key)),
        (None, Some((scheme, key))) if scheme.eq_ignore_ascii_case("apikey") => Ok(Some(key)),
        (None, Some((scheme, key)))
            if scheme.eq_ignore_ascii_case("bearer")
                && ["lmk_", "lk_", "sk_"].iter().any(|start| key.starts_with(start)) =>
        {
            Ok(Some(key))
        }
        _ => Ok(None),
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
