//! Relations between things and what follows from them: owners edit, editors view, and what is in a thing has its relations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// Who stands in relation to what, by object and relation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relations {
    subjects: BTreeMap<(String, String), BTreeSet<String>>,
}

/// A thing in this relation: a step on the way from an object to a subject.
type Node = (String, String);

/// How it was found that somebody has a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many relations had to be followed to the one that says it; none if that is the one that was asked about.
    pub depth: usize,
    /// The steps, `object#relation`, the one that was asked about first.
    pub path: Vec<String>,
}

/// Everybody who has a relation, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub object: String,
    pub relation: String,
    pub subjects: Vec<String>,
    pub children: Vec<Tree>,
}

/// The relation by which one thing is in another.
const PARENT: &str = "parent";

/// The relations that imply this one on the same object.
fn implied_by(relation: &str) -> &'static [&'static str] {
    match relation {
        "viewer" => &["editor"],
        "editor" => &["owner"],
        _ => &[],
    }
}

/// True for `type:id`, and for `type:id#relation` where that may be.
pub(crate) fn is_thing(text: &str, may_relate: bool) -> bool {
    let (bare, relation) = match text.split_once('#') {
        Some((bare, relation)) => (bare, Some(relation)),
        None => (text, None),
    };
    bare.split_once(':').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty())
        && relation.is_none_or(|relation| may_relate && !relation.is_empty() && !relation.contains('#'))
}

impl Relations {
    pub(crate) fn insert(&mut self, object: &str, relation: &str, subject: &str) {
        let key = (object.to_owned(), relation.to_owned());
        self.subjects.entry(key).or_default().insert(subject.to_owned());
    }

    pub(crate) fn remove(&mut self, object: &str, relation: &str, subject: &str) {
        let key = (object.to_owned(), relation.to_owned());
        if let Some(subjects) = self.subjects.get_mut(&key) {
            subjects.remove(subject);
            if subjects.is_empty() {
                self.subjects.remove(&key);
            }
        }
    }

    fn direct(&self, (object, relation): &Node) -> impl Iterator<Item = &String> {
        self.subjects.get(&(object.clone(), relation.clone())).into_iter().flatten()
    }

    /// Whoever stands in one of these stands in this one.
    fn next(&self, node: &Node) -> Vec<Node> {
        let (object, relation) = node;
        let groups = self.direct(node).filter_map(|subject| {
            let (group, relation) = subject.split_once('#')?;
            Some((group.to_owned(), relation.to_owned()))
        });
        let mut next: Vec<Node> = groups.collect();
        next.extend(implied_by(relation).iter().map(|implying| (object.clone(), (*implying).to_owned())));
        if relation != PARENT {
            let within = (object.clone(), PARENT.to_owned());
            let parents = self.direct(&within);
            let whole = parents.filter(|parent| !parent.contains('#'));
            next.extend(whole.map(|parent| (parent.clone(), relation.clone())));
        }
        next
    }

    /// Whether the subject has the relation to the object; by the shortest way. Every step is taken once, so that no circle of
    /// relations goes on.
    pub(crate) fn check(&self, object: &str, relation: &str, subject: &str) -> Option<Found> {
        let start = (object.to_owned(), relation.to_owned());
        let mut from: HashMap<Node, Option<Node>> = HashMap::from([(start.clone(), None)]);
        let mut waiting = VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            let itself = subject.split_once('#').is_some_and(|own| (own.0, own.1) == (&*node.0, &*node.1));
            if itself || self.direct(&node).any(|own| own == subject) {
                let mut path = Vec::new();
                let mut at = Some(&node);
                while let Some(step) = at {
                    path.push(format!("{}#{}", step.0, step.1));
                    at = from.get(step).and_then(Option::as_ref);
                }
                path.reverse();
                return Some(Found { depth: path.len().saturating_sub(1), path });
            }
            for next in self.next(&node) {
                if !from.contains_key(&next) {
                    from.insert(next.clone(), Some(node.clone()));
                    waiting.push_back(next);
                }
            }
        }
        None
    }

    /// Everybody who has the relation. What stands in the tree already is not opened again, so it is no larger than what is known.
    pub(crate) fn expand(&self, object: &str, relation: &str) -> Tree {
        let mut seen = HashSet::new();
        self.grow((object.to_owned(), relation.to_owned()), &mut seen, 0)
    }

    fn grow(&self, node: Node, seen: &mut HashSet<Node>, depth: usize) -> Tree {
        seen.insert(node.clone());
        let mut children = Vec::new();
        for next in self.next(&node) {
            if seen.contains(&next) {
                continue;
            }
            if depth < DEEPEST {
                children.push(self.grow(next, seen, depth.saturating_add(1)));
                continue;
            }
            // What a client reads nests no deeper: all that is further down stands side by side.
            let mut waiting = VecDeque::from([next]);
            while let Some(node) = waiting.pop_front() {
                if seen.insert(node.clone()) {
                    waiting.extend(self.next(&node));
                    children.push(self.leaf(node));
                }
            }
        }
        Tree { children, ..self.leaf(node) }
    }

    fn leaf(&self, node: Node) -> Tree {
        let subjects = self.direct(&node).filter(|subject| !subject.contains('#')).cloned().collect();
        Tree { object: node.0, relation: node.1, subjects, children: Vec::new() }
    }
}

/// How deep a tree grows. A tree in JSON nests twice as deep.
const DEEPEST: usize = 12;
