//! What exactly is to be permitted (RFC 9396): one object with a type, and when two of them are the same.

use std::fmt;
use std::str::FromStr;

use http::Method;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::InputError;
use crate::json;
#[cfg(feature = "calls")]
use crate::tool_call::ToolCall;

/// Lists of texts whose order says nothing (RFC 9396 section 2.2).
const SETS: [&str; 4] = ["actions", "locations", "datatypes", "privileges"];
/// The largest details that are sent, in bytes of JSON.
const LARGEST: usize = 16 * 1024;

/// What exactly is asked for: one object of authorization details (RFC 9396 section 2).
///
/// The six documented types have constructors of their own; any other one is given as JSON.
///
/// ```
/// use lumoauth::jit::{AuthorizationDetails, FileAction};
///
/// let details = AuthorizationDetails::file_access([FileAction::Read]).identifier("reports/q3.pdf");
/// let same: AuthorizationDetails =
///     r#"{"identifier": "reports/q3.pdf", "type": "file_access", "actions": ["read"]}"#.parse()?;
/// assert!(details.is_same(&same));
/// # Ok::<(), lumoauth::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct AuthorizationDetails {
    map: Map<String, Value>,
}

/// What may be done to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileAction {
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `delete`.
    Delete,
}

/// What may be done to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryAction {
    /// `select`.
    Select,
    /// `insert`.
    Insert,
    /// `update`.
    Update,
    /// `delete`.
    Delete,
}

/// What may be done about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PaymentAction {
    /// `initiate`.
    Initiate,
    /// `approve`.
    Approve,
}

/// What may be done with data about people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserDataAction {
    /// `read`.
    Read,
    /// `export`.
    Export,
}

