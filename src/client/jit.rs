//! Permissions just in time: tasks, permissions in them, calls with them.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::time::Duration;

use super::agent::Agent;
use super::run::Driver;
use super::{dual, end_dropped, example, twin};
use crate::error::{Error, InputError};
use crate::operations::{
    ApiRequest, Approved, AuthorizationDetails, BeginTask, Decision, Delegation, GetPermission, JitTask,
    Permission, RequestPermission, TaskEnd, TaskResult,
};
use crate::session::{Escalated, Escalation, LeftTask, Machine};
use crate::token::AccessToken;
use crate::wire::Response;

#[doc = twin!("Permissions just in time, as an agent asks for them: [`Agent::jit`].", "jit::Jit")]
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Jit {
    driver: Driver,
    acting: Option<AccessToken>,
}

impl Agent {
    /// What the agent does when it may not simply act: it begins a task and asks for permissions in it.
    ///
    #[doc = example!("use lumoauth::jit::{AuthorizationDetails, FileAction, Permission};\n# use lumoauth::ApiRequest;\nlet task = agent.jit().begin(\"clean up\")", "?;\nlet details = AuthorizationDetails::file_access([FileAction::Read]).identifier(\"q3.pdf\");\nlet permission = task.request(details)", "?;\nlet approved = permission.require()?;\nlet answer = task.call(&approved, ApiRequest::get(\"jit-demo/q3.pdf\"))", "?;\nassert_eq!(answer.status(), 200);\ntask.finish()", "?;")]
    pub fn jit(&self) -> Jit {
        Jit { driver: self.driver().clone(), acting: None }
    }
}

/// What is asked for, with why and for how long. Details alone are enough.
#[derive(Clone, Debug)]
pub struct Wanted {
    details: AuthorizationDetails,
    justification: Option<String>,
    ttl: Option<Duration>,
    callback: Option<String>,
}

impl Wanted {
    /// For this.
    pub fn new(details: AuthorizationDetails) -> Self {
        Wanted { details, justification: None, ttl: None, callback: None }
    }

    /// Why the agent needs it: whoever decides reads it.
    pub fn justification(mut self, why: impl Into<String>) -> Self {
        self.justification = Some(why.into());
        self
    }

    /// For how long: whole seconds, 900 at most.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Where the service tells of the decision: [`RequestPermission::callback`](crate::embed::operations::RequestPermission::callback).
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(url.into());
        self
    }

    fn in_task(self, task_id: &str, acting: Option<&AccessToken>) -> RequestPermission {
        let Wanted { details, justification, ttl, callback } = self;
        let request = RequestPermission::new(task_id, details);
        let request = justification.into_iter().fold(request, RequestPermission::justification);
        let request = ttl.into_iter().fold(request, RequestPermission::ttl);
        let request = callback.into_iter().fold(request, RequestPermission::callback);
        acting.into_iter().cloned().fold(request, RequestPermission::token)
    }
}

impl From<AuthorizationDetails> for Wanted {
    fn from(details: AuthorizationDetails) -> Self {
        Wanted::new(details)
    }
}

impl Jit {
    #[allow(dead_code)] // of the blocking mount
    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(super) fn waiting(
        &self,
        request_id: &str,
        details: &AuthorizationDetails,
        within: Duration,
    ) -> impl Machine<Output = Permission> + Send + use<> {
        let (session, acting) = (&self.driver.session, self.acting.clone());
        session.wait_for_permission(request_id, Some(details.clone()), acting, within)
    }

    /// The same in a user's name: with the token by which the agent acts for the user, in place of the agent's own. It is not renewed.
    pub fn acting(&self, delegation: &Delegation) -> Self {
        Jit { acting: Some(delegation.token().clone()), ..self.clone() }
    }
}

#[dual(AFIT)]
impl Jit {
    /// Begins a task. A text is its name.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] if nobody knows whether it was begun; it is not begun twice. All that a call can end with.
    pub async fn begin(&self, task: impl Into<BeginTask> + Send) -> Result<Task, Error> {
        let begin = self.acting.iter().cloned().fold(task.into(), BeginTask::token);
        let record = self.driver.run(begin).await?;
        Ok(Task { jit: self.clone(), record, open: true })
    }

