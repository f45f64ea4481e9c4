//! Arguments that cannot be sent.

/// An argument that cannot be sent. Each says which one and why; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{argument} {problem}")]
pub struct InputError {
    argument: &'static str,
    problem: &'static str,
}

impl InputError {
    /// For operations of your own: `argument` is the name the caller knows, `problem` continues the sentence.
    pub const fn new(argument: &'static str, problem: &'static str) -> Self {
        InputError { argument, problem }
    }

    /// The name of the argument.
    pub fn argument(&self) -> &'static str {
        self.argument
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}
