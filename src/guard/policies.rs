//! Asks the service's policies about callers and tools, with the service's own credential.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::asynchronous::Agent;
use crate::operations::authz::EvaluateAll;
use crate::service::{Bulk, Memory, PolicyKey};

/// Who asks, and what was answered a moment ago.
pub(super) struct Policies {
    agent: Agent,
    memory: Mutex<Memory>,
}

impl Policies {
    pub(super) fn new(agent: Agent) -> Self {
        Policies { agent, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of each of these, in their order, with one request at most; None where nothing is known.
    pub(super) async fn decide(&self, keys: &[PolicyKey]) -> Vec<Option<bool>> {
        let Ok(now) = self.agent.glance() else { return vec![None; keys.len()] };
        let known = |memory: &Memory, key: &PolicyKey| memory.get(key, &now);
        let mut said: Vec<Option<bool>> = {
            let memory = self.memory();
            keys.iter().map(|key| known(&memory, key)).collect()
        };
        let missing = keys.iter().zip(&said).filter(|(_, said)| said.is_none()).map(|(key, _)| key.clone());
        let bulk = Bulk::of(missing);
        if bulk.is_empty() {
            return said;
        }
        let answers = match self.agent.run(EvaluateAll::new(bulk.evaluations())).await {
            Ok(answers) => answers,
            Err(error) => {
                log::warn!("policies cannot be asked, so nobody is allowed by them: {error}");
                return said;
            }
        };
        let mut memory = self.memory();
        for (key, outcome) in bulk.read(&answers) {
            let Some(allowed) = outcome else { continue };
            for (own, said) in keys.iter().zip(&mut said) {
                if *own == key {
                    *said = Some(allowed);
                }
            }
            memory.put(key, allowed, &now);
        }
        said
    }
}
