//! What the service's policies say of callers and tools: whom to ask about, and how long an answer may be used again.

use std::collections::HashMap;
use std::time::Duration;

use super::caller::{Caller, CallerKind};
use crate::operations::Decision;
use crate::operations::authz::{Answers, Entity, Evaluate};
use crate::time::{Now, Timestamp};

/// An allow is used again for so long.
const ALLOWED: Duration = Duration::from_secs(30);
/// A denial is used again for so long.
const DENIED: Duration = Duration::from_secs(5);
/// The most answers that are kept.
const MOST: usize = 4096;
/// The most questions of one request.
const AT_ONCE: usize = 100;

/// Everybody who must be allowed: `(type, id)` each. A caller of whom that cannot be said is nobody, and nobody is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subjects(Vec<(&'static str, String)>);

impl Subjects {
    /// A person by `sub`, an agent by `agent_id`; for an agent that acts for somebody both, and all of several agents. None for the
    /// unknown, and for an agent without an id.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        let person = caller.person().map(|subject| ("user", subject.to_owned()));
        let agents = match caller.kind() {
            CallerKind::Person => Vec::new(),
            CallerKind::Agent | CallerKind::AgentFor => caller.agent_ids()?,
            CallerKind::Unknown => return None,
        };
        let all: Vec<_> =
            person.into_iter().chain(agents.into_iter().map(|id| ("agent", id.to_owned()))).collect();
        (!all.is_empty()).then_some(Subjects(all))
    }
}

/// A question to the policies: may all of them use this tool of this server?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    subjects: Subjects,
    tool: String,
    resource: String,
}

impl Key {
    pub(crate) fn new(subjects: &Subjects, tool: &str, resource: &str) -> Self {
        Key { subjects: subjects.clone(), tool: tool.to_owned(), resource: resource.to_owned() }
    }

    fn evaluations(&self) -> impl Iterator<Item = Evaluate> {
        self.subjects.0.iter().map(|(kind, id)| {
            let resource = Entity::new("mcp_server", self.resource.clone());
            Evaluate::new((*kind, id.clone()), self.tool.clone(), resource)
        })
    }
}

/// Several questions in one request, as many as it takes.
pub(crate) struct Bulk {
    keys: Vec<Key>,
}

