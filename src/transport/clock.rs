//! The clocks and the randomness of this machine: the only place that reads them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::error::{TransportError, TransportFault};
use crate::time::{Now, Timestamp};

/// The fixed point that the monotonic clock counts from.
#[allow(clippy::disallowed_methods)] // this is the place
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the bytes of all glances are made of: drawn once, never shown.
static SEED: OnceLock<[u8; 24]> = OnceLock::new();
/// The threads that have glanced.
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This thread's number and that of its next glance: no thread waits for another.
    static GLANCES: Cell<(u64, u64)> = Cell::new((THREADS.fetch_add(1, Ordering::Relaxed), 0));
}

impl Now {
    /// The time and fresh randomness of this machine: for programs that sign or mint by hand, without a client that does it for them.
    ///
    /// # Errors
    /// [`TransportError`] if the operating system has no randomness.
    ///
    /// ```
    /// # #[cfg(feature = "blocking")] {
    /// let now = lumoauth::time::Now::system()?;
    /// assert!(now.wall > lumoauth::time::Timestamp::from_unix(1_750_000_000));
    /// # }
    /// # Ok::<(), lumoauth::error::TransportError>(())
    /// ```
    pub fn system() -> Result<Now, TransportError> {
        now()
    }
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

/// The time, with bytes that cost no question to the system: a hash of a seed that was drawn once, of the glance's number,
/// and of the time, which tells a forked process from its parent. These are 48 bytes: from 56 on, a hash is made of two
/// blocks and costs twice as much.
pub(crate) fn glance() -> Result<Now, TransportError> {
    let seed = match SEED.get() {
        Some(seed) => seed,
        None => {
            let drawn = now()?.random;
            let (seed, _) = drawn.split_first_chunk().unwrap_or((&[0; 24], &[]));
            SEED.get_or_init(|| *seed)
        }
    };
    let (thread, number) = GLANCES.get();
    GLANCES.set((thread, number.wrapping_add(1)));
    let now = at(*START, [0; 32]);
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(thread.to_le_bytes());
    hash.update(number.to_le_bytes());
    hash.update(u64::try_from(now.monotonic.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
    Ok(Now { random: hash.finalize().into(), ..now })
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
    use std::time::Duration;

    #[test]
    fn no_two_are_alike() {
        let mut seen = HashSet::new();
        let mut last = Now::new(Timestamp::default(), Duration::ZERO, [0; 32]);
        for _ in 0..1000 {
            for next in [now().unwrap(), glance().unwrap()] {
                assert!(last.monotonic <= next.monotonic);
                assert!(seen.insert(next.random[16..].to_vec()));
                last = next;
            }
        }
    }

    #[test]
    fn pauses_drawn_from_glances_are_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let tenth = (glance().unwrap().fraction(0) * 10.0).floor();
            tenths[(0..10).find(|at| f64::from(*at) >= tenth).unwrap() as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
    }
}
