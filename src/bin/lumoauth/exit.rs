//! How a command ends: its answer, and the exit code that scripts branch on.

use std::fmt;

use lumoauth::Error;
use lumoauth::error::{ConsentError, PermissionError, acts_on_text};
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
    /// Whatever is named in it, of files, of settings or of the service: nothing of it acts on the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self {
            Failure::Usage(problem) | Failure::Local(problem) => inert(problem),
            Failure::Token { error, .. } => inert(&format!("{error:?}")),
            Failure::Library(error) => inert(&format!("{error:?}")),
        };
        write!(f, "error: {problem}")
    }
}

/// The same lines with everything escaped that would act on a terminal.
pub fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => inert.push(character),
            _ if acts_on_text(character) => inert.extend(character.escape_unicode()),
            _ => inert.push(character),
        }
    }
    inert
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_failure_acts_on_the_terminal() {
        let odd = "\u{1b}[2J\u{7f}\u{9b}31m\u{202e}gpj\r\u{feff}\u{e0041}";
        let failures = [Failure::Usage(format!("a\n\tb {odd} é漢")), Failure::Local(odd.to_owned())];
        for failure in failures {
            let shown = failure.to_string();
            assert!(!shown.chars().any(|own| acts_on_text(own) && own != '\n' && own != '\t'), "{shown:?}");
            assert!(shown.contains("\\u{202e}gpj"), "{shown:?}");
        }
        assert_eq!(inert("a\n\tb é漢😀"), "a\n\tb é漢😀");
    }
}
