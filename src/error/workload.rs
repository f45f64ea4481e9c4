//! Why a workload's token could not be had.

use std::io::ErrorKind;

/// Why the platform's token of a workload could not be had or used. No text of it repeats any part of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The file cannot be read.
    #[error("the workload token cannot be read: {0}")]
    Unreadable(ErrorKind),
    /// There is nothing in it but blanks.
    #[error("the workload token is empty")]
    Empty,
    /// It is longer than 16 KiB.
    #[error("the workload token is longer than 16 KiB: it is not a token")]
    TooLong,
    /// It has a character that no token has, a line break in its middle among them.
    #[error("the workload token has a character that no token has")]
    BadText,
    /// The driver has no source of workload tokens.
    #[error("there is no source of workload tokens: give the builder a file or a closure")]
    NoSource,
    /// What a source of your own says.
    #[error("the workload token cannot be had: {0}")]
    Source(&'static str),
}

impl WorkloadError {
    /// For sources of your own. The words are fixed, so that nothing of a token can be among them.
    pub const fn new(problem: &'static str) -> Self {
        WorkloadError::Source(problem)
    }
}
