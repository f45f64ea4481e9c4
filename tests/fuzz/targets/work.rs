//! How much work an input may make: in line with its length. Mounted by the targets that read a stranger's text.

/// Nanoseconds that are not worth a look: the system counts in coarse steps.
const SLACK: u64 = 200_000_000;
/// Nanoseconds for each byte, of instrumented code. The square of 64 KiB at a nanosecond each is twenty times as much.
const EACH: u64 = 3_000;

/// Nanoseconds that this thread was at work; none where the system does not say.
fn at_work() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Runs it, and fails if its work does not grow as the length of what it reads.
pub fn bounded<T>(length: usize, run: impl FnOnce() -> T) -> T {
    // What is short cannot tell.
    let before = if length > 2048 { at_work() } else { None };
    let output = run();
    if let (Some(before), Some(after)) = (before, before.and_then(|_| at_work())) {
        let made = after.saturating_sub(before);
        let bound = SLACK.saturating_add(EACH.saturating_mul(length as u64));
        assert!(made <= bound, "{length} bytes: {made} ns of work");
    }
    output
}
