//! Decisions of people that cannot drift: what they are bound to, and that it runs once.

#[cfg(feature = "calls")]
mod calls;
