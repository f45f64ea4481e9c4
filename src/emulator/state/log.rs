//! What the emulator remembers of the requests and decisions it has made. Never a secret, a token or a body.

use std::collections::{HashMap, VecDeque};

use crate::time::Timestamp;

/// How many entries are kept; the counts go on.
const KEPT: usize = 10_000;
/// How much of a path is kept.
const PATH_KEPT: usize = 256;

/// One request, as the emulator saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The operation's name (`oauth.token`), or `unknown`.
    pub route: &'static str,
    /// The method.
    pub method: String,
    /// The path without the query; cut to 256 characters.
    pub path: String,
    /// The status of the answer, also if a fault kept it from arriving.
    pub status: u16,
    /// The agent, where one could be told: by its token, or by its client id at the token endpoint.
    pub client_id: Option<String>,
    /// When, by the emulator's clock.
    pub time: Timestamp,
}

/// One decision of `agents.ask`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The record's id, `aud_` and 16 hexadecimal digits: the `audit_id` of the answer.
    pub id: String,
    /// The tenant's slug.
    pub tenant: String,
    /// The agent that asked.
    pub client_id: String,
    /// What it asked about.
    pub action: String,
    /// What it was told.
    pub allowed: bool,
    /// Why.
    pub reason: String,
    /// When, by the emulator's clock.
    pub time: Timestamp,
}

/// The request log with its counts, and the audit log.
#[derive(Default)]
pub(crate) struct Log {
    requests: VecDeque<LogEntry>,
    counts: HashMap<&'static str, u64>,
    audit: VecDeque<AuditEntry>,
}

impl Log {
    pub(crate) fn request(&mut self, mut entry: LogEntry) {
        if let Some((end, _)) = entry.path.char_indices().nth(PATH_KEPT) {
            entry.path.truncate(end);
        }
        let count = self.counts.entry(entry.route).or_default();
        *count = count.saturating_add(1);
        push(&mut self.requests, entry);
    }

    pub(crate) fn decision(&mut self, entry: AuditEntry) {
        push(&mut self.audit, entry);
    }

    pub(crate) fn requests(&self) -> Vec<LogEntry> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn audit(&self) -> Vec<AuditEntry> {
        self.audit.iter().cloned().collect()
    }

    pub(crate) fn count(&self, route: &str) -> u64 {
        self.counts.get(route).copied().unwrap_or_default()
    }

    pub(crate) fn count_all(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() >= KEPT {
        entries.pop_front();
    }
    entries.push_back(entry);
}
