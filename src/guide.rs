//! The pages that explain more than one type at a time. They lie in the folder `docs` of the source as well.
//!
//! - [Coming from Python](python): the vendor's quickstart, and the same in Rust.
//! - [Acting for a user](delegation): consent, exchange, requests, handing on, revoking.
//! - [Signing people in](signin): a web service's sign-in, sessions and sign-out.
//! - [Permissions](permissions): which of the ways to ask when; just in time, and who decides.
//! - [Stores](stores): state that calls and processes share, and how to write a store.
//! - [Fleets](fleets): many processes and hosts that share one identity, and the servers that they share it on.
//! - [MCP servers](mcp): tokens that are good for one server, and requests to it.
//! - [Services of your own](web): who calls an API or MCP server of yours, and may it.
//! - [AAuth](aauth): an agent with a key of its own.
//! - [Testing](testing): a local LumoAuth in tests, with the recipes that people need.
//! - [Errors](errors): every error, what it looks like, and what to do.
//! - [Coverage](coverage): what LumoAuth offers, route by route, and where it is here.
//! - [Guarantees](guarantees): what you may rely on, each promise with the test that shows it.
//! - [Security](security): how to report a weakness, and what is protected from whom.

// Links between pages are references, defined at the end of each page for those who read the files. The definition above a
// page comes first, and so is the one that counts here.

#[doc = "[docs/aauth.md]: crate::guide::aauth"]
#[doc = "[docs/errors.md]: crate::guide::errors"]
#[doc = "[docs/web.md]: crate::guide::web"]
#[doc = ""]
#[doc = include_str!("../docs/python.md")]
pub mod python {}

#[doc = include_str!("../docs/delegation.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod delegation {}

#[doc = "[stores.md]: crate::guide::stores"]
#[doc = ""]
#[doc = include_str!("../docs/signin.md")]
pub mod signin {}

#[doc = "[delegation.md]: crate::guide::delegation"]
#[doc = ""]
#[doc = include_str!("../docs/permissions.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod permissions {}

#[allow(clippy::test_attr_in_doctest)] // the page shows what goes into a test file
#[doc = include_str!("../docs/stores.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod stores {}

#[doc = "[stores.md]: crate::guide::stores"]
#[doc = ""]
#[doc = include_str!("../docs/fleets.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod fleets {}

#[doc = include_str!("../docs/mcp.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod mcp {}

#[doc = include_str!("../docs/web.md")]
pub mod web {}

#[doc = include_str!("../docs/aauth.md")]
#[cfg(any(not(doctest), all(feature = "aauth", feature = "ureq")))]
pub mod aauth {}

#[doc = include_str!("../docs/testing.md")]
#[cfg(any(not(doctest), all(feature = "blocking", feature = "calls")))]
pub mod testing {}

#[doc = include_str!("../docs/errors.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod errors {}

#[doc = "[errors.md]: crate::guide::errors"]
#[doc = ""]
#[doc = include_str!("../docs/coverage.md")]
#[cfg(any(not(doctest), feature = "blocking"))]
pub mod coverage {}

#[doc = "[SECURITY.md]: crate::guide::security"]
#[doc = ""]
#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/SECURITY.md")]
pub mod security {}
