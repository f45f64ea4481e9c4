//! Every step of the protocol, one file per family. Each can be run by a client, driven by a session, or used by hand.

mod agents;
mod ask;
mod raw;
mod token;

pub use agents::{
    AgentInfo, Budget, BudgetLimit, GetIdentity, GetInfo, Identity, Register, Registration, Workspace,
};
pub use ask::{Ask, Decision};
pub use raw::ApiRequest;
pub use token::ClientCredentials;
