//! Whole ways: tokens of the emulator, in process and over HTTP; sign-ins; what an API answers.

use lumoauth::embed::operations::routes;
use lumoauth::embed::session::{Machine, Step};
use lumoauth::emulator::Emulator;
use lumoauth::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use lumoauth::verify::{
    IdVerifier, IdVerifierConfig, VerifiedIdToken, Verifier, VerifierConfig, VerifyError,
};
use lumoauth::{Secret, TokenVerifier};
use serde_json::{Value, json};

use super::support::*;

#[test]
fn tokens_of_the_emulator_in_process() {
    let emulator = Emulator::demo().unwrap();
    let config = VerifierConfig::new(emulator.site().api_base(), emulator.client_id());
    let verifier = TokenVerifier::build_with(config.clone(), emulator.transport()).unwrap();
    let token = emulator.agent().unwrap().authenticate(["read:documents"]).unwrap();
    for _ in 0..3 {
        let verified = verifier.verify(token.secret()).unwrap();
        assert_eq!(verified.client_id(), emulator.client_id());
        assert_eq!(verified.issuer(), emulator.site().api_base());
        assert!(verified.scopes().contains("read:documents"));
    }
    assert_eq!(emulator.count("wellknown.jwks").unwrap(), 1);
    assert_eq!(emulator.count("wellknown.openid_configuration").unwrap(), 1);

    let mut headers = HeaderMap::new();
    assert!(matches!(verifier.verify_headers(&headers), Err(VerifyError::MissingToken)));
    let value = format!("Bearer {}", token.secret().expose());
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    verifier.verify_headers(&headers).unwrap();

    let other = VerifierConfig::new(emulator.site().api_base(), "another");
    let other = TokenVerifier::build_with(other, emulator.transport()).unwrap();
    assert!(matches!(other.verify(token.secret()), Err(VerifyError::Audience { .. })));
    let stranger = Emulator::demo().unwrap().agent().unwrap().authenticate([]).unwrap();
    assert!(matches!(verifier.verify(stranger.secret()), Err(VerifyError::UnknownKey)));

    emulator.advance(std::time::Duration::from_secs(2 * 3600));
    assert!(matches!(verifier.verify(token.secret()), Err(VerifyError::Expired)));
}

