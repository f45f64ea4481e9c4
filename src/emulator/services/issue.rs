//! Makes tokens: access tokens (RFC 9068), refresh tokens, ID tokens (OpenID Connect Core 1.0 section 2).

use http::StatusCode;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::crypto::sign_compact;
use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::tenants::Agent;
use crate::emulator::state::tokens::{Actor, Principal, Token, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::is_standard;
use crate::time::Timestamp;

/// `urn:ietf:params:oauth:token-type:access_token` (RFC 8693 section 3).
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What the tokens of one answer say.
pub(crate) struct Grant {
    pub client_id: String,
    pub principal: Principal,
    pub subject: String,
    pub scopes: Vec<String>,
    /// `aud`; the client's id if it is empty.
    pub audience: Vec<String>,
    pub actors: Vec<Actor>,
    pub family: Option<u64>,
    pub auth_time: Timestamp,
    /// Never later than this.
    pub until: Option<Timestamp>,
    /// Adds `issued_token_type`.
    pub exchanged: bool,
    pub refresh: Option<Refresh>,
    /// With `openid` an ID token of this nonce comes along.
    pub id_token: Option<Option<String>>,
}

/// The refresh token of an answer may do more than its access token.
pub(crate) struct Refresh {
    pub scopes: Vec<String>,
    pub resources: Vec<String>,
}

impl Grant {
    /// What an agent may do for itself.
    pub(crate) fn own(agent: &Agent, scopes: Vec<String>, audience: Vec<String>, now: Timestamp) -> Self {
        Grant {
            client_id: agent.seed.client_id.clone(),
            principal: Principal::Agent,
            subject: agent.subject(),
            scopes,
            audience,
            actors: Vec::new(),
            family: None,
            auth_time: now,
            until: None,
            exchanged: false,
            refresh: None,
            id_token: None,
        }
    }
}

pub(crate) fn server_error(problem: &str) -> Answer {
    Answer::oauth(StatusCode::INTERNAL_SERVER_ERROR, "server_error", problem)
}

/// The answer with the tokens of a grant.
pub(crate) fn tokens(state: &mut State, call: &Call<'_>, grant: Grant) -> Result<Answer, Answer> {
    let issued = call.now;
    let mut expires = Timestamp::from_unix(issued.unix().saturating_add(call.settings.lifetime));
    if let Some(until) = grant.until {
        expires = expires.min(until);
    }
    let audience = match grant.audience.as_slice() {
        [] => vec![grant.client_id.clone()],
        named => named.to_vec(),
    };
    let mut record = Token {
        kind: TokenKind::Access,
        tenant: call.tenant,
        client_id: grant.client_id,
        principal: grant.principal,
        subject: grant.subject,
        scopes: grant.scopes,
        audience,
        actors: grant.actors,
        issuer: call.issuer(),
        id: state.ids.next("jti_"),
        issued_at: issued,
        expires_at: expires,
        auth_time: grant.auth_time,
        family: grant.family,
        rotated: false,
    };
    let mut body = Map::new();
    let lifetime = expires.unix().saturating_sub(issued.unix());
    body.insert("token_type".into(), json!("Bearer"));
    body.insert("expires_in".into(), json!(lifetime));
    // A scope has at least one word (RFC 6749 section 3.3): an agent without capabilities gets none.
    if !record.scopes.is_empty() {
        body.insert("scope".into(), json!(record.scopes.join(" ")));
    }
    if grant.exchanged {
        body.insert("issued_token_type".into(), json!(ACCESS_TOKEN));
    }
    let mut claims = access_claims(&record, call.settings.rfc_actor_order);
    let agent = state.world.tenants.get(call.tenant).and_then(|tenant| tenant.agent(&record.client_id));
    let own = agent.map(|agent| agent.seed.claims.as_slice()).unwrap_or_default();
    if let Some(claims) = claims.as_object_mut() {
        sign(claims, &record, agent.map(|agent| agent.seed.name.as_str()));
        add(claims, own.iter().chain(&call.settings.claims));
    }
    body.insert("access_token".into(), give_out(state, call, "at+jwt", &claims, record.clone())?);
    if let Some(nonce) = grant.id_token.filter(|_| record.scopes.iter().any(|scope| scope == "openid")) {
        let claims = id_claims(state, &record, nonce);
        let id = Token {
            kind: TokenKind::Id,
            audience: vec![record.client_id.clone()],
            id: state.ids.next("jti_"),
            ..record.clone()
        };
        body.insert("id_token".into(), give_out(state, call, "JWT", &claims, id)?);
    }
    if let Some(refresh) = grant.refresh {
        let text = state.ids.secret("rt_");
        body.insert("refresh_token".into(), json!(text.expose()));
        record.kind = TokenKind::Refresh;
        (record.scopes, record.audience) = (refresh.scopes, refresh.resources);
        record.id = state.ids.next("jti_");
        record.expires_at =
            Timestamp::from_unix(issued.unix().saturating_add(call.settings.refresh_lifetime));
        state.world.tokens.insert(text.expose(), record, call.now);
    }
    Ok(Answer::ok(&Value::Object(body)))
}

/// The token of a permission that an agent has just in time.
pub(crate) fn permission(state: &mut State, call: &Call<'_>, record: Token) -> Result<Value, Answer> {
    let claims = access_claims(&record, call.settings.rfc_actor_order);
    give_out(state, call, "at+jwt", &claims, record)
}

/// Signs a token and keeps its record.
fn give_out(
    state: &mut State,
    call: &Call<'_>,
    typ: &str,
    claims: &Value,
    record: Token,
) -> Result<Value, Answer> {
    let text = sign_compact(call.key, typ, claims).map(Zeroizing::new);
    let text = text.map_err(|_| server_error("The token cannot be signed"))?;
    state.world.tokens.insert(&text, record, call.now);
    Ok(json!(text.as_str()))
}

fn access_claims(record: &Token, rfc_order: bool) -> Value {
    let mut claims = json!({
        "iss": record.issuer,
        "sub": record.subject,
        "aud": audience(&record.audience),
        "client_id": record.client_id,
        "iat": record.issued_at.unix(),
        "exp": record.expires_at.unix(),
        "jti": record.id,
    });
    if let Some(claims) = claims.as_object_mut() {
        if !record.scopes.is_empty() {
            claims.insert("scope".into(), json!(record.scopes.join(" ")));
        }
        if let Principal::Permission(permitted) = &record.principal {
            claims.insert("jit".into(), json!(true));
            claims.insert("agent_id".into(), json!(record.client_id));
            claims.insert("task_id".into(), json!(permitted.task));
            claims.insert("parent_task_id".into(), json!(permitted.parent));
            claims.insert("authorization_details".into(), json!([permitted.details]));
        }
        if matches!(record.principal, Principal::User(_)) {
            claims.insert("auth_time".into(), json!(record.auth_time.unix()));
        }
        if let Some(act) = act(&record.actors, rfc_order) {
            claims.insert("act".into(), act);
        }
    }
    claims
}

fn id_claims(state: &State, record: &Token, nonce: Option<String>) -> Value {
    let mut claims = json!({
        "iss": record.issuer,
        "sub": record.subject,
        "aud": record.client_id,
        "iat": record.issued_at.unix(),
        "exp": record.expires_at.unix(),
        "auth_time": record.auth_time.unix(),
    });
    if let Some(claims) = claims.as_object_mut() {
        if let Some(nonce) = nonce {
            claims.insert("nonce".into(), json!(nonce));
        }
        claims.extend(profile(state, record));
    }
    claims
}

/// The signs of an agent: its own, or those of the one that acts for somebody.
fn sign(claims: &mut Map<String, Value>, record: &Token, name: Option<&str>) {
    match (&record.principal, record.actors.as_slice()) {
        (Principal::Agent, []) => {
            claims.insert("agent_id".into(), json!(record.client_id));
            claims.extend(name.map(|name| ("agent_name".to_owned(), json!(name))));
        }
        (_, [actor]) => drop(claims.insert("agent_id".into(), json!(actor.client_id))),
        _ => {}
    }
}

/// Adds claims; the first of a name counts, and what is there already.
fn add<'c>(claims: &mut Map<String, Value>, more: impl IntoIterator<Item = &'c (String, Value)>) {
    for (name, value) in more {
        claims.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}

/// What the scopes `profile` and `email` let a client know of the user (OpenID Connect Core 1.0 section 5.4), and the user's own
/// claims.
pub(crate) fn profile(state: &State, record: &Token) -> Map<String, Value> {
    let mut claims = Map::new();
    let Principal::User(name) = &record.principal else { return claims };
    let user = state.world.tenants.get(record.tenant).and_then(|tenant| tenant.user(name));
    let has = |scope: &str| is_standard(scope) && record.scopes.iter().any(|own| own == scope);
    if let Some(user) = user.filter(|_| has("profile")) {
        claims.insert("preferred_username".into(), json!(user.name));
        claims.insert("name".into(), json!(user.display.as_ref().unwrap_or(&user.name)));
    }
    if let Some(email) = user.filter(|_| has("email")).and_then(|user| user.email.as_ref()) {
        claims.insert("email".into(), json!(email));
        claims.insert("email_verified".into(), json!(true));
    }
    add(&mut claims, user.iter().flat_map(|user| &user.claims));
    claims
}

/// `aud`: a text for one, a list for several.
pub(crate) fn audience(audience: &[String]) -> Value {
    match audience {
        [one] => json!(one),
        several => json!(several),
    }
}

/// `act` (RFC 8693 section 4.1). As LumoAuth's guide writes it the first agent is outermost and the newest innermost; by
/// the RFC it is the other way round.
pub(crate) fn act(actors: &[Actor], rfc_order: bool) -> Option<Value> {
    let wrap = |inner: Option<Value>, actor: &Actor| {
        Some(match inner {
            Some(inner) => json!({"sub": actor.subject, "act": inner}),
            None => json!({"sub": actor.subject}),
        })
    };
    if rfc_order { actors.iter().fold(None, wrap) } else { actors.iter().rev().fold(None, wrap) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_in_both_orders() {
        let chain = ["a", "b", "c"].map(|name| Actor { client_id: name.into(), subject: name.into() });
        let of = |outer: &str, middle: &str, inner: &str| json!({"sub": outer, "act": {"sub": middle, "act": {"sub": inner}}});
        assert_eq!(act(&chain, false), Some(of("a", "b", "c")), "first agent outermost");
        assert_eq!(act(&chain, true), Some(of("c", "b", "a")), "newest agent outermost");
        assert_eq!(act(&[], true), None);
    }
}
