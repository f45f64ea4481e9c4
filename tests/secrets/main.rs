//! No secret in any text or log. A process of its own, because the log is the process'.
#![cfg(feature = "ureq")]

mod canary;
#[path = "../hostile/mod.rs"]
mod hostile;
mod log;
mod texts;
