//! A decision, and the one rule by which an answer allows.

use std::fmt;

use http::header::AGE;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, ProtocolFault, inert};
use crate::json::Fields;
use crate::wire::{self, Response};

/// True if a cache may have answered: it has held the answer for a while.
pub(super) fn is_cached(response: &Response) -> bool {
    response.headers().iter().any(|(name, value)| name == AGE && value.as_bytes().trim_ascii() != b"0")
}

/// The members of an answer that decides: status 200, one JSON object, and not out of a cache.
pub(super) fn read(operation: &'static str, response: &Response) -> Result<Fields, Error> {
    let fields = wire::read(operation, response)?;
    if response.status() != 200 {
        return Err(fields.fault(ProtocolFault::UnexpectedStatus));
    }
    if is_cached(response) {
        return Err(fields.fault(ProtocolFault::Cached));
    }
    Ok(fields)
}

/// Allowed means: this member is the boolean `true`, and nothing beside it says that it failed.
pub(super) fn allowed(fields: &mut Fields, member: &'static str) -> Result<bool, Error> {
    let allowed = fields.required_boolean(member)?;
    undisputed(fields, allowed)
}

/// An allow with an error, a failure or a denial beside it contradicts itself.
pub(super) fn undisputed(fields: &mut Fields, allowed: bool) -> Result<bool, Error> {
    let failed = fields.value("error").is_some() || fields.value("success").is_some_and(|said| said != true);
    if allowed && failed {
        return Err(fields.fault(ProtocolFault::Other("the answer allows and reports a failure at once")));
    }
    if allowed && denies(fields) {
        return Err(fields.fault(ProtocolFault::Other("the answer allows and denies at once")));
    }
    Ok(allowed)
}

/// In the words of any of the documented forms, of which an answer has one.
fn denies(fields: &Fields) -> bool {
    let is_no = |word: &str| ["deny", "denied"].iter().any(|no| word.eq_ignore_ascii_case(no));
    fields.has("allowed", |said| said == &Value::Bool(false))
        || fields.has("denied", |said| said == &Value::Bool(true))
        || fields.has("decision", |said| said == &Value::Bool(false) || said.as_str().is_some_and(is_no))
}

/// What the answer repeats of the question must be the question's.
pub(super) fn echoed(fields: &mut Fields, member: &'static str, own: &str) -> Result<(), Error> {
    match fields.identifier(member)? {
        Some(other) if other != own => Err(fields.fault(ProtocolFault::OtherAction)),
        _ => Ok(()),
    }
}

/// What the service decided: allowed or denied, why, and under which audit record. The answer to an [`Ask`](super::Ask), and to every check of a
/// permission, a relation or a policy.
///
/// A denial is a value, not an error; [`Decision::require`] turns it into one. Prints as one line of JSON.
///
/// One that nobody looks at is a warning, which this example denies:
///
/// ```compile_fail
/// # #[cfg(not(all(feature = "emulator", feature = "blocking")))] compile_error!("there is no agent to ask");
/// # let agent = lumoauth::Emulator::demo()?.agent()?;
/// agent.ask("delete_user")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use = "a decision that nobody looks at allows nothing"]
pub struct Decision {
    allowed: bool,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_scopes: Vec<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Kept among the other members where there is a reason beside it.
const EXPLANATION: &str = "explanation";

impl Decision {
    /// Reads what is left of an answer about this action.
    pub(super) fn of(
        mut fields: Fields,
        allowed: bool,
        action: &str,
        context: &Map<String, Value>,
    ) -> Result<Self, Error> {
        let (reason, explanation) = (fields.text("reason")?, fields.text(EXPLANATION)?);
        let context = match fields.object("context")? {
            Some(echoed) => echoed.rest(),
            None => context.clone(),
        };
        let audit_id = fields.identifier("audit_id")?;
        let required_scopes = fields.texts("required_scopes")?;
        let mut extra = fields.rest();
        let reason = match (reason, explanation) {
            (Some(reason), Some(explanation)) => {
                extra.insert(EXPLANATION.into(), explanation.into());
                Some(reason)
            }
            (reason, explanation) => reason.or(explanation),
        };
        Ok(Decision { allowed, action: action.to_owned(), reason, audit_id, required_scopes, context, extra })
    }

