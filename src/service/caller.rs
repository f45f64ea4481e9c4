//! Whom a verified token speaks for, by what it says and never by what it leaves out.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::claims::Actor;
use crate::scopes::Scopes;
use crate::verify::VerifiedToken;

/// Whom a token speaks for.
///
/// It is told by positive signs alone (`docs/wire.md`, V-caller). What is missing proves nothing: a token without the signs of an agent is no
/// person's for that, and what contradicts itself is [`CallerKind::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallerKind {
    /// A person, who signed in: `auth_time`, `acr` or `amr` says so.
    Person,
    /// An agent in its own name: `agent_id` or `agent_name` says so.
    Agent,
    /// An agent that acts for somebody: `act` says so (RFC 8693 section 4.1).
    AgentFor,
    /// Nothing says who it is, or what is said cannot be. Every rule that is for people only, or for agents only, refuses it.
    Unknown,
}

/// Who calls: a token that was verified, and whom it speaks for.
///
/// ```
/// # #[cfg(all(feature = "emulator", feature = "blocking"))] {
/// use lumoauth::service::{Caller, CallerKind};
/// use lumoauth::{TokenVerifier, emulator::Emulator};
///
/// let emulator = Emulator::demo()?;
/// let agent = emulator.agent()?;
/// let verifier = TokenVerifier::of(&agent, emulator.client_id())?;
///
/// let token = verifier.verify(agent.access_token()?.secret())?;
/// let caller = Caller::new(token);
/// assert_eq!(caller.kind(), CallerKind::Agent);
/// assert_eq!(caller.agent_id(), Some("agt_demo"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    kind: CallerKind,
    token: Arc<VerifiedToken>,
}

impl Caller {
    /// Whom this token speaks for.
    pub fn new(token: VerifiedToken) -> Self {
        let kind = decide(token.claims(), !token.actors().is_empty());
        Caller { kind, token: Arc::new(token) }
    }

    /// Person, agent, agent for somebody, or unknown.
    pub fn kind(&self) -> CallerKind {
        self.kind
    }

    /// True for a person, who calls without anybody between.
    pub fn is_person(&self) -> bool {
        self.kind == CallerKind::Person
    }

    /// True for an agent, in its own name or for somebody.
    pub fn is_agent(&self) -> bool {
        matches!(self.kind, CallerKind::Agent | CallerKind::AgentFor)
    }

    /// `sub`: whose token it is. For an agent that acts for somebody, that is whom it acts for.
    pub fn subject(&self) -> &str {
        self.token.subject()
    }

    /// The person: the caller itself, or whom the agent acts for. None for an agent in its own name, and for nobody knows whom.
    pub fn person(&self) -> Option<&str> {
        matches!(self.kind, CallerKind::Person | CallerKind::AgentFor).then(|| self.token.subject())
    }

    /// The id of the agent (`agent_id`), of an agent in its own name or of the one agent that acts for somebody. None if the token
    /// does not say it: a name or a subject is no id.
    pub fn agent_id(&self) -> Option<&str> {
        match (self.kind, self.token.actors()) {
            (CallerKind::Agent, _) => id(self.token.claims()),
            (CallerKind::AgentFor, [actor]) => one_id(id(self.token.claims()), id(actor.claims())),
            _ => None,
        }
    }

    /// The ids of all the agents that are in it, if each has one: a rule about agents holds for every one of them, because which
    /// of several is the one that calls is not told (`docs/wire.md`, V-actors).
    pub fn agent_ids(&self) -> Option<Vec<&str>> {
        match (self.kind, self.token.actors()) {
            (CallerKind::AgentFor, actors) if actors.len() > 1 => {
                let own = id(self.token.claims());
                let all: Option<Vec<&str>> = actors.iter().map(|actor| id(actor.claims())).collect();
                all.filter(|all| own.is_none_or(|own| all.contains(&own)))
            }
            _ => self.agent_id().map(|id| vec![id]),
        }
    }

    /// Who acts for the subject, outermost first; empty if nobody does. Which end acts at the moment is not told.
    pub fn actors(&self) -> &[Actor] {
        self.token.actors()
    }

    /// The scopes of the token.
    pub fn scopes(&self) -> &Scopes {
        self.token.scopes()
    }

    /// The token, with all that it says.
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { kind, token } = self;
        f.debug_struct("Caller").field("kind", kind).field("token", token).finish()
    }
}

/// A sign is there and is what it must be, is not there, or is there and is not what it must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    There,
    Missing,
    Odd,
}

