//! Constructors that want a built-in transport, where none is built in: no call of them compiles, and the compiler says which
//! feature is missing.
//!
//! Written once and mounted twice, by `blocking.rs` and `asynchronous.rs`.

use super::{Agent, AgentBuilder, Client, ClientBuilder};
use crate::error::Error;

/// What a transport is built in for: nothing, in this build.
#[diagnostic::on_unimplemented(
    message = "no transport is built in: give lumoauth the feature `ureq` (blocking) or `reqwest` (async), or bring your own to `build_with`",
    label = "needs the feature `ureq` (blocking) or `reqwest` (async)"
)]
pub trait BuiltIn {
    /// Is never called.
    fn never<T>() -> T;
}

// The lifetime keeps the compiler from judging the bound before there is a call.
macro_rules! absent {
    ($($(#[$attribute:meta])* $type:ty: $name:ident $arguments:tt -> $output:ty;)*) => { $(
        $(#[$attribute])*
        impl $type {
            /// Needs a built-in transport: the feature `ureq` for blocking clients, `reqwest` for async ones. With a transport of your
            /// own there is `build_with`.
            ///
            /// # Errors
            /// It does not compile without the feature.
            pub fn $name $arguments -> Result<$output, Error>
            where
                for<'a> $type: BuiltIn,
            {
                <$type as BuiltIn>::never()
            }
        }
    )* };
}

absent! {
    AgentBuilder: build(self) -> Agent;
    Agent: from_env() -> Agent;
    ClientBuilder: build(self) -> Client;
    Client: from_env() -> Client;
    super::jit::Reviewer: new(_: &crate::site::Site, _: impl Into<crate::secret::Secret>) -> Self;
    #[cfg(feature = "verify")]
    super::TokenVerifier: new(_: crate::verify::VerifierConfig) -> Self;
    #[cfg(feature = "verify")]
    super::IdTokenVerifier: new(_: crate::verify::IdVerifierConfig) -> Self;
    #[cfg(feature = "aauth")]
    super::aauth::Verifier: new(_: crate::profile::VerifierConfig) -> Self;
    #[cfg(feature = "aauth")]
    super::aauth::ClientBuilder: build(self) -> super::aauth::Client;
}
