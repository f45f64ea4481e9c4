//! What a person who decides does: sees what waits, approves, denies. With that person's own token, and no other.

use std::time::Duration;

use serde_json::{Map, Value};

use super::details::AuthorizationDetails;
use super::{APPROVE, DENY, PENDING, member, says_something};
use crate::claims::UnverifiedClaims;
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::json::{self, Fields};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::operations::decision::undisputed;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};
use crate::wire::{self, Request, Response};

/// The most requests on a page (`docs/wire.md`, P-pending).
const MOST: u32 = 100;

/// A token that a person may decide with: bearer, and not an agent's as far as it can be seen. Only the service sees more.
#[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
pub(crate) fn reviewers_token(token: Secret, now: Timestamp) -> Result<AccessToken, InputError> {
    let refused = |problem| Err(InputError::new("user_token", problem));
    let text = token.expose();
    if text.trim().is_empty() {
        return refused("is empty");
    }
    // A blank in front hides what it is, and is no part of any token (RFC 6750 section 2.1).
    if text.chars().any(|own| own.is_whitespace() || own.is_control()) {
        return refused("has a blank or a control character: give the token alone");
    }
    let start: String = text.chars().take(8).collect::<String>().to_ascii_lowercase();
    if ["lmk_", "lk_", "sk_", "secret_"].iter().any(|prefix| start.starts_with(prefix)) {
        return refused(
            "is an API key or a client's secret: decisions are a person's, with the token of that person's own",
        );
    }
    let Ok(claims) = UnverifiedClaims::of_jwt(&token) else { return refused("is a malformed JWT") };
    if let Some(claims) = claims {
        let all = claims.unverified_claims();
        let subject = all.get("sub").and_then(Value::as_str).unwrap_or_default();
        let named = ["agent_id", "agent_name", "task_id", "jit"].iter().any(|claim| all.contains_key(*claim));
        let own = all.get("client_id").is_some_and(|client| all.get("sub") == Some(client));
        let is_agent = subject == "agent"
            || ["agent:", "agent_", "agent-", "agent/", "agt_"]
                .iter()
                .any(|prefix| subject.starts_with(prefix));
        if named || own || is_agent || all.contains_key("act") {
            return refused("is an agent's: an agent must not decide about what agents ask for");
        }
    }
    // Its end is the service's to know.
    Ok(AccessToken::new(token, TokenType::Bearer, Scopes::none(), now, Duration::from_secs(3600)))
}

/// Lists what waits for a reviewer. `GET jit/pending`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | the reviewer's own token | REQUIRED | Bearer |
/// | page, from 1 | OPTIONAL | `page` |
/// | how many on a page, 100 at most | OPTIONAL | `limit` |
#[derive(Clone, Debug)]
pub struct GetPendingPermissions {
    token: AccessToken,
    page: Option<u32>,
    limit: Option<u32>,
}

impl GetPendingPermissions {
    /// With the token of the person who reviews.
    pub fn new(token: AccessToken) -> Self {
        GetPendingPermissions { token, page: None, limit: None }
    }

    /// Another page than the first.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// How many on a page, 100 at most.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl Operation for GetPendingPermissions {
    type Output = Vec<PendingPermission>;

