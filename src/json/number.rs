//! Numbers as serde_json hands them over, whatever features of it another crate of the program has switched on.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};
use serde_json::{Number, Value};

/// What the keys begin with by which serde_json hands over numbers and raw texts where its features for them are on. Whoever else writes
/// such a key wants a text to be taken for a number or for an answer, and is refused with those features and without them.
pub(super) const PRIVATE: &str = "$serde_json::private::";

/// The key of a number, which comes with the feature `arbitrary_precision` as an object of one member: its digits as they are written.
pub(super) const KEY: &str = "$serde_json::private::Number";

/// That member. serde_json hands it over as a text that it owns; what stands in the JSON itself never comes so.
pub(super) struct Written;

impl<'de> DeserializeSeed<'de> for Written {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Written {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Value, E> {
        Err(E::custom("a key that no answer has"))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        number(&text).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }
}

/// The number that serde_json makes of this text without that feature: whole if it is written so and fits 64 bits, else the nearest
/// double. None where that is infinite.
fn number(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    match text.parse::<i64>() {
        // There is no whole number for a zero with a sign.
        Ok(number) if number != 0 => Some(number.into()),
        _ => text.parse::<f64>().ok().and_then(Number::from_f64),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Strict;
    use super::*;
    use serde::de::value::MapDeserializer;
    use std::cell::RefCell;

    const WRITTEN: [&str; 24] = [
        "0",
        "-0",
        "1",
        "-1",
        "3600.5",
        "1e2",
        "1E+2",
        "100.0",
        "-0.0",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "1.7976931348623157e308",
        "0.1000000000000000055511151231257827",
        "202973914530.89062",
        "5e-324",
        "1e-400",
        "0e999999999999",
        "123456789012345678901234567890",
        "-2.5e-3",
    ];

    /// What decisions ask of a number.
    fn meaning(number: &Number) -> (Option<u64>, Option<i64>, Option<u64>, bool) {
        (number.as_u64(), number.as_i64(), number.as_f64().map(f64::to_bits), number.is_f64())
    }

    #[test]
    fn a_number_means_the_same_however_it_is_handed_over() {
        for text in WRITTEN {
            let usual = super::super::parse(text.as_bytes()).unwrap();
            let Value::Number(usual) = usual else { panic!("{text} is {usual}") };
            assert_eq!(meaning(&number(text).unwrap()), meaning(&usual), "{text}");
        }
        for text in ["1e400", "-1e999999999999", "", "NaN", "inf", "x", "1 "] {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(super::super::parse(b"1e400").is_err());
    }

    #[test]
    fn the_digits_are_taken_from_the_parser_alone() {
        let duplicate = RefCell::new(None);
        // At the deepest place: a number is no object.
        let strict = || Strict { depth: 0, duplicate: &duplicate };
        type Handed<'a, T> =
            MapDeserializer<'a, std::array::IntoIter<(&'static str, T), 1>, serde::de::value::Error>;
        let owned: Handed<'_, String> = MapDeserializer::new([(KEY, "12.50".to_owned())].into_iter());
        assert_eq!(strict().visit_map(owned).unwrap(), serde_json::json!(12.5));
        let of_the_text: Handed<'_, &str> = MapDeserializer::new([(KEY, "12.50")].into_iter());
        assert!(strict().visit_map(of_the_text).is_err());
    }
}
