//! The authorization server of AAuth, and resources to try it on (`docs/wire.md`, aauth rows). Whoever comes is told apart by
//! a signature; everything in a request that the profile refuses is refused here.

pub(crate) mod common;
pub(crate) mod consent;
pub(crate) mod demo;
pub(crate) mod directory;
pub(crate) mod grant;
pub(crate) mod issuing;
pub(crate) mod older;
pub(crate) mod resource;
pub(crate) mod signed;
pub(crate) mod signer;
pub(crate) mod token;
pub(crate) mod verify;
