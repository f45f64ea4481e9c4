//! The flows in the async client.

use super::{Emulator, Hook, Request};
pub use lumoauth::asynchronous::jit::Reviewer;
use lumoauth::asynchronous::{Agent, Io, Transport};
use lumoauth::embed::wire::Response;
use lumoauth::emulator::InProcess;
use lumoauth::error::TransportError;
use lumoauth::time::Now;
use std::time::Duration;

macro_rules! flow {
    ($name:ident $body:block) => {
        #[test]
        fn $name() {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async $body)
        }
    };
}

macro_rules! w {
    ($call:expr) => {
        $call.await
    };
}

struct Hooked(Emulator, InProcess, Hook);

impl Transport for Hooked {
    fn send(&self, request: Request) -> Io<'_, Result<Response, TransportError>> {
        (self.2)(&self.0, &request);
        Transport::send(&self.1, request)
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        Transport::sleep(&self.1, duration)
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.1)
    }
}

pub fn agent(emulator: &Emulator) -> Agent {
    emulator.async_agent().unwrap()
}

pub fn hooked(emulator: &Emulator, hook: Hook) -> Agent {
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant(emulator.tenant());
    let builder = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    builder.build_with(Hooked(emulator.clone(), emulator.transport(), hook)).unwrap()
}

#[allow(clippy::duplicate_mod)]
#[path = "flows.rs"]
mod flows;
