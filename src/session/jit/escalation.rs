//! A resource says what it wants to be permitted: that is asked for if the caller lets it, and the request is made once more.

use std::time::Duration;

use super::super::kinds::{PermissionToken, Permitted, PermittedRequest};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Session, Step};
use super::waiting::Waiting;
use crate::error::Error;
use crate::operations::{
    ApiRequest, Approved, AuthorizationDetails, Permission, RequestPermission, demanded_details,
};
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::Response;

/// How long a person is waited for, if nothing else is set (`docs/wire.md`, P-poll).
const PATIENCE: Duration = Duration::from_secs(300);
/// Members that say what details are about, each with a rule of its own.
const RULED: [&str; 4] = ["type", "actions", "locations", "identifier"];

/// What may be asked for because a resource's answer names it. Nothing, until something is allowed: what an answer says is a stranger's
/// wish.
#[derive(Clone, Debug)]
pub struct Escalation {
    allowed: Vec<Allowed>,
    justification: Option<String>,
    ttl: Option<Duration>,
    patience: Duration,
}

/// Details of one type that may be asked for.
#[derive(Clone, Debug)]
pub struct Allowed {
    kind: String,
    actions: Vec<String>,
    locations: Vec<String>,
    identifiers: Option<Vec<String>>,
    members: Vec<String>,
}

impl Allowed {
    /// Details of this type, with these actions and no other. Details that name no action may mean all of them, and are not allowed.
    pub fn new<T: Into<String>>(kind: impl Into<String>, actions: impl IntoIterator<Item = T>) -> Self {
        let actions = actions.into_iter().map(Into::into).collect();
        let (locations, identifiers, members) = (Vec::new(), None, Vec::new());
        Allowed { kind: kind.into(), actions, locations, identifiers, members }
    }

    /// At these locations. None are allowed if they are not named here; details without locations are.
    pub fn locations<T: Into<String>>(mut self, locations: impl IntoIterator<Item = T>) -> Self {
        self.locations.extend(locations.into_iter().map(Into::into));
        self
    }

    /// About these things and no other. Any identifier is allowed if this is not said.
    pub fn identifiers<T: Into<String>>(mut self, identifiers: impl IntoIterator<Item = T>) -> Self {
        self.identifiers.get_or_insert_default().extend(identifiers.into_iter().map(Into::into));
        self
    }

    /// With members of these names besides, whatever they say. No other members are allowed.
    pub fn members<T: Into<String>>(mut self, members: impl IntoIterator<Item = T>) -> Self {
        self.members.extend(members.into_iter().map(Into::into));
        self
    }

    fn allows(&self, details: &AuthorizationDetails) -> bool {
        let members = details.members();
        let (actions, locations) = (details.actions(), details.named_locations());
        // A list with something in it that is no text says more than is read here.
        let whole = |name: &str, read: usize| {
            members.get(name).is_none_or(|list| list.as_array().is_some_and(|list| list.len() == read))
        };
        let identified = match (&self.identifiers, members.get("identifier")) {
            (None, None) => true,
            (None, Some(identifier)) => identifier.is_string(),
            (Some(allowed), Some(serde_json::Value::String(identifier))) => allowed.contains(identifier),
            (Some(_), _) => false,
        };
        details.kind() == self.kind
            && !actions.is_empty()
            && whole("actions", actions.len())
            && whole("locations", locations.len())
            && actions.iter().all(|action| self.actions.iter().any(|own| own == action))
            && locations.iter().all(|location| self.locations.iter().any(|own| own == location))
            && identified
            && members.keys().all(|name| RULED.contains(&name.as_str()) || self.members.contains(name))
    }
}

impl Default for Escalation {
    fn default() -> Self {
        Escalation::new()
    }
}

impl Escalation {
    /// Nothing is asked for.
    pub fn new() -> Self {
        Escalation { allowed: Vec::new(), justification: None, ttl: None, patience: PATIENCE }
    }

