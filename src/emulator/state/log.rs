//! What the emulator remembers of the requests and decisions it has made. Never a secret, a token or a body.

use std::collections::{HashMap, VecDeque};

use crate::time::Timestamp;

/// How many entries are kept; the counts go on.
const KEPT: usize = 10_000;
/// How many characters of a method are kept.
const METHOD: usize = 32;
/// How many characters of a path, an id or a name are kept.
const NAME: usize = 256;
/// How many characters of an action or a reason are kept.
const TEXT: usize = 1024;

/// One request, as the emulator saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The operation's name (`oauth.token`), or `unknown`.
    pub route: &'static str,
    /// The method; cut to 32 characters.
    pub method: String,
    /// The path without the query; cut to 256 characters.
    pub path: String,
    /// The status of the answer, also if a fault kept it from arriving.
    pub status: u16,
    /// The agent, where one could be told: by its token, or by its client id at the token endpoint; cut
    /// to 256 characters.
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
    /// The agent that asked; cut to 256 characters.
    pub client_id: String,
    /// What it asked about; cut to 1024 characters.
    pub action: String,
    /// What it was told.
    pub allowed: bool,
    /// Why; cut to 1024 characters.
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
    /// Keeps a request, and gives back what is kept of it.
    pub(crate) fn request(&mut self, mut entry: LogEntry) -> Option<&LogEntry> {
        cut(&mut entry.method, METHOD);
        cut(&mut entry.path, NAME);
        entry.client_id.iter_mut().for_each(|id| cut(id, NAME));
        let count = self.counts.entry(entry.route).or_default();
        *count = count.saturating_add(1);
        push(&mut self.requests, entry);
        self.requests.back()
    }

    /// Keeps a decision, and gives back what is kept of it.
    pub(crate) fn decision(&mut self, mut entry: AuditEntry) -> AuditEntry {
        cut(&mut entry.tenant, NAME);
        cut(&mut entry.client_id, NAME);
        cut(&mut entry.action, TEXT);
        cut(&mut entry.reason, TEXT);
        push(&mut self.audit, entry.clone());
        entry
    }

    pub(crate) fn requests(&self) -> Vec<LogEntry> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn audit(&self) -> Vec<AuditEntry> {
        self.audit.iter().cloned().collect()
    }

    /// The last requests, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &LogEntry> {
        self.requests.iter().rev()
    }

    /// The last decisions, newest first.
    pub(crate) fn newest_audit(&self) -> impl Iterator<Item = &AuditEntry> {
        self.audit.iter().rev()
    }

    pub(crate) fn count(&self, route: &str) -> u64 {
        self.counts.get(route).copied().unwrap_or_default()
    }

    pub(crate) fn count_all(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Keeps so many characters of a text, and no room for more: whoever writes the text does not say how much is kept.
fn cut(text: &mut String, characters: usize) {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text.shrink_to_fit();
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() >= KEPT {
        entries.pop_front();
    }
    entries.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_is_longer_than_it_says() {
        let long = || "ä".repeat(60_000);
        let time = Timestamp::from_unix(1);
        let mut log = Log::default();
        let (method, path, client_id) = (long(), long(), Some(long()));
        log.request(LogEntry { route: "unknown", method, path, status: 404, client_id, time });
        let (id, tenant, client_id, action, reason) = ("aud_1".into(), long(), long(), long(), long());
        log.decision(AuditEntry { id, tenant, client_id, action, allowed: false, reason, time });
        let room = |text: &String| (text.chars().count(), text.capacity() <= 4 * text.chars().count());
        let entry = log.requests.pop_back().unwrap();
        assert_eq!(room(&entry.method), (32, true));
        assert_eq!(room(&entry.path), (256, true));
        assert_eq!(room(&entry.client_id.unwrap()), (256, true));
        let entry = log.audit.pop_back().unwrap();
        assert_eq!((room(&entry.tenant), room(&entry.client_id)), ((256, true), (256, true)));
        assert_eq!((room(&entry.action), room(&entry.reason)), ((1024, true), (1024, true)));
    }
}
