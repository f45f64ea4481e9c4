//! The token endpoint (RFC 6749 sections 3.2, 4.4, 5; `docs/wire.md`, rows T).

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::engine::Call;
use super::incoming::{Parameters, basic};
use super::state::{State, Token};
use crate::crypto::sign_compact;
use crate::time::Timestamp;

/// Every answer of this endpoint, refusals too, stays out of caches (RFC 6749 section 5.1).
pub(super) fn token(state: &mut State, call: &mut Call<'_>) -> Answer {
    grant(state, call).unwrap_or_else(|refusal| refusal).no_cache()
}

fn grant(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let invalid_request = |problem: &str| Answer::bad_oauth("invalid_request", problem);
    if call.incoming.query.is_some_and(|query| !query.is_empty()) {
        return Err(invalid_request("Parameters belong in the body, not in the URL"));
    }
    let parameters = Parameters::read(call.incoming).map_err(invalid_request)?;
    let grant_type =
        parameters.get("grant_type").ok_or_else(|| invalid_request("Missing parameter: grant_type"))?;
    let client_id = authenticate(state, call, &parameters)?;
    // Other grants (exchange, codes, refresh tokens) get their arms here.
    match grant_type {
        "client_credentials" => client_credentials(state, call, &parameters, &client_id),
        _ => Err(Answer::bad_oauth("unsupported_grant_type", "The grant type is not supported")),
    }
}

/// The client that the request authenticates: in the body or as Basic, never both (RFC 6749 section 2.3).
fn authenticate(state: &State, call: &mut Call<'_>, parameters: &Parameters) -> Result<String, Answer> {
    let invalid_request = |problem: &str| Answer::bad_oauth("invalid_request", problem);
    let refused = |description: &str, with_header: bool| {
        let answer = Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description);
        if with_header {
            answer.challenge(&format!("Basic realm=\"{}\", charset=\"UTF-8\"", call.slug))
        } else {
            answer
        }
    };
    let body_id = parameters.get("client_id");
    let body_secret = parameters.get("client_secret");
    if parameters.get("client_assertion").is_some() {
        return Err(refused("Client assertions are not supported", false));
    }
    let authorization = call.incoming.authorization().map_err(invalid_request)?;
    let with_header = authorization.is_some();
    let (id, secret) = match authorization {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("basic") => {
            if body_secret.is_some() {
                return Err(invalid_request("The client authenticates in two ways at once"));
            }
            let (id, secret) =
                basic(credentials).ok_or_else(|| refused("The Basic credentials cannot be read", true))?;
            if body_id.is_some_and(|body| body != id.as_str()) {
                return Err(invalid_request("client_id differs from the one in the header"));
            }
            (id, secret)
        }
        Some(_) => return Err(refused("The authentication scheme is not supported here", true)),
        None => {
            let id = body_id.ok_or_else(|| refused("Client authentication is missing", false))?;
            let secret = body_secret.ok_or_else(|| refused("The client secret is missing", false))?;
            (Zeroizing::new(id.to_owned()), Zeroizing::new(secret.to_owned()))
        }
    };
    let agent = state.world.tenants.get(call.tenant).and_then(|tenant| tenant.agent(&id));
    call.client_id = agent.map(|agent| agent.seed.client_id.clone());
    // An unknown client and a wrong secret look and take the same: a digest is compared in either case.
    let expected = agent.and_then(|agent| agent.seed.secret.as_ref()).map_or("", |secret| secret.expose());
    let digest = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
    let equal: bool = digest(expected).ct_eq(&digest(&secret)).into();
    match agent {
        Some(agent) if equal && !expected.is_empty() => Ok(agent.seed.client_id.clone()),
        _ => Err(refused("The client is unknown or its secret is wrong", with_header)),
    }
}

