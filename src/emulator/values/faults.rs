//! Faults on demand: which request fails, and how. Decided by counting, so every run is the same.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use super::answer::{Answer, Cut, Fault};

/// An order to fail: on which requests, and how. By default the first request of the route, once.
///
/// A rule with a status or a body stands in for the service, which then does no work: no token is made and nothing is
/// recorded but the request. All others let the work be done and spoil the answer, so the client cannot know what
/// happened. The exception is [`FaultRule::drop_before`].
#[derive(Clone, Debug)]
#[must_use = "a rule does nothing until it is handed to `Emulator::fault`"]
pub struct FaultRule {
    route: Option<String>,
    nth: u64,
    times: Option<u64>,
    status: Option<StatusCode>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
    delay: Duration,
    cut: Option<Cut>,
}

/// Why a [`FaultRule`] cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultRuleError {
    /// The route's name is not one of the emulator's.
    #[error("there is no route {0:?}: take a name such as \"oauth.token\" or \"agents.ask\"")]
    UnknownRoute(String),
    /// The status is no HTTP status.
    #[error("the status is not between 200 and 599")]
    BadStatus,
    /// A header cannot be sent.
    #[error("the header {0:?} cannot be sent")]
    BadHeader(String),
}

impl FaultRule {
    /// For requests to this route, by the operation's name: `oauth.token`, `agents.ask`, ...; `unknown` for all that
    /// find no route.
    pub fn on(route: impl Into<String>) -> Self {
        FaultRule { route: Some(route.into()), ..FaultRule::any() }
    }

    /// For every request.
    pub fn any() -> Self {
        FaultRule {
            route: None,
            nth: 1,
            times: Some(1),
            status: None,
            content_type: None,
            body: None,
            headers: Vec::new(),
            delay: Duration::ZERO,
            cut: None,
        }
    }

    /// Beginning with the n-th request to which the rule applies, counted from 1 and from when the rule was given.
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth.max(1);
        self
    }

    /// So many times in a row.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Until the rule is cleared.
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Answers with this status and the envelope that goes with it.
    pub fn status(mut self, status: u16) -> Self {
        // An impossible status is kept as none that can be sent, and found when the rule is handed over.
        self.status = Some(StatusCode::from_u16(status).unwrap_or(StatusCode::CONTINUE));
        self
    }

    /// Adds `Retry-After` (RFC 9110 section 10.2.3): digits, a date, or whatever a test needs.
    pub fn retry_after(self, value: impl Into<String>) -> Self {
        self.header("retry-after", value)
    }

    /// Adds a header to the answer, in place of any of the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Answers with this body, and status 200 unless there is another.
    pub fn body(mut self, content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        self.content_type = Some(content_type.into());
        self.body = Some(body.into());
        self
    }

    /// Lets the answer wait.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Does the work, then resets the connection instead of answering.
    pub fn reset(mut self) -> Self {
        self.cut = Some(Cut::Reset);
        self
    }

    /// Breaks the connection after so many bytes of the body, and before its last one in any case.
    pub fn truncate(mut self, bytes: usize) -> Self {
        self.cut = Some(Cut::Truncate(bytes));
        self
    }

    /// The request never gets there: it is neither worked on nor logged.
    pub fn drop_before(mut self) -> Self {
        self.cut = Some(Cut::NotSent);
        self
    }

    /// Checks what could not be checked while the rule was made. Whoever takes it says which names routes have.
    pub(crate) fn check(self, is_route: impl Fn(&str) -> bool) -> Result<Rule, FaultRuleError> {
        if let Some(name) = self.route.as_ref().filter(|name| !is_route(name)) {
            return Err(FaultRuleError::UnknownRoute(name.clone()));
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status.as_u16())) {
            return Err(FaultRuleError::BadStatus);
        }
        let mut headers = Vec::new();
        let content_type = self.content_type.map(|value| (CONTENT_TYPE.to_string(), value));
        for (name, value) in content_type.into_iter().chain(self.headers) {
            let header = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&value).ok());
            headers.push(header.ok_or(FaultRuleError::BadHeader(name))?);
        }
        Ok(Rule {
            route: self.route,
            first: self.nth,
            last: self.times.map(|times| self.nth.saturating_add(times)),
            seen: 0,
            order: Order {
                status: self.status,
                body: self.body,
                headers,
                fault: Fault { delay: self.delay, cut: self.cut },
            },
        })
    }
}

