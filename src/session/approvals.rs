//! Approvals by people: asking once, waiting, and who runs what was approved. Pure machines over a store.

mod ask;
#[cfg(feature = "calls")]
mod claim;
mod list;
mod outcome;
mod record;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "calls")]
pub use claim::ClaimedRun;
pub use outcome::{ApprovalOutcome, ApprovalProof, DeniedApproval};

use self::ask::Ask;
use self::list::List;
use self::wait::Wait;
use super::part::Within;
use super::{Machine, Session};
use crate::operations::{Approval, CreatedApproval, PendingApproval, RequestApproval};
#[cfg(feature = "calls")]
use crate::tool_call::ToolCall;

/// The whole time of a call here, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(15);
/// How long a store keeps who ran what: for those who come to look.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// Approvals by people, as a session asks for them. Cheap to clone.
///
/// Its machines ask for a store ([`Action::Store`](super::Action::Store)) if they were told that the driver has one.
#[derive(Clone)]
pub struct Approvals {
    session: Session,
    in_store: bool,
    owner: Arc<str>,
}

impl Approvals {
    /// Of this agent, without a store: what it asks for runs in this process alone.
    pub fn new(session: &Session) -> Self {
        Approvals { session: session.clone(), in_store: false, owner: Arc::from("this process") }
    }

    /// The driver has a store, which decides who runs what was approved.
    pub fn in_store(mut self) -> Self {
        self.in_store = true;
        self
    }

    /// Names whoever runs calls here, for those who find a claim.
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.owner = Arc::from(name.into());
        self
    }

    /// The machine that asks a person.
    pub fn ask(&self, approval: Approval) -> impl Machine<Output = CreatedApproval> + Send + use<> {
        Within::new(Ask::new(self, RequestApproval::new(approval)), self.total())
    }

    /// The machine that waits for the person's decision: until the request is over, or for so long.
    pub fn wait(
        &self,
        pending: &PendingApproval,
        patience: Option<Duration>,
    ) -> impl Machine<Output = ApprovalOutcome> + Send + use<> {
        // The store is asked before and after.
        let total = patience.unwrap_or(Duration::MAX).saturating_add(self.total());
        Within::new(Wait::new(self, pending.clone(), patience), total)
    }

    /// The machine that finds the approvals in the store that can be waited for, those that end first in front.
    pub fn kept(&self) -> impl Machine<Output = Vec<PendingApproval>> + Send + use<> {
        Within::new(List::new(), self.total())
    }

    /// The machine that claims the run of an approved call: one claim succeeds, whoever makes it.
    #[cfg(feature = "calls")]
    pub fn claim(
        &self,
        proof: &ApprovalProof,
        call: &ToolCall,
    ) -> impl Machine<Output = ClaimedRun> + Send + use<> {
        Within::new(claim::Claim::new(self, proof, call.clone()), self.total())
    }

    /// The machine that says that the call has returned.
    #[cfg(feature = "calls")]
    pub fn ran(&self, run: ClaimedRun) -> impl Machine<Output = ()> + Send + use<> {
        Within::new(claim::Ran::new(run), self.total())
    }

    fn total(&self) -> Duration {
        self.session.total().unwrap_or(TOTAL)
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Approvals { session, in_store, owner } = self;
        f.debug_struct("Approvals")
            .field("session", session)
            .field("in_store", in_store)
            .field("owner", owner)
            .finish()
    }
}
