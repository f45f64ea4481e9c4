//! Ends a task, and tells what became of it before that.

use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Session, Step};
use super::left::LeftTask;
use crate::error::Error;
use crate::operations::{CompleteTask, EvaluateTask, Evaluation, TaskEnd, TaskResult};
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

pub(super) struct Ending {
    session: Session,
    task_id: String,
    acting: Option<AccessToken>,
    told: Option<Result<Evaluation, Error>>,
    at: At,
    /// Until it is known to be over, somebody has to end it.
    open: bool,
}

enum At {
    Telling(Box<Call<EvaluateTask>>),
    Completing(Box<Call<CompleteTask>>),
}

impl Ending {
    pub(super) fn new(
        session: &Session,
        task_id: &str,
        acting: Option<AccessToken>,
        result: TaskResult,
        notes: Option<String>,
    ) -> Self {
        let at = match result {
            TaskResult::Completed => At::Completing(Box::new(completion(session, task_id, acting.as_ref()))),
            result => {
                let evaluate = EvaluateTask::new(task_id, result);
                let evaluate = notes.into_iter().fold(evaluate, EvaluateTask::notes);
                let evaluate = acting.iter().cloned().fold(evaluate, EvaluateTask::token);
                At::Telling(Box::new(Call::new(session.clone(), evaluate, None)))
            }
        };
        let (session, task_id) = (session.clone(), task_id.to_owned());
        Ending { session, task_id, acting, told: None, at, open: true }
    }
}

fn completion(session: &Session, task_id: &str, acting: Option<&AccessToken>) -> Call<CompleteTask> {
    let complete = acting.into_iter().cloned().fold(CompleteTask::new(task_id), CompleteTask::token);
    Call::new(session.clone(), complete, None)
}

impl Part for Ending {
    type Output = TaskEnd;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<TaskEnd>, Failed> {
        loop {
            match &mut self.at {
                At::Telling(call) => {
                    // Whatever comes of it, the task is ended: its tokens live until then.
                    self.told = Some(match Part::step(&mut **call, now, arrived.take(), time) {
                        Ok(step) => Ok(ready!(step)),
                        Err(failed) => Err(failed.error),
                    });
                    let call = completion(&self.session, &self.task_id, self.acting.as_ref());
                    self.at = At::Completing(Box::new(call));
                }
                At::Completing(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(step) => {
                        let mut end = ready!(step);
                        self.open = false;
                        end.evaluation = self.told.take();
                        return Ok(Step::Done(end));
                    }
                    Err(failed) => {
                        // What cannot work does not work later either.
                        let later = failed.error.is_temporary()
                            || matches!(failed.error, Error::OutcomeUnknown { .. });
                        self.open = later;
                        return Err(failed);
                    }
                },
            }
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.open {
            self.session.leave_task(LeftTask::new(std::mem::take(&mut self.task_id), self.acting.take()));
        }
    }
}
