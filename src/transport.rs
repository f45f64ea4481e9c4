//! The transports: the only I/O. They know limits and bytes, and nothing of operations.

#[cfg(feature = "async")]
pub(crate) mod asynchronous;
#[cfg(feature = "blocking")]
pub(crate) mod blocking;
pub(crate) mod clock;
pub(crate) mod environment;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
mod framing;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
mod names;
#[cfg(all(feature = "contract", any(feature = "blocking", feature = "async")))]
mod odd;
mod options;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
mod proxy;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
mod statistics;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
mod target;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::reqwest::ReqwestTransport;
#[cfg(all(feature = "reqwest", feature = "axum"))]
pub(crate) use self::reqwest::to_its_end;
#[cfg(feature = "ureq")]
#[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
pub use self::ureq::UreqTransport;
#[cfg(all(feature = "blocking", feature = "contract"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "blocking", feature = "contract"))))]
pub use blocking::contract;
pub use options::TransportOptions;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "ureq", feature = "reqwest"))))]
pub use statistics::Statistics;

#[cfg(all(feature = "contract", any(feature = "blocking", feature = "async")))]
#[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
pub use crate::store::Broken;
