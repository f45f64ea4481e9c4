//! The service that both benches talk to.
#![allow(dead_code, reason = "each bench uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"aud_1"}"#;
pub const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
pub const QUESTION: &str = r#"{"action":"read"}"#;
pub const PATH: &str = "/t/acme/api/v1/agents/ask";

/// A server that answers as fast as it can: one thread a connection, keep-alive, no bookkeeping.
pub fn serve() -> SocketAddr {
    accept(|stream| answer(stream))
}

/// The same over TLS 1.3, and the certificate authority to trust, as PEM.
pub fn serve_tls() -> (SocketAddr, String) {
    let key = || KeyPair::generate().expect("a key");
    let named = |name: &str| CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let mut authority = named("authority.invalid");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("signed");
    let own = key();
    let certificate = named("127.0.0.1").signed_by(&own, &authority).expect("signed");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], own.into())
        .map(Arc::new)
        .expect("a pair");
    let address = accept(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("configured");
        answer(StreamOwned::new(connection, stream))
    });
    (address, authority.pem())
}

fn accept(answer: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).expect("a socket");
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(stream: impl Read + Write) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let (mut length, mut token) = (0, false);
        for number in 0.. {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            token |= number == 0 && line.contains("/oauth/token");
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).ok()?;
        let body = if token { TOKEN } else { ALLOW };
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        reader.get_mut().write_all(reply.as_bytes()).ok()?;
        reader.get_mut().flush().ok()?;
    }
}
