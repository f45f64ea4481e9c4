//! What tests do for people who are asked: see the questions, say yes or no.

use serde_json::Value;

use crate::emulator::faces::control::DecisionError;
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::state::approvals::Question;
use crate::emulator::values::approvals::Delivery;
use crate::secret::Secret;

/// A question that waits for a person's answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AskedPerson {
    /// Names the question to [`Emulator::person_approves`] and [`Emulator::person_denies`].
    pub token: Secret,
    /// The agent that asks.
    pub client_id: String,
    /// Who is asked.
    pub person: String,
    /// What the person reads.
    pub reason: String,
    /// The task that it is about.
    pub task_id: String,
    /// How much is at stake.
    pub impact: String,
    /// What the agent put beside it; null for nothing.
    pub meta: Value,
}

impl Emulator {
    /// What becomes of the questions that agents have for people from now on; what [`ApprovalForms::delivery`] says at the start and after a
    /// reset.
    ///
    /// [`ApprovalForms::delivery`]: crate::emulator::ApprovalForms::delivery
    pub fn decide_approvals(&self, delivery: Delivery) {
        self.state().world.approvals.delivery = Some(delivery);
    }

    /// The questions that wait for a person's answer, oldest first.
    pub fn asked_people(&self) -> Vec<AskedPerson> {
        let state = self.state();
        let now = state.clock.now();
        let waiting =
            state.world.approvals.questions.iter().filter(|question| question.status(now) == "pending");
        let shown = |question: &Question| AskedPerson {
            token: Secret::new(question.token.as_str()),
            client_id: question.client_id.clone(),
            person: question.person.clone(),
            reason: question.reason.clone(),
            task_id: question.task_id.clone(),
            impact: question.impact.clone(),
            meta: question.meta.clone(),
        };
        waiting.map(shown).collect()
    }

    /// The person says yes.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn person_approves(&self, token: &Secret) -> Result<(), DecisionError> {
        self.person_decides(token, true)
    }

    /// The person says no.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn person_denies(&self, token: &Secret) -> Result<(), DecisionError> {
        self.person_decides(token, false)
    }

    fn person_decides(&self, token: &Secret, approve: bool) -> Result<(), DecisionError> {
        let mut state = self.state();
        let now = state.clock.now();
        let mut questions = state.world.approvals.questions.iter_mut();
        let question = questions.find(|question| question.token == token.expose());
        match question.is_some_and(|question| question.decide(approve, now)) {
            true => Ok(()),
            false => Err(DecisionError::NothingWaits("of this token".to_owned())),
        }
    }
}
