//! What the guard of an MCP server goes by.

use std::collections::HashMap;
use std::sync::Arc;

use super::policies::Policies;
use super::verified::Guard;
use crate::service::Rule;

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
}

impl Server {
    pub(super) fn new(guard: Guard) -> Self {
        Server { guard, tools: HashMap::new(), others: Rule::new(), policies: None, longest: LONGEST }
    }

    pub(super) fn rule(&self, tool: &str) -> &Rule {
        self.tools.get(tool).unwrap_or(&self.others)
    }
}
