//! Whom the transports trust: rustls on ring's provider, the built-in roots and those of the options. Verification
//! cannot be turned off, and nothing process-wide is read or set.

use std::io::Read;
use std::path::{Path, PathBuf};
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
    if let Some((file, folders)) = options.named_certificates() {
        trust_named(&mut roots, file.as_deref(), &folders)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::Unavailable("the TLS provider supports no TLS version"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A file is as large as this at most: all the world's roots are a quarter of it.
const LARGEST: u64 = 4 << 20;
/// Files of one folder that are read.
const FILES: usize = 4096;

/// What the environment names. A bundle may hold certificates that are no roots here; one at least must be.
fn trust_named(
    roots: &mut RootCertStore,
    file: Option<&Path>,
    folders: &[PathBuf],
) -> Result<(), ConfigError> {
    if let Some(file) = file {
        let unreadable = ConfigError::BadCertificate("the file that SSL_CERT_FILE names cannot be read");
        let added = trust_file(roots, file).ok_or(unreadable)?;
        if added == 0 {
            return Err(ConfigError::BadCertificate("no certificate in the file that SSL_CERT_FILE names"));
        }
    }
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.take(FILES).flatten() {
            let _ = trust_file(roots, &entry.path());
        }
    }
    Ok(())
}

/// How many certificates of a file were added; none if it cannot be read.
fn trust_file(roots: &mut RootCertStore, file: &Path) -> Option<usize> {
    let known = std::fs::metadata(file).ok().filter(|known| known.is_file() && known.len() <= LARGEST)?;
    let mut pem = Vec::with_capacity(usize::try_from(known.len()).unwrap_or_default());
    std::fs::File::open(file).ok()?.take(LARGEST).read_to_end(&mut pem).ok()?;
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    Some(roots.add_parsable_certificates(certificates).0)
}
