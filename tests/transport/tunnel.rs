//! A proxy that makes tunnels, all to one address, whatever host is asked for; in plain HTTP or in TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::hostile::{Cert, TestCa};

/// What was asked of it: first lines and headers.
type Asked = Arc<Mutex<Vec<Vec<String>>>>;

/// What proxies say to a tunnel.
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\nVia: a tunnel\r\n\r\n";

/// A running proxy, on a thread of its own; it ends when it is dropped.
pub struct Tunnel {
    addr: SocketAddr,
    https: bool,
    asked: Asked,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tunnel {
    /// A proxy in plain HTTP.
    pub fn start(to: SocketAddr) -> Self {
        Self::answering(to, ESTABLISHED)
    }

    /// A proxy that makes tunnels with this answer.
    pub fn answering(to: SocketAddr, answer: &'static str) -> Self {
        Self::run(to, None, answer)
    }

    /// A proxy in TLS, as `localhost`, by that authority.
    pub fn start_tls(to: SocketAddr, ca: &TestCa) -> Self {
        let (certificate, key) = ca.issue_pem(Cert::Valid, "localhost");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        Self::run(to, Some(TlsAcceptor::from(Arc::new(config))), ESTABLISHED)
    }

    fn run(to: SocketAddr, tls: Option<TlsAcceptor>, answer: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let (addr, asked, https) = (listener.local_addr().unwrap(), Asked::default(), tls.is_some());
        let (stop, stopped) = oneshot::channel();
        let heard = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let serve = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (tls, heard) = (tls.clone(), Arc::clone(&heard));
                        tokio::spawn(async move {
                            match tls {
                                Some(tls) => match tls.accept(stream).await {
                                    Ok(stream) => tunnel(stream, to, &heard, answer).await,
                                    Err(_) => None,
                                },
                                None => tunnel(stream, to, &heard, answer).await,
                            }
                        });
                    }
                };
                tokio::select! { () = serve => {}, _ = stopped => {} }
            });
        });
        Tunnel { addr, https, asked, stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        match self.https {
            true => format!("https://localhost:{}", self.addr.port()),
            false => format!("http://{}", self.addr),
        }
    }

    /// The first lines of what was asked.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|lines| lines[0].clone()).collect()
    }

    /// All lines of what was asked last.
    pub fn last(&self) -> Vec<String> {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// None if either side went away.
async fn tunnel(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    to: SocketAddr,
    asked: &Asked,
    answer: &str,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let lines = String::from_utf8(head).ok()?.trim_end().split("\r\n").map(str::to_owned).collect();
    asked.lock().unwrap().push(lines);
    let mut target = TcpStream::connect(to).await.ok()?;
    stream.write_all(answer.as_bytes()).await.ok()?;
    copy_bidirectional(&mut stream, &mut target).await.ok().map(|_| ())
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the proxy panicked");
        }
    }
}