    /// Lets these details be asked for as well.
    pub fn allow(mut self, allowed: Allowed) -> Self {
        self.allowed.push(allowed);
        self
    }

    /// Why the agent needs it.
    pub fn justification(mut self, why: impl Into<String>) -> Self {
        self.justification = Some(why.into());
        self
    }

    /// For how long it is asked for.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How long a person is waited for, five minutes if not set.
    pub fn wait(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// True if these details may be asked for.
    pub fn allows(&self, details: &AuthorizationDetails) -> bool {
        self.allowed.iter().any(|allowed| allowed.allows(details))
    }
}

/// What a request came to that might have needed a permission.
#[derive(Debug)]
#[non_exhaustive]
pub struct Escalated {
    /// The answer: the second one if there was one, else the first as it was.
    pub response: Response,
    /// What became of the permission; none if none was asked for.
    pub permission: Option<Permission>,
    /// What the answer named, if it named something.
    pub demanded: Option<AuthorizationDetails>,
    /// Why there is no permission although one was asked for, if that failed.
    pub failure: Option<Error>,
}

pub(super) struct Escalating {
    session: Session,
    task_id: String,
    acting: Option<AccessToken>,
    request: ApiRequest,
    escalation: Escalation,
    /// The first answer, and what it wants.
    first: Option<(Response, AuthorizationDetails)>,
    approved: Option<Approved>,
    at: At,
}

enum At {
    First(Box<Call<ApiRequest>>),
    Asking(Box<Call<RequestPermission>>),
    Waiting(Box<Waiting>),
    Again(Box<PermittedRequest>),
    Over,
}

impl Escalating {
    pub(super) fn new(
        session: &Session,
        task_id: &str,
        acting: Option<AccessToken>,
        request: ApiRequest,
        escalation: Escalation,
    ) -> Self {
        let first = acting.iter().cloned().fold(request.clone(), ApiRequest::token);
        let at = At::First(Box::new(Call::new(session.clone(), first, None)));
        let (session, task_id) = (session.clone(), task_id.to_owned());
        Escalating { session, task_id, acting, request, escalation, first: None, approved: None, at }
    }

    fn ask(&self, details: AuthorizationDetails) -> At {
        let ask = RequestPermission::new(&self.task_id, details);
        let ask = self.escalation.justification.iter().cloned().fold(ask, RequestPermission::justification);
        let ask = self.escalation.ttl.into_iter().fold(ask, RequestPermission::ttl);
        let ask = self.acting.iter().cloned().fold(ask, RequestPermission::token);
        At::Asking(Box::new(Call::new(self.session.clone(), ask, None)))
    }

    /// What follows a decision: the request again, or an end.
    fn decided(&mut self, permission: Permission) -> Option<Result<Step<Escalated>, Failed>> {
        let details = self.first.as_ref().map(|(_, details)| details.clone());
        match permission {
            Permission::Approved(approved) => {
                let token = PermissionToken::new(&self.session, &approved, self.acting.clone());
                self.at = At::Again(Box::new(Permitted::request(token, self.request.clone())));
                self.approved = Some(approved);
                None
            }
            Permission::Pending(pending) if !matches!(self.at, At::Waiting(_)) => {
                let acting = self.acting.clone();
                self.at =
                    At::Waiting(Box::new(Waiting::new(&self.session, pending.request_id(), details, acting)));
                None
            }
            other => Some(self.original(Some(other), None)),
        }
    }

