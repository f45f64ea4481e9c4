//! The names of records: a shelf, and segments that are one printable text.

use std::fmt;
use std::sync::Arc;

/// What kind of record it is. A store keeps each kind apart: the same key on two shelves names two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Shelf {
    /// Users' sessions. None may be lost: with it goes a user's consent.
    Sessions,
    /// Tokens that can be had again. A store that is full may drop those it has kept the longest.
    Tokens,
    /// What was used once and must not be used again. None may be lost before its time.
    Nonces,
    /// Decisions of people, and requests that wait for one. None may be lost before its time.
    Approvals,
}

impl Shelf {
    /// Every shelf there is.
    pub const ALL: [Shelf; 4] = [Shelf::Sessions, Shelf::Tokens, Shelf::Nonces, Shelf::Approvals];

    /// Its name, for a table's column or a folder: `sessions`, `tokens`, `nonces`, `approvals`.
    pub const fn name(self) -> &'static str {
        match self {
            Shelf::Sessions => "sessions",
            Shelf::Tokens => "tokens",
            Shelf::Nonces => "nonces",
            Shelf::Approvals => "approvals",
        }
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of one record: its shelf, and a text that is made of segments.
///
/// The text is printable ASCII without blanks, whatever the segments are: every other byte, `/` and `%` stand there as `%`
/// and two hexadecimal digits, and `/` is between segments. Compare it byte by byte: `a` and `A` are two keys. It is as
/// long as its segments, up to three times as long where they are not ASCII.
///
/// ```
/// use lumoauth::store::{Shelf, StoreKey};
///
/// let key = StoreKey::new(Shelf::Sessions, ["acme", "j\u{fc}rgen/laptop"]);
/// assert_eq!(key.as_str(), "acme/j%C3%BCrgen%2Flaptop");
/// assert_eq!(key.segments(), ["acme", "j\u{fc}rgen/laptop"]);
/// assert_eq!(format!("{key:?}"), "StoreKey(sessions)"); // users have names, and logs have readers
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey {
    shelf: Shelf,
    text: Arc<str>,
}

impl StoreKey {
    /// The record of these segments on this shelf.
    pub fn new<S: AsRef<str>>(shelf: Shelf, segments: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        for (at, segment) in segments.into_iter().enumerate() {
            if at > 0 {
                text.push('/');
            }
            escape(segment.as_ref(), &mut text);
        }
        StoreKey { shelf, text: text.into() }
    }

    /// The key of a text that [`StoreKey::as_str`] gave: for a store that lists what it has.
    pub fn from_text(shelf: Shelf, text: impl Into<Arc<str>>) -> Self {
        StoreKey { shelf, text: text.into() }
    }

    /// Its shelf.
    pub fn shelf(&self) -> Shelf {
        self.shelf
    }

    /// Its text, one for each list of segments.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it was made of.
    pub fn segments(&self) -> Vec<String> {
        self.text.split('/').map(unescape).collect()
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({})", self.shelf)
    }
}

/// The first segments of some keys on a shelf. A key that has no more than these segments is not among them.
///
/// ```
/// use lumoauth::store::{Prefix, Shelf, StoreKey};
///
/// let all = Prefix::new(Shelf::Sessions, ["acme"]);
/// assert_eq!(all.as_str(), "acme/");
/// assert!(all.is_of(&StoreKey::new(Shelf::Sessions, ["acme", "session-1"])));
/// assert!(!all.is_of(&StoreKey::new(Shelf::Sessions, ["acme2", "session-1"])));
/// assert_eq!(Prefix::all(Shelf::Sessions).as_str(), "");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    shelf: Shelf,
    text: Arc<str>,
}

impl Prefix {
    /// The keys that begin with these segments.
    pub fn new<S: AsRef<str>>(shelf: Shelf, segments: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        for segment in segments {
            escape(segment.as_ref(), &mut text);
            text.push('/');
        }
        Prefix { shelf, text: text.into() }
    }

    /// All keys of the shelf.
    pub fn all(shelf: Shelf) -> Self {
        Prefix { shelf, text: "".into() }
    }

    /// The shelf.
    pub fn shelf(&self) -> Shelf {
        self.shelf
    }

    /// The text that the keys' texts begin with: empty, or whole segments with a `/` behind each.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments.
    pub fn segments(&self) -> Vec<String> {
        self.text.split_terminator('/').map(unescape).collect()
    }

    /// True if the key begins so.
    pub fn is_of(&self, key: &StoreKey) -> bool {
        self.shelf == key.shelf && key.text.starts_with(&*self.text)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", self.shelf)
    }
}

fn escape(segment: &str, text: &mut String) {
    for byte in segment.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'/' | b'%') {
            text.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default().to_ascii_uppercase();
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The segment of a text. A text that was not made here is taken as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let mut digit = || char::from(ahead.next().unwrap_or_default()).to_digit(16);
        match (byte == b'%').then(|| digit().zip(digit())).flatten() {
            Some((high, low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_segments_have_a_key_of_their_own_and_come_back() {
        let segments = ["", "a", "A", "a/b", "a%2Fb", "%", "%2", "%zz", "a b", "\u{e9}", "\0\n", "\u{1f980}"];
        let mut texts = std::collections::HashSet::new();
        for first in segments {
            for second in segments {
                let key = StoreKey::new(Shelf::Tokens, [first, second]);
                assert_eq!(key.segments(), [first, second]);
                assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{}", key.as_str());
                assert_eq!(StoreKey::from_text(Shelf::Tokens, key.as_str()), key);
                assert!(texts.insert(key.as_str().to_owned()), "{}", key.as_str());
                let prefix = Prefix::new(Shelf::Tokens, [first]);
                assert_eq!((prefix.segments(), prefix.is_of(&key)), (vec![first.to_owned()], true));
                assert!(!Prefix::new(Shelf::Sessions, [first]).is_of(&key));
                assert!(!Prefix::new(Shelf::Tokens, [first, second]).is_of(&key));
            }
        }
    }

    #[test]
    fn a_text_from_elsewhere_is_taken_as_it_is() {
        for text in ["%FF", "%", "%4", "a%G0", "a b"] {
            assert_eq!(StoreKey::from_text(Shelf::Nonces, text).segments(), [text]);
        }
        assert_eq!(Prefix::all(Shelf::Nonces).segments(), [] as [&str; 0]);
    }
}
