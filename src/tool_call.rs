//! The call of a tool as a value: its name with its arguments, and the hash that decisions of people are bound to.

mod difference;
mod number;

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::{CallError, ProtocolFault};
use crate::json;
use crate::time::hex;

pub(crate) use difference::differences;

/// The most bytes of arguments.
const LONGEST: usize = 64 * 1024;
/// The deepest nesting of arguments.
const DEEPEST: usize = 32;
/// The longest name of a tool, in characters.
const LONGEST_TOOL: usize = 128;

/// What an agent is about to do: a tool, and the arguments that it is called with.
///
/// Its hash is the SHA-256 of `{"arguments":..,"tool":..}` in canonical JSON (RFC 8785), so it is the same for every spelling of one
/// meaning: the order of members, escapes, blanks, `1.0` for `1`. Any other meaning has another hash. What programs do not agree on
/// has none: a number that a double does not hold exactly, a member that stands twice.
///
/// Integers have their exact value (`9007199254740993` is refused, a double holds only its neighbours), and fractions are what their
/// shortest decimal says (`0.1` is taken, `0.1000000000000000055` refused). Where canonical JSON would round an integer, it is refused too
/// (`18446744073709549568`, which would be shown as `18446744073709550000`).
///
/// ```
/// use lumoauth::ToolCall;
/// use serde_json::json;
///
/// let call = ToolCall::new("send_payment", &json!({"to": "bob", "amount": 100}))?;
/// let same = ToolCall::from_json("send_payment", r#"{ "amount": 1e2, "to": "\u0062ob" }"#)?;
/// assert_eq!(call.sha256(), same.sha256());
/// assert_eq!(call.canonical(), r#"{"arguments":{"amount":100,"to":"bob"},"tool":"send_payment"}"#);
/// assert!(ToolCall::from_json("send_payment", r#"{"amount": 1, "amount": 100}"#).is_err());
/// # Ok::<(), lumoauth::error::CallError>(())
/// ```
///
/// `Debug` shows the tool and the hash: arguments may be anybody's.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCall {
    tool: String,
    arguments: Value,
    canonical: String,
    sha256: [u8; 32],
}

impl ToolCall {
    /// The call of this tool with these arguments. What is not there, `null` and an empty object are three different meanings.
    ///
    /// # Errors
    /// [`CallError`] if a number is not held exactly by a double, for more than 32 levels or 64 KiB, and for a tool without a name.
    pub fn new(tool: impl Into<String>, arguments: &Value) -> Result<Self, CallError> {
        check(arguments, DEEPEST)?;
        ToolCall::checked(tool.into(), arguments.clone())
    }

    /// The same for arguments that are a JSON text, as tools are given them: a member that stands twice is seen here and nowhere else.
    ///
    /// # Errors
    /// As [`ToolCall::new`], and [`CallError::NotJson`], [`CallError::Twice`].
    pub fn from_json(tool: impl Into<String>, arguments: impl AsRef<[u8]>) -> Result<Self, CallError> {
        let text = arguments.as_ref();
        if text.len() > LONGEST {
            return Err(CallError::TooLong);
        }
        // Before it is read: what reads it makes doubles of all numbers.
        if let Some(number) = number::all(text).find(|number| !number::is_exact(number)) {
            return Err(inexact(number));
        }
        let arguments = json::parse(text).map_err(|fault| match fault {
            ProtocolFault::DuplicateKey { key } => CallError::Twice { member: key },
            ProtocolFault::BrokenJson { line, column } => {
                CallError::NotJson(format!("broken or nested too deeply at line {line}, column {column}"))
            }
            ProtocolFault::NotJson { found } => CallError::NotJson(found.to_owned()),
            _ => CallError::NotJson("it cannot be read".to_owned()),
        })?;
        ToolCall::checked(tool.into(), arguments)
    }

    /// The call of a canonical text of ours; none for any other text.
    pub(crate) fn from_canonical(canonical: &str) -> Option<Self> {
        let mut whole = json::parse(canonical.as_bytes()).ok()?;
        let tool = whole.get("tool")?.as_str()?.to_owned();
        let arguments = whole.get_mut("arguments")?.take();
        ToolCall::new(tool, &arguments).ok().filter(|call| call.canonical == canonical)
    }

    fn checked(tool: String, arguments: Value) -> Result<Self, CallError> {
        if tool.chars().all(char::is_whitespace) {
            return Err(CallError::BadTool("is empty"));
        }
        if tool.chars().nth(LONGEST_TOOL).is_some() {
            return Err(CallError::BadTool("is longer than 128 characters"));
        }
        if tool.chars().any(crate::error::acts_on_text) {
            return Err(CallError::BadTool("has a character that is not shown"));
        }
        let mut whole = Map::new();
        whole.insert("arguments".to_owned(), arguments);
        whole.insert("tool".to_owned(), Value::String(tool.clone()));
        let mut whole = Value::Object(whole);
        let canonical = serde_json_canonicalizer::to_string(&whole);
        let canonical = canonical.map_err(|_| CallError::NotJson("it cannot be written".to_owned()))?;
        // Its tool and the names around it are no arguments.
        if canonical.len() > LONGEST.saturating_add(1024) {
            return Err(CallError::TooLong);
        }
        let sha256 = Sha256::digest(canonical.as_bytes()).into();
        let mut arguments = whole.get_mut("arguments").map(Value::take).unwrap_or_default();
        number::unify(&mut arguments);
        Ok(ToolCall { tool, arguments, canonical, sha256 })
    }

    /// The tool's name.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The arguments, the same for every spelling: `1e2` and `100.0` are the integer `100` here.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// Tool and arguments in canonical JSON: what the hash is of.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The hash, in 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> String {
        hex(&self.sha256)
    }

    /// What is another in the other call, by JSON pointers (RFC 6901), the tool first; nothing if they mean the same. At most eight are
    /// named.
    pub fn differences(&self, other: &ToolCall) -> Vec<String> {
        if self.sha256 == other.sha256 {
            return Vec::new();
        }
        differences(self, other)
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ToolCall { tool, arguments: _, canonical: _, sha256 } = self;
        f.debug_struct("ToolCall").field("tool", tool).field("sha256", &hex(sha256)).finish_non_exhaustive()
    }
}

/// Every number is held exactly, and nothing is nested too deeply.
fn check(value: &Value, left: usize) -> Result<(), CallError> {
    let deeper = || left.checked_sub(1).ok_or(CallError::TooDeep);
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            if number::is_exact(&text) { Ok(()) } else { Err(inexact(&text)) }
        }
        Value::Array(items) => {
            let left = deeper()?;
            items.iter().try_for_each(|item| check(item, left))
        }
        Value::Object(members) => {
            let left = deeper()?;
            members.values().try_for_each(|member| check(member, left))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

fn inexact(number: &str) -> CallError {
    CallError::Inexact { number: number.chars().take(64).collect() }
}
