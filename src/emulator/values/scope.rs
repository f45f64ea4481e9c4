//! The words of a `scope` (RFC 6749 section 3.3).

use std::collections::HashSet;

use super::answer::Answer;
use super::incoming::Parameters;

/// `scope`, if it is there.
pub(crate) fn scope(parameters: &Parameters) -> Result<Option<Vec<String>>, Answer> {
    let malformed = || Answer::bad_oauth("invalid_scope", "The scope is malformed");
    parameters.get("scope").map(|asked| read_scope(asked).ok_or_else(malformed)).transpose()
}

/// `invalid_scope`, with the first scope that is not allowed. None if all are.
pub(crate) fn refused<'s>(
    asked: impl IntoIterator<Item = &'s String>,
    is_allowed: impl Fn(&str) -> bool,
    problem: &str,
) -> Option<Answer> {
    let refused = asked.into_iter().find(|scope| !is_allowed(scope))?;
    Some(Answer::bad_oauth("invalid_scope", &format!("The scope {refused} {problem}")))
}

/// The longest `scope` that is read. What a header can carry is shorter.
const LONGEST: usize = 8 * 1024;

/// The words of a `scope` (RFC 6749 section 3.3), each once. None if it is malformed or too long.
pub(crate) fn read_scope(text: &str) -> Option<Vec<String>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut seen = HashSet::new();
    let mut scopes = Vec::new();
    for word in text.split(' ') {
        if !is_scope(word) {
            return None;
        }
        if seen.insert(word) {
            scopes.push(word.to_owned());
        }
    }
    Some(scopes)
}

/// One word of a scope.
pub(crate) fn is_scope(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_with_one_blank_between() {
        assert_eq!(read_scope("a b a").unwrap(), ["a", "b"]);
        for bad in ["", " ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "ä"] {
            assert_eq!(read_scope(bad), None, "{bad:?}");
        }
        let words = |count: usize| vec!["a"; count].join(" ");
        assert_eq!(read_scope(&words(LONGEST / 2)).unwrap(), ["a"]);
        assert_eq!(read_scope(&words(LONGEST / 2 + 1)), None);
    }
}
