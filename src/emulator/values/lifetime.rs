//! How long things wait and last.

use std::time::Duration;

use crate::time::Timestamp;

/// How long a page and a pushed request wait, in seconds.
pub(crate) const PATIENCE: u64 = 600;
/// How long somebody stays signed in with a browser, in seconds.
pub(crate) const BROWSER: u64 = 12 * 3600;
/// How long a device code lives.
pub(crate) const DEVICE_CODE: Duration = Duration::from_secs(PATIENCE);

pub(crate) fn in_seconds(now: Timestamp, seconds: u64) -> Timestamp {
    Timestamp::from_unix(now.unix().saturating_add(seconds))
}
