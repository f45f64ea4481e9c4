//! What the tenant says about itself: OpenID and RFC 8414 metadata, the keys of its tokens.

use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::token::GRANT_TYPES;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::STANDARD_SCOPES;
use crate::operations::routes;
use crate::route::Route;

/// The keys that access tokens are signed with (RFC 7517 section 5).
fn jwks(state: &mut State, _: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&state.keys.public().to_json()))
}

/// The metadata of RFC 8414 section 2. It names what the emulator has, and nothing else.
fn authorization_server(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&common(state, call)))
}

/// The metadata of OpenID Connect Discovery 1.0 section 3.
fn openid_configuration(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let mut body = common(state, call);
    if let Some(fields) = body.as_object_mut() {
        let url = |route: Route| format!("{}/{}", call.issuer(), route.path());
        fields.insert("userinfo_endpoint".into(), json!(url(routes::USERINFO)));
        fields.insert("end_session_endpoint".into(), json!(url(routes::LOGOUT)));
        fields.insert("prompt_values_supported".into(), json!(["none", "login", "consent", "create"]));
        fields.insert("subject_types_supported".into(), json!(["public"]));
        fields.insert("id_token_signing_alg_values_supported".into(), json!(state.keys.algorithms()));
        fields.insert("entity_profiles_supported".into(), json!(["user", "ai_agent", "workload"]));
    }
    Ok(Answer::cacheable(&body))
}

fn common(state: &State, call: &Call<'_>) -> Value {
    let issuer = call.issuer();
    let url = |route: Route| format!("{issuer}/{}", route.path());
    let with_secret = ["client_secret_basic", "client_secret_post"];
    let tenant = state.world.tenants.get(call.tenant);
    let public = tenant.is_some_and(|tenant| tenant.agents.iter().any(|agent| agent.seed.public));
    let any = with_secret.iter().chain(public.then_some(&"none")).collect::<Vec<_>>();
    json!({
        "issuer": issuer,
        "authorization_endpoint": url(routes::AUTHORIZE),
        "token_endpoint": url(routes::TOKEN),
        "jwks_uri": url(routes::JWKS),
        "pushed_authorization_request_endpoint": url(routes::PUSHED_AUTHORIZATION),
        "device_authorization_endpoint": url(routes::DEVICE_AUTHORIZATION),
        "revocation_endpoint": url(routes::REVOKE),
        "introspection_endpoint": url(routes::INTROSPECT),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANT_TYPES,
        "scopes_supported": STANDARD_SCOPES,
        "token_endpoint_auth_methods_supported": any,
        "revocation_endpoint_auth_methods_supported": any,
        "introspection_endpoint_auth_methods_supported": with_secret,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "resource_indicators_supported": true,
    })
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::document(routes::OPENID_CONFIGURATION, openid_configuration),
    Service::document(routes::AUTHORIZATION_SERVER, authorization_server),
    Service::document(routes::JWKS, jwks),
];
