//! JSON read strictly: a key twice, nesting without end, or a broken text is a fault, never a guess.

mod number;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{ApiError, Error, ProtocolError, ProtocolFault, Refusal};
use crate::time::Timestamp;

/// How deep objects and arrays may nest. The deepest answer known has five levels.
const DEPTH: usize = 32;

/// Parses one JSON text with nothing behind it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, ProtocolFault> {
    parse_within(bytes, DEPTH)
}

/// The same for texts that nest as deep as this.
pub(crate) fn parse_within(bytes: &[u8], depth: usize) -> Result<Value, ProtocolFault> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth, duplicate: &duplicate };
    let parsed = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| match duplicate.into_inner() {
        Some(key) => ProtocolFault::DuplicateKey { key },
        None => fault(bytes, &error),
    })
}

/// Hands over the members of one JSON object, in order and read as strictly; `keep` says false for a key it has had. Of the
/// caller's own names none is copied, which is what makes tokens cheap to read.
#[cfg(feature = "verify")]
pub(crate) fn members(bytes: &[u8], keep: impl FnMut(&str, Value) -> bool) -> Result<(), ProtocolFault> {
    let duplicate = RefCell::new(None);
    let strict = Strict { depth: DEPTH, duplicate: &duplicate };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = deserializer.deserialize_map(Members { strict, keep }).and_then(|()| deserializer.end());
    parsed.map_err(|error| match duplicate.into_inner() {
        Some(key) => ProtocolFault::DuplicateKey { key },
        None => fault(bytes, &error),
    })
}

struct Members<'a, F> {
    strict: Strict<'a>,
    keep: F,
}

impl<'de, F: FnMut(&str, Value) -> bool> Visitor<'de> for Members<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let first = access.next_key_seed(Key)?;
        self.members(first, access)
    }
}

impl<F: FnMut(&str, Value) -> bool> Members<'_, F> {
    /// The members from the first on, whose key is read already.
    fn members<'de, A: MapAccess<'de>>(
        mut self,
        mut next: Option<Cow<'de, str>>,
        mut access: A,
    ) -> Result<(), A::Error> {
        let inner = self.strict.deeper()?;
        while let Some(key) = next {
            if key.starts_with(number::PRIVATE) {
                return Err(A::Error::custom("a key that no answer has"));
            }
            let value = access.next_value_seed(inner)?;
            if !(self.keep)(&key, value) {
                inner.duplicate.replace(Some(key.into_owned()));
                return Err(A::Error::custom("the same key twice"));
            }
            next = access.next_key_seed(Key)?;
        }
        Ok(())
    }
}

/// A key, borrowed from the text if nothing in it is escaped.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

fn fault(bytes: &[u8], error: &serde_json::Error) -> ProtocolFault {
    let found = match bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace()) {
        None => "empty",
        Some(b'{' | b'[' | b'"') => {
            return ProtocolFault::BrokenJson { line: error.line(), column: error.column() };
        }
        Some(b'<') => "an HTML page",
        Some(0xef) => "text with a byte order mark",
        Some(0x1f) => "compressed",
        Some(_) => "text",
    };
    ProtocolFault::NotJson { found }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    duplicate: &'a RefCell<Option<String>>,
}

