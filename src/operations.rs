//! Every step of the protocol, one file per family. Each can be run by a client, driven by a session, or used by hand.

mod agents;
mod ask;
mod consent;
mod delegation;
mod device;
mod discovery;
mod exchange;
mod grants;
mod introspect;
mod raw;
mod token;

pub use agents::{
    AgentInfo, Budget, BudgetLimit, GetIdentity, GetInfo, Identity, Register, Registration, Workspace,
};
pub use ask::{Ask, Decision};
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) use consent::check_redirect_uri;
pub use consent::{AuthorizationRequest, Callback};
pub use delegation::{Delegation, UserSession, UserToken};
pub use device::{DeviceAuthorization, DeviceCode, PollDevice, PushAuthorization, PushedAuthorization};
pub use discovery::{GetMetadata, ServerMetadata};
pub use exchange::{Exchange, ExchangeTokenType};
pub use grants::{RedeemCode, Refresh, Revoke, TokenHint, TokenSet};
pub use introspect::{ActiveToken, Introspect, Introspection};
pub use raw::ApiRequest;
pub use token::ClientCredentials;
