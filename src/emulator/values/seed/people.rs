//! The users of a tenant, and what they have agreed to.

use serde_json::Value;

/// A user to start with: who signs in and consents.
#[derive(Clone, Debug)]
#[must_use = "a user does nothing until it is handed to a tenant"]
pub struct UserSeed {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) display: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) claims: Vec<(String, Value)>,
    pub(crate) roles: Vec<String>,
    pub(crate) attributes: Vec<(String, Value)>,
    /// Has a device to be asked on.
    pub(crate) device: bool,
}

impl UserSeed {
    /// A user of this name: letters, digits and `-_.~@`. The `sub` of the user's tokens is `user:<name>`.
    pub fn new(name: impl Into<String>) -> Self {
        UserSeed {
            name: name.into(),
            email: None,
            display: None,
            scopes: Vec::new(),
            claims: Vec::new(),
            roles: Vec::new(),
            attributes: Vec::new(),
            device: true,
        }
    }

    /// The address, for the scope `email` (OpenID Connect Core 1.0 section 5.4).
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// The name for people, for the scope `profile` and the consent page.
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.display = Some(name.into());
        self
    }

    /// Adds a scope that the user may give to a client. What a user does not have, no consent gives.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.scopes([scope])
    }

    /// Adds scopes that the user may give to a client.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds a claim to the user's ID tokens and to what `oauth.userinfo` says, whatever the scopes.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Adds a role, whose permissions the tenant says ([`Tenant::role`](super::Tenant::role)).
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Sets an attribute that policies may go by.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The user has no device to be asked on: questions of agents become a mail.
    pub fn without_device(mut self) -> Self {
        self.device = false;
        self
    }

    /// True if the user may give this scope away: its own, and those of OpenID Connect.
    pub(crate) fn may_grant(&self, scope: &str) -> bool {
        is_standard(scope) || self.scopes.iter().any(|own| own == scope)
    }
}

/// The scopes that every client may ask a user for (OpenID Connect Core 1.0 sections 5.4 and 11).
pub(crate) const STANDARD_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

pub(crate) fn is_standard(scope: &str) -> bool {
    STANDARD_SCOPES.contains(&scope)
}

/// The scope of a user who may review what agents ask for just in time.
pub(crate) const MAY_REVIEW: &str = "jit:approve";

/// What a user lets a client do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consent {
    pub user: String,
    pub client_id: String,
    pub scopes: Vec<String>,
}
