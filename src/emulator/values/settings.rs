//! What an emulator is set to, from its start to its end.

use std::time::Duration;

use serde_json::Value;

use super::approvals::ApprovalForms;
use super::jit::JitForms;
use super::workload::WorkloadIssuer;

/// What stays the same from start to end.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long access tokens live, in seconds.
    pub lifetime: u64,
    /// Requests a minute and tenant, all routes but the token endpoint.
    pub rate_limit: Option<u32>,
    /// Requests a minute and tenant to the token endpoint.
    pub token_rate_limit: Option<u32>,
    /// How long codes live, in seconds.
    pub code_lifetime: u64,
    /// How long refresh tokens live, in seconds.
    pub refresh_lifetime: u64,
    pub consent: Mode,
    /// `act` with the newest agent outermost, as RFC 8693 has it.
    pub rfc_actor_order: bool,
    /// An exchange that asks for too much is `invalid_scope`, not `insufficient_scope`.
    pub too_wide_is_invalid_scope: bool,
    /// Clients with a secret may do without PKCE.
    pub pkce_is_optional: bool,
    /// A pushed request is answered with 200, not 201.
    pub pushed_is_ok: bool,
    /// `authorization_servers` are issuers, not metadata URLs.
    pub issuers_in_resource_metadata: bool,
    /// Which form the answers of AAuth's token endpoint have.
    pub aauth_wire: AAuthWire,
    /// Which form the answers of permissions, relations and policies have.
    pub authz_wire: AuthzWire,
    /// How long a client of the server may take to send a request, or to take an answer.
    pub patience: Duration,
    /// Claims of every access token.
    pub claims: Vec<(String, Value)>,
    /// Pages of other sites may read discovery documents and keys.
    pub cors: bool,
    /// Which form the answers about approvals have.
    pub approvals: ApprovalForms,
    /// Which form the answers about permissions just in time have.
    pub jit: JitForms,
    /// The platforms whose tokens are known.
    pub issuers: Vec<WorkloadIssuer>,
}

/// Who decides about consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A person on the page.
    Page,
    /// This user agrees to everything.
    Consent(String),
    /// Nobody agrees to anything.
    Deny,
}

/// Which of the documented forms the answers of `aauth.agent.token` have (`docs/wire.md`, aauth-token and aauth-consent).
/// Requests are read in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AAuthWire {
    /// `auth_token`; consent is a 200 with `authorization_uri`; refresh tokens stay, and need a fresh resource token.
    #[default]
    Current,
    /// `access_token` as Bearer; consent is a 401 with `auth_url`; each refresh token is replaced by the next; resource
    /// tokens that name no agent are taken.
    Older,
}

/// Which of the documented forms the answers to checks of permissions, relations and policies have (`docs/wire.md`, rows R). Requests are
/// read in all of them, and questions to policies in the form with `subject` and `resource` are answered in that form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthzWire {
    /// `subject_type` and `subject_id` in answers, ids of users as texts.
    #[default]
    Current,
    /// `user_id` alone, as a number; `user` in place of `subject`; what a policy was decided by in `evaluationContext`.
    Older,
}
