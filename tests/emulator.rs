//! The emulator through its public faces: the engine in process, and the server over real sockets.
#![cfg(feature = "emulator")]

#[path = "emulator/http.rs"]
mod http_face;
#[path = "emulator/in_process.rs"]
mod in_process;
#[path = "emulator/strict.rs"]
mod strict;
#[path = "emulator/support.rs"]
mod support;
