//! Relations between things (ReBAC, in the manner of Zanzibar): checked, expanded, written and taken back.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Map;

use super::{json, question, text};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::operations::Decision;
use crate::operations::decision::{self, allowed, echoed};
use crate::route::Route;
use crate::site::Layout;
use crate::wire::{self, Request, Response};

/// A relation is asked about here.
pub const RELATION_CHECK: Route =
    Route::post("zanzibar.check", "zanzibar/check").unprefixed("authz/zanzibar/check");
/// Everybody who has a relation is listed here.
pub const RELATION_EXPAND: Route =
    Route::post("zanzibar.expand", "zanzibar/expand").unprefixed("authz/zanzibar/expand");
/// A relation is written here.
pub const TUPLE_WRITE: Route = Route::post("zanzibar.tuples.write", "zanzibar/tuples");
/// A relation is taken back here.
pub const TUPLE_DELETE: Route = Route::delete("zanzibar.tuples.delete", "zanzibar/tuples");
pub(super) const ROUTES: &[Route] = &[RELATION_CHECK, RELATION_EXPAND, TUPLE_WRITE, TUPLE_DELETE];

/// Who has which relation to what: `user:alice` is `viewer` of `document:42`.
///
/// Things are texts `type:id`; [`Entity`](super::Entity) makes them. A subject may be everybody who has a relation to a thing:
/// `group:eng#member`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    object: String,
    relation: String,
    subject: String,
}

/// The usual relations.
macro_rules! usual {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        pub fn $name(object: impl Into<String>, subject: impl Into<String>) -> Self {
            Tuple::new(object, stringify!($name), subject)
        }
    )* };
}

impl Tuple {
    /// This subject has this relation to this object.
    pub fn new(object: impl Into<String>, relation: impl Into<String>, subject: impl Into<String>) -> Self {
        Tuple { object: object.into(), relation: relation.into(), subject: subject.into() }
    }

    usual! {
        /// The subject owns the object, and may edit and view it.
        owner,
        /// The subject may edit the object, and view it.
        editor,
        /// The subject may view the object.
        viewer,
        /// The subject is a member of the object, which may be a group.
        member,
        /// The subject administers the object.
        admin,
        /// The subject is what the object is in: a folder of a document. Relations to it are relations to the object too.
        parent
    }

    /// The object, `type:id`.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The relation.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// The subject, `type:id` or `type:id#relation`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    fn check(&self) -> Result<(), InputError> {
        thing("object", &self.object, false)?;
        text("relation", &self.relation)?;
        if self.relation.contains(['#', ':']) {
            return Err(InputError::new("relation", "has a # or a colon: it is a word, such as \"viewer\""));
        }
        thing("subject", &self.subject, true)
    }

    /// The tuple on the wire. Services of the tenant's layout may know the subject as `user`.
    fn body(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        self.check()?;
        let older = !matches!(context.site().layout(), Layout::Organization(_));
        let Tuple { object, relation, subject } = self;
        json(&Body { object, relation, subject: Some(subject), user: older.then_some(subject) })
    }
}

/// `type:id`, and perhaps `#relation`.
fn thing(name: &'static str, text: &str, may_relate: bool) -> Result<(), InputError> {
    let (bare, relation) = match text.split_once('#') {
        Some((bare, relation)) => (bare, Some(relation)),
        None => (text, None),
    };
    let whole =
        bare.split_once(':').is_some_and(|(kind, id)| !kind.trim().is_empty() && !id.trim().is_empty());
    match relation {
        _ if !whole => Err(InputError::new(name, "is no type and id: write it as \"document:42\"")),
        Some(_) if !may_relate => {
            Err(InputError::new(name, "has a relation behind a #: only subjects have one"))
        }
        Some(relation) if relation.is_empty() || relation.contains('#') => {
            Err(InputError::new(name, "has no relation behind its #"))
        }
        _ => Ok(()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    object: &'a str,
    relation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// Does the subject have the relation to the object, itself or by inheritance? `POST zanzibar/check`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | object, relation, subject | REQUIRED | `object`, `relation`, `subject`, and in the tenant's layout `user` as well |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRelation(Tuple);

impl CheckRelation {
    /// Asks about this.
    pub fn new(tuple: Tuple) -> Self {
        CheckRelation(tuple)
    }
}

impl From<Tuple> for CheckRelation {
    fn from(tuple: Tuple) -> Self {
        CheckRelation(tuple)
    }
}

impl Operation for CheckRelation {
    type Output = Decision;

    fn terms(&self) -> Terms {
        question(RELATION_CHECK, Callers::ALL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(RELATION_CHECK).bytes("application/json", self.0.body(context)?))
    }

    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        let Tuple { object, relation, subject } = &self.0;
        let mut fields = decision::read(RELATION_CHECK.name(), response)?;
        let allowed = allowed(&mut fields, "allowed")?;
        let own = [("object", object), ("relation", relation), ("subject", subject), ("user", subject)];
        for (member, own) in own {
            echoed(&mut fields, member, own)?;
        }
        Ok(Answer::Done(Decision::of(fields, allowed, &format!("{object}#{relation}"), &Map::new())?))
    }
}

/// Who has the relation to the object? `POST zanzibar/expand`. Takes the same right as a check about others.
///
/// | part | | on the wire |
/// |---|---|---|
/// | object, relation | REQUIRED | `object`, `relation` |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandRelation {
    object: String,
    relation: String,
}

impl ExpandRelation {
    /// Of this relation to this object.
    pub fn new(object: impl Into<String>, relation: impl Into<String>) -> Self {
        ExpandRelation { object: object.into(), relation: relation.into() }
    }
}

/// Who has a relation, and by what: what [`ExpandRelation`] brings. For people and reports; decide by a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RelationTree {
    /// How its parts are put together.
    #[serde(rename = "type")]
    pub kind: TreeKind,
    /// The object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The relation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// The parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<RelationTree>,
    /// Those who have the relation themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

/// How the parts of a tree are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TreeKind {
    /// Whoever is in one part.
    Union,
    /// Whoever is in all parts.
    Intersection,
    /// There are no parts.
    Leaf,
}

