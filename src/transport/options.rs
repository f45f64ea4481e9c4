//! What a ready transport can be told.

#[cfg(any(feature = "ureq", feature = "reqwest"))]
use std::path::PathBuf;

#[cfg(any(feature = "ureq", feature = "reqwest"))]
use super::environment;
use crate::secret::Secret;

/// Extra root certificates, and the proxy. Everything else of a transport is fixed: TLS is verified, redirects are not
/// followed, nothing is compressed.
#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(super) roots: Vec<Vec<u8>>,
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(super) environment_roots: bool,
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

    /// Trusts the certificates that the environment names in addition to the built-in roots: those of the file
    /// `SSL_CERT_FILE`, and of the files in the folders `SSL_CERT_DIR`. A company's proxy that looks into TLS is often
    /// made known so.
    ///
    /// They are read for the first connection in TLS, so that a large bundle costs nothing before, nor a client that only
    /// speaks to this machine. A file that cannot be opened, or is larger than 4 MiB, is an error when the transport is
    /// made; one without a certificate is an error of that connection. Folders that are not there, and files in them that
    /// are no certificates, are passed over.
    pub fn root_certificates_from_environment(mut self) -> Self {
        self.environment_roots = true;
        self
    }

    /// Goes through this proxy. Its URL may hold a password, so it is kept as a secret.
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Proxy::Url(url.into());
        self
    }

    /// Goes through the proxy that the environment names, unless one was set: the first that is not empty of
    /// `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY`. `HTTP_PROXY` is for plain http, which goes to this machine
    /// only and never through a proxy.
    ///
    /// `no_proxy` or `NO_PROXY` says who is reached without it, as curl reads it: names with all below them
    /// (`corp.example` is for `id.corp.example` too), addresses, networks (`10.0.0.0/8`, `2001:db8::/32`), `*` for all;
    /// besides, `*.corp.example`, `host:8443` and IPv6 addresses in brackets.
    pub fn proxy_from_environment(mut self) -> Self {
        if matches!(self.proxy, Proxy::None) {
            self.proxy = Proxy::Environment;
        }
        self
    }
}

/// What the options come to, the environment read if they leave it to that.
#[cfg(any(feature = "ureq", feature = "reqwest"))]
impl TransportOptions {
    /// Which setting names the proxy, its URL, and who is reached without it.
    pub(super) fn named_proxy(&self) -> Option<(&'static str, Secret, String)> {
        match &self.proxy {
            Proxy::None => None,
            Proxy::Url(url) => Some(("proxy", url.clone(), String::new())),
            Proxy::Environment => {
                let url = environment::proxy()?;
                Some(("the environment's proxy", Secret::new(url), environment::no_proxy()))
            }
        }
    }

    /// The file and the folders with certificates that the environment names.
    pub(super) fn named_certificates(&self) -> Option<(Option<PathBuf>, Vec<PathBuf>)> {
        self.environment_roots.then(environment::certificates)
    }
}
