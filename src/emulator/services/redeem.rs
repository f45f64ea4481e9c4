//! Codes and refresh tokens become tokens (RFC 6749 sections 4.1.3 and 6, RFC 7636 section 4.6).

use sha2::{Digest, Sha256};

use crate::crypto::base64url;
use crate::emulator::call::Call;
use crate::emulator::services::client;
use crate::emulator::services::issue::{self, Grant, Refresh};
use crate::emulator::state::State;
use crate::emulator::state::tokens::{Principal, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::scope::scope;
use crate::secret::Secret;

fn invalid_grant(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_grant", problem)
}

fn required<'p>(parameters: &'p Parameters, name: &str) -> Result<&'p str, Answer> {
    let missing = || Answer::bad_oauth("invalid_request", &format!("Missing parameter: {name}"));
    parameters.get(name).ok_or_else(missing)
}

/// `authorization_code`. A code that comes twice takes the tokens of the first time along (RFC 6749 section 4.1.2).
pub(crate) fn code(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<Answer, Answer> {
    let client_id = client::identify(state, call, parameters)?;
    let text = required(parameters, "code")?;
    let redirect_uri = required(parameters, "redirect_uri")?;
    let unknown = || invalid_grant("The code is unknown, expired or used");
    let code = state.world.grants.code_mut(text).ok_or_else(unknown)?;
    if code.tenant != call.tenant || code.asked.client_id != client_id {
        return Err(unknown());
    }
    if code.used {
        let family = code.family;
        state.world.tokens.revoke_family(family);
        return Err(unknown());
    }
    if call.now >= code.expires_at {
        return Err(unknown());
    }
    if code.asked.redirect_uri != redirect_uri {
        return Err(invalid_grant("redirect_uri is not the one of the authorization request"));
    }
    let given = parameters.get("code_verifier");
    let verifier = given.filter(|verifier| is_verifier(verifier));
    let computed = verifier.map(|verifier| Secret::new(base64url(&Sha256::digest(verifier))));
    // A verifier without a challenge is refused as well (RFC 9700 section 4.8.2).
    let fits = match &code.asked.challenge {
        Some(challenge) => computed.is_some_and(|computed| computed == Secret::new(challenge.as_str())),
        None => given.is_none(),
    };
    if !fits {
        return Err(invalid_grant("code_verifier does not fit the challenge"));
    }
    let resources = subset(parameters, &code.asked.resources)?;
    code.used = true;
    let grant = Grant {
        client_id,
        principal: Principal::User(code.user.clone()),
        subject: format!("user:{}", code.user),
        scopes: code.scopes.clone(),
        audience: resources,
        actors: Vec::new(),
        family: Some(code.family),
        auth_time: code.auth_time,
        until: None,
        exchanged: false,
        refresh: code
            .asked
            .offline
            .then(|| Refresh { scopes: code.scopes.clone(), resources: code.asked.resources.clone() }),
        id_token: Some(code.asked.nonce.clone()),
    };
    issue::tokens(state, call, grant)
}

/// `refresh_token`. Each is good for one time; one that comes again means that it was stolen, and ends the whole family
/// (RFC 9700 section 4.14.2).
pub(crate) fn refresh(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<Answer, Answer> {
    let client_id = client::identify(state, call, parameters)?;
    let text = required(parameters, "refresh_token")?;
    let unknown = || invalid_grant("The refresh token is unknown, expired, used or revoked");
    let own = state.world.tokens.find(text, call.now).ok_or_else(unknown)?.clone();
    if own.kind != TokenKind::Refresh || own.tenant != call.tenant || own.client_id != client_id {
        return Err(unknown());
    }
    if own.rotated {
        if let Some(family) = own.family {
            state.world.tokens.revoke_family(family);
        }
        return Err(unknown());
    }
    let scopes = match scope(parameters)? {
        None => own.scopes.clone(),
        Some(scopes) if scopes.iter().all(|scope| own.scopes.contains(scope)) => scopes,
        Some(_) => {
            return Err(Answer::bad_oauth("invalid_scope", "The scope is wider than what was granted"));
        }
    };
    let audience = subset(parameters, &own.audience)?;
    state.world.tokens.rotate(text);
    let grant = Grant {
        client_id,
        principal: own.principal,
        subject: own.subject,
        scopes,
        audience,
        actors: own.actors,
        family: own.family,
        auth_time: own.auth_time,
        until: None,
        exchanged: false,
        refresh: Some(Refresh { scopes: own.scopes, resources: own.audience }),
        id_token: Some(None),
    };
    issue::tokens(state, call, grant)
}

/// The resources that are asked for now, out of those that were authorized; without any, all (RFC 8707 section 2.2).
fn subset(parameters: &Parameters, authorized: &[String]) -> Result<Vec<String>, Answer> {
    let mut asked: Vec<String> = Vec::new();
    for resource in parameters.all("resource") {
        if !authorized.iter().any(|own| own == resource) {
            return Err(Answer::bad_oauth("invalid_target", "The resource was not authorized"));
        }
        if !asked.iter().any(|own| own == resource) {
            asked.push(resource.to_owned());
        }
    }
    Ok(if asked.is_empty() { authorized.to_vec() } else { asked })
}

/// The syntax of a verifier (RFC 7636 section 4.1).
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_a_verifier() {
        assert!(is_verifier(&"a".repeat(43)) && is_verifier(&"~".repeat(128)));
        for bad in [String::new(), "a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43))] {
            assert!(!is_verifier(&bad), "{bad}");
        }
    }
}
