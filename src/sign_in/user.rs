//! Who is signed in.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::SignInError;
use crate::operations::{Person, UserSession};
use crate::scopes::Scopes;
use crate::time::Timestamp;
use crate::token::AccessToken;

/// Somebody who is signed in, by an ID token that was verified and a session that stands.
///
/// Cheap to clone. It is of one request: whoever signs out meanwhile is not signed in at the next one.
#[derive(Clone)]
pub struct User {
    session: Arc<UserSession>,
    person: Arc<Person>,
    access: AccessToken,
}

impl User {
    /// None if nobody signed in, or that is over.
    pub(crate) fn of(session: &Arc<UserSession>, now: Timestamp) -> Option<Self> {
        let person = session.person().filter(|_| !session.is_over(now))?;
        let access = session.good_token(now)?;
        Some(User { session: Arc::clone(session), person: Arc::new(person.clone()), access })
    }

    /// `sub`: who it is. Unique within the issuer only; the one claim to know people by.
    pub fn subject(&self) -> &str {
        self.person.subject()
    }

    /// `iss`: who says so.
    pub fn issuer(&self) -> &str {
        self.person.issuer()
    }

    /// `email`, if the service told it (scope `email`). It may change, and says nothing of who it is unless `email_verified` is true.
    pub fn email(&self) -> Option<&str> {
        self.claims().get("email")?.as_str()
    }

    /// `name`, if the service told it (scope `profile`).
    pub fn name(&self) -> Option<&str> {
        self.claims().get("name")?.as_str()
    }

    /// The ID token's other claims, as they were at the sign-in.
    pub fn claims(&self) -> &Map<String, Value> {
        self.person.claims()
    }

    /// What the session's token may do.
    pub fn scopes(&self) -> &Scopes {
        self.access.scopes()
    }

    /// The user's access token, to call the service in the user's name ([`ClientBuilder::user_token`](crate::ClientBuilder::user_token)).
    pub fn access_token(&self) -> &AccessToken {
        &self.access
    }

    /// When the user signed in here.
    pub fn signed_in_at(&self) -> Timestamp {
        self.person.since()
    }

    /// When the session is over in any case.
    pub fn until(&self) -> Timestamp {
        self.person.until()
    }

    /// True if the session is renewed at the service when its token ends; else it ends with its token.
    pub fn renews(&self) -> bool {
        self.session.refresh_token().is_some()
    }

    /// That the session's token has all these scopes.
    ///
    /// # Errors
    /// [`SignInError::InsufficientScope`] with those that it lacks.
    pub fn require_scopes(&self, scopes: impl Into<Scopes>) -> Result<(), SignInError> {
        let missing = scopes.into().without(self.scopes());
        if missing.is_empty() { Ok(()) } else { Err(SignInError::InsufficientScope { missing }) }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let User { session: _, person, access } = self;
        f.debug_struct("User").field("person", person).field("access", access).finish_non_exhaustive()
    }
}
