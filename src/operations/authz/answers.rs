//! What came of many questions, in their order.

use crate::error::Error;
use crate::operation::Operation;
use crate::operations::Decision;

/// Many questions, asked in one request or in several.
pub(crate) trait InParts: Operation<Output = Answers> + Sized {
    /// How many questions there are.
    fn questions(&self) -> usize;
    /// The requests that it takes, in order.
    fn parts(self) -> Vec<Self>;
}

macro_rules! in_parts {
    ($name:ident) => {
        impl super::answers::InParts for $name {
            fn questions(&self) -> usize {
                self.len()
            }

            fn parts(self) -> Vec<Self> {
                self.split()
            }
        }
    };
}
pub(super) use in_parts;

/// What came of each question of a bulk call, in the order of the questions.
///
/// A question that was not answered is an error at its place, never an allow: so are all that were not asked any more after a
/// request failed.
#[derive(Clone, Debug)]
#[must_use = "decisions that nobody looks at allow nothing"]
pub struct Answers {
    expected: usize,
    outcomes: Vec<Result<Decision, Error>>,
}

impl Answers {
    /// For so many questions, none of them answered.
    pub fn of(expected: usize) -> Self {
        Answers { expected, outcomes: Vec::new() }
    }

    pub(crate) fn from_outcomes(outcomes: Vec<Result<Decision, Error>>) -> Self {
        Answers { expected: outcomes.len(), outcomes }
    }

    /// Adds what the next request brought, for drivers that ask in several. False if nothing more is to be asked.
    ///
    /// # Errors
    /// The request's, if it was the first: nothing is known then.
    pub fn add(&mut self, part: Result<Answers, Error>) -> Result<bool, Error> {
        match part {
            Ok(part) => {
                self.outcomes.extend(part.outcomes);
                Ok(self.outcomes.len() < self.expected)
            }
            Err(error) if self.outcomes.is_empty() => Err(error),
            Err(error) => {
                self.outcomes.resize(self.expected, Err(error));
                Ok(false)
            }
        }
    }

    /// What came of the question at this place, from 0.
    pub fn get(&self, index: usize) -> Option<&Result<Decision, Error>> {
        self.outcomes.get(index)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Result<Decision, Error>> {
        self.outcomes.iter()
    }

    /// How many questions there were.
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// True if there was no question.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// True if the question at this place was answered with an allow, and only then.
    pub fn is_allowed(&self, index: usize) -> bool {
        matches!(self.get(index), Some(Ok(decision)) if decision.allowed())
    }

    /// The first question that was not answered, and why.
    pub fn first_failed(&self) -> Option<(usize, &Error)> {
        let mut outcomes = self.outcomes.iter().enumerate();
        outcomes.find_map(|(index, outcome)| Some((index, outcome.as_ref().err()?)))
    }

    /// Goes on only if all are allowed.
    ///
    /// # Errors
    /// What came of the first one that is not.
    pub fn require_all(&self) -> Result<(), Error> {
        if self.outcomes.len() < self.expected || self.outcomes.is_empty() {
            return Decision::denied("every one of no questions", "nothing was answered").require();
        }
        self.outcomes.iter().try_for_each(|outcome| match outcome {
            Ok(decision) => decision.require(),
            Err(error) => Err(error.clone()),
        })
    }
}

impl IntoIterator for Answers {
    type Item = Result<Decision, Error>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.outcomes.into_iter()
    }
}
