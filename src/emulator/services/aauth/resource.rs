//! Resource tokens (`resource+jwt`): what a resource says about who wants what there.

use std::time::Duration;

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{
    self, Body, identifier, invalid_request, invalid_scope, is_thumbprint,
};
use crate::emulator::services::aauth::grant::{sign, sign_by};
use crate::emulator::services::aauth::signed;
use crate::emulator::services::aauth::signer::own_key;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jwt::Jws;
use crate::emulator::values::lifetime::in_seconds;
use crate::emulator::values::scope::read_scope;
use crate::operations::routes;
use crate::profile::{AgentKey, SIGNATURE_INPUT};
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long they live, in seconds.
pub(crate) const LIFETIME: u64 = 300;
/// The longest that one may live.
const LONGEST: Duration = Duration::from_secs(3600);

/// A resource token whose signature and claims are right.
pub(crate) struct ResourceToken {
    pub resource: String,
    /// The agent and the thumbprint of its key; none in the older form.
    pub holder: Option<(String, String)>,
    pub scopes: Vec<String>,
    pub auth_request_url: Option<String>,
    pub ends: Timestamp,
}

/// Reads a resource token: of a registered resource, signed by it or by this service, and for this service.
pub(crate) fn read(state: &State, call: &Call<'_>, text: &str) -> Result<ResourceToken, &'static str> {
    let jws = Jws::read(text).ok_or("it is not a signed JWT")?;
    let seed = jws.issuer().and_then(|issuer| common::resource(state, call, issuer));
    let seed = seed.ok_or("its resource is not registered")?;
    let own = |kid: &str| (kid == call.aauth_key.key_id()).then(|| own_key(call)).flatten();
    let key_of = |kid: &str| seed.keys.find(kid).map(|key| key.key.clone()).or_else(|| own(kid));
    let claims = jws.verified("resource+jwt", key_of)?;
    if !call.names().iter().any(|name| claims.is_only_for(name)) {
        return Err("its aud is not this authorization server");
    }
    let ends = claims.ends(call.now, LONGEST)?;
    let holder = match (claims.text("agent")?, claims.text("agent_jkt")?) {
        (Some(agent), Some(jkt)) => Some((agent.to_owned(), jkt.to_owned())),
        (None, None) => None,
        _ => return Err("it names an agent without its key, or a key without its agent"),
    };
    let scopes = match claims.text("scope")? {
        None => Vec::new(),
        Some(text) => read_scope(text).ok_or("its scope is malformed")?,
    };
    let auth_request_url = claims.text("auth_request_url")?.map(str::to_owned);
    Ok(ResourceToken { resource: identifier(call, seed), holder, scopes, auth_request_url, ends })
}

/// What one says. The resource is its `iss`.
pub(crate) struct Contents<'c> {
    pub resource: &'c str,
    pub agent: &'c str,
    pub thumbprint: &'c str,
    pub scopes: &'c [String],
    pub auth_request_url: Option<&'c str>,
}

/// Makes one, signed by the service or by a served resource's own key.
pub(crate) fn make(
    state: &mut State,
    call: &Call<'_>,
    contents: &Contents<'_>,
    by: Option<&AgentKey>,
) -> Result<Answer, Answer> {
    let mut claims = json!({
        "iss": contents.resource, "aud": call.issuer(), "agent": contents.agent,
        "agent_jkt": contents.thumbprint, "iat": call.now.unix(),
        "exp": in_seconds(call.now, LIFETIME).unix(), "jti": state.ids.next("jti_"),
    });
    if let Some(claims) = claims.as_object_mut() {
        if !contents.scopes.is_empty() {
            claims.insert("scope".into(), json!(contents.scopes.join(" ")));
        }
        if let Some(url) = contents.auth_request_url {
            claims.insert("auth_request_url".into(), json!(url));
        }
    }
    let token = match by {
        Some(key) => sign_by(key, "resource+jwt", &claims)?,
        None => sign(call, "resource+jwt", &claims)?,
    };
    Ok(given(&token, LIFETIME))
}

