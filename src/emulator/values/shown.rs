//! Texts of others as people see them: cut, and without characters that act on what shows them.

use std::io;

use serde::Serialize;

/// At most so many characters of a text, with `…` for what is left out. What moves a cursor or turns the direction of a
/// line shows as `\u{fffd}`.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut letters = text.chars();
    let mut out: String = letters.by_ref().take(most).map(visible).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    out
}

fn visible(letter: char) -> char {
    let acts = letter.is_control()
        || matches!(
            letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if acts { '\u{fffd}' } else { letter }
}

/// A value as JSON, of which no more is written than is shown.
pub(crate) fn shown_json(value: &impl Serialize, most: usize) -> String {
    let mut start = Start { bytes: Vec::new(), most: most.saturating_mul(4) };
    // It is an error when there is more than fits, which is what the mark for it says.
    let whole = serde_json::to_writer(&mut start, value).is_ok();
    let text = String::from_utf8_lossy(&start.bytes);
    let mut out = shown(&text, most);
    if !whole && !out.ends_with('…') {
        out.push('…');
    }
    out
}

/// The first bytes of what is written.
struct Start {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let fits = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(fits);
        Ok(fits.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_shown_than_was_asked_for_and_nothing_acts() {
        assert_eq!(shown("short", 5), "short");
        assert_eq!(shown("longer", 5), "longe…");
        assert_eq!(shown("a\u{1b}[31m\u{202e}b\n", 20), "a\u{fffd}[31m\u{fffd}b\u{fffd}");
        let value = serde_json::json!({"a": "ä".repeat(60_000)});
        assert_eq!(shown_json(&value, 10).chars().count(), 11);
        assert_eq!(shown_json(&serde_json::json!({"a": 1}), 10), "{\"a\":1}");
        // What is invisible hides nothing between letters, in a value or in a name.
        for letter in ['\0', '\u{ad}', '\u{202e}', '\u{2066}', '\u{206a}', '\u{fffa}', '\u{e0041}'] {
            assert_eq!(shown(&format!("a{letter}b"), 5), "a\u{fffd}b", "{letter:?}");
        }
    }
}
