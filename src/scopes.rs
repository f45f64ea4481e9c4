//! Scopes: a set of words that a token is good for (RFC 6749 section 3.3).

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::error::InputError;

/// Up to this many are compared one by one.
const FEW: usize = 16;
/// The most scopes that a stranger can make an agent ask for, and the longest text of them, in bytes.
const MOST_OF_A_STRANGER: usize = 100;
const LONGEST_OF_A_STRANGER: usize = 4 * 1024;

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
        if !self.iter().all(is_word) {
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

    /// True if each of them is among the others; linear, however many there are.
    pub(crate) fn are_within(&self, others: &Scopes) -> bool {
        if others.len() <= FEW {
            return self.iter().all(|scope| others.contains(scope));
        }
        let others: HashSet<&str> = others.iter().collect();
        self.iter().all(|scope| others.contains(scope))
    }

    /// Those that are not among the others.
    pub(crate) fn without(&self, others: &Scopes) -> Self {
        let others: HashSet<&str> = others.iter().collect();
        Scopes::collect(self.iter().filter(|scope| !others.contains(scope)))
    }

    /// Those that can be sent at all, if they are few enough to be sent on though a stranger named them; else none.
    pub(crate) fn if_modest(self) -> Self {
        match self.are_modest(1) {
            false => Scopes::none(),
            true if self.iter().all(is_word) => self,
            true => Scopes::collect(self.iter().filter(|scope| is_word(scope))),
        }
    }

    /// True if they are no more, and no longer, than so many strangers may name.
    pub(crate) fn are_modest(&self, strangers: usize) -> bool {
        let bytes = self.iter().fold(self.len(), |sum, scope| sum.saturating_add(scope.len()));
        self.len() <= MOST_OF_A_STRANGER.saturating_mul(strangers)
            && bytes <= LONGEST_OF_A_STRANGER.saturating_mul(strangers)
    }

    fn collect<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        let items: Vec<S> = items.into_iter().collect();
        let words = items.iter().flat_map(|item| item.as_ref().split(' ')).filter(|word| !word.is_empty());
        let mut scopes: Vec<&str> = words.collect();
        // Few are looked through, more are hashed: a stranger may name tens of thousands.
        if scopes.len() <= FEW {
            let mut kept: Vec<&str> = Vec::with_capacity(scopes.len());
            for word in scopes {
                if !kept.contains(&word) {
                    kept.push(word);
                }
            }
            scopes = kept;
        } else {
            let mut seen = HashSet::with_capacity(scopes.len());
            scopes.retain(|word| seen.insert(*word));
        }
        Scopes((!scopes.is_empty()).then(|| scopes.into_iter().map(str::to_owned).collect()))
    }

    fn words(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// True for a text that can be sent as one scope (RFC 6749 appendix A.4).
fn is_word(scope: &str) -> bool {
    scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
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

    #[test]
    fn many_are_told_apart_as_few_are_and_in_order() {
        for count in [FEW, FEW + 1, 1_000] {
            let words: Vec<String> = (0..count).map(|at| format!("s{}", at % (count - 1))).collect();
            let scopes = Scopes::from(&words);
            assert_eq!(scopes.len(), count - 1);
            assert_eq!(scopes, Scopes::from(words.join(" ")));
            assert_eq!(scopes.iter().next(), Some("s0"));
            assert!(scopes.are_within(&scopes) && !scopes.are_within(&Scopes::from("s0")));
            assert!(Scopes::from("s1").are_within(&scopes) && !Scopes::from("x").are_within(&scopes));
            assert_eq!(scopes.without(&Scopes::from(&words[1..count - 1])), Scopes::from("s0"));
        }
    }

    #[test]
    fn what_a_stranger_names_is_sent_on_within_bounds_only() {
        let words = |count: usize| Scopes::from((0..count).map(|at| format!("s{at}")).collect::<Vec<_>>());
        assert_eq!(words(MOST_OF_A_STRANGER).if_modest().len(), MOST_OF_A_STRANGER);
        assert!(words(MOST_OF_A_STRANGER + 1).if_modest().is_empty());
        assert!(Scopes::from("x".repeat(LONGEST_OF_A_STRANGER)).if_modest().is_empty());
        assert!(!Scopes::from("x".repeat(LONGEST_OF_A_STRANGER - 1)).if_modest().is_empty());
        assert_eq!(Scopes::from("a é b\\ c\"d e\tf g").if_modest(), Scopes::from("a g"));
    }
}
