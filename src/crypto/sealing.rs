//! Sealing of what is kept elsewhere: AES-256-GCM, and keys by HKDF with SHA-256.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use super::{CryptoError, random_bytes};

/// A key of AES-256-GCM. Nonces are random, so it is good for 2^32 messages (NIST SP 800-38D section 8.3).
pub(crate) struct Sealing(LessSafeKey);

impl Sealing {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| CryptoError::UnsupportedKey)?;
        Ok(Sealing(LessSafeKey::new(key)))
    }

    /// The nonce, and behind it the sealed text with its tag.
    pub(crate) fn seal(&self, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let nonce = random_bytes::<NONCE_LEN>()?;
        // Room for the tag at once: a buffer that grows leaves a copy of the plain text behind.
        let length = plain.len().saturating_add(AES_256_GCM.tag_len());
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        text.extend_from_slice(plain);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut *text)
            .map_err(|_| CryptoError::Sealing)?;
        Ok([&nonce[..], &text].concat())
    }

    /// What was sealed with this key and this associated data.
    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(associated), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

/// HKDF-SHA-256 (RFC 5869): a key of 32 bytes for one purpose.
pub(crate) fn hkdf_sha256(
    secret: &[u8],
    salt: &[u8],
    purpose: &[&[u8]],
) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    let mut key = Zeroizing::new([0; 32]);
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let expanded = pseudorandom.expand(purpose, hkdf::HKDF_SHA256).and_then(|it| it.fill(&mut *key));
    expanded.map(|()| key).map_err(|_| CryptoError::Sealing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn aes_gcm_opens_the_published_case() {
        // Test case 16 of the GCM specification (McGrew and Viega), a key of 256 bits.
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let sealing = Sealing::new(key.as_slice().try_into().unwrap()).unwrap();
        let sealed = bytes(concat!(
            "cafebabefacedbaddecaf888",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let plain = bytes(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let associated = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        assert_eq!(*sealing.open(&associated, &sealed).unwrap(), plain);
    }

    #[test]
    fn hkdf_gives_the_published_key() {
        // RFC 5869 appendix A.1, the first 32 of its bytes.
        let (secret, salt) = ([0x0b; 22], bytes("000102030405060708090a0b0c"));
        let key = hkdf_sha256(&secret, &salt, &[&bytes("f0f1f2f3f4"), &bytes("f5f6f7f8f9")]).unwrap();
        assert_eq!(key.to_vec(), bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    }

    #[test]
    fn every_changed_bit_is_noticed_and_no_two_sealings_are_alike() {
        let sealing = Sealing::new(&[7; 32]).unwrap();
        let sealed = sealing.seal(b"about", b"secret").unwrap();
        assert_ne!(sealed, sealing.seal(b"about", b"secret").unwrap());
        assert_eq!(sealing.open(b"about", &sealed).unwrap().as_slice(), b"secret");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealing.open(b"about", &changed).is_none(), "bit {bit}");
        }
        assert!((0..sealed.len()).all(|length| sealing.open(b"about", &sealed[..length]).is_none()));
        assert!(sealing.open(b"abouT", &sealed).is_none());
        assert!(Sealing::new(&[8; 32]).unwrap().open(b"about", &sealed).is_none());
    }
}
