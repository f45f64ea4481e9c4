//! A local LumoAuth: one engine without a clock or a socket of its own, used in process and over HTTP on loopback.
//!
//! The engine is [`Emulator::handle`]: a request and a time go in, a response comes out. It checks what the real service
//! checks and refuses what the RFCs refuse, so that a test that passes here means something. Tests seed it, move its
//! clock, order faults, and read its logs.
//!
//! ```
//! use lumoauth::emulator::{Emulator, FaultRule};
//! use lumoauth::{embed::{operations::routes, wire::Request}, http::Method};
//!
//! let emulator = Emulator::demo()?;
//! let keys = Request::new(Method::GET, emulator.site().url(routes::JWKS));
//! assert_eq!(emulator.handle_in_process(&keys).response.status(), 200);
//!
//! emulator.fault(FaultRule::on("wellknown.jwks").status(503).retry_after("3"))?;
//! assert_eq!(emulator.handle_in_process(&keys).response.status(), 503);
//! assert_eq!(emulator.count("wellknown.jwks")?, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
mod engine;
mod faces;
mod services;
mod state;
mod values;

#[cfg(any(feature = "blocking", feature = "async"))]
pub use faces::agents::AgentError;
pub use faces::approvals::AskedPerson;
pub use faces::builder::EmulatorBuilder;
pub use faces::control::{DecisionError, PendingConsent};
pub use faces::emulator::{Emulator, UnknownAgent};
pub use faces::http::{ServeError, Served};
#[cfg(any(feature = "blocking", feature = "async"))]
pub use faces::in_process::InProcess;
pub use faces::permissions::PendingPermission;
pub use state::log::{AuditEntry, LogEntry};
pub use state::tokens::TokenKind;
pub use values::answer::{Cut, Fault, Reply};
pub use values::approvals::{ApprovalForms, Delivery};
pub use values::error::{BuildError, UnknownRoute};
pub use values::faults::{FaultRule, FaultRuleError};
pub use values::jit::{JitChallenge, JitForms};
pub use values::seed::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, ApiKeySeed, AuthLevel, BudgetSeed, ConnectionSeed,
    McpServerSeed, Tenant, UserSeed,
};
pub use values::settings::{AAuthWire, AuthzWire};
pub use values::workload::WorkloadIssuer;
