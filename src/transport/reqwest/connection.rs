//! One connection and the HTTP/1.1 on it. It is driven by the attempt that holds it: no task runs beside its caller's.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use zeroize::Zeroizing;

use super::super::framing::{Framing, Watch, too_large};
use super::stream::{Both, Flow, Watched};
use crate::error::{TransportError, TransportFault};
use crate::wire::{Limits, Response};

/// A connection over which requests go one by one.
pub(super) struct Connection {
    sender: SendRequest<Whole>,
    driver: Driver,
    flow: Flow,
}

/// What moves the bytes, until it ends.
struct Driver(Option<http1::Connection<Watched, Whole>>);

impl Driver {
    /// Moves what can be moved now. False once it has ended.
    fn turn(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(running) = &mut self.0
            && Pin::new(running).poll(context).is_ready()
        {
            self.0 = None;
        }
        self.0.is_some()
    }

    /// Reads a body to its end. None as the error if it is larger than the cap.
    async fn fill(
        &mut self,
        bytes: &mut Vec<u8>,
        body: &mut Incoming,
        cap: usize,
    ) -> Result<(), Option<hyper::Error>> {
        loop {
            let frame = poll_fn(|context| {
                if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) {
                    return Poll::Ready(frame);
                }
                self.turn(context);
                Pin::new(&mut *body).poll_frame(context)
            });
            let Some(frame) = frame.await.transpose().map_err(Some)? else { return Ok(()) };
            // What is no data is trailers.
            let data = frame.into_data().unwrap_or_default();
            if data.len() > cap.saturating_sub(bytes.len()) {
                return Err(None);
            }
            bytes.extend_from_slice(&data);
        }
    }
}

impl Connection {
    /// HTTP/1.1 on a stream that stands.
    pub(super) async fn over(stream: Box<dyn Both>, flow: Flow) -> Result<Self, TransportError> {
        let watched = Watched { stream, flow: flow.clone() };
        let (sender, driver) = http1::handshake(watched)
            .await
            .map_err(|_| TransportError::not_sent(TransportFault::Connect, "no connection"))?;
        Ok(Connection { sender, driver: Driver(Some(driver)), flow })
    }

    /// True if the other side is still there, and silent.
    pub(super) fn is_open(&mut self, context: &mut Context<'_>) -> bool {
        self.flow.is_quiet() && self.driver.turn(context) && self.sender.is_ready()
    }

    /// One request and its whole answer, and whether the connection may serve another one.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Whole>,
        watch: Watch,
        allowance: Option<u64>,
        limits: &Limits,
    ) -> Result<(Response, bool), TransportError> {
        let Connection { sender, driver, flow } = self;
        flow.begin(watch, allowance);
        let failed = |error: hyper::Error| flow.fault().unwrap_or_else(|| failed(&error));
        let mut answer = pin!(sender.send_request(request));
        let head = poll_fn(|context| {
            driver.turn(context);
            answer.as_mut().poll(context)
        });
        let (head, mut body) = head.await.map_err(failed)?.into_parts();
        let framing = flow.seen(Watch::framing).flatten().ok_or_else(|| {
            TransportError::unknown(TransportFault::Framing, "the answer does not say where it ends")
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(framing.room(limits.body)?));
        if framing != Framing::Nothing {
            driver.fill(&mut bytes, &mut body, limits.body).await.map_err(|error| match error {
                Some(error) => failed(error),
                None => too_large(limits.body),
            })?;
        }
        drop(body);
        // The end is seen by the driver only now.
        let runs = poll_fn(|context| Poll::Ready(driver.turn(context))).await;
        let is_whole = flow.seen(Watch::is_over).unwrap_or_default();
        flow.end();
        let again = is_whole && runs && sender.is_ready();
        Ok((Response::new(head.status, head.headers, std::mem::take(&mut *bytes)), again))
    }
}

/// hyper's errors as ours, where the judgement of the bytes has none. Their texts stay out.
fn failed(error: &hyper::Error) -> TransportError {
    if error.is_user() {
        let message = "the request cannot be written as HTTP";
        return TransportError::not_sent(TransportFault::Refused, message);
    }
    if error.is_parse() {
        return TransportError::unknown(TransportFault::Framing, "the answer is not valid HTTP");
    }
    let broken = TransportError::unknown(TransportFault::Broken, "the connection broke");
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match source {
        // From its own reading of chunks: the socket has no such errors.
        Some(io) if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput) => {
            TransportError::unknown(TransportFault::Framing, "the answer is not valid HTTP")
        }
        Some(io) => broken.because(std::io::Error::from(io.kind())),
        None => broken,
    }
}

/// A body that is there as a whole. It is wiped when it is dropped.
pub(super) struct Whole(Option<Bytes>);

impl Whole {
    pub(super) fn new(body: Zeroizing<Vec<u8>>) -> Self {
        Whole((!body.is_empty()).then(|| Bytes::from_owner(body)))
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}
