//! How late a call ends, whatever else the machine does meanwhile: the time for which the caller's thread was ready and
//! other work had the processor is not the call's.
#![allow(clippy::disallowed_methods, reason = "deadlines are measured in real time here")]

use std::time::{Duration, Instant};

/// How long after its deadline a call may still return.
pub const OVERSHOOT: Duration = Duration::from_millis(100);
/// The same where the system does not tell how long a thread waited for the processor.
const UNTOLD: Duration = Duration::from_secs(20);

/// A watch that stands while this thread waits for the processor.
pub struct Stopwatch {
    began: Instant,
    denied: Option<Duration>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch { denied: denied(), began: Instant::now() }
    }

    /// How much more than `total` has passed since the start.
    pub fn beyond(&self, total: Duration) -> Duration {
        let raw = self.began.elapsed().saturating_sub(total);
        let not_ours = self.denied.zip(denied()).map(|(before, now)| now.saturating_sub(before));
        raw.saturating_sub(not_ours.unwrap_or(UNTOLD))
    }

    /// What has passed, all of it.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// For how long this thread, ready to run, was kept waiting since it began, and for how long this machine, if it is a
/// virtual one, was kept waiting by others.
fn denied() -> Option<Duration> {
    let own = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let own = own.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)?;
    let all = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let stolen = all.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
    // Counted in hundredths of a second.
    Some(own + Duration::from_millis(10 * stolen.unwrap_or_default()))
}

/// A thread that works beside others is kept waiting, and its watch stands meanwhile.
#[test]
fn the_watch_stands_while_other_work_has_the_processor() {
    let done = std::sync::atomic::AtomicBool::new(false);
    let spin = || {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    };
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(spin);
        }
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let (all, own) = (watch.elapsed(), watch.beyond(Duration::ZERO));
    println!("beside 64 busy threads: {all:?} passed, {own:?} of it our own");
    assert!(own <= all);
}
