//! Both providers of TLS are compiled in: a store over `rediss://` panics nowhere and installs nothing, in both mounts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{RedisStore, Shelf, Store, StoreKey};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers as a server of Redis does that has nothing: what it says of its memory, and no record.
fn serve() -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let own = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &authority).unwrap();
    let key = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (listener, config) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            std::thread::spawn(move || {
                let mut bytes = [0; 4_096];
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    let answer: &[u8] = match &bytes[..read] {
                        asked if asked.windows(4).any(|word| word == b"INFO") => {
                            b"$27\r\nmaxmemory_policy:noeviction\r\n"
                        }
                        _ => b"$-1\r\n",
                    };
                    stream.write_all(answer).unwrap();
                    stream.flush().unwrap();
                }
            });
        }
    });
    (port, authority.pem())
}

fn main() {
    let (port, root) = serve();
    let open = |kind: &str| {
        let url = format!("rediss://localhost:{port}");
        let settings = match kind {
            "one server" => RedisStore::server(url),
            _ => RedisStore::sentinel("mymaster", [url]),
        };
        settings.unwrap().root_certificates(root.clone()).unsealed().unwrap()
    };
    let (key, within) = (StoreKey::new(Shelf::Tokens, ["a"]), Duration::from_secs(60));
    let store = open("one server");
    assert!(Store::load(&store, &key, within).unwrap().is_none());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let load = asynchronous::store::Store::load(&store, &key, within);
    assert!(runtime.block_on(load).unwrap().is_none());
    // It is no sentinel, and says so over TLS.
    let error = Store::load(&open("Sentinel"), &key, within).unwrap_err();
    assert!(error.to_string().contains("knows no servers of this name"), "{error}");
    assert!(CryptoProvider::get_default().is_none(), "a provider was installed");
    println!("both providers compiled in: no panic, and none installed");
}
