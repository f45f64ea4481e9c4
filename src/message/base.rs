//! The signature base: the exact bytes that are signed and verified (`docs/wire.md`, aauth-base).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The one label (RFC 9421 section 4).
pub(crate) const LABEL: &str = "sig1";
/// What a signature covers, in this order; `@query` if and only if the URL has a query.
pub(crate) const COMPONENTS: [&str; 8] = [
    "@method",
    "@authority",
    "@path",
    "@query",
    "signature-key",
    "content-digest",
    "content-type",
    "authorization",
];

/// The values of the components, as they stand in the base. A header that is absent has an empty value.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) method: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) signature_key: &'a str,
    pub(crate) content_digest: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) authorization: &'a str,
}

impl Values<'_> {
    /// The whole base: a line for each component, then the parameters; lines joined by LF, none at the end.
    pub(crate) fn base(&self, parameters: &str) -> Zeroizing<String> {
        let query = self.query.unwrap_or_default();
        let values = [
            self.method,
            self.authority,
            self.path,
            query,
            self.signature_key,
            self.content_digest,
            self.content_type,
            self.authorization,
        ];
        let length = values.iter().map(|value| value.len()).fold(160_usize, usize::saturating_add);
        let mut base = Zeroizing::new(String::with_capacity(length.saturating_add(parameters.len())));
        for (name, value) in COMPONENTS.into_iter().zip(values) {
            if name == "@query" && self.query.is_none() {
                continue;
            }
            for piece in ["\"", name, "\": ", value, "\n"] {
                base.push_str(piece);
            }
        }
        base.push_str("\"@signature-params\": ");
        base.push_str(parameters);
        base
    }
}

/// The parameters: the components covered, when, and the nonce. They are the value of `Signature-Input` and the last line
/// of the base (RFC 9421 section 2.3), and are put at the end of this text.
pub(crate) fn parameters(text: &mut String, query: bool, created: u64, nonce: &str) {
    let mut before = "(\"";
    for name in COMPONENTS {
        if name == "@query" && !query {
            continue;
        }
        for piece in [before, name, "\""] {
            text.push_str(piece);
        }
        before = " \"";
    }
    text.push_str(");created=");
    text.push_str(&created.to_string());
    for piece in [";nonce=\"", nonce, "\""] {
        text.push_str(piece);
    }
}

/// `Content-Digest` of no bytes.
pub(crate) const NO_CONTENT: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

/// `Content-Digest` of a body (RFC 9530 section 2), in SHA-256. No body has the digest of no bytes.
pub fn content_digest(body: &[u8]) -> String {
    let mut text = String::with_capacity(56);
    text.push_str("sha-256=:");
    STANDARD.encode_string(Sha256::digest(body), &mut text);
    text.push(':');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_content_has_the_digest_of_no_bytes() {
        assert_eq!(content_digest(b""), NO_CONTENT);
    }
}
