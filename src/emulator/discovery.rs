//! What the tenant says about itself: OpenID and RFC 8414 metadata, the keys of its tokens.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Value, json};

use super::answer::Answer;
use super::engine::Call;
use crate::crypto::JwkSet;
use crate::site::Route;

/// Metadata may be kept for an hour.
fn cacheable(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body).with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"))
}

/// The keys that access tokens are signed with (RFC 7517 section 5).
pub(super) fn jwks(call: &Call<'_>) -> Answer {
    cacheable(&JwkSet::new([call.key.public_jwk().clone()]).to_json())
}

/// The metadata of RFC 8414 section 2. It names what the emulator has; the authorization endpoint, which the service's
/// documents always name, comes with the grants that need it.
pub(super) fn authorization_server(call: &Call<'_>) -> Answer {
    cacheable(&common(call))
}

/// The metadata of OpenID Connect Discovery 1.0 section 3.
pub(super) fn openid_configuration(call: &Call<'_>) -> Answer {
    let mut body = common(call);
    if let Some(fields) = body.as_object_mut() {
        let url = |route: Route| format!("{}/{}", call.issuer(), route.path());
        fields.insert("userinfo_endpoint".into(), json!(url(Route::UserInfo)));
        fields.insert("subject_types_supported".into(), json!(["public"]));
        fields.insert("id_token_signing_alg_values_supported".into(), json!([call.key.algorithm().name()]));
        fields.insert("entity_profiles_supported".into(), json!(["user", "ai_agent", "workload"]));
    }
    cacheable(&body)
}

fn common(call: &Call<'_>) -> Value {
    let issuer = call.issuer();
    let url = |path: &str| format!("{issuer}/{path}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": url("oauth/authorize"),
        "token_endpoint": url(Route::Token.path()),
        "jwks_uri": url(Route::Jwks.path()),
        "response_types_supported": ["code"],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    })
}
