//! Layers in front of a service's handlers, and what frameworks take them for: they carry out what `verify`, `profile`, `service` and `sign_in` decide.

mod allowed;
#[cfg(feature = "axum")]
pub(crate) mod axum;
mod body;
mod door;
mod filter;
mod judge;
mod policies;
mod server;
#[cfg(feature = "axum")]
pub(crate) mod sign_in;
mod signed;
mod tools;
mod verified;

pub use allowed::{Allowed, AllowedService};
pub use body::{Passed, read_whole};
pub use filter::Filtered;
pub use server::{GuardedServer, ServerAuth, ServerAuthLayer};
pub use signed::{Signed, SignedService};
pub use verified::{Verified, VerifiedService};
