//! The transports: the only I/O. They know limits and bytes, and nothing of operations.

#[cfg(feature = "ureq")]
mod names;
mod options;
#[cfg(feature = "ureq")]
mod tcp;
#[cfg(feature = "ureq")]
mod tls;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "ureq")]
pub use self::ureq::{Statistics, UreqTransport};
pub use options::TransportOptions;
