//! Checks of permissions, relations and policies, for agents, users and services.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;

use super::run::Driver;
use super::{dual, example, twin};
use crate::error::Error;
use crate::operations::Decision;
use crate::operations::authz::{
    Answers, AttributePage, Attributes, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies,
    CheckPolicy, CheckRelation, DeleteTuple, Evaluate, EvaluateAll, ExpandRelation, GetMyAttributes,
    GetResourceAttributes, ListAttributeDefinitions, ListPermissions, PermissionPage, RelationTree,
    SetResourceAttribute, SetUserAttribute, Tuple, WriteTuple,
};

#[doc = twin!("What users and agents may do, as the service knows it: `agent.authz()` or `client.authz()`.", "Authz")]
///
/// Cheap to make and to clone. Every question is about whoever the credential belongs to, unless it names a subject. A denial is a value;
/// [`Decision::require`] turns it into an error. Anything but a clear answer is an error, never an allow.
///
#[doc = example!("let authz = agent.authz();\nassert!(authz.permission(\"document.read\")", "?.allowed());\n\n// Is the agent a viewer of the document, itself or by what the document is in? Nobody said so.\nlet tuple = Tuple::viewer(\"document:doc-123\", \"agent:agt_demo\");\nassert!(!authz.relation(tuple)", "?.allowed());")]
#[derive(Clone)]
pub struct Authz {
    driver: Driver,
}

impl Authz {
    pub(super) fn new(driver: &Driver) -> Self {
        Authz { driver: driver.clone() }
    }
}

#[dual(AFIT)]
impl Authz {
    /// Is there this permission?
    ///
    /// # Errors
    /// All that a call can end with: "not known" is an error.
    pub async fn permission(&self, question: impl Into<CheckPermission> + Send) -> Result<Decision, Error> {
        let question = question.into();
        self.driver.turn(self.driver.session.decide(question)?).await
    }

    /// Is there one of these permissions?
    ///
    /// # Errors
    /// As [`Authz::permission`].
    pub async fn any_permission(&self, question: CheckAny) -> Result<Decision, Error> {
        self.driver.turn(self.driver.session.decide(question)?).await
    }

    /// Are there all of these permissions?
    ///
    /// # Errors
    /// As [`Authz::permission`].
    pub async fn all_permissions(&self, question: CheckAll) -> Result<Decision, Error> {
        self.driver.turn(self.driver.session.decide(question)?).await
    }

    /// Which of these permissions are there? A hundred are asked in one request, more in several, within one deadline.
    ///
    #[doc = example!("let answers = agent.authz().permissions(CheckPermissions::new([\"document.read\", \"user.delete\"]))", "?;\nassert!(answers.is_allowed(0) && !answers.is_allowed(1));")]
    ///
    /// # Errors
    /// As [`Authz::permission`] if nothing was answered. If a later request fails, the questions that were not answered are errors at their places.
    pub async fn permissions(&self, question: CheckPermissions) -> Result<Answers, Error> {
        self.driver.turn(self.driver.session.check_permissions(question)).await
    }

    /// The permissions of whoever asks, a page at a time.
    ///
    /// # Errors
    /// All that a call can end with; [`Error::Input`] with an API key.
    pub async fn list_permissions(&self, page: ListPermissions) -> Result<PermissionPage, Error> {
        self.driver.run(page).await
    }

    /// Does the subject have the relation to the object, itself or by inheritance?
    ///
    /// # Errors
    /// As [`Authz::permission`].
    pub async fn relation(&self, tuple: Tuple) -> Result<Decision, Error> {
        self.driver.turn(self.driver.session.decide(CheckRelation::new(tuple))?).await
    }

    /// Who has the relation to the object? For people and reports: decide by [`Authz::relation`].
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn expand(&self, question: ExpandRelation) -> Result<RelationTree, Error> {
        self.driver.run(question).await
    }

    /// Writes a relation. Writing it again changes nothing.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn write_relation(&self, tuple: Tuple) -> Result<(), Error> {
        self.driver.run(WriteTuple::from(tuple)).await
    }

    /// Takes a relation back. Taking it back again changes nothing.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn delete_relation(&self, tuple: Tuple) -> Result<(), Error> {
        self.driver.run(DeleteTuple::from(tuple)).await
    }

    /// Do the policies allow this? For agents and users: API keys are refused.
    ///
    /// # Errors
    /// As [`Authz::permission`].
    pub async fn policy(&self, question: CheckPolicy) -> Result<Decision, Error> {
        self.driver.turn(self.driver.session.decide(question)?).await
    }

    /// Do the policies allow each of these? A hundred are asked in one request, more in several, within one deadline.
    ///
    /// # Errors
    /// As [`Authz::permissions`].
    pub async fn policies(&self, question: CheckPolicies) -> Result<Answers, Error> {
        self.driver.turn(self.driver.session.check_policies(question)).await
    }

    /// May the subject do the action to the resource, in the form of AuthZEN?
    ///
    /// # Errors
    /// As [`Authz::permission`].
    pub async fn evaluate(&self, question: Evaluate) -> Result<Decision, Error> {
        self.driver.turn(self.driver.session.decide(question)?).await
    }

    /// Several evaluations. A hundred are asked in one request, more in several, within one deadline.
    ///
    /// # Errors
    /// As [`Authz::permissions`].
    pub async fn evaluate_all(&self, question: EvaluateAll) -> Result<Answers, Error> {
        self.driver.turn(self.driver.session.evaluate_all(question)).await
    }

    /// The attributes of whoever asks.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn my_attributes(&self) -> Result<Attributes, Error> {
        self.driver.run(GetMyAttributes).await
    }

    /// The attributes of a thing.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn resource_attributes(&self, of: GetResourceAttributes) -> Result<Attributes, Error> {
        self.driver.run(of).await
    }

    /// Sets an attribute of a user.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn set_user_attribute(&self, set: SetUserAttribute) -> Result<(), Error> {
        self.driver.run(set).await
    }

    /// Sets an attribute of a thing.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn set_resource_attribute(&self, set: SetResourceAttribute) -> Result<(), Error> {
        self.driver.run(set).await
    }

    /// What attributes there are, a page at a time.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn attribute_definitions(
        &self,
        list: ListAttributeDefinitions,
    ) -> Result<AttributePage, Error> {
        self.driver.run(list).await
    }
}

impl fmt::Debug for Authz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authz { driver } = self;
        f.debug_struct("Authz").field("session", &driver.session).finish_non_exhaustive()
    }
}
