//! The clocks and the randomness of this machine: the only place that reads them.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::error::{TransportError, TransportFault};
use crate::time::{Now, Timestamp};

/// The fixed point that the monotonic clock counts from.
#[allow(clippy::disallowed_methods)] // this is the place
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time and fresh randomness of this machine.
pub(crate) fn now() -> Result<Now, TransportError> {
    let start = *START;
    let mut random = [0_u8; 32];
    getrandom::getrandom(&mut random).map_err(|_| {
        TransportError::not_sent(TransportFault::Other, "the operating system gave no randomness")
    })?;
    Ok(at(start, random))
}

/// The time of this machine, with randomness made of that of an earlier step of the same call: without asking the system.
pub(crate) fn later(before: &Now) -> Now {
    at(*START, Sha256::digest(before.random).into())
}

#[allow(clippy::disallowed_methods)] // this is the place
fn at(start: Instant, random: [u8; 32]) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall = Timestamp::from_unix_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
    Now::new(wall, start.elapsed(), random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_calls_and_no_later_step_of_one_are_alike() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let first = now().unwrap();
            let second = later(&first);
            assert!(first.monotonic <= second.monotonic);
            assert!(seen.insert(first.random) && seen.insert(second.random));
        }
    }
}
