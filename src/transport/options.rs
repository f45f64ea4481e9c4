//! What a ready transport can be told.

use crate::secret::Secret;

/// Extra root certificates, and the proxy. Everything else of a transport is fixed: TLS is verified, redirects are not
/// followed, nothing is compressed.
#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(super) roots: Vec<Vec<u8>>,
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(super) proxy: Proxy,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Proxy {
    #[default]
    None,
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    Url(Secret),
    Environment,
}

impl TransportOptions {
    /// The built-in roots and no proxy.
    pub fn new() -> Self {
        TransportOptions::default()
    }

    /// Trusts the certificates in this PEM text in addition to the built-in roots.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Goes through this proxy. Its URL may hold a password, so it is kept as a secret.
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Proxy::Url(url.into());
        self
    }

    /// Goes through the proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), unless one was set.
    pub fn proxy_from_environment(mut self) -> Self {
        if matches!(self.proxy, Proxy::None) {
            self.proxy = Proxy::Environment;
        }
        self
    }
}
