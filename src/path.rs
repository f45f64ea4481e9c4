//! Pieces of paths: text of others as exactly one segment, and paths of the caller, checked.

use crate::error::InputError;

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

/// Percent-decoding until nothing changes. Only for looking, never for sending.
pub(crate) fn decode_fully(value: &str) -> String {
    let mut current = value.as_bytes().to_vec();
    // Every round shortens the text, so it ends; dots of other alphabets count as dots.
    loop {
        let mut next = Vec::with_capacity(current.len());
        let mut rest = current.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            let decoded = (*first == b'%')
                .then(|| tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()))
                .flatten()
                .and_then(|two| u8::from_str_radix(two, 16).ok());
            match decoded {
                Some(byte) => {
                    next.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
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
    String::from_utf8_lossy(&current)
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
    Ok(encode(path, |byte| byte.is_ascii_graphic() && !b"\"<>`{}|^".contains(&byte)))
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