    /// A decision of which no more is known.
    pub(super) fn bare(allowed: bool, action: &str) -> Self {
        Decision {
            allowed,
            action: action.to_owned(),
            reason: None,
            audit_id: None,
            required_scopes: Vec::new(),
            context: Map::new(),
            extra: Map::new(),
        }
    }

    /// With a reason and a record.
    pub(super) fn because(self, reason: Option<String>, audit_id: Option<String>) -> Self {
        Decision { reason, audit_id, ..self }
    }

    /// About this context.
    pub(super) fn within(self, context: Map<String, Value>) -> Self {
        Decision { context, ..self }
    }

    /// What the tool loop of a language model is told, as JSON: what was decided, why, what to do instead, and under which record
    /// people find it. Hand it over as the tool's result: a model that is told what to do does not try again and again.
    ///
    /// ```
    /// # let decision = lumoauth::embed::operations::Decision::denied("delete_user", "insufficient_permissions");
    /// let told = decision.for_model();
    /// assert_eq!(told["allowed"], false);
    /// assert_eq!(told["action"], "delete_user");
    /// assert!(told["instead"].as_str().unwrap().starts_with("Do not"));
    /// ```
    pub fn for_model(&self) -> Value {
        let mut told = json!({"allowed": self.allowed, "action": inert(&self.action)});
        let Some(map) = told.as_object_mut() else { return told };
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                map.insert(name.to_owned(), inert(text).into());
            }
        };
        put("reason", self.reason());
        put("audit_id", self.audit_id());
        if self.allowed {
            return told;
        }
        let instead = if self.required_scopes.is_empty() {
            "Do not try this action again: the answer will be the same. Go on without it, or tell the person what was refused and let them decide."
        } else {
            "Do not try this action again: it needs the scopes that are listed. Ask the person for them, or go on without it."
        };
        put("instead", Some(instead));
        if !self.required_scopes.is_empty() {
            let scopes: Vec<String> = self.required_scopes.iter().map(|scope| inert(scope)).collect();
            map.insert("required_scopes".to_owned(), scopes.into());
        }
        told
    }

    /// A denial that was decided before anybody was asked, for rules of your own.
    pub fn denied(action: impl Into<String>, reason: impl Into<String>) -> Self {
        Decision::bare(false, &action.into()).because(Some(reason.into()), None)
    }

    /// True if the service said so, and only then.
    pub fn allowed(&self) -> bool {
        self.allowed
    }

    /// The action that was asked about.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Why, in the service's words (`reason`, else `explanation`).
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The service's explanation in words, where it gives one (`explanation`, else `reason`).
    pub fn explanation(&self) -> Option<&str> {
        self.extra.get(EXPLANATION).and_then(Value::as_str).or(self.reason())
    }

    /// The service's audit record of this decision.
    pub fn audit_id(&self) -> Option<&str> {
        self.audit_id.as_deref()
    }

    /// The scopes that the action would need, if the service lists them.
    pub fn required_scopes(&self) -> &[String] {
        &self.required_scopes
    }

    /// The context that the service decided by, or the one sent if it did not say.
    pub fn context(&self) -> &Map<String, Value> {
        &self.context
    }

    /// Fields of the answer that this version does not know, such as `decided_by`.
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Goes on only if allowed: `agent.ask("read_document")?.require()?`.
    ///
    /// # Errors
    /// [`Error::Denied`] with the action, the reason and the audit id.
    pub fn require(&self) -> Result<(), Error> {
        if self.allowed {
            return Ok(());
        }
        let (action, reason, audit_id) = (self.action.clone(), self.reason.clone(), self.audit_id.clone());
        Err(Error::Denied { action, reason, audit_id })
    }
}

impl fmt::Display for Decision {
    /// `{"allowed": false, "action": "delete_user", "reason": "insufficient_permissions", "audit_id": "aud_abc123"}`,
    /// each text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| Value::from(inert(text)).to_string();
        write!(f, "{{\"allowed\": {}, \"action\": {}", self.allowed, shown(&self.action))?;
        if let Some(reason) = &self.reason {
            write!(f, ", \"reason\": {}", shown(reason))?;
        }
        if let Some(audit_id) = &self.audit_id {
            write!(f, ", \"audit_id\": {}", shown(audit_id))?;
        }
        f.write_str("}")
    }
}
