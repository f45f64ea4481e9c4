//! Pieces of paths: text of others as exactly one segment, and paths of the caller, checked.

use crate::error::InputError;

/// The longest URL, in bytes; what is longer is none. Servers and proxies take no more in a request's head.
pub(crate) const LONGEST_URL: usize = 8 * 1024;

/// A value as exactly one path segment (RFC 3986 section 3.3): what is not unreserved is percent-encoded.
///
/// # Errors
/// [`InputError`] for values that no encoding makes safe: empty, longer than 1024 bytes, control characters, and
/// anything with a dot segment in it (`..`, `../x`, `a\..`), since servers decode before they route.
pub fn segment(argument: &'static str, value: &str) -> Result<String, InputError> {
    if value.is_empty() {
        return Err(InputError::new(argument, "is empty"));
    }
    if value.len() > 1024 {
        return Err(InputError::new(argument, "is longer than 1024 bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err(InputError::new(argument, "has a control character or line break"));
    }
    // Whatever a server decodes, and however often: no piece may become a dot segment.
    let decoded = decode_fully(value);
    if decoded.split(['/', '\\']).any(|piece| matches!(piece.trim(), "." | "..")) {
        return Err(InputError::new(argument, "contains a dot segment (\"..\")"));
    }
    Ok(encode(value, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)))
}

/// Percent-decoding until nothing changes, in one pass. Only for looking, never for sending; dots of other alphabets count
/// as dots.
pub(crate) fn decode_fully(value: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(value.len());
    for byte in value.bytes() {
        decoded.push(byte);
        // What was decoded may end an escape that began with something decoded before: it is looked at again. Escapes do
        // not overlap, so the order does not matter; each ends with the byte that came last, so none is missed.
        while let [.., b'%', high, low] = decoded.as_slice() {
            let Some((high, low)) = digit(*high).zip(digit(*low)) else { break };
            let byte = u8::try_from(high << 4 | low).unwrap_or_default();
            decoded.truncate(decoded.len().saturating_sub(3));
            decoded.push(byte);
        }
    }
    String::from_utf8_lossy(&decoded)
        .replace(['\u{2024}', '\u{ff0e}', '\u{fe52}'], ".")
        .replace('\u{2025}', "..")
}

pub(crate) fn encode(value: &str, keep: impl Fn(u8) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}

/// A path with an optional query, checked; blanks and characters beyond ASCII are percent-encoded.
pub(crate) fn path_and_query(argument: &'static str, path: &str) -> Result<String, InputError> {
    if path.is_empty() {
        return Err(InputError::new(argument, "is empty"));
    }
    if path.len() > LONGEST_URL {
        return Err(too_long(argument));
    }
    if path.starts_with("//") || path.starts_with("/\\") {
        return Err(InputError::new(argument, "starts with two slashes, which names another host"));
    }
    if path.chars().any(|character| character.is_control() || character == '\\') {
        return Err(InputError::new(argument, "has a control character, line break or backslash"));
    }
    if path.contains('#') {
        return Err(InputError::new(argument, "has a fragment (\"#\"), which is never sent"));
    }
    let bare = path.split('?').next().unwrap_or_default();
    if decode_fully(bare).split(['/', '\\']).any(|piece| matches!(piece.trim(), "." | "..")) {
        return Err(InputError::new(argument, "contains a dot segment (\"..\")"));
    }
    let encoded = encode(path, |byte| byte.is_ascii_graphic() && !b"\"<>`{}|^".contains(&byte));
    if encoded.len() > LONGEST_URL { Err(too_long(argument)) } else { Ok(encoded) }
}

pub(crate) fn too_long(argument: &'static str) -> InputError {
    InputError::new(argument, "is longer than 8 KiB, which no URL may be")
}

pub(crate) fn has_scheme(text: &str) -> bool {
    let end = text.find([':', '/', '?', '#']);
    end.is_some_and(|end| {
        let (scheme, rest) = text.split_at(end);
        rest.starts_with(':')
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && (rest.starts_with("://")
                || matches!(&*scheme.to_ascii_lowercase(), "data" | "javascript" | "file" | "http" | "https"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was once: round after round.
    fn decode_by_rounds(value: &str) -> String {
        let mut current = value.as_bytes().to_vec();
        loop {
            let mut next = Vec::new();
            let mut rest = current.as_slice();
            while let [first, tail @ ..] = rest {
                let digits = match tail {
                    [high, low, ..] if *first == b'%' => {
                        char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16))
                    }
                    _ => None,
                };
                match digits {
                    Some((high, low)) => {
                        next.push((high * 16 + low) as u8);
                        rest = &tail[2..];
                    }
                    None => {
                        next.push(*first);
                        rest = tail;
                    }
                }
            }
            if next == current {
                break;
            }
            current = next;
        }
        String::from_utf8_lossy(&current).into_owned()
    }

    #[test]
    fn decoding_in_one_pass_gives_what_decoding_by_rounds_gives() {
        let mut seed = 7_u64;
        let mut draw = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % most
        };
        let pieces =
            ["%", "2", "5", "%25", "%2", "e", "E", "3", "4", "%34", "%%35", "/", ".", "%32", "+", "1"];
        for _ in 0..20_000 {
            let text: String = (0..draw(24)).map(|_| pieces[draw(16) as usize]).collect();
            assert_eq!(decode_fully(&text), decode_by_rounds(&text), "{text}");
        }
        assert_eq!(decode_fully("%+1"), "%+1", "a sign is no digit");
    }

    #[test]
    fn escapes_in_escapes_cost_linear_work() {
        let text = format!("%{}", "25".repeat(1_000_000));
        assert_eq!(decode_fully(&text), "%");
        let text = format!("{}2e", "%".repeat(1_000_000));
        assert_eq!(decode_fully(&text).len(), 1_000_000);
    }

    #[test]
    fn what_is_longer_than_a_url_can_be_is_none() {
        assert!(path_and_query("path", &format!("/{}", "x".repeat(LONGEST_URL - 1))).is_ok());
        for long in ["x".repeat(LONGEST_URL), "é".repeat(LONGEST_URL / 3), "%25".repeat(100_000)] {
            let error = path_and_query("path", &format!("/{long}")).unwrap_err();
            assert!(error.to_string().contains("8 KiB"), "{error}");
        }
    }

    #[test]
    fn ids_are_one_segment_or_an_error() {
        for (id, expected) in [
            ("jit_1", "jit_1"),
            ("a/b", "a%2Fb"),
            ("//evil", "%2F%2Fevil"),
            ("a;b?c#d@e", "a%3Bb%3Fc%23d%40e"),
            ("a\\b", "a%5Cb"),
            ("urn:mcp:x", "urn%3Amcp%3Ax"),
            ("100%", "100%25"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(segment("id", id).unwrap(), expected);
        }
        let long = "x".repeat(10 * 1024);
        for id in [
            "",
            ".",
            "..",
            "../",
            "..%2f",
            "%2e%2e",
            "%252e%252e",
            "..\\x",
            "a/../b",
            "a\r\nb",
            "\0",
            "\u{ff0e}\u{ff0e}",
            "\u{2025}",
            "．．/x",
            &long,
        ] {
            assert!(segment("id", id).is_err(), "{id:?}");
        }
    }
}
