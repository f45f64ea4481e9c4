/// Which change is made in this process: none, or the one that `LUMOAUTH_MUTANT` names. With `LUMOAUTH_MUTANT_TRACE` naming a file,
/// every change that is reached is written there once for each test, with its name: that of its thread. What other threads reach is that of
/// the test that runs: in such a run one test runs at a time.
#[doc(hidden)]
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod mutant {
    use std::cell::Cell;
    use std::io::Write;
    use std::sync::{Mutex, OnceLock};
    use std::time::Duration;

    struct Plan {
        made: Option<u32>,
        trace: Option<std::fs::File>,
    }

    fn plan() -> &'static Plan {
        static PLAN: OnceLock<Plan> = OnceLock::new();
        PLAN.get_or_init(|| Plan {
            made: std::env::var("LUMOAUTH_MUTANT").ok().and_then(|number| number.parse().ok()),
            trace: std::env::var("LUMOAUTH_MUTANT_TRACE")
                .ok()
                .and_then(|path| std::fs::File::options().append(true).create(true).open(path).ok()),
        })
    }

    /// The test that runs, and what it has reached by now.
    static RUNS: Mutex<(String, Vec<bool>)> = Mutex::new((String::new(), Vec::new()));

    thread_local! {
        static IS_TEST: Cell<Option<bool>> = const { Cell::new(None) };
    }

    /// The name of this thread, if it is a test's and this is the first that is heard of it.
    fn begins() -> Option<String> {
        if IS_TEST.try_with(|known| known.replace(Some(true)).is_some()).unwrap_or(true) {
            return None;
        }
        let thread = std::thread::current();
        let name = thread.name().filter(|name| name.contains("::") || name.contains('_'))?;
        Some(name.to_owned())
    }

    fn reached(number: u32) -> Option<String> {
        let begun = begins();
        let mut runs = RUNS.lock().unwrap_or_else(|held| held.into_inner());
        if let Some(name) = begun {
            *runs = (name, Vec::new());
        }
        let (name, seen) = &mut *runs;
        let at = number as usize;
        if seen.len() <= at {
            seen.resize(at + 512, false);
        }
        let new = !std::mem::replace(&mut seen[at], true);
        new.then(|| format!("{number}\t{}\n", if name.is_empty() { "?" } else { name.as_str() }))
    }

    pub fn on(number: u32) -> bool {
        let plan = plan();
        if let Some(mut trace) = plan.trace.as_ref() {
            if let Some(line) = reached(number) {
                let _ = trace.write_all(line.as_bytes());
            }
        }
        plan.made == Some(number)
    }

    pub trait Sums: Sized {
        fn mutant_saturating_add(self, number: u32, other: Self) -> Self;
        fn mutant_saturating_sub(self, number: u32, other: Self) -> Self;
    }

    macro_rules! sums {
        ($($type:ty),*) => {$(
            impl Sums for $type {
                fn mutant_saturating_add(self, number: u32, other: Self) -> Self {
                    if on(number) { self.saturating_sub(other) } else { self.saturating_add(other) }
                }
                fn mutant_saturating_sub(self, number: u32, other: Self) -> Self {
                    if on(number) { self.saturating_add(other) } else { self.saturating_sub(other) }
                }
            }
        )*};
    }
    sums!(u8, u16, u32, u64, usize, i32, i64, Duration);

    pub trait Ends: Ord + Sized {
        fn mutant_min(self, number: u32, other: Self) -> Self {
            if on(number) { std::cmp::Ord::max(self, other) } else { std::cmp::Ord::min(self, other) }
        }
        fn mutant_max(self, number: u32, other: Self) -> Self {
            if on(number) { std::cmp::Ord::min(self, other) } else { std::cmp::Ord::max(self, other) }
        }
    }
    impl<T: Ord> Ends for T {}
}
