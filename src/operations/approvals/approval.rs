//! What a person is asked to approve.

use std::fmt;

use serde_json::{Map, Value};

#[cfg(feature = "calls")]
use crate::error::Error;
use crate::error::InputError;
#[cfg(feature = "calls")]
use crate::operations::Decision;
#[cfg(feature = "calls")]
use crate::tool_call::ToolCall;

/// The longest task, in characters.
const LONGEST_TASK: usize = 128;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 480;
/// The longest name of a person.
const LONGEST_PERSON: usize = 320;

/// How much is at stake, as it is shown to the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Impact {
    /// Little.
    Low,
    /// Some: the usual one.
    #[default]
    Medium,
    /// Much.
    High,
    /// More than can be made good again.
    Critical,
}

impl Impact {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Impact::Low => "low",
            Impact::Medium => "medium",
            Impact::High => "high",
            Impact::Critical => "critical",
        }
    }

    /// The impact of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Impact::Low, Impact::Medium, Impact::High, Impact::Critical]
            .into_iter()
            .find(|own| own.as_str() == name)
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person is asked to approve.
///
/// [`Approval::for_call`] is the one to use: the person is shown what will run, and what runs is compared with it. [`Approval::new`] asks
/// about anything else; its answer is a decision that your own code keeps to.
///
/// ```
/// # #[cfg(feature = "calls")] {
/// use lumoauth::approvals::{Approval, Impact};
/// use serde_json::json;
///
/// let approval = Approval::for_call("send_payment", &json!({"to": "bob", "amount": 100}))?
///     .on_behalf_of("alice@example.com")
///     .impact(Impact::High);
/// assert_eq!(approval.reason(), r#"send_payment {"amount":100,"to":"bob"}"#);
/// assert!(approval.task_id().starts_with("send_payment:"));
/// # }
/// # Ok::<(), lumoauth::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Approval {
    task: String,
    reason: String,
    on_behalf_of: String,
    impact: Impact,
    meta: Map<String, Value>,
    #[cfg(feature = "calls")]
    call: Option<ToolCall>,
}

impl Approval {
    /// Asks about anything: a task of the caller's naming (128 characters at most), and the reason that the person reads (480 at most).
    pub fn new(task_id: impl Into<String>, reason: impl Into<String>) -> Self {
        Approval {
            task: task_id.into(),
            reason: reason.into(),
            on_behalf_of: String::new(),
            impact: Impact::default(),
            meta: Map::new(),
            #[cfg(feature = "calls")]
            call: None,
        }
    }

    /// Asks whether this tool may be called with these arguments. The person is shown both in full; where that has no room, the request is
    /// refused before anybody is asked, unless [`Approval::summary`] says in your words what will run.
    ///
    /// # Errors
    /// [`Error::Call`] for arguments that programs do not agree on.
    #[cfg(feature = "calls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
    pub fn for_call(tool: impl Into<String>, arguments: &Value) -> Result<Self, Error> {
        Ok(Approval::of(ToolCall::new(tool, arguments)?))
    }

    /// The same for a call that was read already, from a text for example.
    #[cfg(feature = "calls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
    pub fn of(call: ToolCall) -> Self {
        let approval = Approval::new(call.tool(), format!("{} {}", call.tool(), shown(call.arguments())));
        let mut meta = Map::new();
        meta.insert("tool".to_owned(), Value::from(call.tool()));
        meta.insert("arguments".to_owned(), call.arguments().clone());
        meta.insert("call_sha256".to_owned(), Value::from(call.sha256()));
        Approval { meta, call: Some(call), ..approval }
    }

    /// Asks whether what was denied may be done after all: the call of the denied action with the context that it was decided by.
    ///
    /// # Errors
    /// [`Error::Input`] for a decision that allows, and as [`Approval::for_call`].
    #[cfg(feature = "calls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
    pub fn for_denied(decision: &Decision) -> Result<Self, Error> {
        if decision.allowed() {
            return Err(InputError::new("decision", "allows: there is nothing to ask a person for").into());
        }
        let context = Value::Object(decision.context().clone());
        let mut approval = Approval::for_call(decision.action(), &context)?;
        for (name, value) in [("denied_because", decision.reason()), ("audit_id", decision.audit_id())] {
            if let Some(value) = value {
                approval.meta.insert(name.to_owned(), Value::from(value));
            }
        }
        Ok(approval)
    }

