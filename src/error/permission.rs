//! Why a permission that was asked for just in time permits nothing.

use super::{because, inert};

/// Why there is no permission. Nothing that needs it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// It was denied.
    #[error("the permission was denied (request {}){}", inert(.request_id), because(.reason))]
    Denied {
        /// The request's id.
        request_id: String,
        /// Why, in the service's or the reviewer's words.
        reason: Option<String>,
    },
    /// Nobody decided in time, or its token is over. It is not asked for again by itself: make a new request.
    #[error("the permission is over (request {}): make a new request", inert(.request_id))]
    Expired {
        /// The request's id.
        request_id: String,
    },
    /// Nobody has decided yet: wait for it, now or later, by the request's id.
    #[error("nobody has decided yet (request {})", inert(.request_id))]
    Pending {
        /// The request's id.
        request_id: String,
    },
    /// The token is for something else than what was asked for, so that it is not what was approved. It is not used.
    #[error("the token is for something else than what was asked for (request {})", inert(.request_id))]
    OtherDetails {
        /// The request's id.
        request_id: String,
    },
}

impl PermissionError {
    /// The request's id.
    pub fn request_id(&self) -> &str {
        match self {
            PermissionError::Denied { request_id, .. }
            | PermissionError::Expired { request_id }
            | PermissionError::Pending { request_id }
            | PermissionError::OtherDetails { request_id } => request_id,
        }
    }
}
