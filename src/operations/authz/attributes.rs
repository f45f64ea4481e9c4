//! The attributes that policies go by: of whoever asks, of users, of things; and what attributes there are.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Callers, text};
use crate::error::Error;
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Page, Request, Response, page, read_page};

/// The attributes of whoever asks.
pub const MY_ATTRIBUTES: Route = Route::get("abac.my_attributes", "abac/my-attributes");
/// An attribute of a user is set here.
pub const USER_ATTRIBUTE_SET: Route =
    Route::put("abac.user_attribute.set", "abac/users/{user_id}/attributes/{attribute_slug}");
/// The attributes of a thing.
pub const RESOURCE_ATTRIBUTES: Route =
    Route::get("abac.resource_attributes", "abac/resources/{resource_type}/{resource_id}/attributes");
/// An attribute of a thing is set here.
pub const RESOURCE_ATTRIBUTE_SET: Route = Route::put(
    "abac.resource_attribute.set",
    "abac/resources/{resource_type}/{resource_id}/attributes/{attribute_slug}",
);
/// What attributes there are.
pub const ATTRIBUTE_DEFINITIONS: Route =
    Route::get("abac.attribute_definitions", "abac/attribute-definitions");
pub(super) const ROUTES: &[Route] =
    &[MY_ATTRIBUTES, USER_ATTRIBUTE_SET, RESOURCE_ATTRIBUTES, RESOURCE_ATTRIBUTE_SET, ATTRIBUTE_DEFINITIONS];

fn terms(route: Route, effect: Effect) -> Terms {
    Terms::new(route.name(), effect, Auth::Bearer).callers(Callers::PRINCIPALS).body_limit(1024 * 1024)
}

/// Attributes by their names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Attributes {
    /// Whose they are, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The values.
    pub values: Map<String, Value>,
}

impl Attributes {
    /// The attributes stand in a member of their own, or are the answer.
    fn read(route: Route, response: &Response, owner: &'static str) -> Result<Answer<Self>, Error> {
        let mut fields = wire::read(route.name(), response)?;
        Ok(Answer::Done(match fields.object("attributes")? {
            Some(values) => Attributes { owner: fields.identifier(owner)?, values: values.rest() },
            None => Attributes { owner: None, values: fields.rest() },
        }))
    }
}

/// Reads the attributes of whoever asks. `GET abac/my-attributes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetMyAttributes;

impl Operation for GetMyAttributes {
    type Output = Attributes;

    fn terms(&self) -> Terms {
        terms(MY_ATTRIBUTES, Effect::Read)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(MY_ATTRIBUTES))
    }

    fn response(&self, response: &Response) -> Result<Answer<Attributes>, Error> {
        Attributes::read(MY_ATTRIBUTES, response, "user_id")
    }
}

/// Reads the attributes of a thing. `GET abac/resources/{resource_type}/{resource_id}/attributes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetResourceAttributes {
    resource_type: String,
    resource_id: String,
}

impl GetResourceAttributes {
    /// Of this thing.
    pub fn new(resource_type: impl Into<String>, resource_id: impl Into<String>) -> Self {
        GetResourceAttributes { resource_type: resource_type.into(), resource_id: resource_id.into() }
    }
}

impl Operation for GetResourceAttributes {
    type Output = Attributes;

    fn terms(&self) -> Terms {
        terms(RESOURCE_ATTRIBUTES, Effect::Read)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        context.to_with(RESOURCE_ATTRIBUTES, &[&self.resource_type, &self.resource_id])
    }

    fn response(&self, response: &Response) -> Result<Answer<Attributes>, Error> {
        Attributes::read(RESOURCE_ATTRIBUTES, response, "resourceId")
    }
}

/// The value on the wire.
fn value(request: Request, attribute: &str, value: &Value) -> Result<Request, Error> {
    text("attribute", attribute)?;
    Ok(request.json(&json!({ "value": value })))
}

/// Sets an attribute of a user. `PUT abac/users/{user_id}/attributes/{attribute_slug}`. A user's token needs the scope
/// `abac:write` and the permission `abac.manage`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | user, attribute | REQUIRED | in the path |
/// | value | REQUIRED | `value` |
#[derive(Clone, Debug, PartialEq)]
pub struct SetUserAttribute {
    user: String,
    attribute: String,
    value: Value,
}

