//! The people's face: one source for the blocking and the async clients, mounted twice.
//!
//! `run.rs`, `agent.rs` and `builder.rs` are written once, as async code. `blocking.rs` and `asynchronous.rs` each
//! mount them and bring what differs: the transport trait, waiting for another call, and the shape of the examples.

pub(crate) mod clock;
pub(crate) mod environment;
mod held;
mod store;
mod token_file;

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
