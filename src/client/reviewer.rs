//! A person who decides about what agents ask for just in time.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;

use super::run::Driver;
use super::{Transport, dual, twin};
use crate::error::Error;
use crate::operations::{
    ApprovePermission, DenyPermission, GetPendingPermissions, PendingPermission, Review, reviewers_token,
};
use crate::secret::Secret;
use crate::session::{Session, Settings};
use crate::site::Site;
use crate::token::AccessToken;

#[doc = twin!("A person who decides about permissions, with that person's own token.", "jit::Reviewer")]
///
/// **Security:** an agent must not decide about what it asks for itself. The token is the one that the person signed in with; an agent's,
/// one by which an agent acts for a user, and an API key are refused before anything is sent. Nothing in an agent's program should hold a
/// reviewer's token.
#[derive(Clone)]
pub struct Reviewer {
    driver: Driver,
    token: AccessToken,
}

impl Reviewer {
    /// With this token of the person's own, on this transport.
    ///
    /// # Errors
    /// [`Error::Input`] if the token says that it is an agent's, or looks like an API key.
    pub fn with_transport(
        site: &Site,
        user_token: impl Into<Secret>,
        transport: impl Transport + 'static,
    ) -> Result<Self, Error> {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let token = reviewers_token(user_token.into(), transport.glance()?.wall)?;
        let session = Session::new(Settings::new(site.clone()));
        let driver = Driver {
            session,
            transport,
            givers: Default::default(),
            signer: None,
            store: None,
            tokens: None,
        };
        Ok(Reviewer { driver, token })
    }
}

#[dual(AFIT)]
impl Reviewer {
    /// What waits for a decision: the first page of it, 25 at most. What it says, agents wrote.
    ///
    /// # Errors
    /// All that a call can end with; 403 if the person may not review.
    pub async fn pending(&self) -> Result<Vec<PendingPermission>, Error> {
        self.driver.run(GetPendingPermissions::new(self.token.clone())).await
    }

    /// Another page, from 1, with so many on it, 100 at most.
    ///
    /// # Errors
    /// As [`Reviewer::pending`].
    pub async fn pending_page(&self, page: u32, limit: u32) -> Result<Vec<PendingPermission>, Error> {
        self.driver.run(GetPendingPermissions::new(self.token.clone()).page(page).limit(limit)).await
    }

    /// Approves a request. A message, if there is one, is for the agent.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] if nobody knows whether it took effect: list what waits. All that a call can end with.
    pub async fn approve(&self, request_id: &str, message: Option<&str>) -> Result<Review, Error> {
        let approve = ApprovePermission::new(self.token.clone(), request_id);
        self.driver.run(message.into_iter().fold(approve, ApprovePermission::message)).await
    }

    /// Denies a request, for this reason.
    ///
    /// # Errors
    /// As [`Reviewer::approve`].
    pub async fn deny(&self, request_id: &str, reason: &str) -> Result<Review, Error> {
        self.driver.run(DenyPermission::new(self.token.clone(), request_id).reason(reason)).await
    }
}

impl fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reviewer { driver: _, token } = self;
        f.debug_struct("Reviewer").field("token", token).finish_non_exhaustive()
    }
}
