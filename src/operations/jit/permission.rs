//! What was decided about a permission, as a value, and how an answer is read into one.

use std::fmt;
use std::time::Duration;

use super::details::AuthorizationDetails;
use crate::error::{Error, PermissionError, ProtocolFault, inert};
use crate::json::Fields;
use crate::operations::decision::undisputed;
use crate::time::Timestamp;

/// How risky the service takes a request to be. Low and medium are approved at once; high and critical wait for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risk {
    /// Reading.
    Low,
    /// Writing.
    Medium,
    /// Deleting, executing, administering.
    High,
    /// Payments, people's data, credentials.
    Critical,
    /// A level that this version does not know, as the service wrote it.
    Other(String),
}

impl Risk {
    fn read(text: String) -> Self {
        match text.as_str() {
            "low" => Risk::Low,
            "medium" => Risk::Medium,
            "high" => Risk::High,
            "critical" => Risk::Critical,
            _ => Risk::Other(text),
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Risk::Low => f.write_str("low"),
            Risk::Medium => f.write_str("medium"),
            Risk::High => f.write_str("high"),
            Risk::Critical => f.write_str("critical"),
            Risk::Other(text) => f.write_str(&inert(text)),
        }
    }
}

/// What became of a request for a permission, as far as it is known. Only [`Permission::Approved`] permits anything, and it alone
/// holds what calls are made with.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a permission that nobody looks at permits nothing"]
pub enum Permission {
    /// It was approved: its token can be had.
    Approved(Approved),
    /// It was denied.
    Denied(Denied),
    /// Nobody decided in time, or what was approved is over.
    Expired(Expired),
    /// It waits for a person.
    Pending(Pending),
}

/// A request that was approved.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    pub(super) request_id: String,
    pub(super) task_id: Option<String>,
    pub(super) asked: Option<AuthorizationDetails>,
    pub(super) risk: Option<Risk>,
    pub(super) granted: Option<Duration>,
    pub(super) message: Option<String>,
}

/// A request that was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    request_id: String,
    reason: Option<String>,
    risk: Option<Risk>,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    request_id: String,
}

/// A request that waits for a person. [`Pending::request_id`] is all that is needed to go on waiting later, in another process too.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    request_id: String,
    task_id: Option<String>,
    asked: Option<AuthorizationDetails>,
    risk: Option<Risk>,
    expires_at: Option<Timestamp>,
    /// What was left of it by the service's own clock.
    left: Option<Duration>,
    interval: Option<Duration>,
    /// The next question not before this, counted from the answer.
    again_after: Option<Duration>,
    message: Option<String>,
    needs_consent: bool,
}

impl Permission {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        match self {
            Permission::Approved(it) => &it.request_id,
            Permission::Denied(it) => &it.request_id,
            Permission::Expired(it) => &it.request_id,
            Permission::Pending(it) => &it.request_id,
        }
    }

    /// True if it was approved, and only then.
    pub fn is_approved(&self) -> bool {
        matches!(self, Permission::Approved(_))
    }

    /// Goes on only if it was approved.
    ///
    /// # Errors
    /// [`Error::Permission`], with the request's id, if it was denied, is over, or is not decided.
    pub fn require(self) -> Result<Approved, Error> {
        Err(Error::Permission(match self {
            Permission::Approved(approved) => return Ok(approved),
            Permission::Denied(Denied { request_id, reason, .. }) => {
                PermissionError::Denied { request_id, reason }
            }
            Permission::Expired(Expired { request_id }) => PermissionError::Expired { request_id },
            Permission::Pending(Pending { request_id, .. }) => PermissionError::Pending { request_id },
        }))
    }
}

impl Approved {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The task that it belongs to, if the answer says so.
    pub fn task_id(&self) -> Option<&str> {
        self.task_id.as_deref()
    }

    /// What was asked for, if whoever asked for the status said so: the token must be for that and nothing else.
    pub fn details(&self) -> Option<&AuthorizationDetails> {
        self.asked.as_ref()
    }

    /// How risky the service took it to be.
    pub fn risk(&self) -> Option<&Risk> {
        self.risk.as_ref()
    }

    /// How long its token will be good for.
    pub fn granted(&self) -> Option<Duration> {
        self.granted
    }

