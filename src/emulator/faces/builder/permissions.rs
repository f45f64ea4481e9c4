//! How the emulator answers those who ask for permissions.

use super::EmulatorBuilder;
use crate::emulator::values::approvals::ApprovalForms;
use crate::emulator::values::jit::JitForms;

impl EmulatorBuilder {
    /// Which of the documented forms the answers about permissions just in time have.
    pub fn jit(mut self, forms: JitForms) -> Self {
        self.jit = forms;
        self
    }

    /// Which of the documented forms the answers about approvals have.
    pub fn approvals(mut self, forms: ApprovalForms) -> Self {
        self.approvals = forms;
        self
    }
}
