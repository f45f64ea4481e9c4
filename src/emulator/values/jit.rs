//! Permissions just in time: the risk table, and the forms that answers may have.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::operations::Risk as Level;

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
pub(crate) fn risk(details: &Map<String, Value>, denials: usize, rows: &[Row]) -> Risk {
    let text = |name: &str| details.get(name).and_then(Value::as_str).unwrap_or_default();
    if denials >= DENIALS {
        return Risk::Critical;
    }
    let about_credentials = [text("type"), text("identifier")]
        .iter()
        .any(|text| text.to_ascii_lowercase().contains("credential"));
    let critical = about_credentials || matches!(text("type"), "payment" | "user_data");
    let actions = details.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |action: &str| {
        let own = rows.iter().rev().find(|row| row.is_of(text("type"), action));
        own.map_or(if critical { Risk::Critical } else { of_action(action) }, |row| row.risk)
    };
    let all = actions.iter().map(|action| of(action.as_str().unwrap_or_default()));
    // What names no action may mean all of them.
    all.max().unwrap_or_else(|| of(""))
}

/// A row of the table that a test has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    kind: String,
    action: String,
    risk: Risk,
}

impl Row {
    fn is_of(&self, kind: &str, action: &str) -> bool {
        self.kind == kind && (self.action == "*" || self.action.eq_ignore_ascii_case(action))
    }
}

/// The risk of an action, whatever it is done to.
fn of_action(action: &str) -> Risk {
    match action.to_ascii_lowercase().as_str() {
        "read" | "select" | "get" | "head" | "options" | "list" => Risk::Low,
        "write" | "insert" | "update" | "post" | "put" | "patch" | "create" => Risk::Medium,
        _ => Risk::High,
    }
}

/// The risk of scopes: that of the riskiest, each by the word in it that says what is done.
pub(crate) fn risk_of_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Risk {
    let of = |scope: &str| scope.split(|c: char| !c.is_ascii_alphanumeric()).map(of_action).min();
    scopes.into_iter().filter_map(of).max().unwrap_or(Risk::High)
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
    pub(crate) rows: Vec<Row>,
    pub(crate) scopes: bool,
    pub(crate) bare_list: bool,
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
            rows: Vec::new(),
            scopes: false,
            bare_list: false,
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

    /// How risky an action on things of this type is taken to be, `*` for all of its actions: low and medium are approved at once, anything
    /// else waits for a person. It goes before the table that there is; an agent that was denied three times finds everything critical all the
    /// same. Of two rows that fit the later one counts.
    pub fn risk(mut self, kind: impl Into<String>, action: impl Into<String>, risk: Level) -> Self {
        let risk = match risk {
            Level::Low => Risk::Low,
            Level::Medium => Risk::Medium,
            Level::Critical => Risk::Critical,
            Level::High | Level::Other(_) => Risk::High,
        };
        self.rows.push(Row { kind: kind.into(), action: action.into(), risk });
        self
    }

    /// Beside the usual form the one of another page of the documents, which no client here sends: a task with `task_description` and
    /// `required_scopes` is asked for whole, `jit/status/{task_id}` says what of it is approved, further scopes are requests with `scope`, and
    /// an exchange of the agent's own token with `jit_task_id` brings a token with them. Which form a request has is seen by its members.
    pub fn scopes(mut self) -> Self {
        self.scopes = true;
        self
    }

    /// What waits for a reviewer is a list and nothing around it.
    pub fn bare_list(mut self) -> Self {
        self.bare_list = true;
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
        let of = |details: Value, denials| risk(details.as_object().unwrap(), denials, &[]);
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

    #[test]
    fn rows_of_a_test_go_before_the_table() {
        let forms = JitForms::new()
            .risk("payment", "initiate", Level::Low)
            .risk("file_access", "*", Level::High)
            .risk("file_access", "write", Level::Low);
        let of = |kind: &str, actions: Value, denials| {
            risk(json!({"type": kind, "actions": actions}).as_object().unwrap(), denials, &forms.rows)
        };
        assert_eq!(of("payment", json!(["initiate"]), 0), Risk::Low);
        assert_eq!(of("payment", json!(["initiate", "approve"]), 0), Risk::Critical);
        assert_eq!(of("payment", json!([]), 0), Risk::Critical);
        assert_eq!(of("file_access", json!(["read"]), 0), Risk::High);
        assert_eq!(of("file_access", json!(["WRITE"]), 0), Risk::Low);
        assert_eq!(of("api_call", json!(["GET"]), 0), Risk::Low);
        assert_eq!(of("payment", json!(["initiate"]), 3), Risk::Critical);
    }

    #[test]
    fn scopes_are_judged_by_what_is_done() {
        for (scopes, expected) in [
            (&["read:documents"][..], Risk::Low),
            (&["documents.write", "documents.read"], Risk::Medium),
            (&["documents.read", "admin"], Risk::High),
            (&[], Risk::High),
        ] {
            assert_eq!(risk_of_scopes(scopes.iter().copied()), expected, "{scopes:?}");
        }
    }
}
