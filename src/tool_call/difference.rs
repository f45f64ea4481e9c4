//! What differs between two calls, by where it stands.

use serde_json::Value;

use super::ToolCall;

/// As many as a person reads.
const MOST: usize = 8;

/// Where the other call is another. The values are left out: they may be anybody's.
pub(crate) fn differences(own: &ToolCall, other: &ToolCall) -> Vec<String> {
    let mut found = Vec::new();
    if own.tool() != other.tool() {
        found.push("/tool".to_owned());
    }
    walk("/arguments", own.arguments(), other.arguments(), &mut found);
    found
}

fn walk(at: &str, own: &Value, other: &Value, found: &mut Vec<String>) {
    if found.len() >= MOST || same(own, other) {
        return;
    }
    match (own, other) {
        (Value::Object(own), Value::Object(other)) => {
            let added = other.keys().filter(|name| !own.contains_key(*name));
            for name in own.keys().chain(added) {
                let at = format!("{at}/{}", escaped(name));
                match (own.get(name), other.get(name)) {
                    (Some(own), Some(other)) => walk(&at, own, other, found),
                    _ if found.len() < MOST => found.push(at),
                    _ => {}
                }
            }
        }
        (Value::Array(own), Value::Array(other)) if own.len() == other.len() => {
            for (number, (own, other)) in own.iter().zip(other).enumerate() {
                walk(&format!("{at}/{number}"), own, other, found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// Numbers have one meaning in several types; everything else is compared as it stands.
fn same(own: &Value, other: &Value) -> bool {
    match (own, other) {
        (Value::Number(own), Value::Number(other)) => own == other || own.as_f64() == other.as_f64(),
        _ => own == other,
    }
}

/// A name as a piece of a pointer (RFC 6901 section 3), its beginning if it is long.
fn escaped(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    crate::error::inert(&short.replace('~', "~0").replace('/', "~1"))
}