    /// The person who is asked, by address or user id. REQUIRED.
    pub fn on_behalf_of(mut self, person: impl Into<String>) -> Self {
        self.on_behalf_of = person.into();
        self
    }

    /// How much is at stake, [`Impact::Medium`] if not said.
    pub fn impact(mut self, impact: Impact) -> Self {
        self.impact = impact;
        self
    }

    /// Names the task in place of the tool's name: at most 63 characters for a call, whose hash stands behind it.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.task = task.into();
        self
    }

    /// Puts your own words in front of what will run.
    pub fn because(mut self, why: &str) -> Self {
        self.reason = format!("{why}\n{}", self.reason);
        self
    }

    /// Shows your own words in place of what will run. **Security:** what they do not say the person does not see; the approval is bound
    /// to the whole call nevertheless.
    pub fn summary(mut self, words: impl Into<String>) -> Self {
        self.reason = words.into();
        self
    }

    /// Adds what the service keeps beside the request. The names `tool`, `arguments` and `call_sha256` are the call's own.
    pub fn meta(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        if !(self.is_of_a_call() && matches!(&*name, "tool" | "arguments" | "call_sha256")) {
            self.meta.insert(name, value.into());
        }
        self
    }

    /// What the person reads.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The task as the service is told it: for a call, its hash stands at the end.
    pub fn task_id(&self) -> String {
        #[cfg(feature = "calls")]
        if let Some(call) = &self.call {
            return format!("{}:{}", self.task, call.sha256());
        }
        self.task.clone()
    }

    /// The call that it is bound to, if it is.
    #[cfg(feature = "calls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
    pub fn call(&self) -> Option<&ToolCall> {
        self.call.as_ref()
    }

    pub(crate) fn is_of_a_call(&self) -> bool {
        #[cfg(feature = "calls")]
        let bound = self.call.is_some();
        #[cfg(not(feature = "calls"))]
        let bound = false;
        bound
    }

    pub(super) fn said_impact(&self) -> Impact {
        self.impact
    }

    /// The request's body, or what is wrong with it.
    pub(super) fn body(&self) -> Result<Value, InputError> {
        let task_id = self.task_id();
        let parts = [
            ("task_id", &task_id, LONGEST_TASK, "is longer than 128 characters, the hash of a call included"),
            (
                "reason",
                &self.reason,
                LONGEST_REASON,
                "is longer than the 480 characters that a person is shown: say in a summary what will run",
            ),
            ("on_behalf_of", &self.on_behalf_of, LONGEST_PERSON, "is longer than 320 characters"),
        ];
        for (argument, text, most, problem) in parts {
            if text.chars().all(char::is_whitespace) {
                return Err(InputError::new(argument, "is empty"));
            }
            if text.chars().nth(most).is_some() {
                return Err(InputError::new(argument, problem));
            }
            // A line break may be wanted in what a person reads; whatever else acts on text may make it say something else.
            let is_fine = |own| (own == '\n' && argument == "reason") || !crate::error::acts_on_text(own);
            if !text.chars().all(is_fine) {
                let problem = "has a character that changes how the text around it is shown";
                return Err(InputError::new(argument, problem));
            }
        }
        if self.task.chars().all(char::is_whitespace) {
            return Err(InputError::new("task", "is empty"));
        }
        let mut body = Map::new();
        body.insert("task_id".to_owned(), Value::from(task_id));
        body.insert("reason".to_owned(), Value::from(self.reason.as_str()));
        body.insert("on_behalf_of".to_owned(), Value::from(self.on_behalf_of.as_str()));
        body.insert("impact".to_owned(), Value::from(self.impact.as_str()));
        if !self.meta.is_empty() {
            body.insert("meta".to_owned(), Value::Object(self.meta.clone()));
        }
        Ok(Value::Object(body))
    }
}

impl fmt::Debug for Approval {
    /// What is asked, without what the arguments and the person are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approval")
            .field("task_id", &self.task_id())
            .field("impact", &self.impact)
            .finish_non_exhaustive()
    }
}

/// The arguments as the person reads them: JSON, in which nothing changes how the text around it is shown.
#[cfg(feature = "calls")]
fn shown(arguments: &Value) -> String {
    let text = serde_json_canonicalizer::to_string(arguments).unwrap_or_else(|_| arguments.to_string());
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if crate::error::acts_on_text(character) {
            // Within a text of JSON, where alone it can stand, this is the same character.
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    out
}
