//! A message that is signed (LumoAuth's profile of RFC 9421; `docs/wire.md`, aauth rows): its canonical URL, what the
//! signature covers, and the headers that carry it. Pure: who signs, and with what, is a driver's matter.
//!
//! ```
//! use lumoauth::http::Method;
//! use lumoauth::embed::message::{Message, Nonce};
//! use lumoauth::time::Timestamp;
//!
//! # let (unix_seconds, sixteen_random_bytes) = (1_750_000_000, [7; 16]);
//! # let a_key_that_lives_elsewhere = |_: &[u8]| vec![0; 64];
//! let message = Message::new(Method::GET, "https://API.example.com:443/v1/data?limit=2")?;
//! let prepared = message.prepare(Timestamp::from_unix(unix_seconds), &Nonce::from_random(&sixteen_random_bytes));
//! let signature = a_key_that_lives_elsewhere(prepared.base());
//! let headers = prepared.finish(&signature);
//! assert!(headers.signature_input().starts_with("sig1=(\"@method\" \"@authority\" \"@path\" \"@query\""));
//! # Ok::<(), lumoauth::error::InputError>(())
//! ```

#[cfg_attr(not(feature = "aauth"), allow(dead_code))] // what only receivers use
pub(crate) mod base;
#[cfg_attr(not(feature = "aauth"), allow(dead_code))]
pub(crate) mod nonce;
pub(crate) mod sign;
pub(crate) mod target;

pub use base::content_digest;
pub use nonce::Nonce;
pub use sign::{
    AGENT_AUTH, CONTENT_DIGEST, Message, Prepared, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_KEY, SignedHeaders,
};
pub use target::Target;
