//! The Ask API: may the agent do this? (`docs/wire.md`, rows K)
//!
//! This file is the pattern for every operation: the question, its terms, its two halves, the typed answer, tests.

use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decision::{self, Decision};
use super::surroundings::Surroundings;
use crate::error::{Error, InputError, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{Request, Response};

/// Questions are asked here.
pub const ASK: Route = Route::post("agents.ask", "agents/ask").warm(0);
pub(super) const ROUTES: &[Route] = &[ASK];

/// The question: may the agent perform this action? `POST agents/ask`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | action, or a question in words | REQUIRED | `action`, or `question` |
/// | context | OPTIONAL | `context`, left out when empty |
///
/// A text is an action: `agent.ask("read_document")`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    action: String,
    /// The action is a question in words.
    in_words: bool,
    context: Surroundings,
}

impl Ask {
    /// Asks about an action by its slug, such as `document.read`.
    pub fn new(action: impl Into<String>) -> Self {
        Ask { action: action.into(), in_words: false, context: Surroundings::default() }
    }

    /// Asks in words, as services that answer this documented form take it: `May I share the report with Bob?`. Allowed by the same
    /// rule; [`Decision::explanation`] and [`Decision::required_scopes`] say more.
    pub fn question(question: impl Into<String>) -> Self {
        Ask { in_words: true, ..Ask::new(question) }
    }

    /// Adds what the decision may depend on: an object, as `json!({"document_id": "doc-123"})`. With anything but an object (or null,
    /// which adds nothing) the question is an [`InputError`], and is not asked. The keys `ip`, `userAgent`, `requestMethod` and
    /// `requestPath` are the service's own.
    pub fn context(mut self, context: impl Into<Value>) -> Self {
        self.context.add(context.into());
        self
    }
}

impl<T: Into<String>> From<T> for Ask {
    fn from(action: T) -> Self {
        Ask::new(action)
    }
}

/// The question on the wire.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
    #[serde(skip_serializing_if = "Surroundings::is_empty")]
    context: &'a Surroundings,
}

/// The usual answer: no member but these, each once and of its type. Whatever is not so is read member by member, which
/// tells what is wrong with it or makes of it what can be made; this is the same, at half the price.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual {
    allowed: bool,
    action: Option<String>,
    reason: Option<String>,
    audit_id: Option<String>,
}

impl Usual {
    fn read(response: &Response) -> Option<Self> {
        // serde would take the members from an array as well.
        let is_object = response.status() == 200 && response.body().first() == Some(&b'{');
        if !is_object || decision::is_cached(response) {
            return None;
        }
        serde_json::from_slice(response.body()).ok()
    }

    fn is_about(&self, question: &Ask) -> bool {
        self.action.as_deref().is_none_or(|action| question.is_named(action))
    }

    fn decision(self, question: &Ask) -> Decision {
        let Usual { allowed, action: _, reason, audit_id } = self;
        Decision::bare(allowed, &question.action)
            .because(reason, audit_id)
            .within(question.context.members().clone())
    }
}

impl Operation for Ask {
    type Output = Decision;

    fn terms(&self) -> Terms {
        Terms::new(ASK.name(), Effect::Read, Auth::Bearer).total(Duration::from_secs(8))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.action.chars().all(char::is_whitespace) {
            let argument = if self.in_words { "question" } else { "action" };
            return Err(InputError::new(argument, "is empty").into());
        }
        self.context.check("context")?;
        let asked = Some(self.action.as_str());
        let (action, question) = if self.in_words { (None, asked) } else { (asked, None) };
        let body = serde_json::to_vec(&Body { action, question, context: &self.context })
            .map_err(|_| InputError::new("context", "cannot be written as JSON"))?;
        let request = context.to(ASK);
        let request = request.bytes("application/json", body);
        Ok(request.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }

    /// Allowed means: status 200, a JSON object, `allowed` the boolean `true`, and, where the answer names an action,
    /// ours. Everything else is a denial if it says so, and otherwise an error.
    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        if let Some(usual) = Usual::read(response).filter(|usual| usual.is_about(self)) {
            return Ok(Answer::Done(usual.decision(self)));
        }
        self.member_by_member(response).map(Answer::Done)
    }
}

impl Ask {
    fn member_by_member(&self, response: &Response) -> Result<Decision, Error> {
        let mut fields = decision::read(ASK.name(), response)?;
        let allowed = fields.required_boolean("allowed")?;
        let action = fields.text("action")?;
        if action.is_some_and(|action| !self.is_named(&action)) {
            return Err(fields.fault(ProtocolFault::OtherAction));
        }
        let allowed = decision::undisputed(&mut fields, allowed)?;
        Decision::of(fields, allowed, &self.action, self.context.members())
    }