impl RelationTree {
    /// Everybody in it, parts put together.
    pub fn all_subjects(&self) -> BTreeSet<&str> {
        let own = self.subjects.iter().map(String::as_str).collect::<BTreeSet<_>>();
        let mut parts = self.children.iter().map(RelationTree::all_subjects);
        match self.kind {
            TreeKind::Leaf => own,
            // The smaller goes into the larger one: a tree of many small parts costs no more than its size.
            TreeKind::Union => parts.fold(own, |all, part| {
                let (mut large, small) = if part.len() > all.len() { (part, all) } else { (all, part) };
                large.extend(small);
                large
            }),
            TreeKind::Intersection => {
                let first = if own.is_empty() { parts.next().unwrap_or_default() } else { own };
                parts.fold(first, |all, part| all.intersection(&part).copied().collect())
            }
        }
    }

    fn read(mut fields: Fields) -> Result<Self, Error> {
        let kind = match fields.required_text("type")?.as_str() {
            "union" => TreeKind::Union,
            "intersection" => TreeKind::Intersection,
            "leaf" => TreeKind::Leaf,
            _ => return Err(fields.fault(ProtocolFault::Other("a part of the tree is of an unknown type"))),
        };
        let children = fields.objects("children")?.into_iter().map(RelationTree::read);
        Ok(RelationTree {
            kind,
            children: children.collect::<Result<_, Error>>()?,
            object: fields.text("object")?,
            relation: fields.text("relation")?,
            subjects: fields.texts("subjects")?,
        })
    }
}

impl Operation for ExpandRelation {
    type Output = RelationTree;

    fn terms(&self) -> Terms {
        question(RELATION_EXPAND, Callers::ALL).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let ExpandRelation { object, relation } = self;
        thing("object", object, false)?;
        text("relation", relation)?;
        let body = json(&Body { object, relation, subject: None, user: None })?;
        Ok(context.to(RELATION_EXPAND).bytes("application/json", body))
    }

    fn response(&self, response: &Response) -> Result<Answer<RelationTree>, Error> {
        let mut fields = decision::read(RELATION_EXPAND.name(), response)?;
        let missing = fields.missing("tree");
        let tree = RelationTree::read(fields.object("tree")?.ok_or(missing)?)?;
        let same = |said: &Option<String>, own: &str| said.as_deref().is_none_or(|said| said == own);
        if same(&tree.object, &self.object) && same(&tree.relation, &self.relation) {
            return Ok(Answer::Done(tree));
        }
        Err(fields.fault(ProtocolFault::OtherAction))
    }
}

/// Writing and taking back differ in a word.
macro_rules! change {
    ($(#[$doc:meta])* $name:ident, $route:ident) => {
        $(#[$doc])*
        ///
        /// | part | | on the wire |
        /// |---|---|---|
        /// | object, relation, subject | REQUIRED | `object`, `relation`, `subject`, and in the tenant's layout `user` as well |
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Tuple);

        impl From<Tuple> for $name {
            fn from(tuple: Tuple) -> Self {
                $name(tuple)
            }
        }

        impl Operation for $name {
            type Output = ();

            fn terms(&self) -> Terms {
                Terms::new($route.name(), Effect::Repeatable, Auth::Bearer).callers(Callers::ALL)
            }

            fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
                Ok(context.to($route).bytes("application/json", self.0.body(context)?))
            }

            /// What the service answers is documented nowhere: any success is one, unless it reports an error.
            fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
                wire::done($route.name(), response).map(Answer::Done)
            }
        }
    };
}

change! {
    /// Writes a relation; writing it again changes nothing. `POST zanzibar/tuples`, for administrators.
    WriteTuple, TUPLE_WRITE
}
change! {
    /// Takes a relation back; taking it back again changes nothing. `DELETE zanzibar/tuples`, for administrators.
    DeleteTuple, TUPLE_DELETE
}