impl SetUserAttribute {
    /// Sets this attribute of this user.
    pub fn new(user: impl Into<String>, attribute: impl Into<String>, value: impl Into<Value>) -> Self {
        SetUserAttribute { user: user.into(), attribute: attribute.into(), value: value.into() }
    }
}

impl Operation for SetUserAttribute {
    type Output = ();

    fn terms(&self) -> Terms {
        terms(USER_ATTRIBUTE_SET, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let request = context.to_with(USER_ATTRIBUTE_SET, &[&self.user, &self.attribute])?;
        value(request, &self.attribute, &self.value)
    }

    fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
        wire::done(USER_ATTRIBUTE_SET.name(), response).map(Answer::Done)
    }
}

/// Sets an attribute of a thing. `PUT abac/resources/{resource_type}/{resource_id}/attributes/{attribute_slug}`. A user's token needs
/// what [`SetUserAttribute`] needs.
///
/// | part | | on the wire |
/// |---|---|---|
/// | resource type and id, attribute | REQUIRED | in the path |
/// | value | REQUIRED | `value` |
#[derive(Clone, Debug, PartialEq)]
pub struct SetResourceAttribute {
    resource: GetResourceAttributes,
    attribute: String,
    value: Value,
}

impl SetResourceAttribute {
    /// Sets this attribute of this thing.
    pub fn new(
        resource_type: impl Into<String>,
        resource_id: impl Into<String>,
        attribute: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        let resource = GetResourceAttributes::new(resource_type, resource_id);
        SetResourceAttribute { resource, attribute: attribute.into(), value: value.into() }
    }
}

impl Operation for SetResourceAttribute {
    type Output = ();

    fn terms(&self) -> Terms {
        terms(RESOURCE_ATTRIBUTE_SET, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let GetResourceAttributes { resource_type, resource_id } = &self.resource;
        let ids = [resource_type.as_str(), resource_id, &self.attribute];
        value(context.to_with(RESOURCE_ATTRIBUTE_SET, &ids)?, &self.attribute, &self.value)
    }

    fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
        wire::done(RESOURCE_ATTRIBUTE_SET.name(), response).map(Answer::Done)
    }
}

/// Lists what attributes there are. `GET abac/attribute-definitions`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | of what: `user`, `resource` or `environment` | OPTIONAL | `type` |
/// | page, from 1 | OPTIONAL | `page` |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListAttributeDefinitions {
    of: Option<String>,
    page: Option<u32>,
}

impl ListAttributeDefinitions {
    /// All of them.
    pub fn new() -> Self {
        ListAttributeDefinitions::default()
    }

    /// Only those of `user`, `resource` or `environment`.
    pub fn of(mut self, of: impl Into<String>) -> Self {
        self.of = Some(of.into());
        self
    }

    /// Another page, from 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }
}

/// One page of attributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttributePage {
    /// The attributes of this page.
    pub definitions: Vec<AttributeDefinition>,
    /// Where this page stands among the others, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// An attribute that there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttributeDefinition {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name in policies.
    pub slug: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of what it is: `user`, `resource` or `environment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_type: Option<String>,
    /// What its values are, such as `string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// What else the service says of it.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Operation for ListAttributeDefinitions {
    type Output = AttributePage;

    fn terms(&self) -> Terms {
        terms(ATTRIBUTE_DEFINITIONS, Effect::Read)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let of = self.of.as_deref().map(|of| ("type", of));
        page(context.to(ATTRIBUTE_DEFINITIONS), self.page, None, of.as_slice())
    }

    fn response(&self, response: &Response) -> Result<Answer<Self::Output>, Error> {
        let listed = read_page(ATTRIBUTE_DEFINITIONS.name(), response, &["data", "attributes"])?;
        let definitions = listed.items.into_iter().map(|mut item| {
            Ok(AttributeDefinition {
                id: item.identifier("id")?,
                slug: item.required_text("slug")?,
                name: item.text("name")?,
                attribute_type: item.text("attributeType")?,
                data_type: item.text("dataType")?,
                extra: item.rest(),
            })
        });
        let definitions = definitions.collect::<Result<_, Error>>()?;
        Ok(Answer::Done(AttributePage { definitions, page: listed.page }))
    }
}
