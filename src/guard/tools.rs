//! What the guard of an MCP server goes by.

use std::collections::HashMap;
use std::sync::Arc;

use http::Response;

use super::policies::Policies;
use super::verified::Guard;
use crate::crypto::random_bytes;
use crate::service::{Caller, Rule, SessionIds};

/// The longest message, in bytes, if nothing else is set.
const LONGEST: usize = 1024 * 1024;

/// Who may call at all, and who which tool.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) guard: Guard,
    pub(super) tools: HashMap<String, Rule>,
    pub(super) others: Rule,
    pub(super) policies: Option<Arc<Policies>>,
    pub(super) longest: usize,
    /// None if the system gave no randomness for their secret: then nobody is let in.
    pub(super) sessions: Option<Arc<SessionIds>>,
}

impl Server {
    pub(super) fn new(guard: Guard) -> Self {
        let secret = random_bytes::<32>();
        Server {
            guard,
            tools: HashMap::new(),
            others: Rule::new(),
            policies: None,
            longest: LONGEST,
            sessions: secret.ok().map(|secret| Arc::new(SessionIds::new(&secret))),
        }
    }

    /// A session that an answer names is this caller's; nobody begins one.
    pub(super) fn bind_session<R>(&self, response: &mut Response<R>, caller: Option<&Caller>) {
        match (&self.sessions, caller) {
            (Some(sessions), Some(caller)) => sessions.outward(response.headers_mut(), caller),
            _ => SessionIds::take_away(response.headers_mut()),
        }
    }

    pub(super) fn rule(&self, tool: &str) -> &Rule {
        self.tools.get(tool).unwrap_or(&self.others)
    }
}
