//! The service's refusals: seven envelopes (`docs/wire.md`, errors) read into one type.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use serde_json::Value;

use super::Response;
use crate::error::{ApiError, RateLimit, Refusal};
use crate::json;
use crate::time::Timestamp;

/// How much of a text body is kept as its description, in characters (`docs/wire.md`, E-message).
const TEXT_KEPT: usize = 500;

impl ApiError {
    /// Reads the refusal out of an answer, whatever its content type says.
    pub fn read(operation: &'static str, response: &Response) -> Self {
        let status = response.status().as_u16();
        let mut refusal = Refusal {
            operation,
            status,
            retry_after: retry_after(response),
            rate_limit: rate_limit(response),
            ..Refusal::default()
        };
        match json::parse(response.body()) {
            Ok(Value::Object(map)) => refusal.fill(&map),
            Ok(Value::String(text)) => refusal.description = Some(kept(&text)),
            Ok(_) => {}
            Err(_) => {
                let text = String::from_utf8_lossy(response.body());
                let text = text.trim();
                refusal.description = (!text.is_empty()).then(|| kept(text));
            }
        }
        ApiError::of(refusal)
    }
}

fn kept(text: &str) -> String {
    text.chars().take(TEXT_KEPT).collect()
}

/// `Retry-After` as a length of time. Where a proxy has added its own, the longest: whoever asked is not disappointed.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let values = response.headers().get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| pause(value.trim(), response)).max()
}

/// A date in the past is none, nor is anything that is neither a date nor a number of seconds.
fn pause(value: &str, response: &Response) -> Option<Duration> {
    if value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        // Decimals are not HTTP, but they are seen. What does not fit into a Duration is "very long".
        let seconds: f64 = value.parse().ok()?;
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let at = date(value)?;
    let wait = at.saturating_since(sent_at(response)?);
    (!wait.is_zero()).then_some(wait)
}

/// When an answer was sent: its own `Date`, which is the clock that its other dates were written by, else when it arrived.
pub(crate) fn sent_at(response: &Response) -> Option<Timestamp> {
    response.header(DATE).and_then(date).or(response.received())
}

fn date(value: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(value).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_unix(since.as_secs()))
}

fn rate_limit(response: &Response) -> Option<RateLimit> {
    let number = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let limit = RateLimit {
        limit: number("x-ratelimit-limit"),
        remaining: number("x-ratelimit-remaining"),
        reset: number("x-ratelimit-reset").map(Timestamp::from_unix),
    };
    (limit.limit.is_some() || limit.remaining.is_some() || limit.reset.is_some()).then_some(limit)
}
