//! The fields of an answer, with their types checked.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{ApiError, Error, ProtocolError, ProtocolFault, Refusal};
use crate::time::Timestamp;

/// The fields of an answer, taken out one by one with their types checked; what is left over is kept by the caller.
///
/// An optional field may be absent or `null`. Any other type than the expected one is a fault.
///
/// `Debug` shows the names of the fields: an answer may hold tokens.
pub struct Fields {
    operation: &'static str,
    status: u16,
    map: Map<String, Value>,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fields { operation, status, map } = self;
        let names: Vec<String> = map.keys().map(|name| crate::error::inert(name)).collect();
        f.debug_struct("Fields")
            .field("operation", operation)
            .field("status", status)
            .field("names", &names)
            .finish()
    }
}

impl Fields {
    pub(crate) fn new(operation: &'static str, status: u16, map: Map<String, Value>) -> Self {
        Fields { operation, status, map }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field)
    }

    /// A fault of this answer.
    pub fn fault(&self, fault: ProtocolFault) -> Error {
        Error::Protocol(ProtocolError::new(self.operation, self.status, fault))
    }

    /// The fault "`field` has another type".
    pub fn mistyped(&self, field: &'static str, expected: &'static str, value: &Value) -> Error {
        self.fault(ProtocolFault::Mistyped { field, expected, found: kind(value) })
    }

    /// The fault "`field` is missing"; or the refusal, if that is what is there instead: some servers refuse with a status of
    /// success (`docs/wire.md`, E-success).
    pub fn missing(&self, field: &'static str) -> Error {
        if !matches!(self.map.get("error"), Some(Value::String(code)) if !code.is_empty()) {
            return self.fault(ProtocolFault::Missing { field });
        }
        let mut refusal = Refusal { operation: self.operation, status: self.status, ..Refusal::default() };
        refusal.fill(&self.map);
        Error::Api(ApiError::of(refusal))
    }

    /// True if the field is there and is so. It stays.
    pub(crate) fn has(&self, field: &str, is_so: impl FnOnce(&Value) -> bool) -> bool {
        self.map.get(field).is_some_and(is_so)
    }

    /// Takes a field of any type; `null` counts as absent.
    pub fn value(&mut self, field: &'static str) -> Option<Value> {
        self.take(field).filter(|value| !value.is_null())
    }

    /// Takes an optional text.
    pub fn text(&mut self, field: &'static str) -> Result<Option<String>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mistyped(field, "a text", &other)),
        }
    }

    /// Takes a text that must be there and not be empty.
    pub fn required_text(&mut self, field: &'static str) -> Result<String, Error> {
        self.text(field)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(field))
    }

    /// Takes an identifier: a text or a whole number, the services differ (`docs/wire.md`, A-ids).
    pub fn identifier(&mut self, field: &'static str) -> Result<Option<String>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(Some(number.to_string())),
            Some(other) => Err(self.mistyped(field, "a text or a whole number", &other)),
        }
    }

    /// Takes a boolean that must be there as a boolean: not `null`, not `1`, not `"true"`.
    pub fn required_boolean(&mut self, field: &'static str) -> Result<bool, Error> {
        match self.take(field) {
            None => Err(self.missing(field)),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.mistyped(field, "true or false", &other)),
        }
    }

    /// Takes an optional finite number.
    pub fn number(&mut self, field: &'static str) -> Result<Option<f64>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.mistyped(field, "a number", &value)),
            },
        }
    }

    /// Takes an optional point in time: seconds since the Unix epoch, zero or more (RFC 7519 section 2).
    pub fn timestamp(&mut self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        match self.value(field) {
            None => Ok(None),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates
            Some(value) => {
                match value.as_u64().or_else(|| value.as_f64().filter(|at| *at >= 0.0).map(|at| at as u64)) {
                    Some(seconds) => Ok(Some(Timestamp::from_unix(seconds))),
                    None => Err(self.mistyped(field, "seconds since 1970", &value)),
                }
            }
        }
    }

    /// Takes an optional point in time: seconds since the Unix epoch, or a text (RFC 3339).
    pub fn moment(&mut self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        const EXPECTED: &str = "a point in time";
        let Some(value) = self.value(field) else { return Ok(None) };
        match &value {
            Value::Number(number) if number.is_u64() => Ok(number.as_u64().map(Timestamp::from_unix)),
            Value::String(text) => match Timestamp::from_rfc3339(text) {
                Some(at) => Ok(Some(at)),
                None => Err(self.fault(ProtocolFault::Mistyped {
                    field,
                    expected: EXPECTED,
                    found: "another text",
                })),
            },
            _ => Err(self.mistyped(field, EXPECTED, &value)),
        }
    }

    /// Takes an optional length of time: a number of seconds, zero or more, or the same as a text of digits, as some servers write it.
    /// What is too long for a [`Duration`] is the longest one.
    pub fn seconds(&mut self, field: &'static str) -> Result<Option<Duration>, Error> {
        let Some(value) = self.value(field) else { return Ok(None) };
        match seconds(&value) {
            Some(length) => Ok(Some(length)),
            None => Err(self.mistyped(field, "a number of seconds, zero or more", &value)),
        }
    }

    /// Takes a list of texts; absent is the empty list.
    pub fn texts(&mut self, field: &'static str) -> Result<Vec<String>, Error> {
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    other => Err(self.mistyped(field, "a list of texts", &other)),
                })
                .collect(),
            Some(other) => Err(self.mistyped(field, "a list of texts", &other)),
        }
    }

    /// Takes a list of objects, each to be read in the same way; absent is the empty list.
    pub fn objects(&mut self, field: &'static str) -> Result<Vec<Fields>, Error> {
        let items = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.mistyped(field, "a list of objects", &other)),
        };
        let item = |item| match item {
            Value::Object(map) => Ok(Fields::new(self.operation, self.status, map)),
            other => Err(self.mistyped(field, "a list of objects", &other)),
        };
        items.into_iter().map(item).collect()
    }

    /// Takes an optional object, to be read in the same way.
    pub fn object(&mut self, field: &'static str) -> Result<Option<Fields>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields::new(self.operation, self.status, map))),
            Some(other) => Err(self.mistyped(field, "an object", &other)),
        }
    }

    /// Everything that was not taken.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }
}

/// The length of time that a value says in seconds; none if it is negative, not finite or of another type.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    };
    let seconds = seconds.filter(|seconds| *seconds >= 0.0)?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Reads a value into a type of the caller's. What does not fit is said by place and kind, never by value.
pub(crate) fn fit<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, ProtocolFault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path();
        let at = path.iter().try_fold(value, |at, segment| match segment {
            serde_path_to_error::Segment::Map { key } => at.get(key),
            serde_path_to_error::Segment::Seq { index } => at.get(index),
            _ => Some(at),
        });
        let text = error.inner().to_string();
        // What stands in front of the last `expected` may be of the answer, what stands behind it is the type's.
        let expected = match text.rsplit_once(", expected ") {
            Some((_, expected)) => Some(format!("not {expected}")),
            None => text.strip_prefix("missing field ").map(|field| format!("without {field}")),
        };
        ProtocolFault::Misfit { path: path.to_string(), found: at.map_or("nothing", kind), expected }
    })
}

/// The name of a JSON type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
