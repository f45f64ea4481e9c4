//! Whom clients of TLS trust: rustls on ring's provider, the built-in roots and those that are given. Verification
//! cannot be turned off, and nothing process-wide is read or set.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConfigError;
#[cfg(any(feature = "ureq", feature = "reqwest"))]
use crate::error::{TransportError, TransportFault};

/// What a client verifies servers with. Files that the environment names are read for the first connection in TLS: a
/// system's bundle is large, and a client may never open one.
#[derive(Debug)]
pub(crate) struct Trust {
    /// The built-in roots and those of the options.
    roots: RootCertStore,
    named: Named,
    config: OnceLock<Arc<ClientConfig>>,
    /// One thread reads, the others wait for it.
    reading: Mutex<()>,
}

/// What the environment names.
#[derive(Debug, Default)]
struct Named {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Trust {
    /// Extra roots, each a text in PEM, and what the environment names. The texts are judged now; of a file that the environment
    /// names, no more than that it can be opened.
    ///
    /// # Errors
    /// [`ConfigError::BadCertificate`] and [`ConfigError::CertificateFile`].
    pub(crate) fn new(
        extra: &[Vec<u8>],
        environment: Option<(Option<PathBuf>, Vec<PathBuf>)>,
    ) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for pem in extra {
            trust_text(&mut roots, pem)?;
        }
        let (file, folders) = environment.unwrap_or_default();
        if let Some(file) = &file {
            open(file).ok_or_else(|| unusable(file, UNREADABLE))?;
        }
        let (config, reading) = (OnceLock::new(), Mutex::new(()));
        let trust = Trust { roots, named: Named { file, folders }, config, reading };
        if trust.named.file.is_none() && trust.named.folders.is_empty() {
            trust.read()?;
        }
        Ok(trust)
    }

    /// The TLS settings, unless files have to be read for them first.
    pub(crate) fn at_hand(&self) -> Option<Arc<ClientConfig>> {
        self.config.get().cloned()
    }

    /// The TLS settings; reads files, if there are some to be read and nobody has. What failed is tried again by whoever
    /// comes next.
    ///
    /// # Errors
    /// [`ConfigError::CertificateFile`] if the file has no certificate, or cannot be read any more.
    pub(crate) fn read(&self) -> Result<Arc<ClientConfig>, ConfigError> {
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = self.at_hand() {
            return Ok(config);
        }
        let mut roots = self.roots.clone();
        trust_named(&mut roots, &self.named)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // TLS 1.2 and 1.3.
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigError::Unavailable("the TLS provider supports no TLS version"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

/// Settings that turned out not to work when a connection needed them: nothing was sent.
#[cfg(any(feature = "ureq", feature = "reqwest"))]
pub(crate) fn no_trust(error: ConfigError) -> TransportError {
    TransportError::not_sent(TransportFault::Tls, error.to_string())
}

/// Without the byte order mark that some editors begin a text with: the first section would go unseen behind it.
fn unmarked(pem: &[u8]) -> &[u8] {
    pem.strip_prefix("\u{feff}".as_bytes()).unwrap_or(pem)
}

/// Trusts the certificates of the options, each of which must be one.
fn trust_text(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), ConfigError> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(unmarked(pem)) {
        let certificate = certificate.map_err(|_| ConfigError::BadCertificate("not readable as PEM"))?;
        roots
            .add(certificate)
            .map_err(|_| ConfigError::BadCertificate("a certificate is not valid X.509"))?;
        found = true;
    }
    if found { Ok(()) } else { Err(ConfigError::BadCertificate("no certificate in the PEM text")) }
}

/// A file is as large as this at most: all the world's roots are a quarter of it.
const LARGEST: u64 = 4 << 20;
/// Files of one folder that are read.
const FILES: usize = 4096;

const UNREADABLE: &str = "which cannot be read as a file of at most 4 MiB";

fn unusable(file: &Path, problem: &'static str) -> ConfigError {
    ConfigError::CertificateFile { variable: "SSL_CERT_FILE", file: file.to_owned(), problem }
}

/// A bundle may hold certificates that are no roots here; one at least must be.
fn trust_named(roots: &mut RootCertStore, named: &Named) -> Result<(), ConfigError> {
    if let Some(file) = &named.file {
        match trust_file(roots, file) {
            None => return Err(unusable(file, UNREADABLE)),
            Some(0) => return Err(unusable(file, "in which there is no certificate")),
            Some(_) => {}
        }
    }
    for folder in &named.folders {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.take(FILES).flatten() {
            let _ = trust_file(roots, &entry.path());
        }
    }
    Ok(())
}

/// A file that is small enough, and how large it is. What is no file is not opened: it might never end.
fn open(file: &Path) -> Option<(File, u64)> {
    let known = std::fs::metadata(file).ok().filter(|known| known.is_file() && known.len() <= LARGEST)?;
    Some((File::open(file).ok()?, known.len()))
}

/// How many certificates of a file were added; none if it cannot be read.
fn trust_file(roots: &mut RootCertStore, file: &Path) -> Option<usize> {
    let (file, length) = open(file)?;
    let mut pem = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(LARGEST).read_to_end(&mut pem).ok()?;
    let certificates = CertificateDer::pem_slice_iter(unmarked(&pem)).filter_map(Result::ok);
    Some(roots.add_parsable_certificates(certificates).0)
}
