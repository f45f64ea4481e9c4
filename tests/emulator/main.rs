//! The emulator through its public faces: the engine in process, and the server over real sockets.
#![cfg(feature = "emulator")]

mod agency;
mod agents;
mod authz;
mod browser;
mod console;
mod console_strangers;
mod elsewhere;
mod hostile;
#[path = "http.rs"]
mod http_face;
mod in_process;
mod permissions;
mod pkce;
#[path = "../rounds/mod.rs"]
mod rounds;
mod settings;
mod strangers;
mod strict;
mod support;