    /// True if an answer about this action is about the question. What is asked in words may name its action in the context.
    fn is_named(&self, action: &str) -> bool {
        match self.context.members().get("action").and_then(Value::as_str).filter(|_| self.in_words) {
            Some(own) => action == own,
            None => self.in_words || action == self.action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use http::Method;
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Result<Decision, Error> {
        let response =
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes());
        match Ask::new("read").context(json!({"id": "1"})).response(&response)? {
            Answer::Done(decision) => Ok(decision),
            Answer::Again(_) => panic!("ask never polls"),
        }
    }

    #[test]
    fn the_request() {
        let site = Site::tenant("acme").unwrap();
        let request = Ask::new("delete_user")
            .context(json!({"user_id": "u-456"}))
            .request(&Context::new(&site))
            .unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.url(), "https://app.lumoauth.dev/t/acme/api/v1/agents/ask");
        assert_eq!(request.body(), br#"{"action":"delete_user","context":{"user_id":"u-456"}}"#);
        assert_eq!(Ask::new("x").request(&Context::new(&site)).unwrap().body(), br#"{"action":"x"}"#);
        assert!(matches!(Ask::new(" ").request(&Context::new(&site)), Err(Error::Input(_))));
    }

    #[test]
    fn allowed_and_denied_are_values() {
        let decision = answer(
            200,
            r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"8f3a","decided_by":"policy"}"#,
        )
        .unwrap();
        assert!(decision.allowed());
        assert_eq!(decision.extra()["decided_by"], "policy");
        assert_eq!(decision.context()["id"], "1");
        let decision =
            answer(200, r#"{"allowed":false,"reason":"insufficient_permissions","audit_id":"aud_abc123"}"#)
                .unwrap();
        assert_eq!(
            decision.to_string(),
            r#"{"allowed": false, "action": "read", "reason": "insufficient_permissions", "audit_id": "aud_abc123"}"#
        );
        assert!(
            matches!(decision.require(), Err(Error::Denied { audit_id: Some(id), .. }) if id == "aud_abc123")
        );
    }

    #[test]
    fn the_other_variant_of_the_answer() {
        let decision = answer(
            200,
            r#"{"allowed":false,"explanation":"no scope","confidence":0.9,"required_scopes":["a"]}"#,
        )
        .unwrap();
        assert_eq!(
            (decision.reason(), decision.required_scopes()),
            (Some("no scope"), &["a".to_owned()][..])
        );
    }

    #[test]
    fn the_usual_answer_is_read_as_any_other() {
        let question = Ask::new("read").context(json!({"id": "1"}));
        let values = ["true", "false", "null", "1", "\"read\"", "\"\"", "\"\\u0072ead\"", "[\"read\"]", "{}"];
        let names = ["allowed", "action", "reason", "audit_id", "\\u0061llowed", "other"];
        let (mut usual, mut all) = (0, 0);
        let mut members: Vec<String> = vec![String::new()];
        for name in names {
            members.extend(values.iter().map(|value| format!("\"{name}\":{value}")));
        }
        let bodies = members.iter().flat_map(|first| {
            members.iter().flat_map(move |second| {
                ["\"allowed\":true", "\"action\":\"read\"", ""].map(|third| {
                    let parts = [first.as_str(), second, third].into_iter().filter(|part| !part.is_empty());
                    format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
                })
            })
        });
        let odd = [
            "[true,\"read\",null,null]",
            " {\"allowed\":true}",
            "{\"allowed\":true} x",
            "{\"allowed\":true,}",
        ];
        for body in bodies.chain(odd.map(str::to_owned)) {
            let response = Response::new(StatusCode::OK, HeaderMap::new(), body.as_bytes());
            let slow = question.member_by_member(&response);
            let Ok(Answer::Done(whole)) = question.response(&response) else {
                assert!(slow.is_err(), "{body}");
                continue;
            };
            assert_eq!(whole, slow.unwrap(), "{body}");
            usual += u32::from(Usual::read(&response).is_some());
            all += 1;
        }
        assert!(usual > 100 && all > usual, "{usual} of {all}");
    }

    #[test]
    fn anything_odd_is_an_error_and_never_an_allow() {
        for (status, body) in [
            (200, r#"{"allowed":"true"}"#),
            (200, r#"{"allowed":1}"#),
            (200, r#"{"allowed":null}"#),
            (200, "{}"),
            (200, r#"{"allowed":false,"allowed":true}"#),
            (200, r#"{"allowed":true,"action":"write"}"#),
            (200, "true"),
            (200, r#"{"allowed":true,"action":7}"#),
            (200, r#"[{"allowed":true}]"#),
            (200, r#"{"allowed":true"#),
            (200, r#"{"data":{"allowed":true}}"#),
            (200, "<html>allowed</html>"),
            (200, ""),
            (201, r#"{"allowed":true}"#),
            (200, r#"{"allowed":true,"error":"access_denied"}"#),
            (200, r#"{"allowed":true,"success":false}"#),
            (206, r#"{"allowed":true}"#),
            (204, ""),
            (302, r#"{"allowed":true}"#),
            (500, r#"{"allowed":true}"#),
        ] {
            assert!(answer(status, body).is_err(), "{status} {body}");
        }
    }
}
