//! Policies over attributes (ABAC): may this be done to that kind of thing, in these surroundings?

use serde::Serialize;
use serde_json::{Map, Value};

use super::answers::in_parts;
use super::{Answers, MOST, json, question, text};
use crate::error::{ApiError, Error, InputError, ProtocolFault, Refusal};
use crate::json::Fields;
use crate::operation::{Answer, Callers, Context, Operation, Terms};
use crate::operations::Decision;
use crate::operations::decision::{self, allowed, echoed, undisputed};
use crate::operations::surroundings::Surroundings;
use crate::route::Route;
use crate::wire::{Request, Response};

/// One question goes here.
pub const POLICY_CHECK: Route = Route::post("abac.check", "abac/check");
/// Many do.
pub const POLICY_CHECK_BULK: Route = Route::post("abac.check_bulk", "abac/check-bulk");
pub(super) const ROUTES: &[Route] = &[POLICY_CHECK, POLICY_CHECK_BULK];

/// Do the policies allow this action on this kind of thing? `POST abac/check`, for agents, and for users' tokens with the scope
/// `abac:read`. API keys are refused.
///
/// | part | | on the wire |
/// |---|---|---|
/// | resource type, action | REQUIRED | `resourceType`, `action` |
/// | resource id | OPTIONAL | `resourceId` |
/// | environment | OPTIONAL | `environment`, left out when empty |
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckPolicy {
    resource_type: String,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
    #[serde(skip_serializing_if = "Surroundings::is_empty")]
    environment: Surroundings,
}

impl CheckPolicy {
    /// Asks about this action on things of this type.
    pub fn new(resource_type: impl Into<String>, action: impl Into<String>) -> Self {
        CheckPolicy {
            resource_type: resource_type.into(),
            action: action.into(),
            resource_id: None,
            environment: Surroundings::default(),
        }
    }

    /// On this very thing.
    pub fn resource_id(mut self, id: impl Into<String>) -> Self {
        self.resource_id = Some(id.into());
        self
    }

    /// Adds what surrounds the question: an object; anything else is an [`InputError`], and nothing is asked. `ip`, `userAgent`, `requestMethod` and `requestPath` are the service's own: what
    /// is known of a person whose request it is goes under the key `pep`.
    pub fn environment(mut self, environment: impl Into<Value>) -> Self {
        self.environment.add(environment.into());
        self
    }

    fn check(&self) -> Result<(), InputError> {
        self.environment.check("environment")?;
        text("resource_type", &self.resource_type)?;
        text("action", &self.action)?;
        self.resource_id.as_deref().map_or(Ok(()), |id| text("resource_id", id))
    }

    /// What is left of an answer to it.
    fn decision(&self, mut fields: Fields, environment: &Map<String, Value>) -> Result<Decision, Error> {
        let allowed = match fields.text("decision")? {
            None => allowed(&mut fields, "allowed")?,
            Some(word) => {
                let said = match word.as_str() {
                    "allow" => true,
                    "deny" => false,
                    _ => {
                        let problem = "decision is neither \"allow\" nor \"deny\"";
                        return Err(fields.fault(ProtocolFault::Other(problem)));
                    }
                };
                if fields.value("allowed").is_some_and(|allowed| allowed != said) {
                    let problem = "allowed and decision contradict each other";
                    return Err(fields.fault(ProtocolFault::Other(problem)));
                }
                undisputed(&mut fields, said)?
            }
        };
        echoed(&mut fields, "resourceType", &self.resource_type)?;
        echoed(&mut fields, "action", &self.action)?;
        match &self.resource_id {
            Some(id) => echoed(&mut fields, "resourceId", id)?,
            None if fields.value("resourceId").is_some() => {
                return Err(fields.fault(ProtocolFault::OtherAction));
            }
            None => {}
        }
        let action = match &self.resource_id {
            Some(id) => format!("{} {}:{id}", self.action, self.resource_type),
            None => format!("{} {}", self.action, self.resource_type),
        };
        Decision::of(fields, allowed, &action, environment)
    }
}

impl Operation for CheckPolicy {
    type Output = Decision;

