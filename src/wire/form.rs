//! Form bodies.

use std::fmt;

use zeroize::Zeroizing;

use crate::secret::Secret;

/// A form body under construction (`application/x-www-form-urlencoded`).
#[derive(Clone, Default)]
pub struct Form {
    pub(super) encoded: Zeroizing<Vec<u8>>,
    pub(super) secrets: Vec<Secret>,
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Form::default()
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let mut pair = form_urlencoded::Serializer::new(String::new());
        pair.append_pair(name, value);
        let pair = Zeroizing::new(pair.finish());
        if !self.encoded.is_empty() {
            self.encoded.push(b'&');
        }
        self.encoded.extend_from_slice(pair.as_bytes());
        self
    }

    /// Adds a field if there is a value.
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a field whose value must not be shown.
    pub fn secret(mut self, name: &str, value: &Secret) -> Self {
        self.secrets.push(value.clone());
        self.field(name, value.expose())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Form { encoded, secrets: _ } = self;
        write!(f, "Form({} bytes)", encoded.len())
    }
}
