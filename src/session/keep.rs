//! One life for everything that one call fetches for many: a bounded, keyed keeper, and the machine that looks into it.

mod keeper;
mod life;
mod loan;
mod look;
mod numbers;
mod policy;
mod slot;
mod ticket;

pub(crate) use keeper::{Keeper, MOST_KEPT};
pub(crate) use life::{APART, Freshness, Life};
pub(crate) use loan::Loan;
pub(crate) use look::{Just, Keep, Kind, Lead, Told};
pub(crate) use policy::{Failures, Policy, remembered};
#[cfg(feature = "verify")]
pub(crate) use policy::{Misfit, asked};
pub(crate) use slot::Slot;
pub use ticket::Ticket;
