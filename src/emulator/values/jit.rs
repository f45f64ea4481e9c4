//! Permissions just in time: the risk table, and the forms that answers may have.

use std::time::Duration;

use serde_json::{Map, Value};

/// How risky a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

impl Risk {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
            Risk::Critical => "critical",
        }
    }

    /// True for what a person has to decide.
    pub(crate) fn waits(self) -> bool {
        self >= Risk::High
    }
}

/// So many denials of one agent, and whatever it asks for is critical.
const DENIALS: usize = 3;

/// The risk of what is asked for (`docs/wire.md`, P-risk): that of its riskiest action. What is not known is risky.
pub(crate) fn risk(details: &Map<String, Value>, denials: usize) -> Risk {
    let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default();
    let about_credentials = [text("type"), text("identifier")]
        .iter()
        .any(|text| text.to_ascii_lowercase().contains("credential"));
    if denials >= DENIALS || about_credentials || matches!(text("type"), "payment" | "user_data") {
        return Risk::Critical;
    }
    let actions = details.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |action: &Value| match action.as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "read" | "select" | "get" | "head" | "options" | "list" => Risk::Low,
        "write" | "insert" | "update" | "post" | "put" | "patch" | "create" => Risk::Medium,
        _ => Risk::High,
    };
    actions.iter().map(of).max().unwrap_or(Risk::High)
}

/// Which of the documented forms the answers about permissions just in time have (`docs/wire.md`, rows P). What is not set is as the
/// newest documents have it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it is given to the builder"]
pub struct JitForms {
    pub(crate) older: bool,
    pub(crate) accepted: bool,
    pub(crate) interval: Option<Duration>,
    pub(crate) patience: Duration,
    pub(crate) consent: bool,
    pub(crate) challenge: JitChallenge,
    pub(crate) details: bool,
}

/// How a resource writes what it wants to be permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JitChallenge {
    /// In the standard alphabet, padded.
    #[default]
    Standard,
    /// In the alphabet for URLs, without padding.
    UrlSafe,
    /// A list of one.
    List,
    /// In a way that cannot be read.
    Broken,
    /// Not at all: the challenge alone.
    None,
}

impl Default for JitForms {
    fn default() -> Self {
        JitForms {
            older: false,
            accepted: false,
            interval: None,
            patience: Duration::from_secs(300),
            consent: false,
            challenge: JitChallenge::default(),
            details: true,
        }
    }
}

impl JitForms {
    /// As the newest documents have it.
    pub fn new() -> Self {
        JitForms::default()
    }

    /// The older forms: 200 in place of 201, 204 when a task is completed, `requests` as the list of what waits, `review_notes`, ends
    /// in seconds.
    pub fn older(mut self) -> Self {
        self.older = true;
        self
    }

    /// A request that waits is answered with 202.
    pub fn accepted(mut self) -> Self {
        self.accepted = true;
        self
    }

    /// How long clients are asked to pause between two questions. Who asks sooner is told to slow down.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// How long a request waits for a person, five minutes if not set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What waits says that the user's consent is missing.
    pub fn waits_for_consent(mut self) -> Self {
        self.consent = true;
        self
    }

    /// How the demo resource writes its challenge.
    pub fn challenge(mut self, challenge: JitChallenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// Tokens come without saying what they are for.
    pub fn tokens_without_details(mut self) -> Self {
        self.details = false;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_riskiest_action_counts() {
        let of = |details: Value, denials| risk(details.as_object().unwrap(), denials);
        for (kind, actions, expected) in [
            ("file_access", json!(["read"]), Risk::Low),
            ("file_access", json!(["read", "write"]), Risk::Medium),
            ("file_access", json!(["delete", "read"]), Risk::High),
            ("api_call", json!(["GET"]), Risk::Low),
            ("api_call", json!(["PUT"]), Risk::Medium),
            ("api_call", json!(["DELETE"]), Risk::High),
            ("database_query", json!(["select"]), Risk::Low),
            ("tool_invocation", json!(["execute"]), Risk::High),
            ("payment", json!(["initiate"]), Risk::Critical),
            ("user_data", json!(["read"]), Risk::Critical),
            ("read_credentials", json!(["read"]), Risk::Critical),
            ("file_access", json!(["admin"]), Risk::High),
            ("file_access", json!([]), Risk::High),
            ("file_access", json!([7]), Risk::High),
        ] {
            assert_eq!(of(json!({"type": kind, "actions": actions}), 0), expected, "{kind} {actions}");
        }
        let read = || json!({"type": "file_access", "actions": ["read"]});
        assert_eq!((of(read(), 2), of(read(), 3)), (Risk::Low, Risk::Critical));
        assert_eq!(of(json!({"type": "x"}), 0), Risk::High);
    }
}