fn given(token: &Secret, lifetime: u64) -> Answer {
    let body =
        json!({"resource_token": token.expose(), "token_type": "resource+jwt", "expires_in": lifetime});
    Answer::ok(&body).no_cache()
}

/// `agent` and `agent_jkt` of a request, and scopes that the resource knows.
pub(crate) fn about<'b>(
    state: &State,
    call: &Call<'_>,
    body: &'b Body,
    resource: &str,
) -> Result<(&'b str, &'b str, Vec<String>), Answer> {
    let (agent, thumbprint) = (body.required("agent")?, body.required("agent_jkt")?);
    if common::agent(state, call, agent).is_none() {
        return Err(invalid_request("agent is not registered"));
    }
    if !is_thumbprint(thumbprint) {
        return Err(invalid_request("agent_jkt is no thumbprint: 43 characters of base64url"));
    }
    let scopes = body.scope()?.unwrap_or_default();
    let known =
        common::resource(state, call, resource).map(|seed| seed.scopes.as_slice()).unwrap_or_default();
    if !scopes.iter().all(|scope| known.contains(scope)) {
        return Err(invalid_scope("The resource does not know a scope"));
    }
    Ok((agent, thumbprint, scopes))
}

/// `aauth.resource.token`: signed by the resource; or, as older services have it, with its name as a bearer token.
fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let headers = call.incoming.headers;
    if headers.contains_key(AUTHORIZATION) && !headers.contains_key(SIGNATURE_INPUT) {
        return by_name(state, call);
    }
    let resource = signed::by_resource(state, call)?;
    let body = Body::read(call)?;
    let (agent, thumbprint, scopes) = about(state, call, &body, &resource)?;
    let url = body.text("auth_request_url")?;
    let absolute = |url: &str| url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some());
    if url.is_some_and(|url| !absolute(url)) {
        return Err(invalid_request("auth_request_url is not an absolute URL"));
    }
    if body.text("auth_server")?.is_some_and(|server| server != call.issuer()) {
        return Err(invalid_request("auth_server is not this authorization server"));
    }
    let contents =
        Contents { resource: &resource, agent, thumbprint, scopes: &scopes, auth_request_url: url };
    make(state, call, &contents, None)
}

/// The older form. It proves nothing, so its token names nobody: `cnf` is the resource's own key.
fn by_name(state: &mut State, call: &Call<'_>) -> Result<Answer, Answer> {
    let unauthorized = |problem| Answer::oauth(StatusCode::UNAUTHORIZED, "authentication_required", problem);
    let authorization = call.incoming.authorization().map_err(invalid_request)?;
    let name = match authorization {
        Some((scheme, name)) if scheme.eq_ignore_ascii_case("bearer") => name,
        _ => return Err(unauthorized("The resource's identifier as a bearer token is missing")),
    };
    let seed =
        common::resource(state, call, name).ok_or_else(|| unauthorized("The resource is not registered"))?;
    let thumbprint = seed.keys.all().first().map(|key| key.thumbprint.clone());
    let body = Body::read(call)?;
    if body.required("resource_identifier")? != name {
        return Err(invalid_request("resource_identifier is another than the bearer token"));
    }
    let audience = body.required("audience")?.to_owned();
    let lifetime = match body.0.get("lifetime") {
        None => LIFETIME,
        Some(value) => {
            let seconds = value.as_u64().filter(|seconds| (1..=LONGEST.as_secs()).contains(seconds));
            seconds.ok_or_else(|| invalid_request("lifetime is not between one second and one hour"))?
        }
    };
    let claims = json!({
        "iss": name, "aud": audience, "iat": call.now.unix(), "exp": in_seconds(call.now, lifetime).unix(),
        "jti": state.ids.next("jti_"), "cnf": thumbprint.map_or(Value::Null, |jkt| json!({"jkt": jkt})),
    });
    Ok(given(&sign(call, "resource+jwt", &claims)?, lifetime))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[Service::of(routes::aauth::RESOURCE_TOKEN, "POST", token)];
