//! Asking people before acting, and running what they approved.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::agent::Agent;
use super::run::Driver;
use super::{Store, dual, example, twin};
use crate::error::Error;
use crate::operations::{Approval, ApprovalStatus, CreatedApproval, Decision, GetApproval, PendingApproval};
use crate::secret::Secret;
use crate::session::{self, ApprovalOutcome, ApprovalProof, ClaimedRun};
use crate::tool_call::ToolCall;

#[doc = twin!("Asks people before the agent acts, and runs what they approved: exactly that, and once.", "Approvals")]
///
/// Cheap to clone. Made by [`Agent::approvals`]. An approval that was asked for here may run here. To have it run in another process, or after this one has
/// ended, give the store that both share ([`Approvals::store`]).
///
#[doc = example!("# use lumoauth::{emulator::Delivery, ToolCall};\n# use serde_json::json;\n# emulator.decide_approvals(Delivery::Approved);\nuse lumoauth::approvals::Approval;\n\nlet payment = json!({\"to\": \"bob\", \"amount\": 100});\nlet approval = Approval::for_call(\"send_payment\", &payment)?.on_behalf_of(\"alice@acme.test\");\nlet approvals = agent.approvals();\nlet proof = approvals.require(approval)", "?;\nassert_eq!(proof.call_sha256(), Some(&*ToolCall::new(\"send_payment\", &payment)?.sha256()));")]
#[derive(Clone)]
pub struct Approvals {
    driver: Driver,
    approvals: session::Approvals,
}

impl Agent {
    /// Asks people before the agent acts: [`Approvals`].
    pub fn approvals(&self) -> Approvals {
        let driver = self.driver().clone();
        let approvals = session::Approvals::new(&driver.session);
        Approvals { approvals: approvals.owner(format!("process {}", std::process::id())), driver }
    }
}

impl Approvals {
    /// Keeps what is asked for in this store, in which the first claim of an approved call wins, whichever process makes it. One store is for
    /// one agent at one service, or for several whose approvals may be listed together.
    ///
    /// The record is made before anybody is asked. A store that ends with the process (a [`MemoryStore`](crate::store::MemoryStore)) lets a call run
    /// in no other one.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.driver.store = Some(Arc::new(store));
        self.approvals = self.approvals.in_store();
        self
    }

    /// Names this process for those who find that it claimed a call; the number of the process if not set.
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.approvals = self.approvals.owner(name);
        self
    }

    /// Goes on from the text of [`PendingApproval::to_text`], here or in another process. What was approved runs only if it was asked for with
    /// the store that is given here; without, it can be waited for.
    ///
    /// # Errors
    /// [`Error::Input`] if it is no such text.
    pub fn resume(&self, text: impl Into<Secret>) -> Result<PendingApproval, Error> {
        Ok(PendingApproval::from_text(&text.into())?)
    }
}

impl Approvals {
    #[allow(dead_code)] // of the blocking mount
    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    #[allow(dead_code)]
    pub(super) fn machines(&self) -> &session::Approvals {
        &self.approvals
    }
}

#[dual(AFIT)]
impl Approvals {
    /// Asks a person, once: if it is not known whether the question arrived, it is not asked again.
    ///
    /// # Errors
    /// [`Error::Input`] for what cannot be asked, before anything is sent; [`Error::OutcomeUnknown`] if the question may have arrived; all that a
    /// call can end with.
    pub async fn create(&self, approval: Approval) -> Result<CreatedApproval, Error> {
        self.driver.turn(self.approvals.ask(approval)).await
    }

    /// Asks a person for what a decision denied: the denied action, with the context that it was decided by.
    ///
    /// # Errors
    /// [`Error::Input`] for a decision that allows; as [`Approvals::create`].
    pub async fn request_for(
        &self,
        decision: &Decision,
        on_behalf_of: impl Into<String> + Send,
    ) -> Result<CreatedApproval, Error> {
        let approval = Approval::for_denied(decision)?.on_behalf_of(on_behalf_of);
        self.driver.turn(self.approvals.ask(approval)).await
    }

    /// What became of it so far.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the answer is about another token, task, impact or reason; all that a call can end with.
    pub async fn status(&self, pending: &PendingApproval) -> Result<ApprovalStatus, Error> {
        self.driver.run(GetApproval::new(pending)).await
    }

    /// Waits for the person until the request is over. It asks at once, after 1.5 s, and then after longer pauses up to 5 s; a question that fails is asked
    /// again.
    ///
    /// # Errors
    /// [`Error::Approval`] if the store says that the call ran already, or was claimed; as [`Approvals::status`].
    pub async fn wait(&self, pending: &PendingApproval) -> Result<ApprovalOutcome, Error> {
        self.driver.turn(self.approvals.wait(pending, None)).await
    }

    /// Waits for the person for so long at most; then the outcome is [`ApprovalOutcome::TimedOut`].
    ///
    /// # Errors
    /// As [`Approvals::wait`].
    pub async fn wait_for(
        &self,
        pending: &PendingApproval,
        patience: Duration,
    ) -> Result<ApprovalOutcome, Error> {
        self.driver.turn(self.approvals.wait(pending, Some(patience))).await
    }

    /// Asks a person, and waits for the decision.
    ///
    /// # Errors
    /// As [`Approvals::create`] and [`Approvals::wait`].
    pub async fn ask(&self, approval: Approval) -> Result<ApprovalOutcome, Error> {
        match self.create(approval).await? {
            CreatedApproval::Pending(pending) => self.wait(&pending).await,
            CreatedApproval::NotDelivered(nobody) => Ok(ApprovalOutcome::NotDelivered(nobody)),
        }
    }

    /// Asks a person, waits, and goes on only if it was approved.
    ///
    /// # Errors
    /// [`Error::Approval`], which says why it was not; as [`Approvals::ask`].
    pub async fn require(&self, approval: Approval) -> Result<ApprovalProof, Error> {
        self.ask(approval).await?.require()
    }

    /// The approvals in the store that can still be waited for, those that end first in front.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn kept(&self) -> Result<Vec<PendingApproval>, Error> {
        self.driver.turn(self.approvals.kept()).await
    }

    pub(super) async fn claim(&self, proof: &ApprovalProof, call: &ToolCall) -> Result<ClaimedRun, Error> {
        self.driver.turn(self.approvals.claim(proof, call)).await
    }

    /// The call has returned. Its result is not lost if that cannot be written down: whoever asks next does not know of it.
    pub(super) async fn ran(&self, run: ClaimedRun) {
        if let Err(error) = self.driver.turn(self.approvals.ran(run)).await {
            log::warn!("an approved call has run, and the store does not know that it returned: {error}");
        }
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Approvals { driver: _, approvals } = self;
        f.debug_struct("Approvals").field("approvals", approvals).finish_non_exhaustive()
    }
}
