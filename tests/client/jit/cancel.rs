//! Calls that wait are ended from another thread, whatever they are at.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use lumoauth::embed::operations::{DeviceAuthorization, PollDevice};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{Emulator, InProcess};
use lumoauth::error::TransportError;
use lumoauth::jit::{AuthorizationDetails, FileAction};
use lumoauth::time::Now;
use lumoauth::{Agent, Cancel, Error, Transport};

/// Opened once, for ever.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |open| !*open).unwrap());
    }
}

/// Requests to this path hang, and so do pauses, until the test is over.
struct Stuck {
    inner: InProcess,
    path: &'static str,
    stuck: Gate,
    over: Gate,
}

impl Transport for Stuck {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        if !self.path.is_empty() && request.url().path().ends_with(self.path) {
            self.stuck.open();
            self.over.pass();
        }
        self.inner.send(request)
    }

    fn sleep(&self, duration: Duration) {
        self.stuck.open();
        self.inner.sleep(duration);
        std::thread::yield_now();
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.inner.now()
    }
}

fn agent(emulator: &Emulator, path: &'static str) -> (Agent, Gate, Gate) {
    let (stuck, over) = (Gate::default(), Gate::default());
    let transport = Stuck { inner: emulator.transport(), path, stuck: stuck.clone(), over: over.clone() };
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant(emulator.tenant());
    let builder = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    (builder.build_with(transport).unwrap(), stuck, over)
}

/// A thread that ends the call when it is stuck. If that had no effect the test would never end.
fn ends(cancel: &Cancel, stuck: &Gate) {
    let (cancel, stuck) = (cancel.clone(), stuck.clone());
    std::thread::spawn(move || {
        stuck.pass();
        cancel.cancel();
    });
}

const LONG: Duration = Duration::from_secs(1_000_000_000);

#[test]
fn f14_waiting_for_a_decision_ends_at_once() {
    for path in ["/status", ""] {
        let forms = lumoauth::emulator::JitForms::new().patience(LONG);
        let emulator =
            Emulator::builder().tenant(lumoauth::emulator::Tenant::demo()).jit(forms).build().unwrap();
        let (agent, stuck, over) = agent(&emulator, path);
        let task = agent.jit().begin("clean up").unwrap();
        let details = AuthorizationDetails::file_access([FileAction::Delete]);
        let permission = task.request(details.clone()).unwrap();
        let cancel = Cancel::new();
        ends(&cancel, &stuck);
        let error = agent.jit().wait_unless(&cancel, permission.request_id(), &details, LONG).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error:?}");
        assert!(cancel.is_cancelled());
        // A handle that was used ends what is begun later, before anything is sent.
        let before = emulator.count_all();
        assert!(agent.jit().wait_unless(&cancel, permission.request_id(), &details, LONG).is_err());
        assert_eq!(emulator.count_all(), before);
        over.open();
        task.finish().unwrap();
    }
}

#[test]
fn f14_a_device_stops_polling_at_once() {
    let emulator = Emulator::demo().unwrap();
    let (agent, stuck, over) = agent(&emulator, "");
    let code = agent.run(DeviceAuthorization::new("openid")).unwrap();
    let poll: PollDevice = code.poll();
    let cancel = Cancel::new();
    ends(&cancel, &stuck);
    let error = agent.run_unless(&cancel, poll).unwrap_err();
    // The emulator's clock runs while nobody waits for it: the code may be over first.
    assert!(matches!(error, Error::Cancelled | Error::DeadlineExceeded { .. } | Error::Api(_)), "{error:?}");
    over.open();
    // What is not cancelled runs as ever.
    assert!(agent.run_unless(&Cancel::new(), lumoauth::Ask::new("read_document")).unwrap().allowed());
}
