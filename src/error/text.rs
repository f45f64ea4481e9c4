//! Makes text that others wrote safe to show: nothing in it acts on a terminal, and no known secret is in it.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

/// The longest text of the service that is shown, in characters.
const SHOWN: usize = 256;
/// The shortest piece of a secret that is looked for.
const PIECE: usize = 12;
const MARK: &str = "[redacted]";

/// Control, bidirectional and invisible characters escaped, cut to 256 characters.
pub(crate) fn inert(text: &str) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        if acts_on_text(character) { out.extend(character.escape_unicode()) } else { out.push(character) }
    }
    out
}

/// True for characters that change how the text around them is shown instead of being shown themselves: control characters,
/// overrides of the direction of writing, and invisible ones. Escape them before you show what others wrote.
///
/// ```
/// use lumoauth::error::acts_on_text;
///
/// let written = "pay \u{202e}ecila\u{202c}\u{1b}[2J";
/// let shown: String = written
///     .chars()
///     .flat_map(|own| if acts_on_text(own) { own.escape_unicode().collect() } else { vec![own] })
///     .collect();
/// assert_eq!(shown, "pay \\u{202e}ecila\\u{202c}\\u{1b}[2J");
/// ```
pub fn acts_on_text(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts the secrets of one exchange out of what came back: a service, or a proxy before it, may echo the request.
pub(crate) struct Redactor {
    pieces: HashSet<Vec<u8>>,
    short: Vec<Vec<u8>>,
}

impl Redactor {
    /// Looks for the secrets as they are, and in the encodings in which requests carry them.
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let mut redactor = Redactor { pieces: HashSet::new(), short: Vec::new() };
        for secret in secrets {
            let raw = secret.expose();
            let percent: String = form_urlencoded::byte_serialize(raw.as_bytes()).collect();
            let hex = crate::time::hex(raw.as_bytes());
            redactor.look_for(raw);
            redactor.look_for(&small_escapes(&percent));
            redactor.look_for(&percent);
            redactor.look_for(&hex.to_ascii_uppercase());
            redactor.look_for(&hex);
            // base64 of a text inside a longer one starts at one of three offsets.
            for by in 0..3_usize {
                let mut bytes = Zeroizing::new(vec![b'x'; by]);
                bytes.extend_from_slice(raw.as_bytes());
                let skip = if by == 0 { 0 } else { by.saturating_add(1) };
                for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
                    redactor.look_for(encoded.get(skip..).unwrap_or_default());
                }
            }
            redactor.look_for(&STANDARD.encode(raw));
        }
        redactor
    }

    /// Looks for the text and for its reverse.
    fn look_for(&mut self, text: &str) {
        self.look_for_bytes(text.as_bytes());
        let reversed: String = text.chars().rev().collect();
        self.look_for_bytes(reversed.as_bytes());
    }

    fn look_for_bytes(&mut self, bytes: &[u8]) {
        if bytes.len() >= PIECE {
            self.pieces.extend(bytes.windows(PIECE).map(<[u8]>::to_vec));
        } else if bytes.len() >= 4 {
            self.short.push(bytes.to_vec());
        }
    }

    /// The text with every piece of a secret replaced by a mark.
    pub(crate) fn clean(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut hidden = vec![false; bytes.len()];
        let mut hide = |from: usize, length: usize| {
            for flag in hidden.iter_mut().skip(from).take(length) {
                *flag = true;
            }
        };
        for (at, window) in bytes.windows(PIECE).enumerate() {
            if self.pieces.contains(window) {
                hide(at, PIECE);
            }
        }
        for short in &self.short {
            for (at, window) in bytes.windows(short.len()).enumerate() {
                if window == short.as_slice() {
                    hide(at, short.len());
                }
            }
        }
        let mut out = String::new();
        let mut inside = false;
        for (at, character) in text.char_indices() {
            let hide = hidden.get(at).copied().unwrap_or(false);
            if hide && !inside {
                out.push_str(MARK);
            } else if !hide {
                out.push(character);
            }
            inside = hide;
        }
        out
    }

    /// The same for every text inside a JSON value, keys too.
    pub(crate) fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(&text)),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.clean_value(item)).collect())
            }
            Value::Object(map) => Value::Object(
                map.into_iter().map(|(key, value)| (self.clean(&key), self.clean_value(value))).collect(),
            ),
            other => other,
        }
    }
}

impl Drop for Redactor {
    /// The pieces are secrets themselves.
    fn drop(&mut self) {
        self.pieces.drain().for_each(|mut piece| piece.zeroize());
        self.short.iter_mut().for_each(Zeroize::zeroize);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        let shown = inert("a\x1b[31m\r\n\0\u{202e}b");
        assert_eq!(shown, "a\\u{1b}[31m\\u{d}\\u{a}\\u{0}\\u{202e}b");
        assert_eq!(inert(&"x".repeat(1_000_000)).chars().count(), 257);
    }

    #[test]
    fn a_secret_is_found_in_every_coat() {
        let secret = "S3cret/with+odd=chars&more";
        let redactor = Redactor::new(&[Secret::new(secret)]);
        let reversed: String = secret.chars().rev().collect();
        for coat in [
            secret.to_owned(),
            reversed,
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            crate::time::hex(secret.as_bytes()),
            crate::time::hex(secret.as_bytes()).to_ascii_uppercase(),
            "S3cret%2fwith%2bodd%3dchars%26more".to_owned(),
            STANDARD.encode(secret).chars().rev().collect(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            STANDARD.encode(format!("a:{secret}")),
            STANDARD.encode(format!("ab:{secret}")),
            STANDARD.encode(format!("abc:{secret}")),
        ] {
            let cleaned = redactor.clean(&format!("before {coat} after"));
            assert!(cleaned.starts_with("before "), "{cleaned}");
            assert!(cleaned.ends_with("after"), "{cleaned}");
            assert!(cleaned.contains(MARK), "{coat} was not found");
            for window in coat.as_bytes().windows(PIECE) {
                let window = std::str::from_utf8(window).unwrap();
                assert!(!cleaned.contains(window), "{window} is still in {cleaned}");
            }
        }
    }

    #[test]
    fn short_secrets_and_other_text() {
        let redactor = Redactor::new(&[Secret::new("hunter2")]);
        assert_eq!(redactor.clean("password hunter2 is wrong"), "password [redacted] is wrong");
        assert_eq!(redactor.clean("nothing to hide – ünïcödé"), "nothing to hide – ünïcödé");
        assert_eq!(
            redactor.clean_value(serde_json::json!({"hunter2": ["hunter2", 1]})),
            serde_json::json!({"[redacted]": ["[redacted]", 1]})
        );
    }
}
