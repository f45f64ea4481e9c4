//! Bodies that pass a layer, and those that it must read whole: bounded before they are read.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};

use crate::service::{Answer, refusal};

/// The body of an answer behind a layer: a refusal of the layer's own, or what the service answered, untouched.
pub type Passed<B> = Either<Full<Bytes>, B>;

/// What a layer's service answers with, some time.
pub(super) type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<Passed<B>>, E>> + Send>>;

/// A refusal as the answer.
pub(super) fn refused<B>(answer: Answer) -> Response<Passed<B>> {
    answer.map(|text| Either::Left(Full::from(text)))
}

/// The service's own answer.
pub(super) fn passed<B>(response: Response<B>) -> Response<Passed<B>> {
    response.map(Either::Right)
}

/// Reads a body to its end, if it is no longer than this.
///
/// # Errors
/// The answer to send: 413 for a longer one, before it is read if its length is said; 400 if it breaks off.
pub async fn read_whole<B>(headers: &HeaderMap, body: B, longest: usize) -> Result<Bytes, Box<Answer>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_long = || Box::new(refusal(StatusCode::PAYLOAD_TOO_LARGE));
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > longest)) {
        return Err(too_long());
    }
    match Box::pin(Limited::new(body, longest).collect()).await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_long()),
        Err(_) => Err(Box::new(refusal(StatusCode::BAD_REQUEST))),
    }
}