    /// What the reviewer has to say to the agent.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl Denied {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Why, in the service's or the reviewer's words.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How risky the service took it to be.
    pub fn risk(&self) -> Option<&Risk> {
        self.risk.as_ref()
    }
}

impl Expired {
    pub(crate) fn of(request_id: &str) -> Self {
        Expired { request_id: request_id.to_owned() }
    }

    /// The request's id. A new request is the caller's to make.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }
}

impl Pending {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The task that it belongs to, if the answer says so.
    pub fn task_id(&self) -> Option<&str> {
        self.task_id.as_deref()
    }

    /// What was asked for, if whoever asked for the status said so.
    pub fn details(&self) -> Option<&AuthorizationDetails> {
        self.asked.as_ref()
    }

    /// How risky the service takes it to be.
    pub fn risk(&self) -> Option<&Risk> {
        self.risk.as_ref()
    }

    /// Until when it can be decided, by the service's clock.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// What was left of it when the answer was sent, whatever this machine's clock says.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.left
    }

    /// What the answer itself asks to wait before the next question (`Retry-After`), this one time.
    pub(crate) fn again_after(&self) -> Option<Duration> {
        self.again_after
    }

    /// The pause between two questions that the service asks for.
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// What the service says about it. For people.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// True if it waits for the consent of the user on whose behalf the agent acts.
    pub fn needs_consent(&self) -> bool {
        self.needs_consent
    }
}

/// What the asker knows already.
pub(super) struct Known<'a> {
    pub(super) request_id: Option<&'a str>,
    pub(super) task_id: Option<&'a str>,
    pub(super) asked: Option<&'a AuthorizationDetails>,
    /// When the service wrote the answer, by its own clock.
    pub(super) sent: Option<Timestamp>,
    /// `Retry-After` of the answer.
    pub(super) again_after: Option<Duration>,
}

/// Reads what an answer says of a request. What it says of another request, another task or in an unknown word is an error.
pub(super) fn read(fields: &mut Fields, known: &Known<'_>) -> Result<Permission, Error> {
    let request_id = match (fields.text("request_id")?, known.request_id) {
        (Some(said), Some(own)) if said != own => {
            return Err(fields.fault(ProtocolFault::Other("the answer is about another request")));
        }
        (Some(said), _) if !said.is_empty() => said,
        (_, Some(own)) => own.to_owned(),
        _ => return Err(fields.missing("request_id")),
    };
    let task_id = match (fields.text("task_id")?, known.task_id) {
        (Some(said), Some(own)) if said != own => {
            return Err(fields.fault(ProtocolFault::Other("the answer is about another task")));
        }
        (said, own) => said.or_else(|| own.map(str::to_owned)),
    };
    let status = fields.required_text("status")?;
    let risk = fields.text("risk_level")?.map(Risk::read);
    // A reviewer's words to the agent go before the older notes.
    let (notes, own) = (fields.text("review_notes")?, fields.text("agent_message")?);
    let said = own.or(notes);
    let message = fields.text("message")?;
    Ok(match status.as_str() {
        "approved" => {
            undisputed(fields, true)?;
            let granted = fields.seconds("granted_ttl")?;
            let asked = known.asked.cloned();
            Permission::Approved(Approved { request_id, task_id, asked, risk, granted, message: said })
        }
        "denied" => {
            let reason = fields.text("deny_reason")?.or(said).or(message);
            Permission::Denied(Denied { request_id, reason, risk })
        }
        "expired" => Permission::Expired(Expired { request_id }),
        "pending" => {
            let expires_at = fields.moment("expires_at")?;
            Permission::Pending(Pending {
                request_id,
                task_id,
                asked: known.asked.cloned(),
                risk,
                expires_at,
                left: expires_at.zip(known.sent).map(|(end, sent)| end.saturating_since(sent)),
                interval: fields.seconds("interval")?,
                again_after: known.again_after,
                message,
                needs_consent: fields.value("delegation_consent_required").is_some_and(|said| said == true),
            })
        }
        _ => {
            return Err(
                fields.fault(ProtocolFault::Other("the status is none that is known, which permits nothing"))
            );
        }
    })
}