impl Sign {
    fn of(claims: &Map<String, Value>, name: &str, fits: fn(&Value) -> bool) -> Self {
        match claims.get(name) {
            None => Sign::Missing,
            Some(value) if fits(value) => Sign::There,
            Some(_) => Sign::Odd,
        }
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// A time at which somebody signed in.
fn is_time(value: &Value) -> bool {
    value.as_f64().is_some_and(|seconds| seconds > 0.0)
}

/// How somebody signed in: a list of texts (RFC 8176).
fn is_methods(value: &Value) -> bool {
    value.as_array().is_some_and(|methods| !methods.is_empty() && methods.iter().all(is_text))
}

fn decide(claims: &Map<String, Value>, is_acted_for: bool) -> CallerKind {
    let agent = [Sign::of(claims, "agent_id", is_text), Sign::of(claims, "agent_name", is_text)];
    let person = [
        Sign::of(claims, "auth_time", is_time),
        Sign::of(claims, "acr", is_text),
        Sign::of(claims, "amr", is_methods),
    ];
    let is_odd = agent.iter().chain(&person).any(|sign| *sign == Sign::Odd);
    let (agent, person) = (agent.contains(&Sign::There), person.contains(&Sign::There));
    match (is_odd, is_acted_for, agent, person) {
        (true, ..) => CallerKind::Unknown,
        (false, true, ..) => CallerKind::AgentFor,
        (false, false, true, false) => CallerKind::Agent,
        (false, false, false, true) => CallerKind::Person,
        // Neither, or both: nobody is two.
        (false, false, ..) => CallerKind::Unknown,
    }
}

fn id(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("agent_id").filter(|value| is_text(value)).and_then(Value::as_str)
}

/// The one that is said, or both if they are the same.
fn one_id<'a>(token: Option<&'a str>, actor: Option<&'a str>) -> Option<&'a str> {
    match (token, actor) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(claims: Value, acted_for: bool) -> CallerKind {
        let Value::Object(claims) = claims else { panic!("an object") };
        decide(&claims, acted_for)
    }

    #[test]
    fn only_positive_signs_count() {
        for sign in [
            json!({"auth_time": 1_750_000_000}),
            json!({"auth_time": 1_750_000_000.5}),
            json!({"acr": "urn:mace:incommon:iap:silver"}),
            json!({"amr": ["pwd", "otp"]}),
            json!({"auth_time": 1, "acr": "1", "amr": ["pwd"]}),
        ] {
            assert_eq!(kind(sign.clone(), false), CallerKind::Person, "{sign}");
            assert_eq!(kind(sign, true), CallerKind::AgentFor);
        }
        for sign in [json!({"agent_id": "agt_1"}), json!({"agent_name": "bot"})] {
            assert_eq!(kind(sign.clone(), false), CallerKind::Agent, "{sign}");
            assert_eq!(kind(sign, true), CallerKind::AgentFor);
        }
        // What is missing proves nothing, and neither do names that look like something.
        for nothing in [
            json!({}),
            json!({"email": "alice@acme.test", "name": "Alice", "roles": ["ROLE_USER"]}),
            json!({"type": "user"}),
            json!({"jit": true}),
        ] {
            assert_eq!(kind(nothing.clone(), false), CallerKind::Unknown, "{nothing}");
        }
        assert_eq!(kind(json!({}), true), CallerKind::AgentFor);
    }

    #[test]
    fn what_contradicts_itself_or_is_malformed_is_unknown() {
        for odd in [
            json!({"agent_id": "agt_1", "auth_time": 1}),
            json!({"agent_name": "bot", "amr": ["pwd"]}),
            json!({"agent_id": null, "auth_time": 1}),
            json!({"agent_id": "", "auth_time": 1}),
            json!({"agent_id": 7}),
            json!({"agent_id": "agt_1", "agent_name": []}),
            json!({"auth_time": "1750000000"}),
            json!({"auth_time": 0}),
            json!({"auth_time": -1}),
            json!({"auth_time": null, "agent_id": "agt_1"}),
            json!({"acr": " "}),
            json!({"amr": []}),
            json!({"amr": "pwd"}),
            json!({"amr": ["pwd", 1]}),
        ] {
            assert_eq!(kind(odd.clone(), false), CallerKind::Unknown, "{odd}");
        }
        assert_eq!(kind(json!({"agent_id": 7}), true), CallerKind::Unknown);
    }

    #[test]
    fn two_ids_of_one_agent_must_be_one() {
        assert_eq!(one_id(Some("a"), Some("a")), Some("a"));
        assert_eq!(one_id(Some("a"), Some("b")), None);
        assert_eq!((one_id(None, Some("b")), one_id(Some("a"), None)), (Some("b"), Some("a")));
    }
}
