//! Permissions that roles give (RBAC): one, any of several, all of several, each of many, and the list.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::answers::in_parts;
use super::{Answers, MOST, Subject, json, question, text};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Callers, Context, Operation, Terms};
use crate::operations::Decision;
use crate::operations::decision::{self, allowed, echoed, undisputed};
use crate::operations::surroundings::Surroundings;
use crate::route::Route;
use crate::wire::{Page, Request, Response, page, read_page};

/// One permission is asked about here.
pub const CHECK: Route = Route::post("authz.check", "authz/check").unprefixed("authz/check");
/// Each of many permissions is.
pub const CHECK_BULK: Route =
    Route::post("authz.check_bulk", "authz/check-bulk").unprefixed("authz/check-bulk");
/// Whether one of several is there.
pub const CHECK_ANY: Route = Route::post("authz.check_any", "authz/check-any").unprefixed("authz/check-any");
/// Whether all of several are.
pub const CHECK_ALL: Route = Route::post("authz.check_all", "authz/check-all").unprefixed("authz/check-all");
/// The permissions of whoever asks are listed here.
pub const PERMISSIONS: Route =
    Route::get("authz.permissions", "authz/permissions").unprefixed("authz/permissions");
pub(super) const ROUTES: &[Route] = &[CHECK, CHECK_BULK, CHECK_ANY, CHECK_ALL, PERMISSIONS];

/// What the questions have in common.
#[derive(Clone, Debug, Default, PartialEq)]
struct About {
    context: Surroundings,
    subject: Option<Subject>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Surroundings::is_empty")]
    context: &'a Surroundings,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Subject>,
}

impl About {
    fn request(
        &self,
        context: &Context<'_>,
        route: Route,
        permission: Option<&str>,
        permissions: Option<&[String]>,
    ) -> Result<Request, Error> {
        if let Some(subject) = &self.subject {
            text("subject", subject.id())?;
        }
        for permission in permission.into_iter().chain(permissions.into_iter().flatten().map(String::as_str))
        {
            text("permission", permission)?;
        }
        if permissions.is_some_and(<[String]>::is_empty) {
            return Err(InputError::new("permissions", "are none: name one at least").into());
        }
        self.context.check("context")?;
        let body = Body { permission, permissions, context: &self.context, subject: self.subject.as_ref() };
        Ok(context.to(route).bytes("application/json", json(&body)?))
    }

    /// The answer must be about whom we asked about. Older services say so as `user_id` only: one that does not know subjects answers
    /// for whoever asks, which must not pass for an answer about an agent either.
    fn check(&self, fields: &mut Fields) -> Result<(), Error> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let (kind, id) = (fields.value("subject_type"), fields.value("subject_id"));
        let user = if id.is_none() { fields.value("user_id") } else { None };
        let same = |said: Option<Value>, own: &str| match said {
            None => true,
            Some(Value::String(text)) => text == own,
            Some(Value::Number(number)) => !number.is_f64() && number.to_string() == own,
            Some(_) => false,
        };
        let about_a_user = user.is_none() || subject.kind() == "user";
        if about_a_user && same(kind, subject.kind()) && same(id, subject.id()) && same(user, subject.id()) {
            return Ok(());
        }
        Err(fields.fault(ProtocolFault::Other("the answer is about somebody else than the one asked about")))
    }
}

macro_rules! about {
    ($($name:ident),*) => { $(
        impl $name {
            /// Asks about somebody else than whoever the credential belongs to. That takes the scope `authz:check`, or the
            /// permission `authz.check`.
            pub fn subject(mut self, subject: Subject) -> Self {
                self.about.subject = Some(subject);
                self
            }

            /// Adds what the decision may depend on: an object. Anything else is an [`InputError`], and nothing is asked. The keys
            /// `ip`, `userAgent`, `requestMethod` and `requestPath` are the service's own.
            pub fn context(mut self, context: impl Into<Value>) -> Self {
                self.about.context.add(context.into());
                self
            }
        }
    )* };
}
about!(CheckPermission, CheckPermissions, CheckAny, CheckAll);

/// Is there this permission? `POST authz/check`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | permission | REQUIRED | `permission` |
/// | subject | OPTIONAL, whoever asks | `subject`, as an object |
/// | context | OPTIONAL | `context`, left out when empty |
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPermission {
    permission: String,
    about: About,
}

impl CheckPermission {
    /// Asks about a permission by its slug, such as `document.read`.
    pub fn new(permission: impl Into<String>) -> Self {
        CheckPermission { permission: permission.into(), about: About::default() }
    }
}

impl<T: Into<String>> From<T> for CheckPermission {
    fn from(permission: T) -> Self {
        CheckPermission::new(permission)
    }
}

impl Operation for CheckPermission {
    type Output = Decision;

    fn terms(&self) -> Terms {
        question(CHECK, Callers::ALL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.about.request(context, CHECK, Some(&self.permission), None)
    }

    fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
        let mut fields = decision::read(CHECK.name(), response)?;
        let allowed = allowed(&mut fields, "allowed")?;
        echoed(&mut fields, "permission", &self.permission)?;
        self.about.check(&mut fields)?;
        Ok(Answer::Done(Decision::of(fields, allowed, &self.permission, self.about.context.members())?))
    }
}

