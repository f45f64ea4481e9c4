//! Who signed in: what a session knows of its user beside the user's tokens.

use std::fmt;

use serde_json::{Map, Value};

use crate::claims::UnverifiedClaims;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Who signed in, by an ID token that was verified, and until when that counts.
#[derive(Clone, PartialEq)]
pub struct Person {
    subject: String,
    issuer: String,
    claims: Map<String, Value>,
    id_token: Secret,
    since: Timestamp,
    until: Timestamp,
}

impl Person {
    /// The subject of this issuer, as the **verified** ID token says, with its other claims; from now until then.
    pub fn new(
        (issuer, subject): (&str, &str),
        claims: Map<String, Value>,
        id_token: Secret,
        since: Timestamp,
        until: Timestamp,
    ) -> Self {
        Person { subject: subject.to_owned(), issuer: issuer.to_owned(), claims, id_token, since, until }
    }

    /// `sub`: who it is. Unique within the issuer only.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `iss`: who says so.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The ID token's other claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The ID token itself, for [`EndSession`](crate::embed::operations::EndSession).
    pub fn id_token(&self) -> &Secret {
        &self.id_token
    }

    /// False for an ID token that is of somebody else by its own words, or cannot be read. It is not verified: it came from the service
    /// itself, and gives nobody anything.
    pub(super) fn may_be_of(&self, id_token: &Secret) -> bool {
        match UnverifiedClaims::of_jwt(id_token) {
            Ok(None) => true,
            Ok(Some(told)) => {
                told.unverified_subject() == Some(&self.subject)
                    && told.unverified_claims().get("iss").and_then(Value::as_str) == Some(&self.issuer)
            }
            Err(_) => false,
        }
    }

    /// When the person signed in here.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When the session is over, whatever becomes of its tokens.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Person { subject, issuer, claims, id_token, since, until } = self;
        f.debug_struct("Person")
            .field("subject", subject)
            .field("issuer", issuer)
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .field("id_token", id_token)
            .field("since", since)
            .field("until", until)
            .finish()
    }
}
