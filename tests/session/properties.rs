//! Whatever a driver does, in whatever order: no panic, no endless loop, no second effect, nothing after the end.

use std::time::Duration;

use lumoauth::embed::operation::{Auth, Effect};
use lumoauth::embed::operations::McpToken;
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::error::{Error, Sent, TransportError, TransportFault};
use lumoauth::{Origin, Site};
use proptest::prelude::*;

use super::server::{Probe, broken, probe, reply};
use super::world::{Shown, World, credentials};

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Steps a machine with what is said to have arrived.
    Step(usize, Came),
    Pass(Duration),
    Wall(u64),
    /// Drops a machine and begins a new one in its place.
    Renew(usize),
    Credentials(bool),
    Scopes(u8),
}

#[derive(Clone, Copy, Debug)]
enum Came {
    Nothing,
    Token(u8),
    Status(u16),
    Torn,
    Failed(bool, u8),
}

fn came() -> impl Strategy<Value = Came> {
    prop_oneof![
        4 => Just(Came::Nothing),
        4 => (0..8_u8).prop_map(Came::Token),
        4 => prop::sample::select(vec![200, 202, 204, 302, 400, 401, 403, 408, 429, 500, 502, 503, 504])
            .prop_map(Came::Status),
        1 => Just(Came::Torn),
        2 => (any::<bool>(), 0..4_u8).prop_map(|(sent, fault)| Came::Failed(sent, fault)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let span = prop_oneof![
        4 => (0..5000_u64).prop_map(Duration::from_millis),
        2 => (0..5000_u64).prop_map(Duration::from_secs),
        1 => Just(Duration::MAX),
    ];
    prop_oneof![
        12 => (0..MACHINES, came()).prop_map(|(at, came)| Event::Step(at, came)),
        3 => span.prop_map(Event::Pass),
        1 => prop_oneof![Just(0), Just(u64::MAX), any::<u64>()].prop_map(Event::Wall),
        1 => (0..MACHINES).prop_map(Event::Renew),
        1 => any::<bool>().prop_map(Event::Credentials),
        1 => (0..3_u8).prop_map(Event::Scopes),
    ]
}

impl Came {
    fn arrived(self) -> Option<Arrived> {
        Some(match self {
            Came::Nothing => return None,
            Came::Token(kind) => {
                let life = ["3600", "0", "1", "1e308", "-1", "null", "300", "31536000"][usize::from(kind)];
                reply(200, &format!(r#"{{"access_token":"tok","expires_in":{life}}}"#)).arrived
            }
            Came::Status(429) => reply(429, "{}").header("retry-after", "1").arrived,
            Came::Status(status) => reply(status, "{}").arrived,
            Came::Torn => reply(200, "{\"access_tok").arrived,
            Came::Failed(sent, fault) => {
                let faults = [
                    TransportFault::Timeout,
                    TransportFault::Broken,
                    TransportFault::Tls,
                    TransportFault::Other,
                ];
                let fault = faults[usize::from(fault)];
                let make = if sent { TransportError::unknown } else { TransportError::not_sent };
                broken(make(fault, "fault")).arrived
            }
        })
    }
}

const MACHINES: usize = 7;

type Stepper = dyn FnMut(&mut World, Option<Arrived>) -> Result<Step<String>, Error>;

/// A machine with what is known of it from outside.
struct Watched {
    machine: Box<Stepper>,
    once: bool,
    out: bool,
    unknown: bool,
    over: bool,
}

fn watch<M>(mut machine: M, once: bool) -> Watched
where
    M: Machine + 'static,
    M::Output: Shown,
{
    let machine = Box::new(move |world: &mut World, arrived| {
        let now = world.now();
        Ok(match machine.step(&now, arrived)? {
            Step::Do(action) => Step::Do(action),
            Step::Done(output) => Step::Done(output.shown()),
        })
    });
    Watched { machine, once, out: false, unknown: false, over: false }
}

fn begin(session: &Session, kind: usize) -> Watched {
    let elsewhere =
        || Probe { url: Some("https://elsewhere.example/x".parse().unwrap()), ..probe(Effect::Read) };
    match kind {
        0 => watch(session.call(probe(Effect::Read)), false),
        1 => watch(session.call(probe(Effect::Once)), true),
        2 => watch(session.call(probe(Effect::Once).auth(Auth::InBody).total(300)), true),
        3 => watch(session.token(), false),
        4 => watch(session.new_token(), false),
        5 => watch(session.mcp_token(McpToken::new("files")), false),
        _ => watch(session.call(elsewhere()), false),
    }
}

impl Watched {
    fn step(&mut self, world: &mut World, arrived: Option<Arrived>) -> Option<Step<String>> {
        let known = match &arrived {
            Some(Arrived::Response(response)) => !matches!(response.status().as_u16(), 502 | 504),
            Some(Arrived::Failed(error)) => error.sent() == Sent::NotSent,
            Some(Arrived::Given(_) | Arrived::Stored(_) | Arrived::Signature(_)) | None => false,
        };
        self.unknown |= self.once && std::mem::take(&mut self.out) && !known;
        let result = (self.machine)(world, arrived);
        if let Ok(Step::Do(Action::Send(request))) = &result {
            let is_token = request.url().path().ends_with("/oauth/token");
            let origin = Origin::of(request.url()).unwrap();
            assert_eq!(origin.host(), "app.lumoauth.dev", "a request to an origin that nobody allowed");
            assert!(!request.attempt_limits().total.is_zero(), "a request without time");
            assert!(is_token || !self.unknown, "sent again, and the outcome was unknown");
            self.out = !is_token;
        }
        assert!(!self.over || result.is_err(), "something after the end: {result:?}");
        self.over |= matches!(result, Err(_) | Ok(Step::Done(_)));
        result.ok()
    }
}

fn run(events: &[Event]) {
    let settings = Settings::new(Site::tenant("acme").unwrap()).credentials(credentials("agt_1"));
    let (mut world, session) = (World::new(events.len() as u64), Session::new(settings));
    let mut machines: Vec<Watched> = (0..MACHINES).map(|kind| begin(&session, kind)).collect();
    for event in events {
        match *event {
            Event::Step(at, came) => drop(machines[at].step(&mut world, came.arrived())),
            Event::Pass(span) => world.monotonic = world.monotonic.saturating_add(span),
            Event::Wall(wall) => world.wall = wall,
            Event::Renew(at) => machines[at] = begin(&session, at),
            Event::Credentials(other) => {
                session.set_credentials(credentials(if other { "agt_2" } else { "agt_1" }))
            }
            Event::Scopes(kind) => session.set_scopes(["a", "b", "a b"][usize::from(kind)]),
        }
    }
    // From here on the driver does as it is told, and every machine must come to an end.
    for mut machine in machines {
        let (mut arrived, mut steps) = (None, 0);
        while !machine.over {
            steps += 1;
            assert!(steps < 100, "no end");
            match machine.step(&mut world, arrived.take()) {
                Some(Step::Do(Action::Send(_))) => arrived = Some(reply(503, "{}").arrived),
                Some(Step::Do(Action::Wait(pause))) => {
                    world.monotonic = world.monotonic.saturating_add(pause)
                }
                Some(Step::Do(Action::Join(ticket))) => {
                    world.monotonic = world.monotonic.saturating_add(ticket.within());
                }
                Some(Step::Done(_) | Step::Do(Action::Given(_) | Action::Store(_) | Action::Sign(_)))
                | None => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_driver_in_any_order(events in prop::collection::vec(event(), 1..80)) {
        run(&events);
    }
}