    fn terms(&self) -> Terms {
        let terms = Terms::new(PENDING.name(), Effect::Read, Auth::Token(self.token.clone()));
        terms.body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.page == Some(0) || self.limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
            return Err(InputError::new(
                "page or limit",
                "is out of bounds: pages begin at 1 and have 1 to 100",
            )
            .into());
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, number) in [("page", self.page), ("limit", self.limit)] {
            if let Some(number) = number {
                query.append_pair(name, &number.to_string());
            }
        }
        let query = query.finish();
        if query.is_empty() {
            return Ok(context.to(PENDING));
        }
        let url = format!("{}?{query}", context.site().url(PENDING)).parse();
        let url = url.map_err(|_| InputError::new("page or limit", "cannot be sent"))?;
        Ok(Request::new(PENDING.method(), url))
    }

    fn response(&self, response: &Response) -> Result<Answer<Vec<PendingPermission>>, Error> {
        wire::succeeded(PENDING.name(), response)?;
        let fault =
            |fault| Error::from(ProtocolError::new(PENDING.name(), response.status().as_u16(), fault));
        let items = match json::parse(response.body()).map_err(fault)? {
            Value::Array(items) => items,
            Value::Object(mut map) => {
                let found =
                    ["data", "pending_requests", "requests"].into_iter().find_map(|name| map.remove(name));
                match found {
                    Some(Value::Array(items)) => items,
                    Some(other) => {
                        let (expected, found) = ("a list", json::kind(&other));
                        return Err(fault(ProtocolFault::Mistyped { field: "data", expected, found }));
                    }
                    None => return Err(fault(ProtocolFault::Missing { field: "data" })),
                }
            }
            other => {
                let (expected, found) = ("an object or a list", json::kind(&other));
                return Err(fault(ProtocolFault::Mistyped { field: json::BODY, expected, found }));
            }
        };
        let read = |item| match item {
            Value::Object(map) => {
                PendingPermission::read(Fields::new(PENDING.name(), response.status().as_u16(), map))
            }
            other => {
                let (expected, found) = ("a list of objects", json::kind(&other));
                Err(fault(ProtocolFault::Mistyped { field: "data", expected, found }))
            }
        };
        items.into_iter().map(read).collect::<Result<_, _>>().map(Answer::Done)
    }
}

/// A request that waits for a reviewer. What it says, the agent wrote: show it escaped ([`crate::error::acts_on_text`]).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PendingPermission {
    /// The request's id.
    pub request_id: String,
    /// The task that it belongs to.
    pub task_id: Option<String>,
    /// Who asks.
    pub agent_id: Option<String>,
    /// What exactly is asked for.
    pub details: Vec<AuthorizationDetails>,
    /// Why, in the agent's words.
    pub justification: Option<String>,
    /// How risky the service takes it to be.
    pub risk: Option<String>,
    /// For how long.
    pub ttl: Option<Duration>,
    /// Until when it can be decided.
    pub expires_at: Option<Timestamp>,
}

impl PendingPermission {
    fn read(mut fields: Fields) -> Result<Self, Error> {
        let request_id = match fields.text("request_id")? {
            Some(id) if !id.is_empty() => id,
            _ => fields.required_text("id")?,
        };
        let details = match fields.value("authorization_details") {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(one) => vec![one],
        };
        let details: Result<Vec<_>, _> = details.into_iter().map(AuthorizationDetails::raw).collect();
        Ok(PendingPermission {
            request_id,
            task_id: fields.text("task_id")?,
            agent_id: fields.identifier("agent_id")?,
            details: details.map_err(|_| {
                fields.fault(ProtocolFault::Other(
                    "the authorization details of a request are no objects with a type",
                ))
            })?,
            justification: fields.text("justification")?,
            risk: fields.text("risk_level")?,
            ttl: fields.seconds("requested_ttl")?,
            expires_at: fields.moment("expires_at")?,
        })
    }
}

/// Approves a request, for good. `POST jit/approve/{request_id}`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | for how long | OPTIONAL | `ttl`, seconds |
/// | notes, for other reviewers | OPTIONAL | `notes` |
/// | message to the agent | OPTIONAL | `agent_message` |
#[derive(Clone, Debug)]
pub struct ApprovePermission {
    token: AccessToken,
    request_id: String,
    ttl: Option<Duration>,
    notes: Option<String>,
    message: Option<String>,
}

impl ApprovePermission {
    /// The request of this id, with the token of the person who reviews.
    pub fn new(token: AccessToken, request_id: impl Into<String>) -> Self {
        ApprovePermission { token, request_id: request_id.into(), ttl: None, notes: None, message: None }
    }

    /// For how long: whole seconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Notes for other reviewers. The agent does not see them.
    pub fn notes(mut self, notes: impl Into<String>) -> Self {
        self.notes = Some(notes.into());
        self
    }

    /// What the agent is told.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

impl Operation for ApprovePermission {
    type Output = Review;

