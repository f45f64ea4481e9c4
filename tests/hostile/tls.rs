//! TLS on the server's side, good and bad, with certificates made on the spot.

use super::reply::End;
use super::shared::Shared;
use super::wire::{Sock, Wire, peer_left};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// A certificate authority of the test's own.
#[derive(Clone)]
pub struct TestCa {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
}

/// What a certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cert {
    /// Nothing is wrong with it.
    Valid,
    /// It is for another host.
    WrongHost,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is signed by its own key in place of the CA's.
    SelfSigned,
    /// It is signed by another CA of the same name.
    OtherCa,
    /// It is for clients only.
    ClientAuthOnly,
}

/// What stands on a TLS port.
#[derive(Clone)]
pub struct Tls {
    ca: TestCa,
    host: String,
    mode: Mode,
}

#[derive(Clone)]
enum Mode {
    Serve(Arc<ServerConfig>),
    Canned(Vec<u8>),
    Dribbled(Vec<u8>, Duration),
    Silent,
}

impl Cert {
    /// Every kind that a client must refuse.
    pub const BAD: [Self; 6] = [
        Self::WrongHost,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::OtherCa,
        Self::ClientAuthOnly,
    ];
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCa {
    /// A fresh authority that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = params("unused.invalid", "hostile test CA");
        params.subject_alt_names.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("CA certificate");
        Self { issuer: Arc::new(issuer) }
    }

    /// The authority's certificate, for the client to trust.
    pub fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate chain and its private key (PKCS #8), both in PEM.
    pub fn issue_pem(&self, cert: Cert, host: &str) -> (String, String) {
        let (certificate, key) = self.issue(cert, host);
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, cert: Cert, host: &str) -> (rcgen::Certificate, KeyPair) {
        let key = key();
        let mut params = params(host, "hostile test server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match cert {
            Cert::Valid | Cert::SelfSigned | Cert::OtherCa => {}
            Cert::WrongHost => {
                let other = CertificateParams::new(vec!["elsewhere.invalid".to_owned()]);
                params.subject_alt_names = other.expect("host name").subject_alt_names;
            }
            Cert::Expired => params.not_after = date_time_ymd(2001, 1, 1),
            Cert::NotYetValid => params.not_before = date_time_ymd(2098, 1, 1),
            Cert::ClientAuthOnly => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
        }
        let certificate = match cert {
            Cert::SelfSigned => params.self_signed(&key),
            Cert::OtherCa => params.signed_by(&key, &Self::new().issuer),
            _ => params.signed_by(&key, &self.issuer),
        };
        (certificate.expect("server certificate"), key)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("key pair")
}

fn params(host: &str, name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("host name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

impl Tls {
    /// A listener with such a certificate, issued by that authority for that host.
    pub fn issued_by(ca: &TestCa, cert: Cert, host: &str) -> Self {
        let (certificate, key) = ca.issue(cert, host);
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from(key))
            .expect("certificate and key");
        Self { ca: ca.clone(), host: host.to_owned(), mode: Mode::Serve(Arc::new(config)) }
    }

    /// A good listener for that host name or IP address, under an authority of its own.
    pub fn valid_for(host: &str) -> Self {
        Self::issued_by(&TestCa::new(), Cert::Valid, host)
    }

    /// A listener on localhost with a certificate for another host.
    pub fn wrong_host() -> Self {
        Self::issued_by(&TestCa::new(), Cert::WrongHost, "localhost")
    }

    /// A listener on localhost with an expired certificate.
    pub fn expired() -> Self {
        Self::issued_by(&TestCa::new(), Cert::Expired, "localhost")
    }

    /// A listener on localhost with a certificate that its own key signed.
    pub fn self_signed() -> Self {
        Self::issued_by(&TestCa::new(), Cert::SelfSigned, "localhost")
    }

    /// A listener on localhost with a certificate for clients only.
    pub fn client_auth_only() -> Self {
        Self::issued_by(&TestCa::new(), Cert::ClientAuthOnly, "localhost")
    }

    /// A listener that answers the ClientHello with these bytes and a FIN.
    pub fn canned(bytes: impl Into<Vec<u8>>) -> Self {
        Self { ca: TestCa::new(), host: "localhost".to_owned(), mode: Mode::Canned(bytes.into()) }
    }

    /// A listener that speaks plain HTTP on the TLS port.
    pub fn plain_http() -> Self {
        Self::canned("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    /// A listener that answers with bytes of no protocol.
    pub fn garbage() -> Self {
        Self::canned([0xff, 0x00, 0x42].repeat(50))
    }

    /// A listener that refuses the handshake with a fatal alert (handshake_failure).
    pub fn refuses() -> Self {
        Self::canned([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])
    }

    /// A listener that agrees to TLS 1.1 at most.
    pub fn tls11_only() -> Self {
        let mut hello = vec![0x03, 0x02];
        hello.extend([0x5a; 32]);
        // No session, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, no compression.
        hello.extend([0x00, 0xc0, 0x13, 0x00]);
        let len = u8::try_from(hello.len()).expect("short hello");
        let mut record = vec![0x16, 0x03, 0x02, 0x00, len + 4, 0x02, 0x00, 0x00, len];
        record.extend(hello);
        Self::canned(record)
    }

    /// A listener that answers the ClientHello with one record, a byte at a time with this pause after each.
    pub fn dribbles(pause: Duration) -> Self {
        let mut record = vec![0x16, 0x03, 0x03, 0x10, 0x00];
        record.extend([0x02, 0x00, 0x0f, 0xfc]);
        record.resize(4096, 0x03);
        Self { mode: Mode::Dribbled(record, pause), ..Self::canned("") }
    }

    /// A listener that takes the ClientHello and never answers.
    pub fn hangs() -> Self {
        Self { mode: Mode::Silent, ..Self::canned("") }
    }

    /// The test CA's certificate, for the client to trust.
    pub fn ca_pem(&self) -> String {
        self.ca.ca_pem()
    }

    /// The host name of the listener's address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Takes up TLS on a connection; none when that has come to its end.
    pub(super) fn accept(&self, mut sock: Sock, shared: &Shared) -> io::Result<Option<Wire>> {
        let config = match &self.mode {
            Mode::Serve(config) => Arc::clone(config),
            Mode::Canned(bytes) => {
                let mut hello = [0; 16 * 1024];
                if sock.read(&mut hello)? > 0 {
                    sock.write_all(bytes)?;
                }
                return sock.finish(End::Fin).map(|()| None);
            }
            Mode::Dribbled(bytes, pause) => {
                let mut hello = [0; 16 * 1024];
                if sock.read(&mut hello)? > 0 {
                    sock.dribble(bytes, *pause)?;
                }
                return Ok(None);
            }
            Mode::Silent => return sock.finish(End::Stall).map(|()| None),
        };
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut sock) {
                shared.update(|state| state.handshake_errors.push(error.to_string()));
                return if peer_left(&error) || error.kind() == io::ErrorKind::InvalidData {
                    sock.finish(End::Fin).map(|()| None)
                } else {
                    Err(error)
                };
            }
        }
        shared.update(|state| state.handshakes += 1);
        Ok(Some(Wire::Tls(Box::new(StreamOwned::new(tls, sock)))))
    }
}
