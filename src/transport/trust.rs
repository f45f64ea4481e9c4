//! Whom the transports trust: rustls on ring's provider, the built-in roots and those of the options. Verification
//! cannot be turned off, and nothing process-wide is read or set.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::options::TransportOptions;
use crate::error::ConfigError;

/// The TLS settings of a client: TLS 1.2 and 1.3, built-in roots plus the extra ones.
pub(super) fn client_config(options: &TransportOptions) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for pem in &options.roots {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| ConfigError::BadCertificate("not readable as PEM"))?;
            roots
                .add(certificate)
                .map_err(|_| ConfigError::BadCertificate("a certificate is not valid X.509"))?;
            found = true;
        }
        if !found {
            return Err(ConfigError::BadCertificate("no certificate in the PEM text"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::Unavailable("the TLS provider supports no TLS version"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
