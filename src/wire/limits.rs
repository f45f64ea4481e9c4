//! What one attempt may take.

use std::time::Duration;

/// What one attempt may take. A transport keeps to it; the session sets it for every attempt anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest time until the connection stands: TCP and TLS together. Looking up the name has as long again.
    pub connect: Duration,
    /// The longest time for the whole attempt, the last byte of the answer included.
    pub total: Duration,
    /// The largest body that is read, in bytes, after any decoding.
    pub body: usize,
    /// The largest head of an answer (status line and headers), in bytes.
    pub head: usize,
    /// True if the attempt must use a connection of its own: it must not fail because a kept one went stale.
    pub fresh_connection: bool,
    /// True if an answer may end with its connection, without having said before where it ends. Over TLS the other side must have
    /// said that it ends it; over plain http a server that died looks like one that has finished.
    pub until_closed: bool,
}

impl Default for Limits {
    /// 3.1 s to connect, 5 s in all, 64 KiB of body, 16 KiB of head, a kept connection if there is one.
    fn default() -> Self {
        Limits {
            connect: Duration::from_millis(3100),
            total: Duration::from_secs(5),
            body: 64 * 1024,
            head: 16 * 1024,
            fresh_connection: false,
            until_closed: false,
        }
    }
}
