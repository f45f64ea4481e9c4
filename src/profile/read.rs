//! The headers of a signed message, read: each has one right form, and anything else is refused by name.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};

use super::base::{COMPONENTS, LABEL};
use super::nonce::is_nonce;
use super::sign::{AGENT_AUTH, CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_KEY};

/// What is wrong with a header of a signed message. It never repeats a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header} {problem}")]
pub struct HeaderFault {
    header: &'static str,
    problem: &'static str,
}

impl HeaderFault {
    const fn new(header: &'static str, problem: &'static str) -> Self {
        HeaderFault { header, problem }
    }

    /// The name of the header.
    pub fn header(&self) -> &'static str {
        self.header
    }

    /// What is wrong with it, continuing the sentence.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

/// `Signature-Input`: the components that the sender says are covered, when it was made, and the nonce.
///
/// One signature, labelled `sig1`; the parameters are exactly `created` and `nonce`, in this order and spelled in their
/// one right form, so that the last line of the base is the received text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureInput<'a> {
    parameters: &'a str,
    components: Vec<&'static str>,
    created: u64,
    nonce: &'a str,
}

impl<'a> SignatureInput<'a> {
    /// Reads the value of the header.
    ///
    /// # Errors
    /// [`HeaderFault`] for anything but the one form, a component that the profile does not know, and one given twice.
    pub fn parse(value: &'a str) -> Result<Self, HeaderFault> {
        let bad = |problem| HeaderFault::new("Signature-Input", problem);
        if value.len() > 1024 {
            return Err(bad("is longer than 1 KiB"));
        }
        let parameters = value
            .strip_prefix(LABEL)
            .and_then(|rest| rest.strip_prefix('='))
            .ok_or(bad("does not start with the one label: sig1="))?;
        let list = parameters.strip_prefix('(').ok_or(bad("has no list of components"))?;
        let (list, rest) = list.split_once(')').ok_or(bad("has a list of components without end"))?;
        let mut components = Vec::with_capacity(COMPONENTS.len());
        for quoted in list.split(' ') {
            let name = quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            let name =
                name.ok_or(bad("has a component that is not one quoted name, with single blanks between"))?;
            let known = COMPONENTS.into_iter().find(|own| *own == name);
            let known = known.ok_or(bad("covers a component that the profile does not know"))?;
            if components.contains(&known) {
                return Err(bad("covers a component twice"));
            }
            components.push(known);
        }
        let problem = "must have exactly the parameters created and nonce, in this order (an algorithm is never taken from a message)";
        let rest = rest.strip_prefix(";created=").ok_or(bad(problem))?;
        let (created, rest) = rest.split_once(';').ok_or(bad(problem))?;
        let nonce =
            rest.strip_prefix("nonce=\"").and_then(|rest| rest.strip_suffix('"')).ok_or(bad(problem))?;
        let canonical = created == "0" || !created.starts_with('0');
        if created.is_empty()
            || created.len() > 15
            || !canonical
            || !created.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(bad("has a time of creation that is not a whole number of seconds"));
        }
        let created = created.parse().map_err(|_| bad("has a time of creation that is not a number"))?;
        if !is_nonce(nonce) {
            return Err(bad("has a nonce that is not base64url of 16 to 128 characters"));
        }
        Ok(SignatureInput { parameters, components, created, nonce })
    }

    /// The covered components, in the sender's order.
    pub fn components(&self) -> &[&'static str] {
        &self.components
    }

    /// Seconds since the Unix epoch.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// The nonce.
    pub fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// The received text behind the label: the last line of the base.
    pub(super) fn parameters(&self) -> &'a str {
        self.parameters
    }
}

