//! Attestation, cards of agents, and the tools of MCP servers that an agent may use (`docs/wire.md`, rows W).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::crypto::{Algorithm, VerifyingKey, sign_compact};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::{bearer, own_token};
use crate::emulator::services::issue::{self, Grant};
use crate::emulator::services::workload::{is_for, verified};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jwt::Jws;
use crate::operations::routes;
use crate::time::Timestamp;

/// How long the token of an attestation lives, in seconds.
const LIFETIME: u64 = 900;

fn refused(status: StatusCode, code: &str) -> Answer {
    Answer::json(status, &json!({"error": code, "message": "The workload is not attested"}))
}

/// A platform's token becomes the agent's. Why one is refused is not said.
fn attest(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let body = call.incoming.json_object().map_err(|_| refused(StatusCode::BAD_REQUEST, "invalid_json"))?;
    let text = body.get("attestation_token").and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| refused(StatusCode::BAD_REQUEST, "missing_attestation_token"))?;
    let rejected = || refused(StatusCode::UNAUTHORIZED, "attestation_rejected");
    let claims = verified(call, text).map_err(|_| rejected())?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(call.id).ok_or_else(rejected)?;
    let seed = agent.seed.workload.clone().filter(|seed| is_for(&claims, seed)).ok_or_else(rejected)?;
    call.client_id = Some(agent.seed.client_id.clone());
    let until = Timestamp::from_unix(call.now.unix().saturating_add(LIFETIME));
    let own = Grant::own(agent, agent.seed.capabilities.clone(), Vec::new(), call.now);
    let answer = issue::tokens(state, call, Grant { until: Some(until), ..own })?;
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body) else { return Ok(answer) };
    body.insert(
        "identity".into(),
        json!({
            "provider": seed.provider, "subject": seed.subject, "issuer": seed.issuer, "audience_generic": false,
        }),
    );
    Ok(Answer::ok(&Value::Object(body)))
}

/// The card of an agent, signed (A2A).
fn card(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let unknown = || Answer::plain(StatusCode::NOT_FOUND, "resource_not_found", "There is no such agent");
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(call.id).ok_or_else(unknown)?;
    let skills = agent.seed.capabilities.iter().map(|own| json!({"id": own, "name": own}));
    let mut card = json!({
        "protocolVersion": "0.3.0", "name": agent.seed.name, "url": call.issuer(),
        "description": agent.seed.description, "skills": skills.collect::<Vec<_>>(),
        "securitySchemes": {"lumoauth_oauth2": {"type": "oauth2"}},
    });
    let failed = |_| issue::server_error("The card cannot be signed");
    let signed = sign_compact(call.key, "JOSE", &card).map_err(failed)?;
    let mut parts = signed.split('.');
    let (protected, _, signature) = (parts.next(), parts.next(), parts.next());
    if let Some(card) = card.as_object_mut() {
        card.insert("signatures".into(), json!([{"protected": protected, "signature": signature}]));
    }
    Ok(Answer::ok(&card))
}

fn verify(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    bearer(state, call)?;
    let mut card = call.incoming.json_object().map_err(Answer::bad)?;
    let signatures = card.remove("signatures").unwrap_or_default();
    let first = signatures.get(0);
    let part = |name: &str| first.and_then(|own| own.get(name)).and_then(Value::as_str);
    let Some((protected, signature)) = part("protected").zip(part("signature")) else {
        return Ok(Answer::ok(&json!({"valid": false, "error": "The card has no signature"})));
    };
    let name = card.get("name").cloned().unwrap_or_default();
    let signer = signer(state, &card, protected, signature);
    Ok(Answer::ok(&match signer {
        Some((kid, alg)) => {
            json!({"valid": true, "signer": {"kid": kid, "alg": alg}, "card_summary": {"name": name}})
        }
        None => json!({"valid": false, "error": "The signature is wrong"}),
    }))
}

/// The key that signed the card, if one of the service's did.
fn signer(
    state: &State,
    card: &Map<String, Value>,
    protected: &str,
    signature: &str,
) -> Option<(String, &'static str)> {
    let payload = URL_SAFE_NO_PAD.encode(Value::Object(card.clone()).to_string());
    let compact = format!("{protected}.{payload}.{signature}");
    let parts = Jws::read(&compact)?;
    let says = |name: &str| parts.header.get(name).and_then(Value::as_str);
    let kid = says("kid")?;
    let published = state.keys.public();
    let key = published.keys().iter().find(|key| key.key_id() == kid)?;
    let algorithm = says("alg").and_then(Algorithm::named).filter(|own| *own == key.algorithm())?;
    let own = VerifyingKey::from_jwk(&key.to_json()).ok()?;
    own.verify(algorithm, parts.signed.as_bytes(), &parts.signature).ok()?;
    Some((kid.to_owned(), key.algorithm().name()))
}

/// The agent may use a tool if it has the capability `tool:<name>`.
fn mcp_authorize(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    let body = call.incoming.json_object().map_err(Answer::bad)?;
    let text = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| Answer::bad(&format!("Missing required field: {name}")))
    };
    let (server, tool) = (text("server_id")?, text("tool")?);
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    if tenant.mcp_server(&server).is_none() {
        return Err(Answer::bad("There is no such MCP server"));
    }
    let agent = tenant.agent(&token.client_id);
    let allowed = agent.is_some_and(|agent| agent.has_capability(&format!("tool:{tool}")));
    let resource = json!({"server_id": server, "tool": tool});
    let answer = json!({"allowed": allowed, "agent_id": token.client_id, "resource": resource});
    let status = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
    Ok(Answer::json(status, &answer))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::MCP_AUTHORIZE, "POST", mcp_authorize),
    Service::of(routes::AGENT_CARD_VERIFY, "POST", verify),
    Service::of(routes::ATTEST, "POST", attest),
    Service::of(routes::AGENT_CARD, "GET, HEAD", card),
];
