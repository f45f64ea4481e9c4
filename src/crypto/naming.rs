//! Names that only the holder of a key can give: HMAC-SHA-256.

use ring::hmac;

/// A key of HMAC-SHA-256 (RFC 2104).
pub(crate) struct Naming(hmac::Key);

impl Naming {
    /// From a secret of any length.
    pub(crate) fn new(secret: &[u8]) -> Self {
        Naming(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The code of the parts, one behind the other.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_the_published_tag() {
        // RFC 4231 test case 1.
        let tag = Naming::new(&[0x0b; 20]).of(&[b"Hi ", b"There"]);
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }
}
