//! What agents may spend at the start.

/// What an agent may spend and has spent (`budget_policy`). What is not set is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a budget does nothing until it is handed to an agent"]
pub struct BudgetSeed {
    pub(crate) max_tokens_per_day: Option<u64>,
    pub(crate) tokens_used_today: u64,
    pub(crate) max_api_calls_per_hour: Option<u64>,
    pub(crate) api_calls_this_hour: u64,
    pub(crate) max_cost_per_month_usd: Option<f64>,
    pub(crate) allowed_models: Vec<String>,
    pub(crate) require_approval_above_usd: Option<f64>,
}

impl BudgetSeed {
    /// No limit, nothing spent.
    pub fn new() -> Self {
        BudgetSeed::default()
    }

    /// Tokens a day.
    pub fn max_tokens_per_day(mut self, tokens: u64) -> Self {
        self.max_tokens_per_day = Some(tokens);
        self
    }

    /// Tokens spent on the first day. On the next day by the emulator's clock it is none.
    pub fn tokens_used_today(mut self, tokens: u64) -> Self {
        self.tokens_used_today = tokens;
        self
    }

    /// Calls an hour.
    pub fn max_api_calls_per_hour(mut self, calls: u64) -> Self {
        self.max_api_calls_per_hour = Some(calls);
        self
    }

    /// Calls made in the first hour already. The emulator adds every call to `agents.*`.
    pub fn api_calls_this_hour(mut self, calls: u64) -> Self {
        self.api_calls_this_hour = calls;
        self
    }

    /// US dollars a month. Shown, not counted.
    pub fn max_cost_per_month_usd(mut self, dollars: f64) -> Self {
        self.max_cost_per_month_usd = Some(dollars);
        self
    }

    /// The models that the agent may use. Shown, not checked.
    pub fn allowed_models<S: Into<String>>(mut self, models: impl IntoIterator<Item = S>) -> Self {
        self.allowed_models.extend(models.into_iter().map(Into::into));
        self
    }

    /// Above this many US dollars a human must approve. Shown, not checked.
    pub fn require_approval_above_usd(mut self, dollars: f64) -> Self {
        self.require_approval_above_usd = Some(dollars);
        self
    }
}