impl AuthorizationDetails {
    fn of<'a>(kind: &str, actions: impl IntoIterator<Item = &'a str>) -> Self {
        let mut actions: Vec<&str> = actions.into_iter().collect();
        actions.dedup();
        let map = [("type", Value::from(kind)), ("actions", Value::from(actions))];
        AuthorizationDetails { map: map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// Files.
    pub fn file_access(actions: impl IntoIterator<Item = FileAction>) -> Self {
        let word = |action| match action {
            FileAction::Read => "read",
            FileAction::Write => "write",
            FileAction::Delete => "delete",
        };
        AuthorizationDetails::of("file_access", actions.into_iter().map(word))
    }

    /// Calls of an API, by HTTP method.
    pub fn api_call(methods: impl IntoIterator<Item = Method>) -> Self {
        let methods: Vec<Method> = methods.into_iter().collect();
        AuthorizationDetails::of("api_call", methods.iter().map(Method::as_str))
    }

    /// A database.
    pub fn database_query(actions: impl IntoIterator<Item = QueryAction>) -> Self {
        let word = |action| match action {
            QueryAction::Select => "select",
            QueryAction::Insert => "insert",
            QueryAction::Update => "update",
            QueryAction::Delete => "delete",
        };
        AuthorizationDetails::of("database_query", actions.into_iter().map(word))
    }

    /// Running a tool, which is named with [`AuthorizationDetails::identifier`].
    pub fn tool_invocation() -> Self {
        AuthorizationDetails::of("tool_invocation", ["execute"])
    }

    /// A payment.
    pub fn payment(actions: impl IntoIterator<Item = PaymentAction>) -> Self {
        let word = |action| match action {
            PaymentAction::Initiate => "initiate",
            PaymentAction::Approve => "approve",
        };
        AuthorizationDetails::of("payment", actions.into_iter().map(word))
    }

    /// Data about people.
    pub fn user_data(actions: impl IntoIterator<Item = UserDataAction>) -> Self {
        let word = |action| match action {
            UserDataAction::Read => "read",
            UserDataAction::Export => "export",
        };
        AuthorizationDetails::of("user_data", actions.into_iter().map(word))
    }

    /// Details of any type: a JSON object with a text `type`.
    ///
    /// # Errors
    /// [`InputError`] for any other JSON.
    pub fn raw(details: Value) -> Result<Self, InputError> {
        let Value::Object(map) = details else {
            return Err(InputError::new("authorization_details", "is not one JSON object"));
        };
        match map.get("type") {
            Some(Value::String(kind)) if !kind.trim().is_empty() => Ok(AuthorizationDetails { map }),
            _ => Err(InputError::new("authorization_details", "has no text \"type\"")),
        }
    }

    /// The one thing that it is about: a path, a table, the name of a tool.
    pub fn identifier(self, identifier: impl Into<String>) -> Self {
        self.member("identifier", identifier.into())
    }

    /// Where it is: the URIs of resources.
    pub fn locations<T: Into<String>>(self, locations: impl IntoIterator<Item = T>) -> Self {
        let locations: Vec<String> = locations.into_iter().map(Into::into).collect();
        self.member("locations", locations)
    }

    /// Binds it to one call of one tool: the hash of tool and arguments together is `call_sha256`, a member of its own beside the
    /// identifier, which stays the caller's.
    #[cfg(feature = "calls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
    pub fn for_call(self, call: &ToolCall) -> Self {
        self.member("call_sha256", call.sha256())
    }

    /// A member of another name, such as an amount. The type stays what it is.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        if name != "type" {
            self.map.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        self.map.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of texts; nothing that is no text.
    fn texts(&self, name: &str) -> Vec<&str> {
        self.map.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What may be done.
    pub fn actions(&self) -> Vec<&str> {
        self.texts("actions")
    }

    /// Where.
    pub fn named_locations(&self) -> Vec<&str> {
        self.texts("locations")
    }

    /// All of its members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.map
    }

    /// True if both permit the same: every member of one is in the other with the same meaning. The order of members says nothing,
    /// nor does that of actions, locations, data types and privileges; numbers are compared by value.
    pub fn is_same(&self, other: &AuthorizationDetails) -> bool {
        self.map.len() == other.map.len()
            && self.map.iter().all(|(name, value)| {
                let is_set = SETS.contains(&name.as_str());
                other
                    .map
                    .get(name)
                    .is_some_and(|other| if is_set { same_set(value, other) } else { same(value, other) })
            })
    }

    /// As it is sent.
    pub(super) fn sent(&self) -> Result<Value, InputError> {
        let value = Value::Object(self.map.clone());
        if value.to_string().len() > LARGEST {
            return Err(InputError::new("authorization_details", "is longer than 16 KiB"));
        }
        Ok(value)
    }
}

fn same_set(one: &Value, other: &Value) -> bool {
    let texts = |value: &Value| {
        let items: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
        items.map(|items| items.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>())
    };
    match (texts(one), texts(other)) {
        (Some(one), Some(other)) => one == other,
        _ => same(one, other),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one != other => {
            // 1 and 1.0 are one number; whole ones beyond what a double holds are equal only as they stand.
            (one.is_f64() || other.is_f64())
                && is_exact(one)
                && is_exact(other)
                && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// True for what a double holds as it stands.
fn is_exact(number: &serde_json::Number) -> bool {
    const MOST: u64 = 1 << 53;
    number.is_f64() || number.as_i64().is_some_and(|number| number.unsigned_abs() <= MOST)
}

impl FromStr for AuthorizationDetails {
    type Err = InputError;

    /// Reads JSON. A member that stands twice is refused.
    fn from_str(text: &str) -> Result<Self, InputError> {
        if text.len() > LARGEST {
            return Err(InputError::new("authorization_details", "is longer than 16 KiB"));
        }
        let parsed = json::parse(text.as_bytes());
        AuthorizationDetails::raw(
            parsed.map_err(|_| {
                InputError::new("authorization_details", "is not JSON, or has a member twice")
            })?,
        )
    }
}

impl fmt::Display for AuthorizationDetails {
    /// As JSON on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // JSON escapes controls only; the other characters that act on text have a place in its texts alone.
        for character in Value::Object(self.map.clone()).to_string().chars() {
            match crate::error::acts_on_text(character) {
                true => character
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .try_for_each(|unit| write!(f, "\\u{unit:04x}"))?,
                false => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AuthorizationDetails {
    /// The type and the names of the members: what is asked for may be nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AuthorizationDetails { map } = self;
        let names: Vec<String> = map.keys().map(|name| crate::error::inert(name)).collect();
        f.debug_struct("AuthorizationDetails")
            .field("type", &crate::error::inert(self.kind()))
            .field("members", &names)
            .finish()
    }
}

impl Serialize for AuthorizationDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.map.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(details: Value) -> AuthorizationDetails {
        AuthorizationDetails::raw(details).unwrap()
    }

    #[test]
    fn the_six_types() {
        for (built, json) in [
            (
                AuthorizationDetails::file_access([FileAction::Read, FileAction::Write]),
                r#"{"type":"file_access","actions":["read","write"]}"#,
            ),
            (AuthorizationDetails::api_call([Method::GET]), r#"{"type":"api_call","actions":["GET"]}"#),
            (
                AuthorizationDetails::database_query([QueryAction::Select]),
                r#"{"type":"database_query","actions":["select"]}"#,
            ),
            (AuthorizationDetails::tool_invocation(), r#"{"type":"tool_invocation","actions":["execute"]}"#),
            (
                AuthorizationDetails::payment([PaymentAction::Initiate]),
                r#"{"type":"payment","actions":["initiate"]}"#,
            ),
            (
                AuthorizationDetails::user_data([UserDataAction::Export]),
                r#"{"type":"user_data","actions":["export"]}"#,
            ),
        ] {
            assert_eq!(built, json.parse().unwrap(), "{json}");
        }
    }

    #[test]
    fn what_is_the_same_and_what_is_not() {
        let asked =
            raw(json!({"type": "t", "actions": ["a", "b"], "identifier": "x", "n": 1, "o": {"p": [1, 2]}}));
        let with = |name: &str, value: Value| asked.clone().member(name, value);
        for same in [
            with("actions", json!(["b", "a"])),
            with("actions", json!(["a", "b", "a"])),
            with("n", json!(1.0)),
        ] {
            assert!(asked.is_same(&same), "{same}");
        }
        for other in [
            with("actions", json!(["a"])),
            with("actions", json!(["a", "b", "c"])),
            with("actions", json!("a")),
            with("identifier", json!("y")),
            with("n", json!(2)),
            with("n", json!("1")),
            with("o", json!({"p": [2, 1]})),
            with("privileges", json!(["admin"])),
            raw(json!({"type": "t", "actions": ["a", "b"]})),
            raw(json!({"type": "u", "actions": ["a", "b"], "identifier": "x", "n": 1, "o": {"p": [1, 2]}})),
        ] {
            assert!(!asked.is_same(&other) && !other.is_same(&asked), "{other}");
        }
        let large = |n: u64| raw(json!({"type": "t", "n": n}));
        assert!(!large(9_007_199_254_740_992).is_same(&large(9_007_199_254_740_993)));
        let written = |n: f64| raw(json!({"type": "t", "n": n}));
        assert!(large(9_007_199_254_740_992).is_same(&written(9_007_199_254_740_992.0)));
        assert!(!large(9_007_199_254_740_993).is_same(&written(9_007_199_254_740_992.0)));
    }

    #[cfg(feature = "calls")]
    #[test]
    fn a_call_has_its_hash_beside_the_identifier() {
        let call = ToolCall::new("send", &json!({"to": "bob"})).unwrap();
        let details = AuthorizationDetails::tool_invocation().identifier("send").for_call(&call);
        assert_eq!(details.members()["identifier"], "send");
        assert_eq!(details.members()["call_sha256"], call.sha256());
        let other = ToolCall::new("send", &json!({"to": "eve"})).unwrap();
        assert!(!details.is_same(&details.clone().for_call(&other)));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "{}",
            r#"{"type":""}"#,
            r#"{"type":7}"#,
            r#"{"type":"t","type":"u"}"#,
            r#"[{"type":"t"}]"#,
        ] {
            assert!(text.parse::<AuthorizationDetails>().is_err(), "{text}");
        }
        assert_eq!(
            AuthorizationDetails::tool_invocation().member("type", "payment").kind(),
            "tool_invocation"
        );
        let long = format!(r#"{{"type":"t","x":"{}"}}"#, "y".repeat(LARGEST));
        assert!(long.parse::<AuthorizationDetails>().is_err());
    }
}
