//! Headers with times and numbers, on a refusal: a pause is a length of time or none, and what is shown is bounded.
#![no_main]

#[path = "work.rs"]
mod work;

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use lumoauth::embed::wire::Response;
use lumoauth::error::ApiError;
use lumoauth::time::Timestamp;

// Retry-After, Date, the rate limit, and the body, with a zero byte between.
fuzz_target!(|data: &[u8]| {
    work::bounded(data.len(), || {
        let mut parts = data.splitn(4, |byte| *byte == 0);
        let mut headers = HeaderMap::new();
        for name in [RETRY_AFTER, DATE, HeaderName::from_static("x-ratelimit-reset")] {
            if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
                headers.insert(name, value);
            }
        }
        let asked =
            headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned());
        let body = parts.next().unwrap_or_default();
        let response = Response::new(StatusCode::TOO_MANY_REQUESTS, headers, body);
        let error = ApiError::read("fuzz", &response.received_at(Timestamp::from_unix(1_750_000_000)));
        if let Some(seconds) =
            asked.and_then(|text| text.parse::<u32>().ok().filter(|_| !text.starts_with('+')))
        {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds.into())));
        }
        let shown = error.to_string();
        assert!(shown.chars().count() < 1024 * 8 && !shown.contains(|c: char| c.is_control()), "{shown:?}");
    });
});
