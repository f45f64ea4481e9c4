//! Connections that wait for their next request. Nothing runs for them meanwhile: whoever takes one looks whether its
//! other side is still there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use crate::origin::Origin;

const IDLE_AGE: Duration = Duration::from_secs(10);
/// More than the blocking transport keeps: tasks come in larger numbers than threads.
const IDLE_PER_HOST: usize = 128;
/// Origins with kept connections.
const HOSTS: usize = 64;

/// Kept connections by where they lead, and by the runtime that wakes whoever waits for them: another one may be asleep.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Key, VecDeque<(Connection, Instant)>>>);

pub(super) type Key = (Origin, tokio::runtime::Id);

impl Pool {
    /// The connection that was used last.
    pub(super) fn take(&self, key: &Key) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, since) = kept.get_mut(key)?.pop_back()?;
        (since.elapsed() < IDLE_AGE).then_some(connection)
    }

    #[allow(clippy::disallowed_methods)] // a transport has a clock
    pub(super) fn put(&self, key: Key, connection: Connection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest are in front.
        kept.retain(|_, waiting| {
            while waiting.front().is_some_and(|(_, since)| since.elapsed() >= IDLE_AGE) {
                waiting.pop_front();
            }
            !waiting.is_empty()
        });
        if kept.len() < HOSTS || kept.contains_key(&key) {
            let waiting = kept.entry(key).or_default();
            waiting.push_back((connection, Instant::now()));
            if waiting.len() > IDLE_PER_HOST {
                waiting.pop_front();
            }
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}
