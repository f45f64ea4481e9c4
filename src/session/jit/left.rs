//! Tasks that nobody ended: they wait for a call that has a moment.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::lock;
use crate::operations::CompleteTask;
use crate::token::AccessToken;

/// The most that wait, and the most that are handed over.
const MOST: usize = 64;
/// So many failures, and it is not tried by the way any more.
const TRIES: u32 = 3;

/// A task that is still to be ended.
#[derive(Clone, Debug)]
pub struct LeftTask {
    task_id: String,
    acting: Option<AccessToken>,
    failures: u32,
}

impl LeftTask {
    /// The task of this id, begun with this token in place of the agent's own if there is one.
    pub fn new(task_id: impl Into<String>, acting: Option<AccessToken>) -> Self {
        LeftTask { task_id: task_id.into(), acting, failures: 0 }
    }

    /// The task's id.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// It was tried once more, and that failed.
    pub fn failed(mut self) -> Self {
        self.failures = self.failures.saturating_add(1);
        self
    }

    /// What ends it.
    pub fn completion(&self) -> CompleteTask {
        self.acting.iter().cloned().fold(CompleteTask::new(&self.task_id), CompleteTask::token)
    }
}

/// The tasks that were left.
#[derive(Default)]
pub(in super::super) struct Left {
    /// How many wait, to be read without the lock.
    waiting: AtomicUsize,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    waiting: VecDeque<LeftTask>,
    /// They failed too often: only who asks for all ends them.
    handed: VecDeque<LeftTask>,
}

impl Left {
    pub(in super::super) fn any(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(in super::super) fn leave(&self, task: LeftTask) {
        let mut tasks = lock(&self.tasks);
        let list = if task.failures >= TRIES { &mut tasks.handed } else { &mut tasks.waiting };
        list.push_back(task);
        if list.len() > MOST
            && let Some(oldest) = list.pop_front()
        {
            log::warn!(
                "jit.task.complete: too many tasks wait to be ended: {} is not ended",
                crate::error::inert(&oldest.task_id)
            );
        }
        self.waiting.store(tasks.waiting.len(), Ordering::Relaxed);
    }

    pub(in super::super) fn take(&self) -> Option<LeftTask> {
        let mut tasks = lock(&self.tasks);
        let task = tasks.waiting.pop_front();
        self.waiting.store(tasks.waiting.len(), Ordering::Relaxed);
        task
    }

    pub(in super::super) fn take_all(&self) -> Vec<LeftTask> {
        let mut tasks = lock(&self.tasks);
        self.waiting.store(0, Ordering::Relaxed);
        let Tasks { waiting, handed } = std::mem::take(&mut *tasks);
        handed.into_iter().chain(waiting).collect()
    }
}
