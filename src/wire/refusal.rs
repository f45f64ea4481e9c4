//! The service's refusals: seven envelopes (`docs/wire.md`, errors) read into one type.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use serde_json::{Map, Value};

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
            Ok(Value::Object(map)) => fill(&mut refusal, &map),
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

/// Envelopes A to F. The message is the first text of the four keys, the code is a text or nothing.
fn fill(refusal: &mut Refusal, map: &Map<String, Value>) {
    let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    refusal.description =
        ["error_description", "message", "detail", "error"].iter().find_map(|key| text(key));
    refusal.code = text("code").or_else(|| text("error"));
    refusal.uri = text("error_uri");
    refusal.details = map.get("details").filter(|details| !details.is_null()).cloned();
    let scopes = |key: &str| {
        let listed = map.get("details").and_then(|details| details.get(key)).and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    refusal.required_scopes = scopes("required_scopes");
    refusal.granted_scopes = scopes("granted_scopes");
}

fn kept(text: &str) -> String {
    text.chars().take(TEXT_KEPT).collect()
}

/// `Retry-After` as a length of time; a date in the past or anything else is none.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header(RETRY_AFTER)?.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        // Decimals are not HTTP, but they are seen. What does not fit into a Duration is "very long".
        let seconds: f64 = value.parse().ok()?;
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let at = date(value)?;
    // The service's own Date is the clock that its Retry-After was written by.
    let from = response.header(DATE).and_then(date).or(response.received())?;
    let wait = at.saturating_since(from);
    (!wait.is_zero()).then_some(wait)
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
