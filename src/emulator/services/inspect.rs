//! What becomes of a token and what it says: revocation (RFC 7009) and introspection (RFC 7662).

use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::{client, issue};
use crate::emulator::state::State;
use crate::emulator::state::tokens::{Principal, Token, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::operations::routes;

fn token(parameters: &Parameters) -> Result<&str, Answer> {
    let missing = || Answer::bad_oauth("invalid_request", "Missing parameter: token");
    parameters.get("token").ok_or_else(missing)
}

/// `oauth.revoke`. A token that nobody knows is as good as revoked; another client's is refused (RFC 7009 section 2.1).
/// `token_type_hint` helps nobody here, so it is not looked at.
fn revoke(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = client::parameters(call)?;
    let client_id = client::known(state, call, &parameters)?;
    let text = token(&parameters)?;
    let done = || Ok(Answer::ok(&json!({})).no_cache());
    let found = state.world.tokens.find(text, call.now).filter(|token| token.tenant == call.tenant);
    let Some(found) = found else { return done() };
    if found.client_id != client_id {
        return Err(Answer::bad_oauth("invalid_grant", "The token was issued to another client"));
    }
    if found.kind == TokenKind::Id {
        return Err(Answer::bad_oauth("unsupported_token_type", "ID tokens cannot be revoked"));
    }
    state.world.tokens.revoke(text);
    done()
}

/// `oauth.introspect`: for clients with a secret. A refresh token is nobody's business but its client's.
fn introspect(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = client::parameters(call)?;
    let client_id = client::authenticate(state, call, &parameters)?;
    let text = token(&parameters)?;
    let found = state.world.tokens.find(text, call.now).filter(|token| {
        token.tenant == call.tenant
            && match token.kind {
                TokenKind::Access => true,
                TokenKind::Refresh => token.client_id == client_id && !token.rotated,
                TokenKind::Id => false,
            }
    });
    let body = found.map_or_else(|| json!({"active": false}), |token| active(call, token));
    Ok(Answer::ok(&body).no_cache())
}

fn active(call: &Call<'_>, token: &Token) -> serde_json::Value {
    let refresh = token.kind == TokenKind::Refresh;
    let mut body = json!({
        "active": true,
        "client_id": token.client_id,
        "token_type": if refresh { "refresh_token" } else { "Bearer" },
        "exp": token.expires_at.unix(),
        "iat": token.issued_at.unix(),
        "nbf": token.issued_at.unix(),
        "sub": token.subject,
        "iss": token.issuer,
        "jti": token.id,
    });
    if let Some(body) = body.as_object_mut() {
        if !token.scopes.is_empty() {
            body.insert("scope".into(), json!(token.scopes.join(" ")));
        }
        if !token.audience.is_empty() {
            body.insert("aud".into(), issue::audience(&token.audience));
        }
        if let Principal::User(name) = &token.principal {
            body.insert("username".into(), json!(name));
        }
        if let Some(act) = issue::act(&token.actors, call.settings.rfc_actor_order) {
            body.insert("act".into(), act);
        }
    }
    body
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] =
    &[Service::of(routes::REVOKE, "POST", revoke), Service::of(routes::INTROSPECT, "POST", introspect)];
