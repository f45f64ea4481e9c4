//! One connection, from its acceptance to its end.

use super::listen::Accept;
use super::reply::End;
use super::request::{Cause, Outcome, Recorded, more, parse_request, read_request};
use super::script::Script;
use super::shared::Shared;
use super::tls::Tls;
use super::wire::{Sock, Wire, peer_left};
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::sync::Arc;

/// What to do with each new connection.
pub(super) type OnAccept = Box<dyn Fn(usize) -> Accept + Send + Sync>;

/// How a server was set up.
pub(super) struct Setup {
    pub(super) script: Script,
    pub(super) on_accept: OnAccept,
    pub(super) tls: Option<Tls>,
}

/// Serves a connection to its end; an error that is not the peer's leaving is a problem.
pub(super) fn serve(
    shared: &Arc<Shared>,
    setup: &Setup,
    id: usize,
    stream: Arc<TcpStream>,
) -> Result<(), String> {
    match run(shared, setup, id, stream) {
        Err(error) if !peer_left(&error) => Err(format!("connection {id}: {error}")),
        _ => Ok(()),
    }
}

fn run(shared: &Arc<Shared>, setup: &Setup, id: usize, stream: Arc<TcpStream>) -> io::Result<()> {
    let sock = Sock::new(stream, Arc::clone(shared));
    let accept = (setup.on_accept)(id);
    match &accept {
        Accept::Serve | Accept::ReadThen(..) => {}
        Accept::Drop => return Ok(()),
        Accept::Fin => return sock.finish(End::Fin),
        Accept::Reset => return sock.finish(End::Reset),
        Accept::Hang => {
            shared.wait_stopped();
            return Ok(());
        }
        Accept::Sip(bytes, pause) => return sock.sip(*bytes, *pause),
        Accept::After(latch) => {
            if !shared.wait_latch(latch) {
                return Ok(());
            }
        }
    }
    let mut wire = match &setup.tls {
        None => Wire::Plain(sock),
        Some(tls) => match tls.accept(sock, shared)? {
            Some(wire) => wire,
            None => return Ok(()),
        },
    };
    if let Accept::ReadThen(n, end) = accept {
        let torn = read_some(&mut wire, id, n)?;
        shared.record(torn);
        return wire.finish(end);
    }
    match requests(shared, setup, id, &mut wire)? {
        Some(end) => wire.finish(end),
        None => Ok(()),
    }
}

/// Reads `n` bytes, or fewer when the peer leaves, and not one more.
fn read_some(wire: &mut Wire, id: usize, n: usize) -> io::Result<Recorded> {
    let mut bytes = vec![0; n];
    let mut got = 0;
    while got < n {
        match wire.read(&mut bytes[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if peer_left(&error) => break,
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(got);
    let mut request = parse_request(bytes.clone(), id);
    request.raw = bytes;
    Ok(request)
}

/// Answers requests until a reply ends the connection, or (none) the stream has ended.
fn requests(shared: &Shared, setup: &Setup, id: usize, wire: &mut Wire) -> io::Result<Option<End>> {
    let mut buf = Vec::new();
    loop {
        if buf.is_empty() {
            shared.set_idle(id, true);
            if !more(wire, &mut buf)? {
                return Ok(None);
            }
            shared.set_idle(id, false);
        }
        let request = match read_request(wire, &mut buf, id) {
            Outcome::Complete(request) => shared.record(request),
            Outcome::Torn(request, cause) => {
                shared.record(request);
                return match cause {
                    Cause::Eof => Ok(None),
                    Cause::Io(error) => Err(error),
                    Cause::Malformed(what) => Err(io::Error::other(format!("malformed: {what}"))),
                };
            }
        };
        let reply = (setup.script)(&request);
        let end = reply.send(wire, shared, request.method == "HEAD")?;
        if end != End::KeepAlive {
            return Ok(Some(end));
        }
        if request.closes() {
            return Ok(Some(End::Close));
        }
    }
}
