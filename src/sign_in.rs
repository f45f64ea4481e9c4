//! Signing people in, as machines: sending a browser to the service, taking its answer, who is signed in, signing out.
//!
//! `lumoauth::signin` shows it with its drivers. Nothing here does I/O, and nothing belongs to a web framework.

mod answer;
mod attempt;
mod begin;
mod callback;
mod cookies;
mod current;
pub(crate) mod desk;
mod error;
mod left;
mod login;
mod logout;
mod place;
mod user;

pub use answer::Answer;
#[cfg(feature = "axum")]
pub(crate) use answer::wants_page;
pub(crate) use begin::Begin;
pub(crate) use callback::Answered;
pub(crate) use current::Current;
pub use error::SignInError;
pub use login::Login;
pub(crate) use logout::Leaving;
pub use user::User;

pub use crate::operations::{AccessType, Prompt};
