//! Every step of the protocol, one file per family. Each can be run by a client, driven by a session, or used by hand.

#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub mod aauth;
mod agents;
mod approvals;
mod ask;
pub mod authz;
mod consent;
mod decision;
mod delegation;
mod demand;
mod device;
mod discovery;
mod exchange;
mod grants;
mod introspect;
mod jit;
mod logout;
mod mcp;
mod proof;
mod raw;
pub mod routes;
mod signed;
mod standing;
mod surroundings;
mod token;
mod vault;

#[cfg(feature = "emulator")]
pub(crate) use agents::PRIVATE_MEMBERS;
pub use agents::{
    AgentInfo, Budget, BudgetLimit, GetIdentity, GetInfo, Identity, Register, Registration, Workspace,
};
#[cfg(feature = "calls")]
pub(crate) use approvals::OwnRun;
pub use approvals::{
    Approval, ApprovalState, ApprovalStatus, Approver, CreatedApproval, GetApproval, Impact, NotDelivered,
    PendingApproval, RequestApproval, WaitForApproval,
};
pub use ask::Ask;
pub(crate) use consent::check_redirect_uri;
pub use consent::{AccessType, AuthorizationRequest, Callback, Prompt};
pub use decision::Decision;
pub use delegation::{Claimed, Delegation, Person, Revocation, SubAgent, UserSession, UserTimes};
pub(crate) use demand::{Demand, challenged_url, choose_scopes, granted, union, wants_more};
pub use device::{DeviceAuthorization, DeviceCode, PollDevice, PushAuthorization, PushedAuthorization};
pub(crate) use discovery::NO_S256;
pub use discovery::{GetMetadata, ServerMetadata};
pub use exchange::{Exchange, ExchangeTokenType};
pub use grants::{RedeemCode, Refresh, Revoke, TokenHint, TokenSet};
pub use introspect::{ActiveToken, Introspect, Introspection};
pub(crate) use jit::demanded_details;
#[allow(unused_imports)] // of the clients
pub(crate) use jit::reviewers_token;
pub use jit::{
    ApprovePermission, Approved, AuthorizationDetails, BeginTask, CompleteTask, Denied, DenyPermission,
    EvaluateTask, Evaluation, Expired, FileAction, GetPendingPermissions, GetPermission, JitTask,
    PaymentAction, Pending, PendingPermission, Permission, QueryAction, RequestPermission, Review, Risk,
    TakePermissionToken, TaskEnd, TaskResult, UserDataAction,
};
pub use logout::EndSession;
pub(crate) use mcp::server_url;
pub use mcp::{GetResourceMetadata, McpToken, ResourceMetadata, resource_metadata_urls};
pub use proof::{Allowed, AllowedDynamic, Granted, GuardedAction};
pub use raw::ApiRequest;
pub use signed::Signed;
pub use standing::{
    AgentCard, Attest, Attested, AuthorizeTool, CardVerdict, GetAgentCard, Identified, VerifyAgentCard,
};
pub use token::ClientCredentials;
pub(crate) use token::bearer;
pub use vault::{Connection, ConnectionPage, GetVaultToken, ListConnections, VaultToken};
