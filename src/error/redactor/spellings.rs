//! The spellings in which requests carry a secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Hands over every spelling in which requests carry a secret.
pub(super) fn spellings(secret: &Secret, each: &mut dyn FnMut(&str)) {
    let raw = secret.expose();
    let percent = Zeroizing::new(form_urlencoded::byte_serialize(raw.as_bytes()).collect::<String>());
    let mut hex = Zeroizing::new(crate::time::hex(raw.as_bytes()));
    each(raw);
    each(&Zeroizing::new(small_escapes(&percent)));
    each(&percent);
    each(&hex);
    hex.make_ascii_uppercase();
    each(&hex);
    // base64 of a text inside a longer one starts at one of three offsets.
    for by in 0..3_usize {
        let mut bytes = Zeroizing::new(vec![b'x'; by]);
        bytes.extend_from_slice(raw.as_bytes());
        let skip = if by == 0 { 0 } else { by.saturating_add(1) };
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let encoded = Zeroizing::new(encoded);
            each(encoded.get(skip..).unwrap_or_default());
        }
    }
    each(&Zeroizing::new(STANDARD.encode(raw)));
}

/// A percent-encoded text with the digits of its escapes in small letters, as some write them.
fn small_escapes(percent: &str) -> String {
    let mut since = usize::MAX;
    percent
        .chars()
        .map(|character| {
            since = if character == '%' { 0 } else { since.saturating_add(1) };
            if since <= 2 { character.to_ascii_lowercase() } else { character }
        })
        .collect()
}
