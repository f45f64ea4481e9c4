//! Settings out of the environment, and an audience that the service knows by a server's id: read once, and until then everything is refused.

use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use lumoauth::service::verifier_config;
use lumoauth::verify::{VerifierConfig, VerifyError};
use lumoauth::{Secret, TokenVerifier};
use serde_json::{Value, json};

const DESCRIPTION: &str = "wellknown.oauth_protected_resource.mcp";
const RESOURCE: &str = "https://mcp.acme.test/my-mcp-server";

fn settings(emulator: &Emulator, more: &[(&str, &str)]) -> Result<VerifierConfig, lumoauth::Error> {
    let base = emulator.site().base_url();
    verifier_config(|name| match name {
        "LUMOAUTH_URL" => Some(base.clone()),
        "LUMOAUTH_TENANT" => Some(emulator.tenant().to_owned()),
        _ => more.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()),
    })
}

fn verifier(emulator: &Emulator, more: &[(&str, &str)]) -> TokenVerifier {
    TokenVerifier::build_with(settings(emulator, more).unwrap(), emulator.transport()).unwrap()
}

fn said(status: u16, document: &Value) -> FaultRule {
    FaultRule::on(DESCRIPTION).status(status).body("application/json", document.to_string())
}

#[test]
fn there_is_no_verifier_without_an_audience() {
    let emulator = Emulator::demo().unwrap();
    for more in [&[][..], &[("LUMOAUTH_RESOURCE", " "), ("LUMOAUTH_MCP_SERVER_ID", "")]] {
        let refused = settings(&emulator, more).unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("LUMOAUTH_RESOURCE"), "{refused}");
    }
    for bad in ["", "..", "a\nb"] {
        let config = settings(&emulator, &[("LUMOAUTH_MCP_SERVER_ID", bad)]);
        assert!(config.unwrap_err().is_usage(), "{bad:?}");
    }
    let empty = VerifierConfig::new(emulator.site().api_base(), "");
    assert!(TokenVerifier::build_with(empty, emulator.transport()).is_err());
    assert!(TokenVerifier::of(&emulator.agent().unwrap(), "").is_err());
    let without = verifier_config(|name| (name == "LUMOAUTH_RESOURCE").then(|| RESOURCE.to_owned()));
    assert!(without.unwrap_err().to_string().contains("LUMOAUTH_TENANT"));
}

#[test]
fn a_resource_that_is_set_is_asked_about_nowhere() {
    let emulator = Emulator::demo().unwrap();
    let both = [("LUMOAUTH_RESOURCE", RESOURCE), ("LUMOAUTH_MCP_SERVER_ID", "mcp_0001")];
    let verifier = verifier(&emulator, &both);
    let token = emulator.agent().unwrap().mcp_token("my-mcp-server").unwrap();
    verifier.verify(token.secret()).unwrap();
    assert_eq!(emulator.count(DESCRIPTION).unwrap(), 0);
    assert_eq!(
        verifier.verifier().resource_metadata_path(),
        Some("/.well-known/oauth-protected-resource/my-mcp-server")
    );
}

#[test]
fn a_servers_id_is_turned_into_its_resource_once() {
    let emulator = Emulator::demo().unwrap();
    let verifier = verifier(&emulator, &[("LUMOAUTH_MCP_SERVER_ID", "mcp_0001")]);
    let agent = emulator.agent().unwrap();
    let (token, other) = (agent.mcp_token("my-mcp-server").unwrap(), agent.access_token().unwrap());
    assert_eq!(verifier.verifier().resource_metadata(), None, "nothing is known yet");

    // Until it is had, everything is refused, and with when to come again.
    emulator.fault(FaultRule::on(DESCRIPTION).status(503).retry_after("7").always()).unwrap();
    for _ in 0..3 {
        let refused = verifier.verify(token.secret()).unwrap_err();
        assert!(matches!(refused, VerifyError::Unavailable(_)), "{refused}");
        let answer = verifier.answer(&refused);
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from_static("7"))
        );
    }
    assert_eq!(emulator.count(DESCRIPTION).unwrap(), 1, "a failure is remembered");
    for fault in [
        FaultRule::on(DESCRIPTION).status(404),
        said(200, &json!({"resource": "my-mcp-server", "authorization_servers": []})),
        said(200, &json!({"resource": ["https://a.test"]})),
        said(206, &json!({"resource": RESOURCE})),
    ] {
        emulator.clear_faults();
        emulator.advance(std::time::Duration::from_secs(600));
        emulator.fault(fault).unwrap();
        let token = agent.mcp_token("my-mcp-server").unwrap();
        assert!(matches!(verifier.verify(token.secret()), Err(VerifyError::Unavailable(_))));
    }

    emulator.clear_faults();
    emulator.advance(std::time::Duration::from_secs(600));
    let before = emulator.count(DESCRIPTION).unwrap();
    let token = agent.mcp_token("my-mcp-server").unwrap();
    for _ in 0..3 {
        assert_eq!(verifier.verify(token.secret()).unwrap().audience(), [RESOURCE]);
        assert!(matches!(verifier.verify(other.secret()), Err(VerifyError::Audience { .. })));
    }
    assert_eq!(emulator.count(DESCRIPTION).unwrap(), before + 1);
    let told = verifier.verifier().clone();
    assert_eq!(told.resource_metadata().unwrap()["resource"], RESOURCE);
    assert!(
        verifier.answer(&VerifyError::MissingToken).headers()["www-authenticate"].to_str().unwrap().contains(
            "resource_metadata=\"https://mcp.acme.test/.well-known/oauth-protected-resource/my-mcp-server\""
        )
    );

    // It is read once and for all: days later nobody asks again.
    emulator.advance(std::time::Duration::from_secs(3 * 24 * 3600));
    let token = agent.mcp_token("my-mcp-server").unwrap();
    verifier.verify(token.secret()).unwrap();
    assert_eq!(emulator.count(DESCRIPTION).unwrap(), before + 1);
}

#[test]
fn introspection_waits_for_it_too() {
    let emulator = Emulator::demo().unwrap();
    let verifier = verifier(&emulator, &[("LUMOAUTH_MCP_SERVER_ID", "mcp_0001")]);
    let agent = emulator.agent().unwrap();
    let token = agent.mcp_token("my-mcp-server").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {}", token.secret().expose()).parse().unwrap());
    assert_eq!(verifier.verify_headers_at_service(&agent, &headers).unwrap().audience(), [RESOURCE]);
    assert_eq!(emulator.count(DESCRIPTION).unwrap(), 1);
    assert!(verifier.verify_at_service(&agent, &Secret::new("unknown")).is_err());
}
