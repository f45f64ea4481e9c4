//! Many questions, asked in one request after the other within one deadline.

use std::collections::VecDeque;

use super::part::{Failed, Part, Within};
use super::{Arrived, Call, Machine, Session, Step};
use crate::operations::authz::{Answers, CheckPermissions, CheckPolicies, EvaluateAll, InParts};
use crate::time::{Deadline, Now};

impl Session {
    /// The machine that asks for each of many permissions, a hundred a request.
    pub fn check_permissions(
        &self,
        question: CheckPermissions,
    ) -> impl Machine<Output = Answers> + Send + use<> {
        self.in_parts(question)
    }

    /// The machine that asks many questions to the policies, a hundred a request.
    pub fn check_policies(&self, question: CheckPolicies) -> impl Machine<Output = Answers> + Send + use<> {
        self.in_parts(question)
    }

    /// The machine that asks for many evaluations, a hundred a request.
    pub fn evaluate_all(&self, question: EvaluateAll) -> impl Machine<Output = Answers> + Send + use<> {
        self.in_parts(question)
    }

    fn in_parts<O: InParts>(&self, question: O) -> Within<Bulk<O>> {
        let total = self.total_of(&question.terms());
        let answers = Answers::of(question.questions());
        let bulk = Bulk { session: self.clone(), rest: question.parts().into(), call: None, answers };
        Within::new(bulk, total)
    }
}

struct Bulk<O: InParts> {
    session: Session,
    rest: VecDeque<O>,
    call: Option<Call<O>>,
    answers: Answers,
}

impl<O: InParts> Part for Bulk<O> {
    type Output = Answers;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Answers>, Failed> {
        loop {
            let mut call = match self.call.take() {
                Some(call) => call,
                None => match self.rest.pop_front() {
                    Some(part) => Call::new(self.session.clone(), part, None),
                    None => return Ok(Step::Done(self.answers.clone())),
                },
            };
            let outcome = match Part::step(&mut call, now, arrived.take(), time) {
                Ok(Step::Do(action)) => {
                    self.call = Some(call);
                    return Ok(Step::Do(action));
                }
                Ok(Step::Done(answers)) => Ok(answers),
                Err(Failed { error, .. }) => Err(error),
            };
            if !self.answers.add(outcome)? {
                return Ok(Step::Done(self.answers.clone()));
            }
        }
    }
}
