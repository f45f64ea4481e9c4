//! An answer that breaks the protocol.

use std::sync::Arc;

use super::redactor::Redactor;
use super::text::inert;

/// The answer of an operation that cannot be read. It is never taken for success.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {fault} (HTTP {status})")]
pub struct ProtocolError {
    operation: &'static str,
    status: u16,
    fault: Arc<ProtocolFault>,
}

/// What is wrong with the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The body is not JSON. An HTML page here is mostly a proxy's, or a wrong base URL.
    #[error("the answer is not JSON but {found}")]
    NotJson {
        /// What it looks like.
        found: &'static str,
    },
    /// The JSON is broken off, nested too deeply, or has an invalid number or text.
    #[error("the answer is broken JSON at line {line}, column {column}")]
    BrokenJson {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// An object has the same key twice; which one counts is anybody's guess.
    #[error("the answer has the key \"{}\" twice", inert(.key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A field that must be there is not.
    #[error("the answer has no {field}")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// A field has another type or an impossible value.
    #[error("{field} in the answer is {found}, not {expected}")]
    Mistyped {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is: a JSON type, never the value.
        found: &'static str,
    },
    /// The answer is about another action than the one asked about.
    #[error("the answer is about another action than the one asked about")]
    OtherAction,
    /// The answer comes from a cache, so it is about an earlier question.
    #[error("the answer comes from a cache")]
    Cached,
    /// A redirect. None is ever followed: a credential must not travel to where an answer points.
    #[error("the service redirects, and redirects are not followed")]
    Redirect,
    /// A success status that this operation does not have.
    #[error("the status is not one this operation succeeds with")]
    UnexpectedStatus,
    /// The token that was issued is over already, or its type cannot be used here.
    #[error("the token issued cannot be used: {problem}")]
    UnusableToken {
        /// Why.
        problem: &'static str,
    },
    /// More scopes were granted than asked for.
    #[error("the service granted more than was asked for")]
    WiderScope,
    /// A resource takes tokens of other authorization servers than the configured one. The agent's credentials stay here.
    #[error("the resource takes tokens of another authorization server ({}), and the agent's credentials belong to the configured one only", inert(.origin))]
    ForeignAuthorizationServer {
        /// The origin of the first one that it names; "none" if that is no URL.
        origin: String,
    },
    /// The JSON does not fit the type that it was read into.
    #[error("the JSON does not fit: at `{}` there is {found}{}", inert(.path), because(.expected))]
    Misfit {
        /// Where: members and places in lists, `items[3].price`; `.` is the whole.
        path: String,
        /// What is there: a JSON type, never the value.
        found: &'static str,
        /// What the type wants there, in its own words, where it says so.
        expected: Option<String>,
    },
    /// Something else, found by an operation of your own.
    #[error("{0}")]
    Other(&'static str),
}

impl ProtocolError {
    /// For operations of your own as well.
    pub fn new(operation: &'static str, status: u16, fault: ProtocolFault) -> Self {
        ProtocolError { operation, status, fault: Arc::new(fault) }
    }

    /// The operation whose answer this is.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &ProtocolFault {
        &self.fault
    }

    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        let cleaned = match self.fault.as_ref() {
            ProtocolFault::DuplicateKey { key } => ProtocolFault::DuplicateKey { key: redactor.clean(key) },
            ProtocolFault::Misfit { path, found, expected } => {
                ProtocolFault::Misfit { path: redactor.clean(path), found, expected: expected.clone() }
            }
            _ => return self,
        };
        self.fault = Arc::new(cleaned);
        self
    }
}

fn because(expected: &Option<String>) -> String {
    expected.as_deref().map(|expected| format!(", {}", inert(expected))).unwrap_or_default()
}
