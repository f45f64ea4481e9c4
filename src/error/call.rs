//! Why the call of a tool has no hash that a decision could be bound to.

use super::text::inert;

/// Why the call of a tool cannot be bound to a decision: two programs might not agree on what it says. Nobody was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The tool has no name, or one that is longer than 128 characters or has a character that is not shown.
    #[error("the tool's name {0}")]
    BadTool(&'static str),
    /// The arguments are not one JSON text (RFC 8259).
    #[error("the arguments are no JSON: {0}")]
    NotJson(String),
    /// A member stands twice in one object: programs differ in which one counts.
    #[error("the arguments have the member \"{}\" twice: leave one of them out", inert(.member))]
    Twice {
        /// The member's name.
        member: String,
    },
    /// A number that a double does not hold exactly: programs differ in what they make of it.
    #[error("the arguments have a number that a double does not hold exactly, {}: write it as a text", inert(.number))]
    Inexact {
        /// The number as it was written, its beginning if it is long.
        number: String,
    },
    /// Objects and lists in each other, more than 32 deep.
    #[error("the arguments are nested more than 32 deep")]
    TooDeep,
    /// More than 64 KiB.
    #[error("the arguments are longer than 64 KiB: name what is long by its hash, and bind that")]
    TooLong,
}