/// A rule at work.
pub(crate) struct Rule {
    route: Option<String>,
    /// The first request it spoils, counted from 1.
    first: u64,
    /// The first request that it lets pass again.
    last: Option<u64>,
    seen: u64,
    order: Order,
}

/// What to do to one request.
#[derive(Clone, Default)]
pub(crate) struct Order {
    status: Option<StatusCode>,
    body: Option<Vec<u8>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    fault: Fault,
}

/// The order for a request to this route. Every rule that applies counts it; the first that is due decides.
pub(crate) fn due(rules: &mut [Rule], route: &str) -> Option<Order> {
    let mut order = None;
    for rule in rules.iter_mut().filter(|rule| rule.route.as_ref().is_none_or(|own| own == route)) {
        rule.seen = rule.seen.saturating_add(1);
        let due = rule.seen >= rule.first && rule.last.is_none_or(|last| rule.seen < last);
        if due && order.is_none() {
            order = Some(rule.order.clone());
        }
    }
    order
}

impl Order {
    /// True if the request never gets there.
    pub(crate) fn is_not_sent(&self) -> bool {
        self.fault.cut == Some(Cut::NotSent)
    }

    /// The answer that stands in for the service's, if the order has one.
    pub(crate) fn stand_in(&self) -> Option<Answer> {
        if self.status.is_none() && self.body.is_none() {
            return None;
        }
        let mut answer = Answer::ordered(self.status.unwrap_or(StatusCode::OK));
        if let Some(body) = &self.body {
            answer.body.clone_from(body);
        }
        Some(answer)
    }

    /// Puts the order's headers on the answer, in place of any of the same name.
    pub(crate) fn dress(&self, mut answer: Answer) -> Answer {
        for (name, value) in &self.headers {
            answer = answer.with(name.clone(), value.clone());
        }
        answer
    }

    /// What is left to the transport, for a body of this length. Of a truncated body one byte at least is missing.
    pub(crate) fn fault(&self, length: usize) -> Option<Fault> {
        let mut fault = self.fault;
        if let Some(Cut::Truncate(bytes)) = &mut fault.cut {
            *bytes = (*bytes).min(length.saturating_sub(1));
        }
        (fault != Fault::default()).then_some(fault)
    }
}

/// The header that every 429 carries.
pub(crate) fn retry_after(seconds: u64) -> (HeaderName, HeaderValue) {
    (RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_route(name: &str) -> bool {
        matches!(name, "agents.ask" | "oauth.token")
    }

    fn statuses(rules: &mut [Rule], route: &str, requests: usize) -> Vec<u16> {
        let status = |order: Option<Order>| order.and_then(|order| order.status).map_or(0, |s| s.as_u16());
        (0..requests).map(|_| status(due(rules, route))).collect()
    }

    #[test]
    fn rules_count_for_themselves_and_the_first_due_decides() {
        let rule = |rule: FaultRule| rule.check(is_route).unwrap();
        let mut rules = [
            rule(FaultRule::on("agents.ask").nth(2).times(2).status(503)),
            rule(FaultRule::any().nth(3).times(2).status(429)),
        ];
        assert_eq!(statuses(&mut rules, "agents.ask", 5), [0, 503, 503, 429, 0]);
        assert_eq!(statuses(&mut rules, "oauth.token", 1), [0]);
    }

    #[test]
    fn always_means_always_and_never_never() {
        let mut rules = [FaultRule::on("agents.ask").always().status(500).check(is_route).unwrap()];
        assert_eq!(statuses(&mut rules, "agents.ask", 3), [500, 500, 500]);
        let mut rules = [FaultRule::on("agents.ask").times(0).status(500).check(is_route).unwrap()];
        assert_eq!(statuses(&mut rules, "agents.ask", 2), [0, 0]);
    }

    #[test]
    fn a_rule_that_cannot_work_says_so() {
        let error = |rule: FaultRule| rule.check(is_route).map(|_| ()).unwrap_err();
        assert_eq!(error(FaultRule::on("agents.fly")), FaultRuleError::UnknownRoute("agents.fly".into()));
        assert_eq!(error(FaultRule::any().status(99)), FaultRuleError::BadStatus);
        assert_eq!(error(FaultRule::any().status(100)), FaultRuleError::BadStatus);
        assert!(matches!(error(FaultRule::any().header("a b", "x")), FaultRuleError::BadHeader(_)));
        assert!(matches!(error(FaultRule::any().retry_after("a\r\nb")), FaultRuleError::BadHeader(_)));
        assert!(matches!(error(FaultRule::any().body("a\nb", "")), FaultRuleError::BadHeader(_)));
    }
}
