//! What a caller must be and have: for a route, or for a tool.

use super::caller::{Caller, CallerKind};
use crate::scopes::Scopes;

/// What a caller must be and have. The usual rule asks for nothing.
///
/// ```
/// use lumoauth::service::Rule;
///
/// // A tool that agents in their own name may call if they have this capability.
/// let rule = Rule::new().capability("tool:search_web");
/// // One that no agent may call, not even for somebody.
/// let rule = Rule::new().scopes("documents:delete").people_only();
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a rule does nothing until it is handed to a guard"]
pub struct Rule {
    scopes: Scopes,
    capabilities: Scopes,
    people_only: bool,
    agents_only: bool,
    policy: bool,
}

/// What a rule says of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The caller may.
    Allowed,
    /// The caller may not, whatever its token.
    Denied,
    /// The caller may with a token that has all of these scopes.
    Scopes(Scopes),
}

impl Verdict {
    /// True for [`Verdict::Allowed`], and for nothing else.
    pub fn allowed(&self) -> bool {
        *self == Verdict::Allowed
    }
}

impl Rule {
    /// Asks for nothing.
    pub fn new() -> Self {
        Rule::default()
    }

    /// The token must have these scopes.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = both(&self.scopes, &scopes.into());
        self
    }

    /// For people alone: not for agents, not for agents that act for people, and not for callers of whom nothing is known.
    pub fn people_only(mut self) -> Self {
        self.people_only = true;
        self
    }

    /// For agents alone, in their own name or for somebody; not for callers of whom nothing is known.
    pub fn agents_only(mut self) -> Self {
        self.agents_only = true;
        self
    }

    /// For agents in their own name that have this capability: a scope of a token whose subject is an agent. An agent that acts for
    /// somebody has what that somebody gave, which is no capability of its own.
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capabilities = both(&self.capabilities, &Scopes::from(capability.into()));
        self
    }

    /// The service decides besides, by its policies (AuthZEN): whether this caller may do this to this server. Only tools of MCP servers
    /// have such rules; a guard that cannot ask refuses.
    pub fn policy(mut self) -> Self {
        self.policy = true;
        self
    }

    /// True if the service is to be asked, where the rest is fulfilled.
    pub fn asks_policy(&self) -> bool {
        self.policy
    }

    /// All scopes that the rule asks for, capabilities among them.
    pub fn all_scopes(&self) -> Scopes {
        both(&self.scopes, &self.capabilities)
    }

    /// What the rule says of this caller, policies left out. Who calls comes first: nobody is told of scopes that would not help.
    #[must_use = "a verdict that nobody looks at refuses nothing"]
    pub fn verdict(&self, caller: &Caller) -> Verdict {
        self.decide(caller.kind(), caller.scopes())
    }

    fn decide(&self, kind: CallerKind, held: &Scopes) -> Verdict {
        let is_person = kind == CallerKind::Person;
        let is_agent = matches!(kind, CallerKind::Agent | CallerKind::AgentFor);
        let needs_own_name = !self.capabilities.is_empty();
        if (self.people_only && !is_person)
            || (self.agents_only && !is_agent)
            || (needs_own_name && kind != CallerKind::Agent)
        {
            return Verdict::Denied;
        }
        let needed = self.all_scopes();
        if needed.iter().all(|scope| held.contains(scope)) {
            Verdict::Allowed
        } else {
            Verdict::Scopes(needed)
        }
    }
}

/// All of both, none twice.
pub(crate) fn both(one: &Scopes, other: &Scopes) -> Scopes {
    let more = other.iter().filter(|scope| !one.contains(scope));
    Scopes::from(one.iter().chain(more).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallerKind::{Agent, AgentFor, Person, Unknown};

    fn allowed(rule: &Rule, held: &str) -> Vec<CallerKind> {
        let held = Scopes::from(held);
        [Person, Agent, AgentFor, Unknown]
            .into_iter()
            .filter(|kind| rule.decide(*kind, &held).allowed())
            .collect()
    }

    #[test]
    fn every_rule_about_who_calls_refuses_the_unknown() {
        assert_eq!(allowed(&Rule::new(), ""), [Person, Agent, AgentFor, Unknown]);
        assert_eq!(allowed(&Rule::new().people_only(), ""), [Person]);
        assert_eq!(allowed(&Rule::new().agents_only(), ""), [Agent, AgentFor]);
        assert_eq!(allowed(&Rule::new().capability("c"), "c"), [Agent]);
        assert_eq!(allowed(&Rule::new().people_only().agents_only(), ""), []);
        assert_eq!(allowed(&Rule::new().people_only().capability("c"), "c"), []);
        assert_eq!(allowed(&Rule::new().policy(), ""), [Person, Agent, AgentFor, Unknown], "asked besides");
    }

    #[test]
    fn no_scope_no_pass_and_all_are_named_at_once() {
        let rule = Rule::new().scopes("a b").scopes("b c").capability("d");
        assert_eq!(allowed(&rule, "a b c"), []);
        assert_eq!(allowed(&rule, "d c b a x"), [Agent]);
        assert_eq!(rule.decide(Agent, &Scopes::none()), Verdict::Scopes(Scopes::from("a b c d")));
        assert_eq!(rule.decide(Person, &Scopes::none()), Verdict::Denied, "no scope would help");
        assert_eq!(allowed(&Rule::new().scopes("a"), ""), []);
        assert_eq!(allowed(&Rule::new().scopes("a"), "A aa"), [], "exact");
        assert_eq!(allowed(&Rule::new().scopes(""), ""), [Person, Agent, AgentFor, Unknown]);
    }
}
