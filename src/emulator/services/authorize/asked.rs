//! An authorization request, read and checked (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, OpenID Connect Core 1.0).

use crate::emulator::services::authorize::Refused;
use crate::emulator::state::grants::{Asked, Prompt};
use crate::emulator::state::tenants::{Agent, LiveTenant};
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::redirect::fits;
use crate::emulator::values::scope::read_scope;
use crate::emulator::values::seed::is_standard;

/// A code and a description (RFC 6749 section 4.1.2.1).
type Refusal = (&'static str, String);

/// The longest `state`, `nonce` or `login_hint`.
const LONGEST: usize = 8 * 1024;

impl Asked {
    /// Clients with a secret need no PKCE if it is optional.
    pub(crate) fn read(
        tenant: &LiveTenant,
        parameters: &Parameters,
        pkce_is_optional: bool,
    ) -> Result<Self, Refused> {
        if parameters.repeats("client_id") || parameters.repeats("redirect_uri") {
            return Err(Refused::Here("client_id or redirect_uri is repeated"));
        }
        let client_id = parameters.get("client_id").ok_or(Refused::Here("client_id is missing"))?;
        let agent = tenant.agent(client_id).ok_or(Refused::Here("The client is unknown"))?;
        let redirect_uri = parameters.get("redirect_uri").ok_or(Refused::Here("redirect_uri is missing"))?;
        if !agent.seed.redirect_uris.iter().any(|registered| fits(registered, redirect_uri)) {
            return Err(Refused::Here("redirect_uri is not registered for the client"));
        }
        // From here on the client can be told.
        let state = parameters.get("state").filter(|_| !parameters.repeats("state")).map(str::to_owned);
        let optional = pkce_is_optional && !agent.seed.public;
        let read = Asked::checked(tenant, agent, parameters, optional);
        read.map(|asked| Asked { redirect_uri: redirect_uri.to_owned(), state: state.clone(), ..asked })
            .map_err(|(code, description)| Refused::Back {
                to: redirect_uri.to_owned(),
                state,
                code,
                description,
            })
    }

    fn checked(
        tenant: &LiveTenant,
        agent: &Agent,
        parameters: &Parameters,
        pkce_is_optional: bool,
    ) -> Result<Self, Refusal> {
        let invalid = |problem: &str| Err(("invalid_request", problem.to_owned()));
        if parameters.repeats_any() {
            return invalid("A parameter is repeated");
        }
        match parameters.get("response_type") {
            Some("code") => {}
            None => return invalid("response_type is missing"),
            Some(_) => return Err(("unsupported_response_type", "response_type must be code".to_owned())),
        }
        if parameters.get("request").is_some() {
            return Err(("request_not_supported", "Request objects are not supported".to_owned()));
        }
        if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
            return invalid("response_mode must be query");
        }
        // What is kept until the code is used has a length.
        let long = |name: &&str| parameters.get(name).is_some_and(|value| value.len() > LONGEST);
        if ["state", "nonce", "login_hint"].iter().any(long) {
            return invalid("state, nonce or login_hint is too long");
        }
        let max_age = match parameters.get("max_age") {
            None => None,
            Some(age) if age.len() <= 10 && age.bytes().all(|byte| byte.is_ascii_digit()) => age.parse().ok(),
            Some(_) => return invalid("max_age must be a number of seconds"),
        };
        let access_type = parameters.get("access_type");
        if access_type.is_some_and(|access| !matches!(access, "offline" | "online")) {
            return invalid("access_type must be offline or online");
        }
        let (challenge, method) = (parameters.get("code_challenge"), parameters.get("code_challenge_method"));
        let does_without = pkce_is_optional && challenge.is_none() && method.is_none();
        // Without a method it would be plain (RFC 7636 section 4.3).
        if method != Some("S256") && !does_without {
            return invalid("code_challenge_method must be S256");
        }
        let is_challenge = |text: &&str| {
            text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let challenge = challenge.filter(is_challenge);
        if challenge.is_none() && !does_without {
            return invalid("code_challenge must be 43 characters of base64url");
        }
        let resources = tenant.resources(agent, parameters.all("resource"));
        let resources = resources.ok_or_else(|| ("invalid_target", "The resource is unknown".to_owned()))?;
        let scopes = match parameters.get("scope") {
            Some(asked) => {
                let malformed = || ("invalid_scope", "The scope is malformed".to_owned());
                let scopes = read_scope(asked).ok_or_else(malformed)?;
                let may_ask = |scope: &&String| is_standard(scope) || agent.may_have(scope);
                if let Some(refused) = scopes.iter().find(|scope| !may_ask(scope)) {
                    return Err((
                        "invalid_scope",
                        format!("The scope {refused} is not allowed to the client"),
                    ));
                }
                scopes
            }
            None => default_scopes(tenant, agent, &resources),
        };
        let offline = access_type == Some("offline") || scopes.iter().any(|scope| scope == "offline_access");
        Ok(Asked {
            client_id: agent.seed.client_id.clone(),
            redirect_uri: String::new(),
            scopes,
            state: None,
            resources,
            challenge: challenge.map(str::to_owned),
            nonce: parameters.get("nonce").map(str::to_owned),
            prompt: prompt(parameters.get("prompt"))?,
            offline,
            hint: parameters.get("login_hint").map(str::to_owned),
            max_age,
        })
    }
}

/// Without a scope: what the resources support, or else the agent's capabilities.
fn default_scopes(tenant: &LiveTenant, agent: &Agent, resources: &[String]) -> Vec<String> {
    let servers = resources.iter().filter_map(|resource| tenant.mcp_resource(resource));
    let supported: Vec<String> =
        servers.flat_map(|server| &server.scopes).filter(|scope| agent.may_have(scope)).cloned().collect();
    if supported.is_empty() { agent.seed.capabilities.clone() } else { supported }
}

fn prompt(value: Option<&str>) -> Result<Prompt, Refusal> {
    let words: Vec<&str> = value.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    if words == ["none"] {
        return Ok(Prompt::None);
    }
    if words.is_empty() {
        return Ok(Prompt::Any);
    }
    if words.iter().all(|word| matches!(*word, "login" | "consent" | "create" | "select_account")) {
        Ok(Prompt::Page)
    } else {
        Err(("invalid_request", "prompt has a value that is unknown or stands alone".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts() {
        assert_eq!(prompt(None), Ok(Prompt::Any));
        assert_eq!(prompt(Some("none")), Ok(Prompt::None));
        for page in ["login", "consent", "create", "select_account", "login consent"] {
            assert_eq!(prompt(Some(page)), Ok(Prompt::Page));
        }
        for bad in ["none login", "NONE", "x", "login none"] {
            assert!(prompt(Some(bad)).is_err(), "{bad}");
        }
    }
}
