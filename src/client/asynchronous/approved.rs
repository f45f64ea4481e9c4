//! Running an approved call, in the async mount.

use std::future::Future;

use serde_json::Value;

use super::Approvals;
use crate::error::Error;
use crate::session::ApprovalProof;
use crate::tool_call::ToolCall;

impl Approvals {
    /// Runs the call that was approved: the function gets its arguments, and runs once, whoever else has the approval.
    ///
    /// The run is claimed before the function is called, and whatever its future gives is the end of it. If it panics, or is dropped before,
    /// or the process dies, nobody knows what was done: whoever comes next is told when it was claimed and by whom, and it does not run again.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// # use lumoauth::emulator::{Delivery, Emulator};
    /// use lumoauth::{ToolCall, approvals::Approval};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// # let emulator = Emulator::demo()?;
    /// # emulator.decide_approvals(Delivery::Approved);
    /// # let approvals = emulator.async_agent()?.approvals();
    /// let call = ToolCall::from_json("send_payment", r#"{"to": "bob", "amount": 100}"#)?;
    /// let proof = approvals.require(Approval::of(call.clone()).on_behalf_of("alice@acme.test")).await?;
    /// let paid = approvals.run(&proof, &call, async |arguments| arguments["amount"].as_u64()).await?;
    /// assert_eq!(paid, Some(100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap() }
    /// ```
    ///
    /// # Errors
    /// [`Error::Approval`] if it is another call, ran already, was claimed, or is over; [`Error::Store`]. In none of these the function was called.
    pub async fn run<'a, T, F>(
        &self,
        proof: &ApprovalProof,
        call: &'a ToolCall,
        function: impl FnOnce(&'a Value) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = T>,
    {
        let claimed = self.claim(proof, call).await?;
        let returned = function(call.arguments()).await;
        self.ran(claimed).await;
        Ok(returned)
    }
}
