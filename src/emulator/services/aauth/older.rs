//! The older form of signing: all of it in one header. Read under the tenant prefix only, for those who still send it; it has
//! no nonce, and its own parameters are not signed, so it can be shown again while it is fresh.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderName};

use crate::crypto::MessageAlgorithm;
use crate::emulator::call::Call;
use crate::emulator::services::aauth::common::{self, Body, invalid_signature};
use crate::emulator::services::aauth::signer::{Agent, agent_token, target};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::layout::Prefix;
use crate::profile::{AGENT_AUTH, CONTENT_DIGEST, content_digest};

/// How far `created` may be from now, in seconds.
const WINDOW: u64 = 60;

/// True if the request is signed in this form. Elsewhere than under the tenant prefix it is not read.
pub(crate) fn is_used(call: &Call<'_>) -> bool {
    call.prefix == Prefix::Tenant
        && matches!(call.incoming.only(AGENT_AUTH), Ok(Some(value)) if value.starts_with("sig1="))
}

/// The agent that signed: its agent token is in the body.
pub(crate) fn agent(state: &State, call: &Call<'_>) -> Result<Agent, Answer> {
    let value = header(call, AGENT_AUTH)?.unwrap_or_default();
    let parts =
        Parts::read(value).ok_or_else(|| invalid_signature("Agent-Auth is not in its one older form"))?;
    let body = call.incoming.body.unwrap_or_default();
    let covered = if body.is_empty() {
        "@method @target-uri"
    } else {
        "@method @target-uri content-type content-digest"
    };
    if parts.covered != covered {
        return Err(invalid_signature("The signature does not cover what it must"));
    }
    if parts.created.abs_diff(call.now.unix()) > WINDOW {
        return Err(invalid_signature("The signature is not fresh"));
    }
    let target = target(call);
    let origin = call.incoming.base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let mut base = format!("\"@method\": {}\n\"@target-uri\": {origin}{target}", call.incoming.method);
    if !body.is_empty() {
        let digest =
            header(call, CONTENT_DIGEST)?.ok_or_else(|| invalid_signature("Content-Digest is missing"))?;
        if digest != content_digest(body) {
            return Err(invalid_signature("The body is not the one that was signed: its digest differs"));
        }
        let media =
            header(call, CONTENT_TYPE)?.ok_or_else(|| invalid_signature("Content-Type is missing"))?;
        base.push_str(&format!("\n\"content-type\": {media}\n\"content-digest\": {digest}"));
    }
    let request = Body::read(call)?;
    let agent = agent_token(state, call, request.required("agent_token")?)?;
    let seed = common::agent(state, call, parts.agent).filter(|seed| seed.identifier == agent.identifier);
    let key = seed.and_then(|seed| seed.keys.find(parts.key_id));
    let key = key.filter(|key| key.thumbprint == agent.thumbprint);
    let key =
        key.ok_or_else(|| invalid_signature("keyid is not the key that the agent token is bound to"))?;
    if key.key.message_algorithm() != Some(MessageAlgorithm::Ed25519) {
        return Err(invalid_signature("The older form is for Ed25519 keys only"));
    }
    let wrong = |_| invalid_signature("The signature does not verify with the key that it must be made with");
    key.key.verify_message(base.as_bytes(), &parts.signature).map_err(wrong)?;
    Ok(agent)
}

fn header<'c>(call: &Call<'c>, name: HeaderName) -> Result<Option<&'c str>, Answer> {
    call.incoming.only(name).map_err(invalid_signature)
}

/// The header, taken apart.
struct Parts<'h> {
    signature: Vec<u8>,
    agent: &'h str,
    key_id: &'h str,
    created: u64,
    covered: &'h str,
}

impl<'h> Parts<'h> {
    /// Every parameter once, in the one order that there is.
    fn read(value: &'h str) -> Option<Self> {
        let mut pieces = value.split("; ");
        let signature = pieces.next()?.strip_prefix("sig1=:")?.strip_suffix(':')?;
        let mut next = |name: &str| pieces.next()?.strip_prefix(name)?.strip_prefix('=');
        let quoted =
            |text: &'h str| text.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('"'));
        let (label, algorithm) = (quoted(next("label")?)?, quoted(next("alg")?)?);
        let (agent, key_id) = quoted(next("keyid")?)?.rsplit_once('#')?;
        let created = next("created")?;
        let covered = quoted(next("covered")?)?;
        if pieces.next().is_some() || label != "sig1" || algorithm != "ed25519" {
            return None;
        }
        let digits = created.bytes().all(|byte| byte.is_ascii_digit()) && created.len() <= 15;
        let created = digits.then(|| created.parse().ok()).flatten()?;
        Some(Parts { signature: STANDARD.decode(signature).ok()?, agent, key_id, created, covered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_form() {
        let good = "sig1=:AAAA:; label=\"sig1\"; alg=\"ed25519\"; keyid=\"https://a.test/#k\"; created=5; covered=\"@method @target-uri\"";
        let parts = Parts::read(good).unwrap();
        assert_eq!((parts.agent, parts.key_id, parts.created), ("https://a.test/", "k", 5));
        assert_eq!((parts.signature.len(), parts.covered), (3, "@method @target-uri"));
        for (old, new) in [
            ("sig1=:", "sig2=:"),
            ("label=\"sig1\"; ", ""),
            ("ed25519", "hs256"),
            ("#k", ""),
            ("created=5", "created=+5"),
            ("created=5", "created="),
            ("; alg", ";alg"),
            ("AAAA", "AA-_"),
            ("@target-uri\"", "@target-uri\"; x=\"y\""),
            ("@target-uri\"", "@target-uri"),
        ] {
            assert!(Parts::read(&good.replace(old, new)).is_none(), "{old} -> {new}");
        }
    }
}
