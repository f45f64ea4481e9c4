//! What one caller may call of a server, and therefore see.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;

use super::tools::Server;
use super::verified::answer_to;
use crate::service::{Answer, Caller, PolicyKey, Subjects, refusal};

/// Decides for one request. Of nobody, nothing is allowed.
pub(super) struct Judge {
    server: Arc<Server>,
    caller: Option<Caller>,
}

impl Judge {
    pub(super) fn new(server: Arc<Server>, caller: Option<Caller>) -> Self {
        Judge { server, caller }
    }

    /// The longest list, or event of a stream, that is read.
    pub(super) fn longest(&self) -> usize {
        self.server.longest
    }

    /// The question about a tool; None if the caller is nobody to ask about.
    fn key(&self, caller: &Caller, tool: &str) -> Option<PolicyKey> {
        let resource = self.server.guard.verifier.verifier().resource()?;
        Some(PolicyKey::new(&Subjects::of(caller)?, tool, resource))
    }

    /// # Errors
    /// The answer to send.
    pub(super) async fn may_call(&self, tool: &str) -> Result<(), Box<Answer>> {
        let Some(caller) = &self.caller else { return Err(Box::new(refusal(StatusCode::UNAUTHORIZED))) };
        let rule = self.server.rule(tool);
        if let Some(answer) = answer_to(rule.verdict(caller), self.server.guard.verifier.verifier()) {
            log::debug!("a call of a tool is refused by its rule ({:?})", caller.kind());
            return Err(Box::new(answer));
        }
        if !rule.asks_policy() {
            return Ok(());
        }
        let said = match (self.key(caller, tool), &self.server.policies) {
            (None, _) => Some(false),
            (Some(key), Some(policies)) => policies.decide(&[key]).await.first().copied().flatten(),
            (Some(_), None) => {
                log::warn!(
                    "a tool has a rule about policies, and there is no agent to ask: ServerAuth::policies_by"
                );
                None
            }
        };
        match said {
            Some(true) => Ok(()),
            Some(false) => Err(Box::new(refusal(StatusCode::FORBIDDEN))),
            None => Err(Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE))),
        }
    }

    /// Those of these tools that the caller may call, at the cost of one request at most.
    pub(super) async fn visible(&self, tools: &[&str]) -> HashSet<String> {
        let mut visible = HashSet::new();
        let Some(caller) = &self.caller else { return visible };
        let mut asked = Vec::new();
        for tool in tools {
            let rule = self.server.rule(tool);
            if !rule.verdict(caller).allowed() {
                continue;
            }
            match rule.asks_policy() {
                false => drop(visible.insert((*tool).to_owned())),
                true => asked.extend(self.key(caller, tool).map(|key| ((*tool).to_owned(), key))),
            }
        }
        if let (Some(policies), false) = (&self.server.policies, asked.is_empty()) {
            let (tools, keys): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
            let said = policies.decide(&keys).await;
            visible.extend(
                tools.into_iter().zip(said).filter(|(_, said)| *said == Some(true)).map(|(tool, _)| tool),
            );
        }
        visible
    }
}