    fn terms(&self) -> Terms {
        question(POLICY_CHECK, Callers::PRINCIPALS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.check()?;
        Ok(context.to(POLICY_CHECK).bytes("application/json", json(self)?))
    }

    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        let fields = decision::read(POLICY_CHECK.name(), response)?;
        self.decision(fields, self.environment.members()).map(Answer::Done)
    }
}

/// Many questions to the policies, in the same surroundings. `POST abac/check-bulk`, 100 a request.
///
/// | part | | on the wire |
/// |---|---|---|
/// | questions | REQUIRED | `checks` |
/// | environment | OPTIONAL | `environment` of all of them |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckPolicies {
    checks: Vec<CheckPolicy>,
    #[serde(skip_serializing_if = "Surroundings::is_empty")]
    environment: Surroundings,
}

impl CheckPolicies {
    /// Asks each of these. What surrounds them is said once, for all.
    pub fn new(checks: impl IntoIterator<Item = CheckPolicy>) -> Self {
        CheckPolicies { checks: checks.into_iter().collect(), environment: Surroundings::default() }
    }

    /// Adds what surrounds the questions, as [`CheckPolicy::environment`].
    pub fn environment(mut self, environment: impl Into<Value>) -> Self {
        self.environment.add(environment.into());
        self
    }

    /// How many questions it has.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// The requests that it takes, in order: one for each hundred questions.
    pub fn split(self) -> Vec<Self> {
        if self.checks.len() <= MOST {
            return vec![self];
        }
        let part = |own: &[CheckPolicy]| CheckPolicies {
            checks: own.to_vec(),
            environment: self.environment.clone(),
        };
        self.checks.chunks(MOST).map(part).collect()
    }
}

in_parts!(CheckPolicies);

impl Operation for CheckPolicies {
    type Output = Answers;

    fn terms(&self) -> Terms {
        question(POLICY_CHECK_BULK, Callers::PRINCIPALS).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let problem = match self.checks.len() {
            0 => Some("are none: ask one at least"),
            1..=MOST if self.checks.iter().any(|check| !check.environment.is_empty()) => {
                Some("have an environment of their own: say it once, for all")
            }
            1..=MOST => None,
            _ => Some("are more than 100: split them"),
        };
        if let Some(problem) = problem {
            return Err(InputError::new("checks", problem).into());
        }
        self.environment.check("environment")?;
        self.checks.iter().try_for_each(CheckPolicy::check)?;
        Ok(context.to(POLICY_CHECK_BULK).bytes("application/json", json(self)?))
    }

    /// Results are told apart by their index; without one their place counts.
    fn response(&self, response: &Response) -> Result<Answer<Answers>, Error> {
        let mut fields = decision::read(POLICY_CHECK_BULK.name(), response)?;
        let wrong = |problem| fields.fault(ProtocolFault::Other(problem));
        let unanswered = wrong("the answer leaves out a question, or has one that was not asked");
        let mut outcomes: Vec<Option<Result<Decision, Error>>> = vec![None; self.checks.len()];
        let results = fields.objects("results")?;
        for (place, mut result) in results.into_iter().enumerate() {
            let index = match result.value("index") {
                None => Some(place),
                Some(index) => index.as_u64().and_then(|index| usize::try_from(index).ok()),
            };
            let slot = index.and_then(|index| Some((self.checks.get(index)?, outcomes.get_mut(index)?)));
            let Some((check, slot @ None)) = slot else { return Err(unanswered) };
            *slot = Some(self.outcome(check, result, response.status().as_u16()));
        }
        let outcomes: Option<Vec<_>> = outcomes.into_iter().collect();
        let answers = Answers::from_outcomes(outcomes.ok_or(unanswered)?);
        undisputed(&mut fields, answers.iter().flatten().any(Decision::allowed))?;
        Ok(Answer::Done(answers))
    }
}

impl CheckPolicies {
    /// One result. Its own error is its own outcome.
    fn outcome(&self, check: &CheckPolicy, mut result: Fields, status: u16) -> Result<Decision, Error> {
        let Some(error) = result.value("error") else {
            return check.decision(result, self.environment.members());
        };
        let words = match error {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let code = result.text("code")?;
        Err(Error::Api(ApiError::of(Refusal {
            operation: POLICY_CHECK_BULK.name(),
            status,
            code: code.or_else(|| Some(words.clone())),
            description: Some(words),
            ..Refusal::default()
        })))
    }
}
