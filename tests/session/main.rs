//! The session in a virtual world: a scripted service, two clocks that the tests own, calls interleaved by a seed.
//!
//! Names begin with the number of the guarantee that they show; each prints the figure that it found.

mod apart;
mod flight;
mod leaders;
mod lifetimes;
mod orders;
mod outages;
mod properties;
mod refusals;
mod retries;
#[path = "../rounds/mod.rs"]
mod rounds;
mod server;
mod sharing;
mod shelves;
mod single;
mod threads;
mod time;
mod world;
