//! Permissions just in time, put in order: waiting for a person, taking the token once, calls with it, tasks that end.

mod ahead;
mod ending;
mod escalation;
mod left;
mod once;
mod waiting;

use std::time::Duration;

pub use ahead::Ahead;
pub use escalation::{Allowed, Escalated, Escalation};
pub(super) use left::Left;
pub use left::LeftTask;
pub(super) use once::{Once, Spent};

use self::ending::Ending;
use self::escalation::Escalating;
use self::waiting::Waiting;
use super::kinds::{PermissionToken, Permitted};
use super::part::Within;
use super::{Call, Machine, Session};
use crate::operation::Operation;
use crate::operations::{
    ApiRequest, Approved, AuthorizationDetails, CompleteTask, Permission, TakePermissionToken, TaskEnd,
    TaskResult,
};
use crate::token::AccessToken;
use crate::wire::Response;

impl Session {
    /// The machine that waits for a decision: asks, pauses as long as it is told to (5 s if it is not), asks again, until somebody has
    /// decided, the request is over, or `within` has passed. [`Permission::Pending`] is what it is then.
    pub fn wait_for_permission(
        &self,
        request_id: &str,
        details: Option<AuthorizationDetails>,
        acting: Option<AccessToken>,
        within: Duration,
    ) -> impl Machine<Output = Permission> + Send + use<> {
        Within::new(Waiting::new(self, request_id, details, acting), within)
    }

    /// The machine that gets the token of a permission: the one held, or the request's one, which is taken once.
    pub fn permission_token(
        &self,
        approved: &Approved,
        acting: Option<AccessToken>,
    ) -> impl Machine<Output = AccessToken> + Send + use<> {
        let total = self.total_of(&TakePermissionToken::new(approved).terms());
        Within::new(Permitted::token(PermissionToken::new(self, approved, acting)), total)
    }

    /// The machine that sends a request with the token of a permission. The answer is handed back as it is.
    pub fn permitted_request(
        &self,
        approved: &Approved,
        acting: Option<AccessToken>,
        request: ApiRequest,
    ) -> impl Machine<Output = Response> + Send + use<> {
        let total = self.total_of(&request.terms());
        Within::new(Permitted::request(PermissionToken::new(self, approved, acting), request), total)
    }

    /// The machine that ends a task; before that it tells what became of it, if that is not that it was done.
    pub fn end_task(
        &self,
        task_id: &str,
        acting: Option<AccessToken>,
        result: TaskResult,
        notes: Option<String>,
    ) -> impl Machine<Output = TaskEnd> + Send + use<> {
        let total = self.total_of(&CompleteTask::new(task_id).terms());
        Within::new(Ending::new(self, task_id, acting, result, notes), total)
    }

    /// The machine that sends a request, and once more with a permission if the answer names one that `escalation` lets be asked for.
    pub fn escalated_request(
        &self,
        task_id: &str,
        acting: Option<AccessToken>,
        request: ApiRequest,
        escalation: Escalation,
    ) -> impl Machine<Output = Escalated> + Send + use<> {
        let total = self.total_of(&request.terms()).saturating_add(escalation.patience());
        Within::new(Escalating::new(self, task_id, acting, request, escalation), total)
    }

    /// The machine that ends a task that was left, with one attempt and within this time.
    pub fn end_once(
        &self,
        task: &LeftTask,
        within: Duration,
    ) -> impl Machine<Output = TaskEnd> + Send + use<> {
        Within::new(Call::new(self.clone(), task.completion(), None).single(), within)
    }

    /// Leaves a task to be ended before a later call. Of more than 64 the oldest is not ended, with a warning.
    pub fn leave_task(&self, task: LeftTask) {
        self.shared.left.leave(task);
    }

    /// Takes out all tasks that were left, those that failed too often first.
    pub fn left_tasks(&self) -> Vec<LeftTask> {
        self.shared.left.take_all()
    }

    /// The machine, and before its first request at most one task that was left is ended, within the machine's own time.
    pub fn ahead_of<M: Machine>(&self, machine: M) -> Ahead<M> {
        Ahead::new(self, machine)
    }
}
