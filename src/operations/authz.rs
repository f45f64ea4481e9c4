//! What users and agents may do: permissions of roles, relations between things, policies over attributes, and AuthZEN
//! (`docs/wire.md`, rows R).

mod answers;
mod attributes;
mod evaluation;
mod permissions;
mod policies;
mod relations;

use std::time::Duration;

use serde::Serialize;

pub use answers::Answers;
pub(crate) use answers::InParts;
pub use attributes::{
    AttributeDefinition, AttributePage, Attributes, GetMyAttributes, GetResourceAttributes,
    ListAttributeDefinitions, SetResourceAttribute, SetUserAttribute,
};
pub use evaluation::{Evaluate, EvaluateAll};
pub use permissions::{
    CheckAll, CheckAny, CheckPermission, CheckPermissions, ListPermissions, Permission, PermissionPage,
};
pub use policies::{CheckPolicies, CheckPolicy};
pub use relations::{CheckRelation, DeleteTuple, ExpandRelation, RelationTree, Tuple, WriteTuple};

use crate::error::{Error, InputError};
use crate::operation::{Auth, Callers, Effect, Terms};
use crate::route::Route;

/// The most questions that one request asks. More are asked in several.
pub const MOST: usize = 100;

/// The routes of this family.
pub mod routes {
    pub use super::attributes::{
        ATTRIBUTE_DEFINITIONS, MY_ATTRIBUTES, RESOURCE_ATTRIBUTE_SET, RESOURCE_ATTRIBUTES, USER_ATTRIBUTE_SET,
    };
    pub use super::evaluation::{EVALUATION, EVALUATIONS};
    pub use super::permissions::{CHECK, CHECK_ALL, CHECK_ANY, CHECK_BULK, PERMISSIONS};
    pub use super::policies::{POLICY_CHECK, POLICY_CHECK_BULK};
    pub use super::relations::{RELATION_CHECK, RELATION_EXPAND, TUPLE_DELETE, TUPLE_WRITE};
    use super::{Route, attributes, evaluation, permissions, policies, relations};

    pub(in crate::operations) const FAMILIES: &[&[Route]] =
        &[permissions::ROUTES, relations::ROUTES, policies::ROUTES, attributes::ROUTES, evaluation::ROUTES];
}

/// The terms of a question: it changes nothing, and somebody waits for it.
fn question(route: Route, callers: Callers) -> Terms {
    Terms::new(route.name(), Effect::Read, Auth::Bearer).callers(callers).total(Duration::from_secs(8))
}

/// A body of JSON.
fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(value).map_err(|_| InputError::new("context", "cannot be written as JSON"))?)
}

/// A text that says something.
fn text(name: &'static str, text: &str) -> Result<(), InputError> {
    if text.chars().all(char::is_whitespace) { Err(InputError::new(name, "is empty")) } else { Ok(()) }
}

/// Who is asked about: a user or an agent, by id. Without one it is whoever the credential belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Subject {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

impl Subject {
    /// A user.
    pub fn user(id: impl Into<String>) -> Self {
        Subject { kind: "user", id: id.into() }
    }

    /// An agent.
    pub fn agent(id: impl Into<String>) -> Self {
        Subject { kind: "agent", id: id.into() }
    }

    /// `user` or `agent`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A thing by its type and id: `document` and `42`. As a text it is `document:42`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Entity {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl Entity {
    /// The thing of this type and id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Entity { kind: kind.into(), id: id.into() }
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Everybody who has this relation to it, as a subject: `group:eng#member`.
    pub fn having(&self, relation: &str) -> String {
        format!("{}:{}#{relation}", self.kind, self.id)
    }

    fn check(&self, name: &'static str) -> Result<(), InputError> {
        text(name, &self.kind).and(text(name, &self.id))
    }
}

impl From<Entity> for String {
    fn from(entity: Entity) -> Self {
        format!("{}:{}", entity.kind, entity.id)
    }
}

impl<K: Into<String>, I: Into<String>> From<(K, I)> for Entity {
    fn from((kind, id): (K, I)) -> Self {
        Entity::new(kind, id)
    }
}

impl From<Subject> for Entity {
    fn from(subject: Subject) -> Self {
        Entity::new(subject.kind, subject.id)
    }
}
