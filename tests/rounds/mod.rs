//! How long the longest tests run: a tenth of their rounds, or all of them if `LUMOAUTH_LONG` is set, as `.ci/long` does.

/// Whether the whole length was asked for.
#[allow(clippy::disallowed_methods, reason = "the person who runs the tests chooses how long they take")]
pub fn all() -> bool {
    std::env::var_os("LUMOAUTH_LONG").is_some()
}

/// So many of this many rounds.
#[allow(dead_code, reason = "some tests have other steps")]
pub fn of(whole: usize) -> usize {
    if all() { whole } else { whole / 10 }
}
