//! Running an approved call, and waiting that another thread may end, in the blocking mount.

use serde_json::Value;

use super::cancel::unless;
use super::{Approvals, Cancel};
use crate::error::Error;
use crate::operations::PendingApproval;
use crate::session::{ApprovalOutcome, ApprovalProof};
use crate::tool_call::ToolCall;

impl Approvals {
    /// [`Approvals::wait`], until another thread ends it. The request goes on waiting at the service, and can be waited for again.
    ///
    /// # Errors
    /// As there, and [`Error::Cancelled`].
    pub fn wait_unless(&self, cancel: &Cancel, pending: &PendingApproval) -> Result<ApprovalOutcome, Error> {
        let machine = self.machines().wait(pending, None);
        unless(cancel, self.driver().outside(), &self.driver().transport, machine)
    }

    /// Runs the call that was approved: the function gets its arguments, and runs once, whoever else has the approval.
    ///
    /// The run is claimed before the function is called, and whatever it returns is the end of it. If it panics, or the process dies, nobody
    /// knows what was done: whoever comes next is told when it was claimed and by whom, and it does not run again.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// # use lumoauth::emulator::{Delivery, Emulator};
    /// use lumoauth::{ToolCall, approvals::Approval};
    ///
    /// # let emulator = Emulator::demo()?;
    /// # emulator.decide_approvals(Delivery::Approved);
    /// # let approvals = emulator.agent()?.approvals();
    /// let call = ToolCall::from_json("send_payment", r#"{"to": "bob", "amount": 100}"#)?;
    /// let proof = approvals.require(Approval::of(call.clone()).on_behalf_of("alice@acme.test"))?;
    /// let paid = approvals.run(&proof, &call, |arguments| arguments["amount"].as_u64())?;
    /// assert_eq!(paid, Some(100));
    /// assert!(approvals.run(&proof, &call, |_| ()).is_err());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Approval`] if it is another call, ran already, was claimed, or is over; [`Error::Store`]. In none of these the function was called.
    pub fn run<T>(
        &self,
        proof: &ApprovalProof,
        call: &ToolCall,
        function: impl FnOnce(&Value) -> T,
    ) -> Result<T, Error> {
        let claimed = self.claim(proof, call)?;
        let returned = function(call.arguments());
        self.ran(claimed);
        Ok(returned)
    }
}