#[cfg(feature = "async")]
#[test]
fn tokens_of_the_emulator_in_the_other_mount() {
    let emulator = Emulator::demo().unwrap();
    let config = VerifierConfig::new(emulator.site().api_base(), emulator.client_id());
    let verifier = lumoauth::asynchronous::TokenVerifier::build_with(config, emulator.transport()).unwrap();
    let token = emulator.agent().unwrap().authenticate([]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fn send<T: Send>(value: T) -> T {
        value
    }
    let verified = runtime.block_on(send(verifier.verify(token.secret()))).unwrap();
    assert_eq!(verified.client_id(), emulator.client_id());
    assert_eq!(emulator.count("wellknown.jwks").unwrap(), 1);
}

#[cfg(feature = "ureq")]
#[test]
fn tokens_of_the_emulator_over_http() {
    use lumoauth::{Agent, Layout, Site, verify::TrustedIssuer};
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let site = Site::new(served.url(), Layout::Tenant(emulator.tenant().to_owned())).unwrap();
    let agent = Agent::builder().base_url(served.url()).tenant(emulator.tenant());
    let agent =
        agent.client_id(emulator.client_id()).client_secret(emulator.secret().clone()).build().unwrap();
    let token = agent.authenticate([]).unwrap();
    let by_metadata = VerifierConfig::new(site.api_base(), emulator.client_id());
    let by_url = TrustedIssuer::new(site.api_base()).jwks_url(site.url(routes::JWKS));
    for config in [by_metadata, VerifierConfig::new(by_url, emulator.client_id())] {
        let verifier = TokenVerifier::new(config).unwrap();
        assert_eq!(verifier.verify(token.secret()).unwrap().client_id(), emulator.client_id());
    }
    assert_eq!(emulator.count("wellknown.jwks").unwrap(), 2);
    drop(served);
    let verifier = TokenVerifier::new(VerifierConfig::new(site.api_base(), emulator.client_id())).unwrap();
    let error = verifier.verify(token.secret()).unwrap_err();
    assert!(error.is_temporary() && error.status() == 503, "{error}");
}

fn id_token(changes: &Value) -> Secret {
    let mut payload = json!({
        "iss": ISSUER, "aud": "client", "sub": "user:alice", "iat": START, "exp": START + 600, "nonce": "n-1",
        "email": "alice@example.com",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            payload.as_object_mut().unwrap().remove(name);
        } else {
            payload[name] = value.clone();
        }
    }
    let header = json!({"alg": "ES256", "kid": p256().key_id(), "typ": "JWT"});
    Secret::new(sign_raw(p256(), &header.to_string(), &payload.to_string()))
}

fn sign_in(token: &Secret, nonce: Option<&str>) -> Result<VerifiedIdToken, VerifyError> {
    let verifier = IdVerifier::new(IdVerifierConfig::new(given(&jwks(&[p256()])), "client")).unwrap();
    match verifier.check(token, nonce.map(Secret::from).as_ref()).step(&at(START + 10), None).unwrap() {
        Step::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn id_tokens_of_a_sign_in() {
    let good = sign_in(&id_token(&json!({})), Some("n-1")).unwrap();
    assert_eq!((good.subject(), &good.claims()["email"]), ("user:alice", &json!("alice@example.com")));
    sign_in(&id_token(&json!({"azp": "client"})), Some("n-1")).unwrap();
    sign_in(&id_token(&json!({"aud": ["client", "other"], "azp": "client"})), Some("n-1")).unwrap();
    sign_in(&id_token(&json!({"nonce": null})), None).unwrap();

    let refused = |changes: Value, nonce| sign_in(&id_token(&changes), nonce).unwrap_err();
    let n = Some("n-1");
    assert!(matches!(refused(json!({}), Some("n-2")), VerifyError::Nonce));
    assert!(matches!(refused(json!({}), None), VerifyError::Nonce));
    assert!(matches!(refused(json!({"nonce": null}), n), VerifyError::Nonce));
    assert!(matches!(refused(json!({"nonce": 1}), n), VerifyError::Claim { claim: "nonce", .. }));
    assert!(matches!(refused(json!({"azp": "other"}), n), VerifyError::AuthorizedParty));
    assert!(matches!(refused(json!({"aud": ["client", "other"]}), n), VerifyError::AuthorizedParty));
    assert!(matches!(refused(json!({"aud": "other"}), n), VerifyError::Audience { .. }));
    assert!(matches!(refused(json!({"iat": null}), n), VerifyError::Claim { claim: "iat", .. }));
    assert!(matches!(refused(json!({"exp": START - 60}), n), VerifyError::Expired));
    // An access token is no ID token, and the other way round.
    let access = token(p256(), &json!({"aud": "client", "nonce": "n-1"}));
    assert!(matches!(sign_in(&access, n), Err(VerifyError::Type)));
    assert!(matches!(refusal(&verifier(), &id_token(&json!({}))), VerifyError::Type));
}

#[test]
fn what_an_api_answers_comes_from_the_same_settings() {
    let config = config()
        .realm("the \"best\" api")
        .require_scopes("mcp:use")
        .scopes_supported(["mcp:use", "mcp:admin"]);
    let verifier = Verifier::new(config).unwrap();
    let url = "https://api.test/.well-known/oauth-protected-resource/mcp";
    assert_eq!(verifier.resource_metadata_url(), Some(url));
    assert_eq!(
        verifier.resource_metadata().unwrap(),
        json!({
            "resource": AUDIENCE, "authorization_servers": [ISSUER], "bearer_methods_supported": ["header"],
            "scopes_supported": ["mcp:use", "mcp:admin"],
        })
    );
    let missing = verifier.challenge(&VerifyError::MissingToken).unwrap();
    assert_eq!(
        missing.to_string(),
        format!(r#"Bearer realm="the \"best\" api", scope="mcp:use", resource_metadata="{url}""#)
    );
    let error = refusal(&verifier, &token(p256(), &json!({"scope": "read"})));
    let challenge =
        lumoauth::challenge::Challenge::parse(&verifier.challenge(&error).unwrap().to_string()).unwrap();
    assert_eq!(challenge[0].error(), Some("insufficient_scope"));
    assert_eq!(challenge[0].scope().to_string(), "mcp:use");
    assert_eq!(challenge[0].get("realm"), Some("the \"best\" api"));
    assert_eq!(challenge[0].resource_metadata(), Some(url));

    let bare = Verifier::new(VerifierConfig::new(given(&jwks(&[p256()])), "urn:mcp:files")).unwrap();
    assert_eq!((bare.resource_metadata(), bare.resource_metadata_url()), (None, None));
    assert!(Verifier::new(VerifierConfig::new(ISSUER, "")).is_err());
    assert!(Verifier::new(VerifierConfig::new(ISSUER, "x").resource("http://evil.test")).is_err());
}
