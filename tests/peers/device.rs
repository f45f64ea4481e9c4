//! Signing a person in on another device (RFC 8628), with a strict authorization server.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::operations::{DeviceAuthorization, Introspect, Introspection};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::time::Now;
use lumoauth::transport::UreqTransport;
use lumoauth::{Agent, Transport};

use super::oidc::{Browser, Provider, transport};

/// What the person does while the device waits.
type Person = Box<dyn FnOnce() + Send>;

/// A clock that a pause moves on, and a person who acts in the second pause. Nothing sleeps.
struct Waiting {
    inner: UreqTransport,
    passed: Mutex<Duration>,
    pauses: Arc<Mutex<Vec<u64>>>,
    sent: Arc<AtomicUsize>,
    person: Mutex<Option<Person>>,
}

impl Transport for Waiting {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.inner.send(request)
    }

    fn sleep(&self, duration: Duration) {
        *self.passed.lock().unwrap() += duration;
        let mut pauses = self.pauses.lock().unwrap();
        pauses.push(duration.as_secs());
        if pauses.len() == 2 {
            self.person.lock().unwrap().take().unwrap()();
        }
    }

    fn now(&self) -> Result<Now, TransportError> {
        let (now, passed) = (self.inner.now()?, *self.passed.lock().unwrap());
        Ok(Now::new(now.wall.saturating_add(passed), now.monotonic + passed, now.random))
    }
}

#[test]
fn a_device_waits_for_its_person_at_a_strict_server() {
    let Some(provider) = Provider::start("oidc-provider's device flow") else { return };
    let beginner = provider.agent("agent-post", Default::default(), &Arc::new(AtomicU64::new(0)));
    let device = beginner.run(DeviceAuthorization::new(["openid", "read:documents"])).unwrap();
    // The server names no interval: RFC 8628 section 3.2 says what that means.
    assert_eq!(device.interval, Duration::from_secs(5));

    let url = device.verification_uri_complete.clone().unwrap();
    let mut browser = Browser::new(&provider);
    let person = move || {
        // Nobody is sent back: the last page has no form, and says so.
        let page = browser.visit(&url).unwrap_err();
        assert!(page.text().contains("Sign-in Success"), "{}", page.text());
    };
    let (pauses, sent) = (Arc::default(), Arc::default());
    let waiting = Waiting {
        inner: transport(),
        passed: Mutex::default(),
        pauses: Arc::clone(&pauses),
        sent: Arc::clone(&sent),
        person: Mutex::new(Some(Box::new(person))),
    };
    let agent = Agent::builder().base_url(beginner.session().site().base_url()).tenant("acme");
    let agent = agent.client_id("agent-post").client_secret("secret-of-agent-post-0123456789abcdef");
    let agent = agent.build_with(waiting).unwrap();

    let tokens = agent.run(device.poll()).unwrap();
    // The token is for a resource; what concerns the person is in the ID token.
    assert_eq!(tokens.access.scopes().to_string(), "read:documents");
    assert!(tokens.id.is_some() && tokens.refresh.is_some());
    let told = agent.run(Introspect::new(tokens.access.secret().clone())).unwrap();
    assert!(matches!(told, Introspection::Active(_)), "{told:?}");
    assert_eq!(*pauses.lock().unwrap(), [5, 5], "pending twice");
    assert_eq!(sent.load(Ordering::SeqCst), 4, "three polls and the introspection");
    // The code is good for one time.
    let again = agent.run(device.poll()).unwrap_err();
    assert_eq!(again.code(), Some("invalid_grant"), "{again}");
    println!("oidc-provider 8.8.1: a device polled 3 times, 5 s apart by its own clock");
}
