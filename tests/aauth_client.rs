//! The client of agents with keys of their own, in both mounts: against a scripted service on a virtual clock, and over
//! real connections against the hostile server.
#![cfg(all(feature = "blocking", feature = "async", feature = "aauth"))]

#[cfg(feature = "ureq")]
mod hostile;

#[path = "aauth_client/world.rs"]
mod world;

#[path = "aauth_client/answers.rs"]
mod answers;
#[cfg(feature = "cli")]
#[path = "aauth_client/cli.rs"]
mod cli;
#[path = "aauth_client/flows.rs"]
mod flows;
#[cfg(feature = "ureq")]
#[path = "aauth_client/once.rs"]
mod once;
#[path = "aauth_client/renewal.rs"]
mod renewal;
