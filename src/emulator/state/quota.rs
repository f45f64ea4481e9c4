//! The rate limit: how many requests a minute has had.

use crate::time::Timestamp;

const MINUTE: u64 = 60;

/// A minute of the rate limit, from the first request in it.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    from: u64,
    used: u32,
}

/// How a request stands with the rate limit.
pub(crate) struct Quota {
    pub limit: u32,
    pub remaining: u32,
    /// When the window ends, in Unix seconds.
    pub reset: u64,
    /// Seconds until then, at least one.
    pub wait: u64,
    pub refused: bool,
}

impl Window {
    pub(crate) fn new(now: Timestamp) -> Self {
        Window { from: now.unix(), used: 0 }
    }

    /// Counts a request. A refused one uses nothing.
    pub(crate) fn take(&mut self, limit: u32, now: Timestamp) -> Quota {
        let now = now.unix();
        if now < self.from || now >= self.from.saturating_add(MINUTE) {
            (self.from, self.used) = (now, 0);
        }
        let refused = self.used >= limit;
        if !refused {
            self.used = self.used.saturating_add(1);
        }
        let reset = self.from.saturating_add(MINUTE);
        let wait = reset.saturating_sub(now).max(1);
        Quota { limit, remaining: limit.saturating_sub(self.used), reset, wait, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn the_window_refuses_what_is_too_much_and_opens_again() {
        let mut window = Window::new(at(1_000));
        let quota = window.take(2, at(1_000));
        assert!(!quota.refused && quota.remaining == 1 && quota.reset == 1_060);
        assert!(!window.take(2, at(1_010)).refused);
        let quota = window.take(2, at(1_050));
        assert!(quota.refused && quota.remaining == 0 && quota.wait == 10);
        assert!(!window.take(2, at(1_060)).refused);
    }
}
