//! JSON read strictly: a key twice, nesting without end, or a broken text is a fault, never a guess.

mod fields;
mod number;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::ProtocolFault;

pub use fields::Fields;
pub(crate) use fields::{fit, kind, seconds};

/// How deep objects and arrays may nest. The deepest answer known has five levels.
const DEPTH: usize = 32;

/// How faults call the whole of an answer.
pub(crate) const BODY: &str = "the body";

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