/// The two questions about a list, which differ in a word.
macro_rules! of_several {
    ($(#[$doc:meta])* $name:ident, $route:ident, $joint:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            permissions: Vec<String>,
            about: About,
        }

        impl $name {
            /// Asks about these permissions, by their slugs.
            pub fn new<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
                let permissions = permissions.into_iter().map(Into::into).collect();
                $name { permissions, about: About::default() }
            }
        }

        impl Operation for $name {
            type Output = Decision;

            fn terms(&self) -> Terms {
                question($route, Callers::ALL)
            }

            fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
                self.about.request(context, $route, None, Some(&self.permissions))
            }

            fn response(&self, response: &Response) -> Result<Answer<Decision>, Error> {
                let mut fields = decision::read($route.name(), response)?;
                let allowed = allowed(&mut fields, "allowed")?;
                let own = self.permissions.iter().collect::<BTreeSet<_>>();
                let said = fields.texts("permissions")?;
                // Services may leave out what is there twice, and say it in another order.
                if !said.is_empty() && said.iter().collect::<BTreeSet<_>>() != own {
                    return Err(fields.fault(ProtocolFault::OtherAction));
                }
                self.about.check(&mut fields)?;
                let action = self.permissions.join($joint);
                Ok(Answer::Done(Decision::of(fields, allowed, &action, self.about.context.members())?))
            }
        }
    };
}

of_several! {
    /// Is there one of these permissions? `POST authz/check-any`. Parts as of [`CheckPermission`], with a list.
    CheckAny, CHECK_ANY, " or "
}
of_several! {
    /// Are there all of these permissions? `POST authz/check-all`. Parts as of [`CheckPermission`], with a list.
    CheckAll, CHECK_ALL, " and "
}

/// Which of these permissions are there? `POST authz/check-bulk`, 100 a request.
///
/// Parts as of [`CheckPermission`], with a list. The answers are in the order of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPermissions {
    permissions: Vec<String>,
    about: About,
}

impl CheckPermissions {
    /// Asks about each of these permissions, by their slugs.
    pub fn new<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        let permissions = permissions.into_iter().map(Into::into).collect();
        CheckPermissions { permissions, about: About::default() }
    }

    /// How many questions it has.
    pub fn len(&self) -> usize {
        self.permissions.len()
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_empty()
    }

    /// The requests that it takes, in order: one for each hundred questions.
    pub fn split(self) -> Vec<Self> {
        if self.permissions.len() <= MOST {
            return vec![self];
        }
        let part = |own: &[String]| CheckPermissions { permissions: own.to_vec(), about: self.about.clone() };
        self.permissions.chunks(MOST).map(part).collect()
    }
}

in_parts!(CheckPermissions);

impl Operation for CheckPermissions {
    type Output = Answers;

    fn terms(&self) -> Terms {
        question(CHECK_BULK, Callers::ALL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.permissions.len() > MOST {
            return Err(InputError::new("permissions", "are more than 100: split them").into());
        }
        self.about.request(context, CHECK_BULK, None, Some(&self.permissions))
    }

    fn response(&self, response: &Response) -> Result<Answer<Answers>, Error> {
        let mut fields = decision::read(CHECK_BULK.name(), response)?;
        self.about.check(&mut fields)?;
        let missing = fields.missing("results");
        let results = fields.object("results")?.ok_or(missing)?.rest();
        let any = results.values().any(|value| value == &Value::Bool(true));
        undisputed(&mut fields, any)?;
        let outcomes =
            self.permissions.iter().map(|permission| match results.get(permission) {
                Some(Value::Bool(allowed)) => {
                    Ok(Decision::bare(*allowed, permission).within(self.about.context.members().clone()))
                }
                Some(other) => Err(fields.mistyped("a result", "true or false", other)),
                None => Err(fields
                    .fault(ProtocolFault::Other("the answer leaves out a permission that was asked about"))),
            });
        Ok(Answer::Done(Answers::from_outcomes(outcomes.collect())))
    }
}

/// Lists the permissions of whoever asks, a page at a time. `GET authz/permissions`, for agents, and for users' tokens with the scope
/// `authz:read`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | page, from 1 | OPTIONAL | `page` |
/// | how many on a page, 25 unless set, 100 at most | OPTIONAL | `limit` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListPermissions {
    page: Option<u32>,
    limit: Option<u32>,
}

impl ListPermissions {
    /// The first page.
    pub fn new() -> Self {
        ListPermissions::default()
    }

    /// Another page, from 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// How many there are on a page.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// One page of permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PermissionPage {
    /// Whose they are, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The permissions of this page.
    pub permissions: Vec<Permission>,
    /// Where this page stands among the others, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// A permission and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Permission {
    /// Its slug.
    pub slug: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What gives it, such as `role:editor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Operation for ListPermissions {
    type Output = PermissionPage;

    fn terms(&self) -> Terms {
        question(PERMISSIONS, Callers::PRINCIPALS).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        page(context.to(PERMISSIONS), self.page, self.limit, &[])
    }

    fn response(&self, response: &Response) -> Result<Answer<PermissionPage>, Error> {
        let mut listed = read_page(PERMISSIONS.name(), response, &["data", "permissions"])?;
        let permissions = listed.items.into_iter().map(|mut item| {
            Ok(Permission {
                slug: item.required_text("slug")?,
                description: item.text("description")?,
                source: item.text("source")?,
            })
        });
        let permissions = permissions.collect::<Result<_, Error>>()?;
        let user_id = listed.rest.as_mut().map(|rest| rest.identifier("user_id")).transpose()?.flatten();
        Ok(Answer::Done(PermissionPage { user_id, permissions, page: listed.page }))
    }
}
