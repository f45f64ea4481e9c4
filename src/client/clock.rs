//! The clocks and the randomness of this machine: the only place that reads them.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::error::{TransportError, TransportFault};
use crate::time::{Now, Timestamp};

/// The fixed point that the monotonic clock counts from.
#[allow(clippy::disallowed_methods)] // this is the place
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// So many calls that only read, and their thread draws from the system again.
const GLANCES: u8 = 64;

thread_local! {
    /// The randomness of the last such call of this thread, and how many may still be made of it.
    static GLANCED: Cell<([u8; 32], u8)> = const { Cell::new(([0; 32], 0)) };
}

/// The time and fresh randomness of this machine.
pub(crate) fn now() -> Result<Now, TransportError> {
    let start = *START;
    let mut random = [0_u8; 32];
    getrandom::getrandom(&mut random).map_err(|_| {
        TransportError::not_sent(TransportFault::Other, "the operating system gave no randomness")
    })?;
    Ok(at(start, random))
}

/// The time of this machine, with randomness made of the thread's last and of both clocks. A process that was forked, or a
/// machine that was copied, goes on from the same; the clocks, read to the nanosecond, part them.
pub(crate) fn glance() -> Result<Now, TransportError> {
    let (before, left) = GLANCED.get();
    let Some(left) = left.checked_sub(1) else {
        let now = now()?;
        GLANCED.set((Sha256::digest(now.random).into(), GLANCES));
        return Ok(now);
    };
    let (wall, monotonic) = clocks(*START);
    let mut hash = Sha256::new_with_prefix(before);
    // Seconds would only make the hash longer: what parts two that go on from the same is in the fractions.
    hash.update(wall.subsec_nanos().to_le_bytes());
    hash.update(monotonic.as_secs().to_le_bytes());
    hash.update(monotonic.subsec_nanos().to_le_bytes());
    let random = hash.finalize().into();
    GLANCED.set((random, left));
    Ok(reading(wall, monotonic, random))
}

/// The time of this machine, with randomness made of that of an earlier step of the same call: without asking the system.
pub(crate) fn later(before: &Now) -> Now {
    at(*START, Sha256::digest(before.random).into())
}

fn at(start: Instant, random: [u8; 32]) -> Now {
    let (wall, monotonic) = clocks(start);
    reading(wall, monotonic, random)
}

/// The time since 1970 and since `start`.
#[allow(clippy::disallowed_methods)] // this is the place
fn clocks(start: Instant) -> (Duration, Duration) {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), start.elapsed())
}

fn reading(wall: Duration, monotonic: Duration, random: [u8; 32]) -> Now {
    let wall = Timestamp::from_unix_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
    Now::new(wall, monotonic, random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_glances_and_no_later_step_of_one_are_alike() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let first = glance().unwrap();
            let second = later(&first);
            assert!(first.monotonic <= second.monotonic);
            assert!(seen.insert(first.random) && seen.insert(second.random));
        }
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(|| glance().unwrap().random)).collect();
        for thread in threads {
            assert!(seen.insert(thread.join().unwrap()));
        }
    }

    #[test]
    fn a_thread_that_goes_on_from_the_same_as_another_parts_from_it() {
        let state = ([7; 32], 2);
        let go_on = || {
            GLANCED.set(state);
            glance().unwrap().random
        };
        assert_ne!(go_on(), go_on());
    }
}
