//! How people and programs reach the emulator: its builder, what tests do beside requests, the transport in process, HTTP.

#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod builder;
pub(crate) mod console;
pub(crate) mod control;
pub(crate) mod emulator;
pub(crate) mod http;
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) mod in_process;
pub(crate) mod permissions;
pub(crate) mod summary;
