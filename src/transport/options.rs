//! What a ready transport can be told.

use crate::client::environment;
use crate::error::ConfigError;
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

    /// Refuses a proxy that cannot be meant as it is written: HTTP stacks go without one, or to another port, silently.
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(super) fn check_proxy(&self) -> Result<(), ConfigError> {
        let problem = "write it as http://host:port";
        match &self.proxy {
            Proxy::Url(url) if !has_host_and_port(url.expose()) => {
                Err(ConfigError::BadUrl { setting: "proxy", problem })
            }
            Proxy::Environment if !environment::proxies().iter().all(|url| has_host_and_port(url)) => {
                Err(ConfigError::BadUrl { setting: "the environment's proxy", problem })
            }
            _ => Ok(()),
        }
    }
}

/// True if there is a host, and the port, if any, is one.
#[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
fn has_host_and_port(proxy: &str) -> bool {
    let rest = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port != 0);
    !host.trim_matches(['[', ']']).is_empty() && port.is_none_or(is_port)
}