    /// The first answer, as it was.
    fn original(
        &mut self,
        permission: Option<Permission>,
        failure: Option<Error>,
    ) -> Result<Step<Escalated>, Failed> {
        match self.first.take() {
            Some((response, details)) => {
                Ok(Step::Done(Escalated { response, permission, demanded: Some(details), failure }))
            }
            None => Err(super::super::ended().into()),
        }
    }
}

impl Part for Escalating {
    type Output = Escalated;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Escalated>, Failed> {
        loop {
            let permission = match &mut self.at {
                At::First(call) => {
                    let response = ready!(Part::step(&mut **call, now, arrived.take(), time)?);
                    let demanded = demanded_details(&response);
                    match demanded {
                        Some(details) if self.escalation.allows(&details) => {
                            self.at = self.ask(details.clone());
                            self.first = Some((response, details));
                            continue;
                        }
                        demanded => {
                            let (permission, failure) = (None, None);
                            return Ok(Step::Done(Escalated { response, permission, demanded, failure }));
                        }
                    }
                }
                At::Asking(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(step) => ready!(step),
                    Err(failed) => return self.original(None, Some(failed.error)),
                },
                At::Waiting(waiting) => match waiting.step(now, arrived.take(), time) {
                    Ok(step) => ready!(step),
                    Err(failed) => return self.original(None, Some(failed.error)),
                },
                At::Again(call) => {
                    let answered = call.step(now, arrived.take(), time);
                    let approved = self.approved.clone().map(Permission::Approved);
                    return match answered {
                        Ok(step) => {
                            let response = ready!(step);
                            let demanded = self.first.take().map(|(_, details)| details);
                            Ok(Step::Done(Escalated {
                                response,
                                permission: approved,
                                demanded,
                                failure: None,
                            }))
                        }
                        // The token could not be had, or is for something else: nothing was sent with it.
                        Err(failed) if call.has_no_token() => self.original(approved, Some(failed.error)),
                        Err(failed) => Err(failed),
                    };
                }
                At::Over => return Err(super::super::ended().into()),
            };
            if let Some(end) = self.decided(permission) {
                self.at = At::Over;
                return end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn nothing_is_asked_for_that_was_not_allowed() {
        let policy = Escalation::new().allow(
            Allowed::new("file_access", ["read", "write"]).locations(["https://a.test"]).members(["note"]),
        );
        let of = |details: Value| AuthorizationDetails::raw(details).unwrap();
        for yes in [
            json!({"type": "file_access", "actions": ["read"]}),
            json!({"type": "file_access", "actions": ["read", "write"], "identifier": "x"}),
            json!({"type": "file_access", "actions": ["read"], "locations": ["https://a.test"], "note": 7}),
        ] {
            assert!(policy.allows(&of(yes.clone())), "{yes}");
            assert!(!Escalation::new().allows(&of(yes.clone())), "nothing by default: {yes}");
        }
        for no in [
            json!({"type": "payment", "actions": ["read"]}),
            json!({"type": "file_access"}),
            json!({"type": "file_access", "actions": []}),
            json!({"type": "file_access", "actions": "read"}),
            json!({"type": "file_access", "actions": ["read", "delete"]}),
            json!({"type": "file_access", "actions": ["read", {"and": "delete"}]}),
            json!({"type": "file_access", "actions": ["Read"]}),
            json!({"type": "file_access", "actions": ["read"], "locations": ["https://b.test"]}),
            json!({"type": "file_access", "actions": ["read"], "locations": ["https://a.test", "https://b.test"]}),
            json!({"type": "file_access", "actions": ["read"], "locations": "https://a.test"}),
            json!({"type": "file_access", "actions": ["read"], "identifier": ["x"]}),
            json!({"type": "file_access", "actions": ["read"], "privileges": ["admin"]}),
        ] {
            assert!(!policy.allows(&of(no.clone())), "{no}");
        }
        let named = Escalation::new().allow(Allowed::new("file_access", ["read"]).identifiers(["x"]));
        assert!(named.allows(&of(json!({"type": "file_access", "actions": ["read"], "identifier": "x"}))));
        assert!(!named.allows(&of(json!({"type": "file_access", "actions": ["read"], "identifier": "y"}))));
        assert!(!named.allows(&of(json!({"type": "file_access", "actions": ["read"]}))));
    }
}
