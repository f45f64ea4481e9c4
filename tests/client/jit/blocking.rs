//! The flows in the blocking client.

use super::{Emulator, Hook, Request};
use lumoauth::embed::wire::Response;
use lumoauth::emulator::InProcess;
use lumoauth::error::TransportError;
pub use lumoauth::jit::Reviewer;
use lumoauth::time::Now;
use lumoauth::{Agent, Transport};
use std::time::Duration;

macro_rules! flow {
    ($name:ident $body:block) => {
        #[test]
        fn $name() {
            $body
        }
    };
}

macro_rules! w {
    ($call:expr) => {
        $call
    };
}

struct Hooked(Emulator, InProcess, Hook);

impl Transport for Hooked {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        (self.2)(&self.0, &request);
        self.1.send(request)
    }

    fn sleep(&self, duration: Duration) {
        self.1.sleep(duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.1.now()
    }
}

pub fn agent(emulator: &Emulator) -> Agent {
    emulator.agent().unwrap()
}

pub fn hooked(emulator: &Emulator, hook: Hook) -> Agent {
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant(emulator.tenant());
    let builder = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    builder.build_with(Hooked(emulator.clone(), emulator.transport(), hook)).unwrap()
}

#[allow(clippy::duplicate_mod)]
#[path = "flows.rs"]
mod flows;
