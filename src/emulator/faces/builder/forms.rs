//! Which of the documented forms the emulator's answers have.

use super::EmulatorBuilder;
use crate::emulator::values::settings::{AAuthWire, AuthzWire};

impl EmulatorBuilder {
    /// Writes `act` with the newest agent outermost, as RFC 8693 section 4.1 has it. By default the first agent is
    /// outermost, as LumoAuth's guide has it.
    pub fn rfc_actor_order(mut self, on: bool) -> Self {
        self.rfc_actor_order = on;
        self
    }

    /// Refuses an exchange that asks for too much with `invalid_scope` (RFC 8693 section 2.2.2) instead of
    /// `insufficient_scope`.
    pub fn too_wide_is_invalid_scope(mut self, on: bool) -> Self {
        self.too_wide_is_invalid_scope = on;
        self
    }

    /// Answers a pushed authorization request with 200 instead of 201 (RFC 9126 section 2.2).
    pub fn pushed_requests_answer_200(mut self, on: bool) -> Self {
        self.pushed_is_ok = on;
        self
    }

    /// Which documented form the answers of AAuth's token endpoint have; [`AAuthWire::Current`] by default.
    pub fn aauth_wire(mut self, wire: AAuthWire) -> Self {
        self.aauth_wire = wire;
        self
    }

    /// Which documented form the answers to checks have; [`AuthzWire::Current`] by default.
    pub fn authz_wire(mut self, wire: AuthzWire) -> Self {
        self.authz_wire = wire;
        self
    }
}
