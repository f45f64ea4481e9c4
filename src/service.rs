//! A service of yours, and who calls it: what is answered to callers, and whom a token speaks for.
//!
//! Nothing here belongs to a web framework. Every refusal is an [`http::Response`] ready made ([`Answer`]): its status, its
//! challenge, when to come again, and a body that says no more than the status does. What was wrong is for your log.
//!
//! ```
//! use lumoauth::verify::VerifyError;
//!
//! let response = VerifyError::MissingToken.answer();
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! assert_eq!(response.body(), r#"{"detail":"Unauthorized"}"#);
//! ```
//!
//! With the feature `tower` there are layers, with `axum` extractors and routes besides: `docs/web.md`.

mod answer;
mod caller;
#[cfg(feature = "tower")]
mod listing;
#[cfg(feature = "tower")]
mod message;
#[cfg(feature = "tower")]
mod policy;
mod rule;
#[cfg(feature = "tower")]
mod session_id;
mod settings;

pub use answer::{Answer, refusal};
pub use caller::{Caller, CallerKind};
#[cfg(feature = "tower")]
pub(crate) use listing::{Event, Events, Listing};
#[cfg(feature = "tower")]
pub(crate) use message::{Asked, hinted, read as read_message};
#[cfg(feature = "tower")]
pub(crate) use policy::{Bulk, Key as PolicyKey, Memory, Subjects};
#[cfg(feature = "tower")]
pub(crate) use rule::both;
pub use rule::{Rule, Verdict};
#[cfg(feature = "tower")]
pub(crate) use session_id::SessionIds;
pub use settings::verifier_config;
