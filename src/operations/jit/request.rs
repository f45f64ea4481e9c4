//! Asking for a permission, and asking what was decided.

use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Map, Value};

use super::details::AuthorizationDetails;
use super::permission::{Known, Permission, read};
use super::{REQUEST, REQUEST_STATUS, auth, member, named, says_something};
use crate::error::{Error, InputError};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::origin::absolute;
use crate::token::AccessToken;
use crate::wire::{self, Request, Response};

/// The longest that a permission is given for.
const LONGEST: Duration = Duration::from_secs(900);

/// Asks for a permission in a task. `POST jit/request`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | task | REQUIRED | `task_id` |
/// | details: what exactly | REQUIRED | `authorization_details`, one object |
/// | justification | OPTIONAL | `justification` |
/// | for how long, 900 s at most | OPTIONAL | `requested_ttl`, seconds |
/// | where to tell of the decision | OPTIONAL | `callback_url` |
///
/// It may ring a person, so it is never sent again unless nothing of it was sent.
#[derive(Clone, Debug)]
pub struct RequestPermission {
    task_id: String,
    details: AuthorizationDetails,
    justification: Option<String>,
    ttl: Option<Duration>,
    callback: Option<String>,
    token: Option<AccessToken>,
}

impl RequestPermission {
    /// For this, in the task of this id.
    pub fn new(task_id: impl Into<String>, details: AuthorizationDetails) -> Self {
        let (justification, ttl, callback, token) = (None, None, None, None);
        RequestPermission { task_id: task_id.into(), details, justification, ttl, callback, token }
    }

    /// Why the agent needs it: whoever decides reads it.
    pub fn justification(mut self, why: impl Into<String>) -> Self {
        self.justification = Some(why.into());
        self
    }

    /// For how long: whole seconds, 900 at most. The service gives 600 if nothing is said, and no less than 300.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Where the service tells of the decision: an `https` URL (or `http` to this machine). What it sends there is not documented.
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(url.into());
        self
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl Operation for RequestPermission {
    type Output = Permission;

    fn terms(&self) -> Terms {
        Terms::new(REQUEST.name(), Effect::Once, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        says_something("task_id", Some(&self.task_id))?;
        says_something("justification", self.justification.as_deref())?;
        let mut body = Map::new();
        member(&mut body, "task_id", Some(&self.task_id));
        body.insert("authorization_details".to_owned(), self.details.sent()?);
        member(&mut body, "justification", self.justification.as_deref());
        if let Some(ttl) = self.ttl {
            if ttl.as_secs() == 0 || ttl > LONGEST {
                return Err(InputError::new("ttl", "is not between 1 s and 900 s").into());
            }
            body.insert("requested_ttl".to_owned(), Value::from(ttl.as_secs()));
        }
        if let Some(url) = &self.callback {
            absolute("callback", url)?;
            member(&mut body, "callback_url", Some(url));
        }
        Ok(named(context.to(REQUEST), context).json(&Value::Object(body)))
    }

    fn response(&self, response: &Response) -> Result<Answer<Permission>, Error> {
        let mut fields = wire::read(REQUEST.name(), response)?;
        let known = Known {
            request_id: None,
            task_id: Some(&self.task_id),
            asked: Some(&self.details),
            sent: wire::sent_at(response),
            again_after: wire::retry_after(response),
        };
        read(&mut fields, &known).map(Answer::Done)
    }
}

/// Asks what was decided. `GET jit/request/{request_id}/status`.
#[derive(Clone, Debug)]
pub struct GetPermission {
    request_id: String,
    asked: Option<AuthorizationDetails>,
    token: Option<AccessToken>,
}

impl GetPermission {
    /// About the request of this id.
    pub fn new(request_id: impl Into<String>) -> Self {
        GetPermission { request_id: request_id.into(), asked: None, token: None }
    }

    /// What was asked for: the token will be compared with it.
    pub fn details(mut self, details: AuthorizationDetails) -> Self {
        self.asked = Some(details);
        self
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl Operation for GetPermission {
    type Output = Permission;

    fn terms(&self) -> Terms {
        Terms::new(REQUEST_STATUS.name(), Effect::Read, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        // What somebody on the way has kept may be from before the decision.
        let request = context.to_with(REQUEST_STATUS, &[&self.request_id])?;
        Ok(request.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }

    fn response(&self, response: &Response) -> Result<Answer<Permission>, Error> {
        let mut fields = wire::read(REQUEST_STATUS.name(), response)?;
        let known = Known {
            request_id: Some(&self.request_id),
            task_id: None,
            asked: self.asked.as_ref(),
            sent: wire::sent_at(response),
            again_after: wire::retry_after(response),
        };
        read(&mut fields, &known).map(Answer::Done)
    }
}
