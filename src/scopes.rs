//! Scopes: a set of words that a token is good for (RFC 6749 section 3.3).

use std::fmt;
use std::sync::Arc;

use crate::error::InputError;

/// A set of scopes in the order given, each once. Empty means "what the agent is registered for".
///
/// Made from arrays, slices, vectors, or a text with blanks between: methods take `impl Into<Scopes>`. Clones share one
/// copy. (An array of `String` goes in by reference: were it taken by value, `[]` would be ambiguous.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Option<Arc<[String]>>);

impl Scopes {
    /// No scope named.
    pub const fn none() -> Self {
        Scopes(None)
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words().iter().map(String::as_str)
    }

    /// True if none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words().len()
    }

    /// True if the scope is among them. Exact equality: there are no wildcards.
    pub fn contains(&self, scope: &str) -> bool {
        self.words().iter().any(|own| own == scope)
    }

    /// The value of the `scope` parameter, or none if no scope is named.
    ///
    /// # Errors
    /// [`InputError`] if a scope has a character that RFC 6749 appendix A.4 does not allow.
    pub fn parameter(&self) -> Result<Option<String>, InputError> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if self.words().iter().any(|scope| !scope.bytes().all(allowed)) {
            return Err(InputError::new(
                "scope",
                "has a character that scopes cannot have (quotes, backslash, control characters, beyond ASCII)",
            ));
        }
        Ok((!self.is_empty()).then(|| self.to_string()))
    }

    /// The same set in sorted order: equal sets give equal values.
    pub(crate) fn sorted(&self) -> Vec<String> {
        let mut sorted = self.words().to_vec();
        sorted.sort_unstable();
        sorted
    }

    fn collect<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        let mut scopes = Vec::new();
        for item in items {
            for word in item.as_ref().split(' ').filter(|word| !word.is_empty()) {
                if !scopes.iter().any(|own| own == word) {
                    scopes.push(word.to_owned());
                }
            }
        }
        Scopes((!scopes.is_empty()).then(|| scopes.into()))
    }

    fn words(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Scopes {
    /// With one blank between, as on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl From<&str> for Scopes {
    fn from(text: &str) -> Self {
        Scopes::collect([text])
    }
}

impl From<String> for Scopes {
    fn from(text: String) -> Self {
        Scopes::collect([text])
    }
}

impl<const N: usize> From<[&str; N]> for Scopes {
    fn from(items: [&str; N]) -> Self {
        Scopes::collect(items)
    }
}

impl<S: AsRef<str>, const N: usize> From<&[S; N]> for Scopes {
    fn from(items: &[S; N]) -> Self {
        Scopes::collect(items)
    }
}

impl<S: AsRef<str>> From<&[S]> for Scopes {
    fn from(items: &[S]) -> Self {
        Scopes::collect(items)
    }
}

impl<S: AsRef<str>> From<Vec<S>> for Scopes {
    fn from(items: Vec<S>) -> Self {
        Scopes::collect(items)
    }
}

impl<S: AsRef<str>> From<&Vec<S>> for Scopes {
    fn from(items: &Vec<S>) -> Self {
        Scopes::collect(items)
    }
}

impl From<&Scopes> for Scopes {
    fn from(scopes: &Scopes) -> Self {
        scopes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_them() {
        let expected = Scopes::from(["read:users", "write:documents"]);
        assert_eq!(Scopes::from("read:users  write:documents read:users"), expected);
        assert_eq!(Scopes::from(vec!["read:users", "write:documents"]), expected);
        assert_eq!(Scopes::from(&["read:users".to_owned(), "write:documents".to_owned()][..]), expected);
        let owned = ["read:users".to_owned(), "write:documents".to_owned()];
        assert_eq!(Scopes::from(&owned), expected);
        assert_eq!(expected.parameter().unwrap().unwrap(), "read:users write:documents");
        let none: Scopes = [].into();
        assert_eq!(none.parameter().unwrap(), None);
    }

    #[test]
    fn characters_that_scopes_cannot_have() {
        for scope in ["a\"b", "a\\b", "a\nb", "é", "a\tb"] {
            assert_eq!(Scopes::from(scope).parameter().unwrap_err().argument(), "scope", "{scope:?}");
        }
    }
}
