//! Values: what everything else in the emulator is told, given and answers with. They hold nothing and serve nobody.

pub(crate) mod answer;
pub(crate) mod approvals;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod html;
pub(crate) mod incoming;
pub(crate) mod jit;
pub(crate) mod jwt;
pub(crate) mod layout;
pub(crate) mod lifetime;
pub(crate) mod policy;
pub(crate) mod redirect;
pub(crate) mod relations;
pub(crate) mod scope;
pub(crate) mod seed;
pub(crate) mod settings;
pub(crate) mod shown;
pub(crate) mod workload;