impl Bulk {
    /// Of these; those that do not fit into one request are left out, and what is left out is not allowed.
    pub(crate) fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut room = AT_ONCE;
        let fits = |key: &Key| {
            let left = room.checked_sub(key.subjects.0.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        Bulk { keys: keys.into_iter().take_while(fits).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn evaluations(&self) -> Vec<Evaluate> {
        self.keys.iter().flat_map(Key::evaluations).collect()
    }

    /// What was answered to each: allowed only if it is of every one. What was not answered is not known.
    pub(crate) fn read(self, answers: &Answers) -> Vec<(Key, Option<bool>)> {
        let mut at = 0_usize;
        let of = |key: Key| {
            let own = at..at.saturating_add(key.subjects.0.len());
            at = own.end;
            let said = |at| answers.get(at)?.as_ref().ok().map(Decision::allowed);
            let all: Vec<Option<bool>> = own.map(said).collect();
            let outcome = match (all.contains(&Some(false)), all.contains(&None)) {
                (true, _) => Some(false),
                (false, true) => None,
                (false, false) => Some(!all.is_empty()),
            };
            (key, outcome)
        };
        self.keys.into_iter().map(of).collect()
    }
}

/// Answers that may be used again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    answers: HashMap<Key, Said>,
}

/// An answer, and when it was asked for, by both clocks.
#[derive(Debug)]
struct Said {
    allowed: bool,
    monotonic: Duration,
    wall: Timestamp,
}

impl Said {
    /// How old it is: as old as the clock says by which more has passed, since one of them stands still while the machine is suspended.
    /// None by a monotonic clock that went back, which makes nothing young again.
    fn age(&self, now: &Now) -> Option<Duration> {
        let awake = now.monotonic.checked_sub(self.monotonic)?;
        Some(awake.max(now.wall.saturating_since(self.wall)))
    }
}

impl Memory {
    /// What was answered a moment ago.
    pub(crate) fn get(&self, key: &Key, now: &Now) -> Option<bool> {
        let said = self.answers.get(key)?;
        let longest = if said.allowed { ALLOWED } else { DENIED };
        (said.age(now)? < longest).then_some(said.allowed)
    }

    /// Keeps an answer to what was asked then.
    pub(crate) fn put(&mut self, key: Key, allowed: bool, asked: &Now) {
        if self.answers.len() >= MOST {
            self.answers.retain(|_, said| said.age(asked).is_some_and(|age| age < ALLOWED));
            if self.answers.len() >= MOST {
                self.answers.clear();
            }
        }
        let Now { wall, monotonic, .. } = *asked;
        self.answers.insert(key, Said { allowed, monotonic, wall });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, InputError};

    fn key(subjects: &[(&'static str, &str)], tool: &str) -> Key {
        let subjects = Subjects(subjects.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect());
        Key::new(&subjects, tool, "https://mcp.test")
    }

    fn at(seconds: u64) -> Now {
        Now::new(Timestamp::from_unix(1_000), Duration::from_secs(seconds), [0; 32])
    }

    #[test]
    fn answers_are_used_again_for_a_moment_and_by_nobody_else() {
        let (alice, bob) = (key(&[("user", "alice")], "t"), key(&[("user", "bob")], "t"));
        let mut memory = Memory::default();
        memory.put(alice.clone(), true, &at(100));
        memory.put(bob.clone(), false, &at(100));
        let seen = |memory: &Memory, key: &Key, seconds| memory.get(key, &at(seconds));
        assert_eq!((seen(&memory, &alice, 129), seen(&memory, &alice, 130)), (Some(true), None));
        assert_eq!((seen(&memory, &bob, 104), seen(&memory, &bob, 105)), (Some(false), None));
        assert_eq!(seen(&memory, &alice, 99), None, "the clock went back");
        let later = |wall: u64| Now::new(Timestamp::from_unix(wall), Duration::from_secs(110), [0; 32]);
        assert_eq!(memory.get(&alice, &later(1_000 + 8 * 3600)), None, "suspended");
        assert_eq!(memory.get(&alice, &later(1_010)), Some(true));
        assert_eq!(memory.get(&alice, &later(0)), Some(true), "the wall clock was set back");
        for other in [
            key(&[("agent", "alice")], "t"),
            key(&[("user", "alice")], "u"),
            key(&[("user", "alice"), ("agent", "a")], "t"),
            Key::new(&alice.subjects, "t", "https://other.test"),
        ] {
            assert_eq!(seen(&memory, &other, 101), None);
        }
    }

    #[test]
    fn so_many_answers_are_kept_and_the_old_ones_go_first() {
        let one = |number: usize| key(&[("user", "x")], &number.to_string());
        let mut memory = Memory::default();
        for number in 0..MOST {
            let asked = if number < 10 { 120 } else { 100 };
            memory.put(one(number), true, &at(asked));
        }
        assert_eq!(memory.answers.len(), MOST, "as many as there may be");
        memory.put(one(MOST), true, &at(130));
        assert_eq!(memory.answers.len(), 11, "those that may still be used stay");
        assert_eq!(memory.get(&one(9), &at(130)), Some(true));
        for number in 0..10_000 {
            memory.put(one(number), true, &at(130));
            assert!(memory.answers.len() <= MOST);
        }
        assert_eq!(memory.get(&one(9_999), &at(130)), Some(true));
    }

    #[test]
    fn everybody_must_be_allowed_and_what_does_not_fit_is_not_asked() {
        let both = [("user", "alice"), ("agent", "a")];
        let bulk = Bulk::of((0..60).map(|at| key(&both, &at.to_string())));
        assert_eq!((bulk.keys.len(), bulk.evaluations().len()), (50, 100));
        let yes = || Ok(decision(true));
        let no = || Ok(decision(false));
        let failed = || Err(Error::Input(InputError::new("x", "y")));
        for (answers, expected) in [
            (vec![yes(), yes()], Some(true)),
            (vec![yes(), no()], Some(false)),
            (vec![no(), failed()], Some(false)),
            (vec![yes(), failed()], None),
            (vec![yes()], None),
            (vec![], None),
        ] {
            let read = Bulk::of([key(&both, "t")]).read(&Answers::from_outcomes(answers));
            assert_eq!(read[0].1, expected);
        }
        let nobody = Bulk::of([key(&[], "t")]).read(&Answers::from_outcomes(vec![]));
        assert_eq!(nobody[0].1, Some(false), "of nobody nothing is allowed");
    }

    fn decision(allowed: bool) -> Decision {
        let answer = crate::wire::Response::new(
            http::StatusCode::OK,
            [(http::header::CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect(),
            format!("{{\"decision\":{allowed}}}"),
        );
        let asked = Evaluate::new(("user", "x"), "y", ("z", "w"));
        match crate::operation::Operation::response(&asked, &answer).unwrap() {
            crate::operation::Answer::Done(decision) => decision,
            _ => unreachable!("an answer"),
        }
    }
}
