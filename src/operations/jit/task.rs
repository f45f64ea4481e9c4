//! Tasks: what an agent has been given to do, as the service knows it. Permissions belong to a task and end with it.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};

use super::{TASK, TASK_COMPLETE, TASK_EVALUATE, auth, member, named, says_something};
use crate::error::{Error, ProtocolFault};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::time::Timestamp;
use crate::token::AccessToken;
use crate::wire::{self, Request, Response};

/// Begins a task. `POST jit/task`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | name | OPTIONAL | `name` |
/// | kind | OPTIONAL | `type` |
/// | on behalf of: a user's email address | OPTIONAL | `on_behalf_of` |
/// | parent task | OPTIONAL | `parent_task_id` |
///
/// A text is a name.
#[derive(Clone, Debug, Default)]
pub struct BeginTask {
    name: Option<String>,
    kind: Option<String>,
    on_behalf_of: Option<String>,
    parent: Option<String>,
    token: Option<AccessToken>,
}

impl BeginTask {
    /// A task of this name.
    pub fn new(name: impl Into<String>) -> Self {
        BeginTask { name: Some(name.into()), ..BeginTask::default() }
    }

    /// What kind of task it is.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Whom the agent does it for: a user's email address. The service refuses users who did not delegate to the agent.
    pub fn on_behalf_of(mut self, user: impl Into<String>) -> Self {
        self.on_behalf_of = Some(user.into());
        self
    }

    /// The task that it is a part of.
    pub fn parent(mut self, task_id: impl Into<String>) -> Self {
        self.parent = Some(task_id.into());
        self
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl<T: Into<String>> From<T> for BeginTask {
    fn from(name: T) -> Self {
        BeginTask::new(name)
    }
}

impl Operation for BeginTask {
    type Output = JitTask;

    fn terms(&self) -> Terms {
        Terms::new(TASK.name(), Effect::Once, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let BeginTask { name, kind, on_behalf_of, parent, token: _ } = self;
        let parts =
            [("name", name), ("type", kind), ("on_behalf_of", on_behalf_of), ("parent_task_id", parent)];
        let mut body = Map::new();
        for (part, text) in parts {
            says_something(part, text.as_deref())?;
            member(&mut body, part, text.as_deref());
        }
        Ok(named(context.to(TASK), context).json(&Value::Object(body)))
    }

    fn response(&self, response: &Response) -> Result<Answer<JitTask>, Error> {
        let mut fields = wire::read(TASK.name(), response)?;
        Ok(Answer::Done(JitTask {
            id: fields.required_text("task_id")?,
            caep_session_id: fields.text("caep_session_id")?,
            expires_at: fields.moment("expires_at")?,
            agent_id: fields.identifier("agent_id")?,
            // Some answers say more about the user than the address that was sent; it is not needed here.
            on_behalf_of: match fields.value("on_behalf_of") {
                Some(Value::String(user)) => Some(user),
                _ => self.on_behalf_of.clone(),
            },
        }))
    }
}

/// A task as the service knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitTask {
    /// Its id.
    pub id: String,
    /// The session in which the service watches it (CAEP).
    pub caep_session_id: Option<String>,
    /// When it ends by itself, by the service's clock.
    pub expires_at: Option<Timestamp>,
    /// Whose it is.
    pub agent_id: Option<String>,
    /// Whom it is done for.
    pub on_behalf_of: Option<String>,
}

/// Ends a task: its tokens are revoked. `POST jit/task/{task_id}/complete`.
///
/// Twice is as good as once. If it is repeated because nobody knows whether it took effect, a task that is over by then
/// (404, 409, 410) is a success, and [`TaskEnd::was_over`] says so.
#[derive(Debug)]
pub struct CompleteTask {
    task_id: String,
    token: Option<AccessToken>,
    /// An attempt before this one may have ended it.
    blind: AtomicBool,
}

impl CompleteTask {
    /// The task of this id.
    pub fn new(task_id: impl Into<String>) -> Self {
        CompleteTask { task_id: task_id.into(), token: None, blind: AtomicBool::new(false) }
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }

    fn is_over(&self, response: &Response) -> bool {
        self.blind.load(Ordering::Relaxed) && matches!(response.status().as_u16(), 404 | 409 | 410)
    }
}

impl Operation for CompleteTask {
    type Output = TaskEnd;

    fn terms(&self) -> Terms {
        Terms::new(TASK_COMPLETE.name(), Effect::Repeatable, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.blind.store(context.is_blind(), Ordering::Relaxed);
        context.to_with(TASK_COMPLETE, &[&self.task_id])
    }

    fn response(&self, response: &Response) -> Result<Answer<TaskEnd>, Error> {
        let ended = |completed_at, was_over| {
            let (task_id, evaluation) = (self.task_id.clone(), None);
            Ok(Answer::Done(TaskEnd { task_id, completed_at, was_over, evaluation }))
        };
        if self.is_over(response) {
            return ended(None, true);
        }
        if response.status() == 204 {
            return ended(None, false);
        }
        wire::done(TASK_COMPLETE.name(), response)?;
        let mut fields = wire::read(TASK_COMPLETE.name(), response)?;
        if fields.text("task_id")?.is_some_and(|said| said != self.task_id) {
            return Err(fields.fault(ProtocolFault::Other("the answer is about another task")));
        }
        // A status of success that says something else ends nothing.
        if fields.text("status")?.is_some_and(|status| status != "completed") {
            return Err(fields.fault(ProtocolFault::Other("the task is not completed")));
        }
        ended(fields.moment("completed_at")?, false)
    }
}

/// A task that is over, and its tokens with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskEnd {
    /// The task's id.
    pub task_id: String,
    /// When it ended, by the service's clock.
    pub completed_at: Option<Timestamp>,
    /// It was over when this was asked: an attempt of which nobody knew the outcome had ended it already.
    pub was_over: bool,
    /// What came of telling the service that the task failed or was cancelled; none if it was not told. If that did not work, the
    /// task is over all the same.
    pub evaluation: Option<Result<Evaluation, Error>>,
}

/// What became of a task, as the agent sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskResult {
    /// It was done.
    Completed,
    /// It could not be done.
    Failed,
    /// It is not to be done any more.
    Cancelled,
}

/// Tells what became of a task. `POST jit/task/{task_id}/evaluate`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | result | REQUIRED | `result`: `completed`, `failed`, `cancelled` |
/// | notes | OPTIONAL | `notes` |
///
/// It does not end the task: [`CompleteTask`] does.
#[derive(Clone, Debug)]
pub struct EvaluateTask {
    task_id: String,
    result: TaskResult,
    notes: Option<String>,
    token: Option<AccessToken>,
}

impl EvaluateTask {
    /// Of the task of this id.
    pub fn new(task_id: impl Into<String>, result: TaskResult) -> Self {
        EvaluateTask { task_id: task_id.into(), result, notes: None, token: None }
    }

