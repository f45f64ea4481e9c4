//! Requests whose token was asked for: no second time, whatever came of the first.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::super::lock;

/// What became of the one time that a request's token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Spent {
    /// It left, and nobody knows what came of it.
    Sent,
    /// The token came.
    Taken,
}

/// By request, the longest ago first. Bounded: a permission is over long before it is forgotten here.
pub(in super::super) struct Once {
    entries: Mutex<Entries>,
    most: usize,
}

#[derive(Default)]
struct Entries {
    spent: HashMap<String, Spent>,
    order: VecDeque<String>,
}

impl Once {
    pub(in super::super) fn bounded(most: usize) -> Self {
        Once { entries: Mutex::default(), most: most.max(1) }
    }

    pub(in super::super) fn get(&self, request_id: &str) -> Option<Spent> {
        lock(&self.entries).spent.get(request_id).copied()
    }

    pub(in super::super) fn set(&self, request_id: &str, spent: Spent) {
        let entries = &mut *lock(&self.entries);
        if entries.spent.insert(request_id.to_owned(), spent).is_none() {
            entries.order.push_back(request_id.to_owned());
        }
        while entries.order.len() > self.most {
            if let Some(oldest) = entries.order.pop_front() {
                entries.spent.remove(&oldest);
            }
        }
    }

    /// It did not take effect: it may be asked for again.
    pub(in super::super) fn unset(&self, request_id: &str) {
        let entries = &mut *lock(&self.entries);
        if entries.spent.remove(request_id).is_some() {
            entries.order.retain(|own| own != request_id);
        }
    }
}