    fn terms(&self) -> Terms {
        Terms::new(APPROVE.name(), Effect::Once, Auth::Token(self.token.clone()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let mut body = Map::new();
        if let Some(ttl) = self.ttl {
            if ttl.as_secs() == 0 {
                return Err(InputError::new("ttl", "is less than a second").into());
            }
            body.insert("ttl".to_owned(), Value::from(ttl.as_secs()));
        }
        says_something("notes", self.notes.as_deref())?;
        member(&mut body, "notes", self.notes.as_deref());
        member(&mut body, "agent_message", self.message.as_deref());
        Ok(context.to_with(APPROVE, &[&self.request_id])?.json(&Value::Object(body)))
    }

    fn response(&self, response: &Response) -> Result<Answer<Review>, Error> {
        Review::read(wire::read(APPROVE.name(), response)?, &self.request_id, "approved").map(Answer::Done)
    }
}

/// Denies a request, for good. `POST jit/deny/{request_id}`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | reason | OPTIONAL | `reason` |
/// | message to the agent | OPTIONAL | `agent_message` |
#[derive(Clone, Debug)]
pub struct DenyPermission {
    token: AccessToken,
    request_id: String,
    reason: Option<String>,
    message: Option<String>,
}

impl DenyPermission {
    /// The request of this id, with the token of the person who reviews.
    pub fn new(token: AccessToken, request_id: impl Into<String>) -> Self {
        DenyPermission { token, request_id: request_id.into(), reason: None, message: None }
    }

    /// Why.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What the agent is told.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

impl Operation for DenyPermission {
    type Output = Review;

    fn terms(&self) -> Terms {
        Terms::new(DENY.name(), Effect::Once, Auth::Token(self.token.clone()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        says_something("reason", self.reason.as_deref())?;
        let mut body = Map::new();
        member(&mut body, "reason", self.reason.as_deref());
        member(&mut body, "agent_message", self.message.as_deref());
        Ok(context.to_with(DENY, &[&self.request_id])?.json(&Value::Object(body)))
    }

    fn response(&self, response: &Response) -> Result<Answer<Review>, Error> {
        Review::read(wire::read(DENY.name(), response)?, &self.request_id, "denied").map(Answer::Done)
    }
}

/// A decision that the service has taken note of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Review {
    /// The request's id.
    pub request_id: String,
    /// How long the permission is good for, if it was approved.
    pub granted: Option<Duration>,
}

impl Review {
    fn read(mut fields: Fields, request_id: &str, decided: &str) -> Result<Self, Error> {
        if fields.text("request_id")?.is_some_and(|said| said != request_id) {
            return Err(fields.fault(ProtocolFault::Other("the answer is about another request")));
        }
        if fields.required_text("status")? != decided {
            return Err(fields.fault(ProtocolFault::Other("the request is not decided as it was to be")));
        }
        undisputed(&mut fields, true)?;
        Ok(Review { request_id: request_id.to_owned(), granted: fields.seconds("granted_ttl")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn taken(token: &str) -> bool {
        reviewers_token(Secret::new(token), Timestamp::from_unix(0)).is_ok()
    }

    fn claims(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(claims), part("signature"))
    }

    #[test]
    fn only_a_persons_token_is_taken() {
        for person in [
            "opaque-0123".to_owned(),
            claims(r#"{"sub":"alice"}"#),
            claims(r#"{"sub":"agentina@example.com","client_id":"console"}"#),
        ] {
            assert!(taken(&person), "{person}");
        }
        for other in [
            claims(r#"{"sub":"agent:bot:task:t","task_id":"t"}"#),
            claims(r#"{"sub":"agent_7"}"#),
            claims(r#"{"sub":"agt_7"}"#),
            claims(r#"{"sub":"3f2a","client_id":"3f2a"}"#),
            claims(r#"{"sub":"3f2a","agent_name":"bot"}"#),
            claims(r#"{"sub":"user:alice","act":{"sub":"agent:bot"}}"#),
            claims(r#"{"sub":"alice","jit":true}"#),
            claims("{"),
            claims(r#"{"sub":"alice","sub":"agent:bot"}"#),
        ] {
            assert!(!taken(&other), "{other}");
        }
        for key in ["lmk_0123", "LMK_0123", "lk_0123", "sk_live_0123", "secret_0123"] {
            assert!(!taken(key), "{key}");
        }
        // What stands in front hides nothing.
        let person = claims(r#"{"sub":"alice"}"#);
        for other in
            [" lmk_0123", "Bearer lmk_0123", "", " ", &format!("Bearer {person}"), &format!("{person}\n")]
        {
            assert!(!taken(other), "{other:?}");
        }
    }
}