/// `Signature`: the bytes. Base64url without padding, as the profile sends it, or standard base64 with padding; each in its
/// one right spelling.
///
/// # Errors
/// [`HeaderFault`] for anything else, another label, and more than 1 KiB.
pub fn parse_signature(value: &str) -> Result<Vec<u8>, HeaderFault> {
    let bad = |problem| HeaderFault::new("Signature", problem);
    if value.len() > 1024 {
        return Err(bad("is longer than 1 KiB"));
    }
    let text = value
        .strip_prefix(LABEL)
        .and_then(|rest| rest.strip_prefix("=:"))
        .ok_or(bad("does not start with the one label: sig1=:"))?;
    let text = text.strip_suffix(':').ok_or(bad("does not end with a colon"))?;
    if text.is_empty() {
        return Err(bad("is empty"));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| STANDARD.decode(text))
        .map_err(|_| bad("is neither base64url without padding nor base64 with it"))
}

/// `Content-Digest`: the SHA-256 of the body in standard base64, alone.
///
/// # Errors
/// [`HeaderFault`] for anything else: another algorithm, several, another spelling.
pub fn parse_content_digest(value: &str) -> Result<[u8; 32], HeaderFault> {
    let bad = |problem| HeaderFault::new("Content-Digest", problem);
    let text = value.strip_prefix("sha-256=:").and_then(|rest| rest.strip_suffix(':'));
    let text = text.ok_or(bad("is not one digest of sha-256"))?;
    let digest = STANDARD.decode(text).map_err(|_| bad("is not base64"))?;
    digest.try_into().map_err(|_| bad("is not 32 bytes long"))
}

/// `Agent-Auth`: the agent's token.
///
/// # Errors
/// [`HeaderFault`] unless it is `agent_token=` and a token of the characters of a JWT, alone; more than 16 KiB.
pub fn parse_agent_auth(value: &str) -> Result<&str, HeaderFault> {
    let bad = |problem| HeaderFault::new("Agent-Auth", problem);
    let token = value.strip_prefix("agent_token=").ok_or(bad("does not start with agent_token="))?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if token.is_empty() || token.len() > 16 * 1024 || !token.bytes().all(fits) {
        return Err(bad("is not one JWT"));
    }
    Ok(token)
}

/// The values of the headers that matter, each given at most once and in visible ASCII.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) signature_input: &'a str,
    pub(super) signature: &'a str,
    pub(super) content_digest: &'a str,
    pub(super) content_type: &'a str,
    pub(super) signature_key: Option<&'a str>,
    pub(super) authorization: Option<&'a str>,
    pub(super) agent_auth: Option<&'a str>,
}

impl<'a> Received<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, HeaderFault> {
        let required = |name: &'static str, key: &HeaderName| {
            one(headers, name, key)?.ok_or(HeaderFault::new(name, "is missing"))
        };
        Ok(Received {
            signature_input: required("Signature-Input", &SIGNATURE_INPUT)?,
            signature: required("Signature", &SIGNATURE)?,
            content_digest: required("Content-Digest", &CONTENT_DIGEST)?,
            content_type: required("Content-Type", &CONTENT_TYPE)?,
            signature_key: one(headers, "Signature-Key", &SIGNATURE_KEY)?,
            authorization: one(headers, "Authorization", &AUTHORIZATION)?,
            agent_auth: one(headers, "Agent-Auth", &AGENT_AUTH)?,
        })
    }
}

/// All bytes are ASCII from this one on, without DEL. It looks at all of them, which is quicker than to stop at the first.
pub(super) fn all_within(bytes: &[u8], first: u8) -> bool {
    bytes.iter().fold(true, |all, byte| all & (first..=b'~').contains(byte))
}

/// The one value of a header, as it stands in the base: no second field of the name, nothing to strip or to guess.
fn one<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    key: &HeaderName,
) -> Result<Option<&'a str>, HeaderFault> {
    let mut values = headers.get_all(key).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderFault::new(name, "is given more than once"));
    }
    let bytes = value.as_bytes();
    // A present header with an empty value would read as an absent one.
    if bytes.is_empty() || bytes.starts_with(b" ") || bytes.ends_with(b" ") || !all_within(bytes, b' ') {
        return Err(HeaderFault::new(
            name,
            "is empty, has blanks at an end, or characters that are not visible ASCII",
        ));
    }
    std::str::from_utf8(bytes).map(Some).map_err(|_| HeaderFault::new(name, "is not ASCII"))
}
