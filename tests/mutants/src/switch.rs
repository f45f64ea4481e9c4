/// Which change is made in this process: none, or the one that `LUMOAUTH_MUTANT` names. With `LUMOAUTH_MUTANT_TRACE` naming a file,
/// every change that is reached is written there once for each thread, with the thread's name: the test's.
#[doc(hidden)]
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod mutant {
    use std::cell::RefCell;
    use std::io::Write;
    use std::sync::OnceLock;
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

    thread_local! {
        static SEEN: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    }

    fn first(seen: &mut Vec<bool>, number: u32) -> bool {
        let at = number as usize;
        if seen.len() <= at {
            seen.resize(at + 512, false);
        }
        !std::mem::replace(&mut seen[at], true)
    }

    pub fn on(number: u32) -> bool {
        let plan = plan();
        if let Some(mut trace) = plan.trace.as_ref() {
            let new = SEEN
                .try_with(|seen| seen.try_borrow_mut().is_ok_and(|mut seen| first(&mut seen, number)))
                .unwrap_or(false);
            if new {
                let thread = std::thread::current();
                let line = format!("{number}\t{}\n", thread.name().unwrap_or("?"));
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
