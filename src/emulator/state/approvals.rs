//! What people are asked to approve.

use serde_json::Value;

use crate::emulator::values::approvals::Delivery;
use crate::time::Timestamp;

/// How many there may be; the oldest goes first.
const MOST: usize = 4096;

/// A question for a person.
#[derive(Clone)]
pub(crate) struct Question {
    pub token: String,
    pub tenant: usize,
    pub client_id: String,
    pub task_id: String,
    pub reason: String,
    pub person: String,
    pub impact: String,
    pub meta: Value,
    pub expires_at: Timestamp,
    /// What was decided, and when.
    pub decided: Option<(bool, Timestamp)>,
}

impl Question {
    /// The word for it. What was decided in time stays so.
    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        match self.decided {
            Some((true, _)) => "approved",
            Some((false, _)) => "denied",
            None if now < self.expires_at => "pending",
            None => "expired",
        }
    }

    /// Decides, if it waits.
    pub(crate) fn decide(&mut self, approve: bool, now: Timestamp) -> bool {
        let waits = self.status(now) == "pending";
        if waits {
            self.decided = Some((approve, now));
        }
        waits
    }
}

#[derive(Default)]
pub(crate) struct Store {
    pub questions: Vec<Question>,
    /// What becomes of the next ones, if a test has said so.
    pub delivery: Option<Delivery>,
}

impl Store {
    pub(crate) fn ask(&mut self, question: Question) {
        if self.questions.len() >= MOST {
            self.questions.remove(0);
        }
        self.questions.push(question);
    }

    pub(crate) fn find(&self, tenant: usize, token: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.tenant == tenant && question.token == token)
    }
}
