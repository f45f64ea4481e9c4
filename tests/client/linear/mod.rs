//! Whatever a service or a peer can say, at the cap of what is read: the work that it makes grows as its length does.

mod answers;
mod checks;
#[cfg(all(feature = "axum", feature = "signin", feature = "blocking"))]
mod doors;
mod emulator;
mod shapes;
mod talks;
mod texts;

use std::sync::Mutex;

/// Nanoseconds of work that are not worth a look. Whatever grows as the square of a text at its cap makes many times as much.
const FLOOR: u64 = 60_000_000;
/// How much more work a text of eight times the length may make, beyond eight times as much.
const MORE: u64 = 4;

/// Nanoseconds that this thread was at work, however busy the machine is. None where the system does not say.
fn at_work() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// What the tests of this room have found so far.
#[derive(Default)]
struct Found {
    offered: u64,
    cases: u64,
    most: u64,
    superlinear: Vec<String>,
}

/// One family of texts, and what was found of it.
struct Measure {
    name: &'static str,
    /// Of so many cases one is played.
    step: u64,
    found: Mutex<Found>,
}

impl Measure {
    /// Of `short` cases one is played, of `whole` where the whole length is asked for: all of them would take hours. None where
    /// this system does not say how long a thread was at work.
    fn new(name: &'static str, short: u64, whole: u64) -> Option<Self> {
        if at_work().is_none() {
            println!("SKIPPED: this system does not say how long a thread was at work");
            return None;
        }
        let step = if crate::rounds::all() { whole } else { short };
        Some(Measure { name, step, found: Mutex::default() })
    }

    /// Feeds a text of the cap, which is read `run`; if that is work worth a look, also eight texts of an eighth of the length,
    /// which are the linear reference.
    fn feed<T>(&self, what: &str, cap: usize, make: impl Fn(usize) -> T, run: impl Fn(&T)) {
        if !self.is_played() {
            return;
        }
        let work = |text: &T| {
            let before = at_work().unwrap_or_default();
            run(text);
            at_work().unwrap_or_default().saturating_sub(before)
        };
        let made = work(&make(cap));
        let mut found = self.found.lock().unwrap();
        found.cases += 1;
        found.most = found.most.max(made);
        if made > FLOOR {
            let small = make(cap / 8);
            let linear = (0..8).map(|_| work(&small)).sum::<u64>();
            if made > linear.saturating_mul(MORE).saturating_add(FLOOR) {
                found.superlinear.push(format!(
                    "{what}: {} ms, eight eighths {} ms",
                    made / 1_000_000,
                    linear / 1_000_000
                ));
            }
        }
    }

    /// The step has no divisor in common with the number of shapes, so each of them comes about as often.
    fn is_played(&self) -> bool {
        let mut found = self.found.lock().unwrap();
        found.offered += 1;
        found.offered.is_multiple_of(self.step)
    }

    fn end(self) {
        let Found { offered, cases, most, superlinear } = self.found.into_inner().unwrap();
        assert!(superlinear.is_empty(), "{}: {superlinear:#?}", self.name);
        println!(
            "f17: {}: {cases} of {offered} texts at their caps, none more than linear; at most {} ms of work",
            self.name,
            most / 1_000_000
        );
    }
}

/// The measure itself sees what it is there for.
#[test]
fn f17_what_grows_as_the_square_is_seen() {
    let Some(measure) = Measure::new("a text looked through for each of its words", 1, 1) else { return };
    let quadratic = |text: &String| {
        let words: Vec<&str> = text.split(' ').collect();
        assert!(words.iter().all(|word| words.iter().filter(|own| *own == word).count() == 1));
    };
    measure.feed("words", 32 * 1024, |size| shapes::words(size, ' '), quadratic);
    assert_eq!(measure.found.lock().unwrap().superlinear.len(), 1);
}