    /// What was denied is asked for just in time: begins a task of the action's name and asks in it, with the denial as the reason.
    ///
    /// # Errors
    /// [`Error::Input`] if the decision allows it: then nothing is to be asked for. As [`Task::request`].
    pub async fn request_for(
        &self,
        decision: &Decision,
        wanted: impl Into<Wanted> + Send,
    ) -> Result<(Task, Permission), Error> {
        if decision.allowed() {
            return Err(InputError::new("decision", "allows the action: there is nothing to ask for").into());
        }
        let mut wanted = wanted.into();
        wanted.justification.get_or_insert_with(|| {
            let reason = decision.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("Required for {}, which was denied{reason}", decision.action())
        });
        let task = self.begin(decision.action()).await?;
        let permission = task.request(wanted).await?;
        Ok((task, permission))
    }

    /// What was decided about a request, by its id: in another process too, or a day later. Say what was asked for, so that its token can
    /// be compared with it.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn status(
        &self,
        request_id: &str,
        details: &AuthorizationDetails,
    ) -> Result<Permission, Error> {
        let status = GetPermission::new(request_id).details(details.clone());
        self.driver.run(self.acting.iter().cloned().fold(status, GetPermission::token)).await
    }

    /// Waits for a decision, by the request's id: it asks every 5 s, or as seldom as the service wants, until somebody has decided, the
    /// request is over, or `within` has passed; then it is [`Permission::Pending`] still, and can be waited for again. Failures that pass
    /// do not end it.
    ///
    /// # Errors
    /// [`Error::DeadlineExceeded`] if at the end nobody could be asked.
    pub async fn wait(
        &self,
        request_id: &str,
        details: &AuthorizationDetails,
        within: Duration,
    ) -> Result<Permission, Error> {
        self.driver.turn(self.waiting(request_id, details, within)).await
    }

    /// The token of a permission: the one that is held, or the request's, which is taken once. When it is over there is no other.
    ///
    /// # Errors
    /// [`PermissionError::Expired`](crate::error::PermissionError::Expired) when it is over;
    /// [`PermissionError::OtherDetails`](crate::error::PermissionError::OtherDetails) if it is for something else than was asked for.
    pub async fn token(&self, approved: &Approved) -> Result<AccessToken, Error> {
        self.driver.turn(self.driver.session.permission_token(approved, self.acting.clone())).await
    }

    /// A request with the token of a permission. The answer comes back as it is.
    ///
    /// # Errors
    /// As [`Jit::token`]; an error status is not an error here.
    pub async fn call(&self, approved: &Approved, request: ApiRequest) -> Result<Response, Error> {
        let acting = self.acting.clone();
        self.driver.turn(self.driver.session.permitted_request(approved, acting, request)).await
    }

    /// Ends every task that was dropped without an end, those too that failed to end three times. Says of each what came of it; what fails
    /// for a reason that passes is there at the next call.
    ///
    /// # Errors
    /// None: each task has its own.
    pub async fn finish_tasks(&self) -> Vec<(String, Result<TaskEnd, Error>)> {
        let mut ends = Vec::new();
        for task in self.driver.session.left_tasks() {
            let end = self.driver.run(task.completion()).await;
            let later = matches!(&end, Err(error) if error.is_temporary());
            ends.push((task.task_id().to_owned(), end));
            if later {
                self.driver.session.leave_task(task.failed());
            }
        }
        ends
    }
}

impl fmt::Debug for Jit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Jit { driver: _, acting } = self;
        f.debug_struct("Jit").field("acting", acting).finish_non_exhaustive()
    }
}

#[doc = twin!("A task that was begun.", "jit::Task")]
///
/// End it: [`Task::finish`], [`Task::fail`] or [`Task::cancel`]; its permissions end with it.
///
/// Dropped without an end, the task is ended later: a blocking client tries once at once, for 2 s at most; otherwise, and always in async
/// code, it is left with the agent, which ends one such task before each of its calls. Up to 64 wait. [`Jit::finish_tasks`] ends them all.
#[must_use = "a task that is dropped at once is ended at once"]
pub struct Task {
    jit: Jit,
    record: JitTask,
    open: bool,
}

