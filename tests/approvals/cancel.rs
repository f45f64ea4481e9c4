//! Waiting ends at once when somebody says so, from any thread: in a pause, and in the middle of a question; for permissions and devices too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use lumoauth::approvals::PendingApproval;
use lumoauth::embed::operations::{DeviceAuthorization, DeviceCode};
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{Emulator, InProcess};
use lumoauth::error::TransportError;
use lumoauth::jit::{AuthorizationDetails, FileAction};
use lumoauth::time::Now;
use lumoauth::{Agent, Cancel, Error, Response, Transport};

use super::support::{approve, ask};

/// The longest request there is.
const LONG: Duration = Duration::from_secs(3600);
/// After so long a thread that was to end is called stuck: nothing depends on it but how soon a failure is seen.
const STUCK: Duration = Duration::from_secs(120);

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

/// Pauses, or questions whether somebody has decided, do not end before the gate is open. It says when one has begun.
struct Endless {
    inner: InProcess,
    /// Where questions end that hang; none does if there is nothing.
    path: Option<&'static str>,
    began: Mutex<Sender<()>>,
    gate: Gate,
    pauses: Arc<AtomicUsize>,
}

impl Endless {
    fn hang(&self) {
        let _ = self.began.lock().unwrap().send(());
        self.gate.pass();
    }
}

impl Transport for Endless {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        if self.path.is_some_and(|path| request.url().path().ends_with(path)) {
            self.hang();
        }
        Transport::send(&self.inner, request)
    }

    fn sleep(&self, duration: Duration) {
        if self.path.is_none() {
            self.pauses.fetch_add(1, Ordering::SeqCst);
            self.hang();
        }
        Transport::sleep(&self.inner, duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }
}

/// What is waited for.
#[derive(Clone)]
enum Wait {
    Approval(PendingApproval),
    Permission(String),
    Device(Box<DeviceCode>),
}

/// Its name, and where the questions about it end.
const KINDS: [(&str, &str); 3] =
    [("approval", "/status"), ("permission", "/status"), ("device", "/oauth/token")];

fn details() -> AuthorizationDetails {
    AuthorizationDetails::file_access([FileAction::Delete])
}

impl Wait {
    fn begin(kind: &str, agent: &Agent) -> Self {
        match kind {
            "approval" => Wait::Approval(ask(&agent.approvals())),
            "permission" => {
                // Left to the agent, the task would be ended, and its requests with it.
                let task = Box::leak(Box::new(agent.jit().begin("clean up").unwrap()));
                Wait::Permission(task.request(details()).unwrap().request_id().to_owned())
            }
            _ => Wait::Device(Box::new(agent.run(DeviceAuthorization::new("openid")).unwrap())),
        }
    }

    /// True if the person agreed.
    fn unless(&self, cancel: &Cancel, agent: &Agent) -> Result<bool, Error> {
        Ok(match self {
            Wait::Approval(pending) => agent.approvals().wait_unless(cancel, pending)?.is_approved(),
            Wait::Permission(id) => agent.jit().wait_unless(cancel, id, &details(), LONG)?.is_approved(),
            Wait::Device(code) => agent.run_unless(cancel, code.poll()).map(|_| true)?,
        })
    }

    fn agree(&self, emulator: &Emulator) {
        match self {
            Wait::Approval(_) => approve(emulator),
            Wait::Permission(id) => emulator.approve_permission(id).unwrap(),
            Wait::Device(code) => emulator.approve_device(&code.user_code, "alice").unwrap(),
        }
    }
}

fn agent(emulator: &Emulator, transport: impl Transport + 'static) -> Agent {
    let agent = Agent::builder().base_url(emulator.site().base_url()).tenant(emulator.tenant());
    let agent = agent.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    agent.build_with(transport).unwrap()
}

/// The time from the word to the end of the call. What it was at, a pause or a question, has not ended by then.
#[allow(clippy::disallowed_methods)] // it is about real time
fn cancelled_after(kind: (&str, &'static str), asks: bool) -> Duration {
    let emulator = Emulator::demo().unwrap();
    let gate = Gate::default();
    let (said, began): (Sender<()>, Receiver<()>) = channel();
    let pauses = Arc::new(AtomicUsize::new(0));
    let waiting = Endless {
        inner: emulator.transport(),
        path: asks.then_some(kind.1),
        began: Mutex::new(said),
        gate: gate.clone(),
        pauses: Arc::clone(&pauses),
    };
    // What comes before is not held up.
    let free = agent(&emulator, emulator.transport());
    let wait = Wait::begin(kind.0, &free);
    let own = agent(&emulator, waiting);
    if kind.1 != "/oauth/token" {
        own.ensure_authenticated().unwrap();
    }
    let cancel = Cancel::new();
    let (done, ended) = channel();
    let thread = {
        let (wait, own, cancel) = (wait.clone(), own.clone(), cancel.clone());
        std::thread::spawn(move || {
            let outcome = wait.unless(&cancel, &own);
            done.send((std::time::Instant::now(), outcome)).unwrap();
        })
    };
    began.recv().unwrap();
    let word = std::time::Instant::now();
    cancel.cancel();
    let (end, outcome) = ended.recv_timeout(STUCK).expect("nothing but the word could end it");
    assert!(matches!(outcome, Err(Error::Cancelled)), "{kind:?}: {outcome:?}");
    assert_eq!(pauses.load(Ordering::SeqCst), usize::from(!asks), "one pause was begun, and has not ended");
    thread.join().unwrap();
    // It stays so, and nothing is sent.
    let before = emulator.count_all();
    assert!(matches!(wait.unless(&cancel, &own), Err(Error::Cancelled)));
    assert_eq!(emulator.count_all(), before);
    // What was waited for is as it was: others wait for it.
    wait.agree(&emulator);
    assert!(wait.unless(&Cancel::new(), &free).unwrap(), "{kind:?}");
    gate.open();
    end.saturating_duration_since(word)
}

#[test]
fn f14_cancelling_ends_a_pause_and_a_question_at_once() {
    const PROMISED: Duration = Duration::from_millis(50);
    for kind in KINDS {
        for asks in [false, true] {
            // It is woken, by the word alone: what it was at never ends. How long that takes is the machine's matter, which may be busy
            // with other tests; the quickest of some is the library's.
            let mut best = cancelled_after(kind, asks);
            for _ in 0..100 {
                if best <= PROMISED {
                    break;
                }
                best = best.min(cancelled_after(kind, asks));
            }
            let what = if asks { "question" } else { "pause" };
            println!("F14: {}: a {what} that never ends was over {best:?} after it was cancelled", kind.0);
            assert!(best <= PROMISED, "{kind:?}, {what}: {best:?}");
        }
    }
}
