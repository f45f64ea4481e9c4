//! Decisions in the form of the AuthZEN Authorization API 1.0.

use serde::Serialize;
use serde_json::Value;

use super::answers::in_parts;
use super::{Answers, Entity, MOST, json, question, text};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Callers, Context, Operation, Terms};
use crate::operations::Decision;
use crate::operations::decision::{self, allowed, undisputed};
use crate::operations::surroundings::Surroundings;
use crate::route::Route;
use crate::wire::{Request, Response};

/// One evaluation.
pub const EVALUATION: Route =
    Route::post("authz.evaluation", "authz/v1/evaluation").unprefixed("authz/v1/evaluation");
/// Several.
pub const EVALUATIONS: Route =
    Route::post("authz.evaluations", "authz/v1/evaluations").unprefixed("authz/v1/evaluations");
pub(super) const ROUTES: &[Route] = &[EVALUATION, EVALUATIONS];

/// May the subject do the action to the resource? `POST authz/v1/evaluation` (AuthZEN Authorization API 1.0).
///
/// | part | | on the wire |
/// |---|---|---|
/// | subject, resource | REQUIRED | `subject`, `resource`, each with type and id |
/// | action | REQUIRED | `action`, with its name |
/// | context | OPTIONAL | `context`, left out when empty |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluate {
    subject: Entity,
    action: Named,
    resource: Entity,
    #[serde(skip_serializing_if = "Surroundings::is_empty")]
    context: Surroundings,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Named {
    name: String,
}

impl Evaluate {
    /// Asks whether this subject may do this to this resource: `Evaluate::new(("user", "alice"), "read", ("document", "42"))`.
    pub fn new(subject: impl Into<Entity>, action: impl Into<String>, resource: impl Into<Entity>) -> Self {
        Evaluate {
            subject: subject.into(),
            action: Named { name: action.into() },
            resource: resource.into(),
            context: Surroundings::default(),
        }
    }

    /// Adds what the decision may depend on: an object. Anything else is an [`InputError`], and nothing is asked.
    pub fn context(mut self, context: impl Into<Value>) -> Self {
        self.context.add(context.into());
        self
    }

    fn check(&self) -> Result<(), InputError> {
        self.context.check("context")?;
        self.subject.check("subject")?;
        text("action", &self.action.name)?;
        self.resource.check("resource")
    }

    /// `context` of an answer says why, where it may.
    fn decision(&self, mut fields: Fields) -> Result<Decision, Error> {
        let allowed = allowed(&mut fields, "decision")?;
        let context = fields.object("context")?;
        let action = format!("{} {}:{}", self.action.name, self.resource.kind(), self.resource.id());
        let (mut reason, mut id) = (None, None);
        if let Some(mut context) = context {
            if allowed && context.value("error").is_some() {
                let problem = "the answer allows and reports a failure at once";
                return Err(fields.fault(ProtocolFault::Other(problem)));
            }
            id = context.identifier("id")?;
            reason = context.object("reason_admin")?.map(|mut words| words.text("en")).transpose()?.flatten();
        }
        Ok(Decision::bare(allowed, &action).because(reason, id).within(self.context.members().clone()))
    }
}

impl Operation for Evaluate {
    type Output = Decision;

    fn terms(&self) -> Terms {
        question(EVALUATION, Callers::ALL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.check()?;
        Ok(context.to(EVALUATION).bytes("application/json", json(self)?))
    }

    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        self.decision(decision::read(EVALUATION.name(), response)?).map(Answer::Done)
    }
}

/// Several evaluations. `POST authz/v1/evaluations`, 100 a request; the answers are in their order.
///
/// | part | | on the wire |
/// |---|---|---|
/// | evaluations | REQUIRED | `evaluations`, each whole |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluateAll {
    evaluations: Vec<Evaluate>,
}

impl EvaluateAll {
    /// Each of these.
    pub fn new(evaluations: impl IntoIterator<Item = Evaluate>) -> Self {
        EvaluateAll { evaluations: evaluations.into_iter().collect() }
    }

    /// How many questions it has.
    pub fn len(&self) -> usize {
        self.evaluations.len()
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.evaluations.is_empty()
    }

    /// The requests that it takes, in order: one for each hundred questions.
    pub fn split(self) -> Vec<Self> {
        if self.evaluations.len() <= MOST {
            return vec![self];
        }
        self.evaluations.chunks(MOST).map(|own| EvaluateAll { evaluations: own.to_vec() }).collect()
    }
}

in_parts!(EvaluateAll);

impl Operation for EvaluateAll {
    type Output = Answers;

    fn terms(&self) -> Terms {
        question(EVALUATIONS, Callers::ALL).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let problem = match self.evaluations.len() {
            0 => Some("are none: ask one at least"),
            1..=MOST => None,
            _ => Some("are more than 100: split them"),
        };
        if let Some(problem) = problem {
            return Err(InputError::new("evaluations", problem).into());
        }
        self.evaluations.iter().try_for_each(Evaluate::check)?;
        Ok(context.to(EVALUATIONS).bytes("application/json", json(self)?))
    }

    fn response(&self, response: &Response) -> Result<Answer<Answers>, Error> {
        let mut fields = decision::read(EVALUATIONS.name(), response)?;
        let results = fields.objects("evaluations")?;
        if results.len() != self.evaluations.len() {
            let problem = "the answer has another number of evaluations than were asked for";
            return Err(fields.fault(ProtocolFault::Other(problem)));
        }
        let outcomes = self.evaluations.iter().zip(results).map(|(own, result)| own.decision(result));
        let answers = Answers::from_outcomes(outcomes.collect());
        undisputed(&mut fields, answers.iter().flatten().any(Decision::allowed))?;
        Ok(Answer::Done(answers))
    }
}
