//! Tasks and the permissions that are asked for in them.

use serde_json::{Map, Value};

use crate::emulator::values::jit::Risk;
use crate::time::Timestamp;

/// How many of each there may be; the oldest goes first.
const MOST: usize = 4096;

/// A task of an agent.
#[derive(Clone)]
pub(crate) struct Task {
    pub id: String,
    pub parent: Option<String>,
    pub tenant: usize,
    pub client_id: String,
    /// The number of its tokens, which end with it.
    pub family: u64,
    pub expires_at: Timestamp,
    pub ended: bool,
}

/// What has become of a request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    /// Until then its token may be had.
    Approved {
        until: Timestamp,
    },
    Denied {
        reason: Option<String>,
    },
}

/// A request for a permission.
#[derive(Clone)]
pub(crate) struct Asked {
    pub id: String,
    pub task: String,
    pub tenant: usize,
    pub client_id: String,
    pub details: Map<String, Value>,
    pub justification: Option<String>,
    pub risk: Risk,
    /// Seconds.
    pub ttl: u64,
    /// Until when somebody may decide.
    pub expires_at: Timestamp,
    pub outcome: Outcome,
    /// When that was decided, and by which person if it was one.
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    /// What the reviewer tells the agent.
    pub message: Option<String>,
    pub notes: bool,
    /// The token was given out.
    pub taken: bool,
    pub polled_at: Option<Timestamp>,
    /// What the token is said to be for, where a test wants it to be for something else.
    pub other: Option<Value>,
}

impl Asked {
    /// The word for it.
    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        match &self.outcome {
            Outcome::Denied { .. } => "denied",
            Outcome::Open if now < self.expires_at => "pending",
            Outcome::Approved { until } if now < *until => "approved",
            Outcome::Open | Outcome::Approved { .. } => "expired",
        }
    }
}

#[derive(Default)]
pub(crate) struct Store {
    pub tasks: Vec<Task>,
    pub requests: Vec<Asked>,
}

impl Store {
    pub(crate) fn begin(&mut self, task: Task) {
        push(&mut self.tasks, task);
    }

    pub(crate) fn ask(&mut self, asked: Asked) {
        push(&mut self.requests, asked);
    }

    pub(crate) fn task(&self, tenant: usize, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.tenant == tenant && task.id == id)
    }

    pub(crate) fn task_mut(&mut self, tenant: usize, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.tenant == tenant && task.id == id)
    }

    pub(crate) fn request_mut(&mut self, tenant: usize, id: &str) -> Option<&mut Asked> {
        self.requests.iter_mut().find(|asked| asked.tenant == tenant && asked.id == id)
    }

    /// How often this agent was denied something.
    pub(crate) fn denials(&self, tenant: usize, client_id: &str) -> usize {
        let denied = |asked: &&Asked| {
            asked.tenant == tenant
                && asked.client_id == client_id
                && matches!(asked.outcome, Outcome::Denied { .. })
        };
        self.requests.iter().filter(denied).count()
    }

    /// What waits for a reviewer, oldest first.
    pub(crate) fn waiting(&self, tenant: usize, now: Timestamp) -> impl Iterator<Item = &Asked> {
        self.requests.iter().filter(move |asked| asked.tenant == tenant && asked.status(now) == "pending")
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= MOST {
        list.remove(0);
    }
    list.push(item);
}
