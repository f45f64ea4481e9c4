//! How a command ends: its answer, and the exit code that scripts branch on.

use std::fmt;

use lumoauth::Error;
use lumoauth::error::{ConsentError, PermissionError};
use lumoauth::verify::VerifyError;

/// All went well.
pub const OK: u8 = 0;
/// Anything that has no code of its own.
pub const FAILED: u8 = 1;
/// The arguments or the settings are wrong.
pub const USAGE: u8 = 2;
/// The service said no.
pub const DENIED: u8 = 3;
/// Not authenticated, or not any more.
pub const UNAUTHENTICATED: u8 = 4;
/// A person has to decide first.
pub const PENDING: u8 = 5;
/// It may work later without any change (EX_TEMPFAIL of sysexits.h).
pub const TEMPORARY: u8 = 75;

/// A command's answer for standard output, and the exit code.
pub struct Ended {
    pub answer: Vec<u8>,
    pub code: u8,
}

impl Ended {
    /// The answer as one line, and success.
    pub fn line(text: impl fmt::Display) -> Self {
        Ended { answer: format!("{text}\n").into_bytes(), code: OK }
    }

    /// The same answer with another code.
    pub fn with(self, code: u8) -> Self {
        Ended { code, ..self }
    }
}

/// Why a command has no answer.
pub enum Failure {
    /// The library's error.
    Library(Error),
    /// A token that is not accepted.
    Token { code: u8, error: VerifyError },
    /// Wrong arguments that only a look at the world could find.
    Usage(String),
    /// This machine would not: a port in use, a disk that is full.
    Local(String),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Token { code, .. } => *code,
            Failure::Local(_) => FAILED,
            Failure::Library(error) if error.is_usage() => USAGE,
            Failure::Library(Error::Permission(PermissionError::Pending { .. })) => PENDING,
            Failure::Library(Error::Consent(ConsentError::Needed)) => UNAUTHENTICATED,
            Failure::Library(Error::Consent(ConsentError::Refused { .. })) => DENIED,
            Failure::Library(error) if error.is_unauthorized() => UNAUTHENTICATED,
            Failure::Library(error) if error.is_forbidden() => DENIED,
            Failure::Library(error) if error.is_temporary() => TEMPORARY,
            Failure::Library(_) => FAILED,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Library(error)
    }
}

impl From<lumoauth::error::ConfigError> for Failure {
    fn from(error: lumoauth::error::ConfigError) -> Self {
        Failure::Library(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(problem) | Failure::Local(problem) => write!(f, "error: {problem}"),
            Failure::Token { error, .. } => write!(f, "error: {error:?}"),
            Failure::Library(error) => write!(f, "error: {error:?}"),
        }
    }
}