impl<'a> Strict<'a> {
    fn deeper<E: serde::de::Error>(self) -> Result<Strict<'a>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Strict { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let first = access.next_key_seed(Key)?;
        if first.as_deref() == Some(number::KEY) {
            return access.next_value_seed(number::Written);
        }
        let mut map = Map::new();
        let keep = |key: &str, value| map.insert(key.to_owned(), value).is_none();
        Members { strict: self, keep }.members(first, access)?;
        Ok(Value::Object(map))
    }
}

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

    /// Takes an optional length of time: a number of seconds, zero or more.
    pub fn seconds(&mut self, field: &'static str) -> Result<Option<Duration>, Error> {
        let Some(number) = self.number(field)? else { return Ok(None) };
        let (expected, found) = ("a number of seconds", "another number");
        Duration::try_from_secs_f64(number)
            .map(Some)
            .map_err(|_| self.fault(ProtocolFault::Mistyped { field, expected, found }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn good_json_is_what_serde_reads() {
        let text = r#"{"a":[1,-2,2.5,true,null,"x"],"b":{"c":18446744073709551615}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_key_twice_is_a_fault_at_every_depth() {
        for text in
            [r#"{"allowed":false,"allowed":true}"#, r#"{"x":[{"a":1,"a":1}]}"#, r#"{"a":1,"\u0061":2}"#]
        {
            assert!(matches!(parse(text.as_bytes()), Err(ProtocolFault::DuplicateKey { .. })), "{text}");
        }
    }

    #[cfg(feature = "verify")]
    #[test]
    fn members_are_handed_over_as_strictly() {
        let read = |text: &str| {
            let mut map = Map::new();
            let keep = |key: &str, value| map.insert(key.to_owned(), value).is_none();
            members(text.as_bytes(), keep).map(|()| Value::Object(map))
        };
        let text = r#"{"a":1,"b":{"c":[null]},"\u0065":"x","d":null}"#;
        assert_eq!(read(text).unwrap(), json!({"a": 1, "b": {"c": [null]}, "e": "x", "d": null}));
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"z":{"x":1,"x":1}}"#] {
            let fault = read(text).unwrap_err();
            assert!(matches!(fault, ProtocolFault::DuplicateKey { .. }), "{text} {fault}");
        }
        for text in ["[]", "1", "{} x", "{\"a\":1", "", "{\"a\":NaN}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bombs_are_faults_on_a_small_stack() {
        let bombs: Vec<Vec<u8>> = vec![
            b"[".repeat(1_000_000),
            br#"{"a":"#.repeat(1_000_000),
            b"{\"a\":NaN}".to_vec(),
            b"{\"a\":1e999}".to_vec(),
            b"{\"a\":\"\xff\xfe\"}".to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            b"{} x".to_vec(),
            b"{\"a\":1".to_vec(),
            Vec::new(),
        ];
        let run = move || bombs.iter().for_each(|bomb| assert!(parse(bomb).is_err()));
        std::thread::Builder::new().stack_size(128 * 1024).spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn a_key_of_the_parsers_own_is_a_fault_wherever_it_stands() {
        let keys = ["Number", "RawValue", "\\u004eumber"].map(|name| format!("$serde_json::private::{name}"));
        for key in keys.into_iter().chain(["\\u0024serde_json::private::Number".to_owned()]) {
            for text in [
                format!(r#"{{"{key}":"1"}}"#),
                format!(r#"{{"{key}":1}}"#),
                format!(r#"{{"a":[{{"{key}":"1"}}]}}"#),
                format!(r#"{{"a":1,"{key}":"1"}}"#),
                format!(r#"{{"a":{{"{key}":"{{\"allowed\":true}}"}}}}"#),
            ] {
                assert!(parse(text.as_bytes()).is_err(), "{text}");
                #[cfg(feature = "verify")]
                assert!(members(text.as_bytes(), |_, _| true).is_err(), "{text}");
            }
        }
        assert!(parse(br#"{"serde_json::private::Number":"1"}"#).is_ok());
    }

    #[test]
    fn the_fault_says_what_it_found() {
        let found = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            found("<!doctype html><title>Bad gateway</title>"),
            "the answer is not JSON but an HTML page"
        );
        assert_eq!(found("  "), "the answer is not JSON but empty");
        assert_eq!(found("upstream error"), "the answer is not JSON but text");
        assert_eq!(found("{\"allowed\": tru"), "the answer is broken JSON at line 1, column 15");
    }

    #[test]
    fn fields_check_types_and_keep_the_rest() {
        let Value::Object(map) = json!({"a": "x", "b": null, "c": [1], "d": 5, "e": 1}) else {
            unreachable!()
        };
        let mut fields = Fields::new("test", 200, map);
        assert_eq!(fields.required_text("a").unwrap(), "x");
        assert_eq!(fields.text("b").unwrap(), None);
        assert_eq!(
            fields.texts("c").unwrap_err().to_string(),
            "test: c in the answer is a number, not a list of texts (HTTP 200)"
        );
        assert_eq!(fields.identifier("d").unwrap().unwrap(), "5");
        assert_eq!(
            fields.required_boolean("e").unwrap_err().to_string(),
            "test: e in the answer is a number, not true or false (HTTP 200)"
        );
        assert!(fields.required_boolean("z").unwrap_err().to_string().contains("has no z"));
        assert!(fields.rest().is_empty());
    }
}
