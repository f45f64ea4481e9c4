//! What an agent may spend and has spent.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::Fields;

/// What an agent may spend and has spent (`budget_policy`). Every part may be absent; an absent limit is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Budget {
    /// Tokens a day.
    pub max_tokens_per_day: Option<i64>,
    /// Tokens used today.
    pub tokens_used_today: Option<i64>,
    /// Calls an hour.
    pub max_api_calls_per_hour: Option<i64>,
    /// Calls in this hour.
    pub api_calls_this_hour: Option<i64>,
    /// US dollars a month.
    pub max_cost_per_month_usd: Option<f64>,
    /// US dollars spent this month, where the service counts them.
    pub cost_this_month_usd: Option<f64>,
    /// The models that the agent may use; empty means that none is named.
    pub allowed_models: Vec<String>,
    /// Above this many US dollars a human must approve.
    pub require_approval_above_usd: Option<f64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A limit of a [`Budget`] that has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BudgetLimit {
    /// `max_tokens_per_day`.
    TokensPerDay,
    /// `max_api_calls_per_hour`.
    ApiCallsPerHour,
    /// `max_cost_per_month_usd`.
    CostPerMonth,
}

impl std::fmt::Display for BudgetLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BudgetLimit::TokensPerDay => "tokens per day",
            BudgetLimit::ApiCallsPerHour => "API calls per hour",
            BudgetLimit::CostPerMonth => "cost per month",
        })
    }
}

/// What is used of what there is, for people: `1250 of 100000 tokens per day, 0 of 1000 API calls per hour`.
impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |limit: Option<i64>, used: Option<i64>, of| {
            limit.map(|limit| format!("{} of {limit} {of}", used.unwrap_or(0)))
        };
        let cost = self.max_cost_per_month_usd.map(|limit| match self.cost_this_month_usd {
            Some(spent) => format!("{spent:.2} of {limit:.2} USD per month"),
            None => format!("at most {limit:.2} USD per month"),
        });
        let parts = [
            count(self.max_tokens_per_day, self.tokens_used_today, BudgetLimit::TokensPerDay),
            count(self.max_api_calls_per_hour, self.api_calls_this_hour, BudgetLimit::ApiCallsPerHour),
            cost,
            self.require_approval_above_usd
                .map(|above| format!("a person approves what costs over {above:.2} USD")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "no limit" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl Budget {
    pub(super) fn read(mut fields: Fields) -> Result<Self, Error> {
        #[allow(clippy::cast_possible_truncation)] // `as` saturates, which is what an absurd number deserves
        let mut count = |field| fields.number(field).map(|number| number.map(|number| number as i64));
        Ok(Budget {
            max_tokens_per_day: count("max_tokens_per_day")?,
            tokens_used_today: count("tokens_used_today")?,
            max_api_calls_per_hour: count("max_api_calls_per_hour")?,
            api_calls_this_hour: count("api_calls_this_hour")?,
            max_cost_per_month_usd: fields.number("max_cost_per_month_usd")?,
            cost_this_month_usd: fields.number("cost_this_month_usd")?,
            allowed_models: fields.texts("allowed_models")?,
            require_approval_above_usd: fields.number("require_approval_above_usd")?,
            extra: fields.rest(),
        })
    }

    /// The first limit that is reached, over every limit that has a counter; none if the agent may go on.
    ///
    /// The counters of tokens and calls count as zero when absent, so that a limit of zero is always reached. The cost
    /// is compared only where the service counts it: no source shows that counter.
    pub fn exhausted(&self) -> Option<BudgetLimit> {
        let reached =
            |limit: Option<i64>, used: Option<i64>| limit.is_some_and(|limit| used.unwrap_or(0) >= limit);
        if reached(self.max_tokens_per_day, self.tokens_used_today) {
            Some(BudgetLimit::TokensPerDay)
        } else if reached(self.max_api_calls_per_hour, self.api_calls_this_hour) {
            Some(BudgetLimit::ApiCallsPerHour)
        } else if self
            .max_cost_per_month_usd
            .zip(self.cost_this_month_usd)
            .is_some_and(|(limit, used)| used >= limit)
        {
            Some(BudgetLimit::CostPerMonth)
        } else {
            None
        }
    }

    /// True if the model may be used: no list means any.
    pub fn allows_model(&self, model: &str) -> bool {
        self.allowed_models.is_empty() || self.allowed_models.iter().any(|own| own == model)
    }
}
