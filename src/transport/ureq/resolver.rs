//! ureq's lookups, answered by the transport's own names.

use std::net::SocketAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::super::names::{ADDRESSES, Names, must_be_local};
use crate::error::TransportError;
use crate::origin::Origin;

/// Marks a failure of ours on its way through ureq.
#[derive(Debug)]
pub(super) struct Marked(pub(super) TransportError);

impl std::fmt::Display for Marked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Marked {}

/// As an error that ureq hands through.
pub(super) fn marked(error: TransportError) -> ureq::Error {
    ureq::Error::Other(Box::new(Marked(error)))
}

/// The names, and the one host that need not be this machine although it is spoken to in plain http: the proxy.
#[derive(Clone, Debug)]
pub(super) struct SharedNames {
    pub(super) names: Names,
    pub(super) proxy: Option<(String, u16)>,
}

impl Resolver for SharedNames {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = self.names.addresses(host, *timeout.after).map_err(marked)?;
        let is_proxy = self.proxy.as_ref().is_some_and(|(name, at)| name == host && *at == port);
        if !is_proxy && (!https || Origin::of(uri).is_none_or(|origin| origin.is_loopback())) {
            must_be_local(&addresses).map_err(marked)?;
        }
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(ADDRESSES) {
            resolved.push(SocketAddr::new(address, port));
        }
        Ok(resolved)
    }
}