impl Task {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// What the service said about it when it was begun.
    pub fn record(&self) -> &JitTask {
        &self.record
    }
}

#[dual(AFIT)]
impl Task {
    /// Asks for a permission. Low and medium risks are decided at once; others wait for a person: [`Task::wait`].
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] if nobody knows whether it was asked for; it is not asked for twice. All that a call can end with.
    pub async fn request(&self, wanted: impl Into<Wanted> + Send) -> Result<Permission, Error> {
        let request = wanted.into().in_task(self.id(), self.jit.acting.as_ref());
        self.jit.driver.run(request).await
    }

    /// Asks for a permission and waits for the decision, `within` this long.
    ///
    /// # Errors
    /// As [`Task::request`] and [`Jit::wait`].
    pub async fn request_and_wait(
        &self,
        wanted: impl Into<Wanted> + Send,
        within: Duration,
    ) -> Result<Permission, Error> {
        let wanted = wanted.into();
        let details = wanted.details.clone();
        match self.request(wanted).await? {
            Permission::Pending(pending) => self.jit.wait(pending.request_id(), &details, within).await,
            decided => Ok(decided),
        }
    }

    /// Waits for a decision: [`Jit::wait`].
    ///
    /// # Errors
    /// As there.
    pub async fn wait(
        &self,
        request_id: &str,
        details: &AuthorizationDetails,
        within: Duration,
    ) -> Result<Permission, Error> {
        self.jit.wait(request_id, details, within).await
    }

    /// The token of a permission: [`Jit::token`].
    ///
    /// # Errors
    /// As there.
    pub async fn token(&self, approved: &Approved) -> Result<AccessToken, Error> {
        self.jit.token(approved).await
    }

    /// A request with the token of a permission: [`Jit::call`].
    ///
    /// # Errors
    /// As there.
    pub async fn call(&self, approved: &Approved, request: ApiRequest) -> Result<Response, Error> {
        self.jit.call(approved, request).await
    }

    /// A request with the agent's own token; if its answer names a permission that it wants and that `escalation` allows, that is asked for
    /// and waited for, and the request is made once more with it. Nothing is asked for that was not allowed. The first answer is kept if
    /// there is no permission.
    ///
    /// # Errors
    /// All that the request can end with. What fails about the permission is [`Escalated::failure`].
    pub async fn escalate(&self, request: ApiRequest, escalation: Escalation) -> Result<Escalated, Error> {
        let (session, acting) = (&self.jit.driver.session, self.jit.acting.clone());
        self.jit.driver.turn(session.escalated_request(self.id(), acting, request, escalation)).await
    }

    /// It is done: ends the task, and revokes its tokens.
    ///
    /// # Errors
    /// All that a call can end with. After a failure that passes the task is left with the agent, which ends it later.
    pub async fn finish(self) -> Result<TaskEnd, Error> {
        self.end(TaskResult::Completed, None).await
    }

    /// It could not be done: says so, ends the task, and revokes its tokens.
    ///
    /// # Errors
    /// As [`Task::finish`]. If only telling failed, [`TaskEnd::evaluation`] says why.
    pub async fn fail(self, notes: &str) -> Result<TaskEnd, Error> {
        self.end(TaskResult::Failed, Some(notes.to_owned())).await
    }

    /// It is not to be done any more: says so, ends the task, and revokes its tokens.
    ///
    /// # Errors
    /// As [`Task::fail`].
    pub async fn cancel(self, notes: &str) -> Result<TaskEnd, Error> {
        self.end(TaskResult::Cancelled, Some(notes.to_owned())).await
    }

    async fn end(mut self, result: TaskResult, notes: Option<String>) -> Result<TaskEnd, Error> {
        // From here on the machine leaves it with the agent if it does not end it.
        self.open = false;
        let notes = notes.filter(|notes| !notes.is_empty());
        let (session, acting) = (&self.jit.driver.session, self.jit.acting.clone());
        self.jit.driver.turn(session.end_task(self.id(), acting, result, notes)).await
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.open {
            let task = LeftTask::new(self.record.id.clone(), self.jit.acting.clone());
            end_dropped(&self.jit.driver, task);
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Task { jit, record, open } = self;
        f.debug_struct("Task").field("jit", jit).field("record", record).field("open", open).finish()
    }
}
