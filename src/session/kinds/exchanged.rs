//! What all tokens have in common that come from other tokens.

use std::time::Duration;

use super::super::keep::{Failures, Policy, remembered};
use crate::error::{ApiError, Error};

/// As other tokens are kept; but a refusal of the token that was traded is not theirs: that one is replaced, no sooner than
/// it may be, and then it is tried again.
pub(crate) const POLICY: Policy = Policy { memory, ..Policy::TOKENS };

fn memory(error: &Error, failures: Failures) -> Duration {
    // `invalid_request` may say so too, and as well that the request itself is wrong: that stays as it is.
    let is_refusal = |api: &ApiError| api.refuses_traded_token() && !api.has_code("invalid_request");
    let refused = error.as_api().is_some_and(is_refusal);
    if refused { Policy::TOKENS.forced_pause } else { remembered(error, failures) }
}
