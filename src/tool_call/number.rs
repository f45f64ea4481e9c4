//! Which numbers mean the same to every program: those that a double holds exactly.

use serde_json::{Number, Value};

/// Gives every number the one form that it has, however it was written or handed over: whole ones are integers, others the shortest text
/// of their double. Who reads them by type reads one meaning. The numbers are exact.
pub(super) fn unify(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let Some(double) = number.as_f64() else { return };
            let whole = (double.fract() == 0.0).then(|| format!("{double:.0}")).and_then(|digits| {
                let unsigned = digits.parse::<u64>().map(Number::from);
                unsigned.or_else(|_| digits.parse::<i64>().map(Number::from)).ok()
            });
            if let Some(one) = whole.or_else(|| Number::from_f64(double)) {
                *number = one;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unify),
        Value::Object(members) => members.values_mut().for_each(unify),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The numbers of a JSON text, as they are written. Of what is no JSON it finds anything.
pub(super) fn all(text: &[u8]) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (first, after) = rest.split_first()?;
            match first {
                b'"' => rest = behind_text(after),
                b'-' | b'0'..=b'9' => {
                    let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                    let end = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
                    let (number, after) = rest.split_at(end);
                    rest = after;
                    return Some(std::str::from_utf8(number).unwrap_or_default());
                }
                _ => rest = after,
            }
        }
    })
}

/// What follows the text that has just begun.
fn behind_text(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => rest = after,
            [] => return rest,
        }
    }
}

/// True if a double holds the number and the canonical text says it: an integer is its exact value, a fraction the shortest decimal of
/// its double. So of all decimals that become one double one is taken at most, in all its spellings.
pub(super) fn is_exact(number: &str) -> bool {
    let Some(written) = Decimal::of(number) else { return false };
    let Ok(double) = number.parse::<f64>() else { return false };
    if !double.is_finite() {
        return false;
    }
    if written.digits.is_empty() || double == 0.0 {
        return written.digits.is_empty() && double == 0.0;
    }
    // The canonical text has the shortest decimal, which beyond 2^53 need not be the value; the standard library writes integers digit
    // for digit.
    let canonical = serde_json_canonicalizer::to_string(&double).unwrap_or_default();
    let whole =
        double.fract() != 0.0 || Decimal::of(&format!("{double:.0}")).is_some_and(|own| own == written);
    whole && Decimal::of(&canonical).is_some_and(|own| own == written)
}

/// `0.d1d2d3.. * 10^exponent` with neither zeros in front nor behind; no digits are zero.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// None if it is no number, or its exponent is beyond every double's.
    fn of(number: &str) -> Option<Self> {
        let (negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number),
        };
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if whole.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = digits.get(zeros..).unwrap_or_default();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last.saturating_add(1));
        let digits = digits.get(..end).unwrap_or_default().to_vec();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        let point = i64::try_from(whole.len()).ok()?.checked_sub(i64::try_from(zeros).ok()?)?;
        Some(Decimal { negative, digits, exponent: exponent.checked_add(point)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_outside_of_texts() {
        let text = r#"{"a1":[-1,2.5e+3],"b\"7":"8\\","c":0}  9"#;
        assert_eq!(all(text.as_bytes()).collect::<Vec<_>>(), ["-1", "2.5e+3", "0", "9"]);
        assert_eq!(all(b"\"7").count(), 0);
        assert_eq!(all(b"\"7\\").count(), 0);
    }

    #[test]
    fn what_a_double_holds() {
        for held in [
            "0",
            "-0",
            "0.0",
            "0e5",
            "1",
            "-1",
            "1.0",
            "100",
            "1e2",
            "0.1",
            "12.10",
            "1E-7",
            "0.5",
            "123.456e-2",
            "9007199254740992",
            "-9007199254740992",
            "9007199254740994",
            "1e21",
            "1e22",
            "5e-324",
            "2.2250738585072014e-308",
            "0.30000000000000004",
            "202973914530.89062",
            "1000000000000000000000.0",
            "10e-1",
            "3.141592653589793",
        ] {
            assert!(is_exact(held), "{held}");
        }
        for lost in [
            "9007199254740993",
            "-9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "1e23",
            "18446744073709549568",
            "1180591620717411303424",
            "1e400",
            "-1e400",
            "1e-400",
            "4e-324",
            "1e999999999999999999999",
            "0.1000000000000000055511151231257827",
            "1180591620717411300000",
            "0.10000000000000001",
            "3.14159265358979323846",
            "9007199254740992.5",
            // The greatest double is an integer of 309 digits, and this is another one.
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "4.9e-324",
            "202973914530.89063",
            "1e9223372036854775807",
            "",
            "-",
            "1e",
            "x",
        ] {
            assert!(!is_exact(lost), "{lost}");
        }
    }
}