fn client_credentials(
    state: &mut State,
    call: &Call<'_>,
    parameters: &Parameters,
    client_id: &str,
) -> Result<Answer, Answer> {
    let server_error = |problem| Answer::oauth(StatusCode::INTERNAL_SERVER_ERROR, "server_error", problem);
    let agent = state.world.tenants.get(call.tenant).and_then(|tenant| tenant.agent(client_id));
    let agent = agent.ok_or_else(|| server_error("The agent is gone"))?;
    let scopes = match parameters.get("scope") {
        None => agent.seed.capabilities.clone(),
        Some(asked) => {
            let scopes = read_scope(asked)
                .ok_or_else(|| Answer::bad_oauth("invalid_scope", "The scope is malformed"))?;
            if !scopes.iter().all(|scope| agent.may_have(scope)) {
                return Err(Answer::bad_oauth("invalid_scope", "A scope is not granted to the client"));
            }
            scopes
        }
    };
    let mut audience = Vec::new();
    for resource in parameters.all("resource") {
        // RFC 8707 section 2: an absolute URI without fragment, and here one that the agent is registered for.
        if resource.contains('#') || !agent.seed.resources.iter().any(|own| own == resource) {
            return Err(Answer::bad_oauth("invalid_target", "The resource is not registered for the client"));
        }
        audience.push(resource);
    }
    let audience = match audience.as_slice() {
        [] => json!(client_id),
        [one] => json!(one),
        several => json!(several),
    };
    let issued = call.now.unix();
    let expires = issued.saturating_add(call.settings.lifetime);
    let subject = agent.subject();
    let mut claims = json!({
        "iss": call.issuer(),
        "sub": subject,
        "aud": audience,
        "client_id": client_id,
        "iat": issued,
        "exp": expires,
        "jti": state.ids.next("jti_"),
    });
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": call.settings.lifetime,
    });
    // A scope has at least one word (RFC 6749 section 3.3): an agent without capabilities gets none.
    if let (false, Some(claims), Some(body)) =
        (scopes.is_empty(), claims.as_object_mut(), body.as_object_mut())
    {
        claims.insert("scope".into(), Value::from(scopes.join(" ")));
        body.insert("scope".into(), Value::from(scopes.join(" ")));
    }
    let text = Zeroizing::new(
        sign_compact(call.key, "at+jwt", &claims).map_err(|_| server_error("The token cannot be signed"))?,
    );
    if let Some(body) = body.as_object_mut() {
        body.insert("access_token".into(), Value::from(text.as_str()));
    }
    let token = Token {
        tenant: call.tenant,
        client_id: client_id.to_owned(),
        scopes,
        expires_at: Timestamp::from_unix(expires),
    };
    state.world.tokens.insert(&text, token, call.now);
    Ok(Answer::ok(&body))
}

/// The words of a `scope` (RFC 6749 section 3.3), each once. None if it is malformed.
fn read_scope(text: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for word in text.split(' ') {
        if !is_scope(word) {
            return None;
        }
        if !scopes.iter().any(|own| own == word) {
            scopes.push(word.to_owned());
        }
    }
    Some(scopes)
}

/// One word of a scope.
pub(super) fn is_scope(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::super::Emulator;
    use super::*;
    use crate::site::Route;
    use crate::wire::{Form, Request};
    use http::Method;

    #[test]
    fn the_published_key_verifies_the_token() {
        let emulator = Emulator::demo().unwrap();
        let form = Form::new()
            .field("grant_type", "client_credentials")
            .field("client_id", emulator.client_id())
            .secret("client_secret", emulator.secret());
        let request = Request::new(Method::POST, emulator.site().url(Route::Token)).form(form);
        let body: Value = emulator.handle_in_process(&request).response.json().unwrap();
        let request = Request::new(Method::GET, emulator.site().url(Route::Jwks));
        let keys: Value = emulator.handle_in_process(&request).response.json().unwrap();
        let token = body["access_token"].as_str().unwrap();
        assert!(crate::crypto::tests::verifies(token, &keys["keys"][0]));
    }

    #[test]
    fn scopes_are_words_with_one_blank_between() {
        assert_eq!(read_scope("a b a").unwrap(), ["a", "b"]);
        for bad in ["", " ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "ä"] {
            assert_eq!(read_scope(bad), None, "{bad:?}");
        }
    }
}