    /// In the agent's words.
    pub fn notes(mut self, notes: impl Into<String>) -> Self {
        self.notes = Some(notes.into());
        self
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl Operation for EvaluateTask {
    type Output = Evaluation;

    fn terms(&self) -> Terms {
        Terms::new(TASK_EVALUATE.name(), Effect::Once, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let result = match self.result {
            TaskResult::Completed => "completed",
            TaskResult::Failed => "failed",
            TaskResult::Cancelled => "cancelled",
        };
        let mut body = Map::new();
        member(&mut body, "result", Some(result));
        member(&mut body, "notes", self.notes.as_deref());
        Ok(context.to_with(TASK_EVALUATE, &[&self.task_id])?.json(&Value::Object(body)))
    }

    fn response(&self, response: &Response) -> Result<Answer<Evaluation>, Error> {
        if response.status() == 204 {
            return Ok(Answer::Done(Evaluation::default()));
        }
        wire::done(TASK_EVALUATE.name(), response)?;
        let mut fields = wire::read(TASK_EVALUATE.name(), response)?;
        let action = fields.text("action")?;
        let active = match fields.value("active") {
            None => None,
            Some(Value::Bool(active)) => Some(active),
            Some(other) => return Err(fields.mistyped("active", "true or false", &other)),
        };
        Ok(Answer::Done(Evaluation { active, action }))
    }
}

/// What the service made of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evaluation {
    /// Whether the task goes on.
    pub active: Option<bool>,
    /// What the service does about it, such as `suspended`.
    pub action: Option<String>,
}
