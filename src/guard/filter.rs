//! Answers that may list tools, on their way to the caller: JSON read whole, streams event by event.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full, Limited};

use super::body::{Passed, refused};
use super::judge::Judge;
use crate::service::{Event, Events, Listing, refusal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The answer without the tools that the caller may not call. What cannot be read is not passed on.
pub(super) async fn filtered<R>(
    judge: Judge,
    response: Response<R>,
) -> Response<Passed<Either<Filtered<R>, R>>>
where
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Failure>,
{
    let unreadable = || refused(refusal(StatusCode::BAD_GATEWAY));
    let (mut parts, body) = response.into_parts();
    // Whoever keeps it keeps it for nobody else.
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let is_plain = !parts.headers.contains_key(CONTENT_ENCODING);
    match kind(&parts.headers) {
        Some("text/event-stream") if is_plain => {
            parts.headers.remove(CONTENT_LENGTH);
            let body = Filtered::new(judge, body);
            Response::from_parts(parts, Either::Right(Either::Left(body)))
        }
        // A refusal of the server's own, and an answer that says nothing, list no tools.
        other if !parts.status.is_success() && other != Some("application/json") => {
            Response::from_parts(parts, Either::Right(Either::Right(body)))
        }
        _ if body.is_end_stream() => Response::from_parts(parts, Either::Right(Either::Right(body))),
        Some("application/json") if is_plain => {
            let Ok(body) = Box::pin(Limited::new(body, judge.longest()).collect()).await else {
                return unreadable();
            };
            let body = body.to_bytes();
            let body = match Listing::read(&body) {
                None if body.is_empty() => body,
                None => return unreadable(),
                Some(mut listing) => {
                    let visible = judge.visible(&listing.names()).await;
                    if listing.keep(|tool| visible.contains(tool)) {
                        Bytes::from(listing.text())
                    } else {
                        body
                    }
                }
            };
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Either::Left(Full::new(body)))
        }
        _ => unreadable(),
    }
}

/// True for a stream of events.
pub(super) fn is_stream<R>(response: &Response<R>) -> bool {
    kind(response.headers()) == Some("text/event-stream")
}

/// The media type, without its parameters.
fn kind(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = text.split(';').next().unwrap_or_default().trim();
    ["application/json", "text/event-stream"].into_iter().find(|known| kind.eq_ignore_ascii_case(known))
}

async fn without_hidden(judge: Arc<Judge>, events: Vec<Event>) -> Bytes {
    let mut text = Vec::new();
    for mut event in events {
        if let Some(data) = event.data() {
            let Some(mut listing) = Listing::read(data) else { continue };
            let visible = judge.visible(&listing.names()).await;
            if listing.keep(|tool| visible.contains(tool)) {
                event.set(Some(listing.text()));
            }
        }
        event.write(&mut text);
    }
    Bytes::from(text)
}

/// A stream of events without the tools that the caller may not call.
pub struct Filtered<R> {
    judge: Arc<Judge>,
    body: Pin<Box<R>>,
    events: Events,
    deciding: Option<Pin<Box<dyn Future<Output = Bytes> + Send>>>,
    ready: VecDeque<Bytes>,
    over: bool,
}

impl<R> Filtered<R> {
    fn new(judge: Judge, body: R) -> Self {
        let (judge, body) = (Arc::new(judge), Box::pin(body));
        Filtered {
            judge,
            body,
            events: Events::default(),
            deciding: None,
            ready: VecDeque::new(),
            over: false,
        }
    }
}

impl<R> Body for Filtered<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<Failure>,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Some(deciding) = &mut this.deciding {
                let piece = ready!(deciding.as_mut().poll(context));
                this.deciding = None;
                if !piece.is_empty() {
                    this.ready.push_back(piece);
                }
                continue;
            }
            if this.over {
                return Poll::Ready(None);
            }
            match ready!(this.body.as_mut().poll_frame(context)) {
                // An event that was not ended is none.
                None => this.over = true,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    Ok(piece) => match this.events.read(&piece, this.judge.longest()) {
                        None => {
                            this.over = true;
                            return Poll::Ready(Some(Err(
                                "an event of the server is longer than it may be".into()
                            )));
                        }
                        Some(events) if events.is_empty() => {}
                        Some(events) => {
                            this.deciding = Some(Box::pin(without_hidden(Arc::clone(&this.judge), events)));
                        }
                    },
                },
            }
        }
    }
}
