//! What a `contract` finds wrong with a store or a transport.

use crate::error::StoreError;

/// The rule that a store or a transport breaks, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {seen}")]
pub struct Broken {
    rule: &'static str,
    seen: String,
}

impl Broken {
    /// The rule.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// What was seen instead.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

/// A broken rule, unless this holds.
pub(crate) fn holds(rule: &'static str, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { rule, seen: seen() }) }
}

/// The answer of a store that has no reason to fail.
pub(super) fn works<T>(method: &'static str, answer: Result<T, StoreError>) -> Result<T, Broken> {
    let rule = "a store that can be reached answers";
    answer.map_err(|error| Broken { rule, seen: format!("{method}: {error}") })
}

/// What two callers do at the same time.
pub(super) enum Change {
    /// They save other bytes over the same version.
    Save,
    /// They remove the same version.
    Remove,
}
