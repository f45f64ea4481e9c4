//! What a decision may depend on, beside the question itself.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::InputError;

/// The members of the objects that were given. What is no object has no names by which a policy could find it: that is kept
/// in mind, and the question is not asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Surroundings {
    members: Map<String, Value>,
    #[serde(skip)]
    has_other: bool,
}

impl Surroundings {
    /// Adds an object's members. Null adds nothing.
    pub(super) fn add(&mut self, more: Value) {
        match more {
            Value::Object(map) => self.members.extend(map),
            Value::Null => {}
            _ => self.has_other = true,
        }
    }

    /// # Errors
    /// [`InputError`] if something that was given was no object.
    pub(super) fn check(&self, argument: &'static str) -> Result<(), InputError> {
        let problem = r#"is no object: give each value a name, as json!({"document_id": "doc-123"})"#;
        if self.has_other { Err(InputError::new(argument, problem)) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.members
    }
}
