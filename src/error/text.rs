//! Makes text that others wrote safe to show: nothing in it acts on a terminal.

/// The longest text of the service that is shown, in characters.
const SHOWN: usize = 256;

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

/// A reason in brackets, if there is one.
pub(super) fn because(reason: &Option<String>) -> String {
    reason.as_deref().map(|reason| format!(" ({})", inert(reason))).unwrap_or_default()
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
}
