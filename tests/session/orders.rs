//! Every order in which callers begin, are answered, are dropped and run out of time, with clocks that jump: one fetch at a
//! time, nobody waits for nothing, and what settles reaches everyone who was there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lumoauth::AccessToken;
use lumoauth::embed::operations::McpToken;
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Step};
use lumoauth::embed::wire::Request;
use lumoauth::error::{Error, TransportError, TransportFault};
use lumoauth::time::Now;
use proptest::prelude::*;

use super::server::{broken, reply};
use super::world::{World, session};

/// Callers at a time.
const CALLERS: usize = 6;
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);
/// Who has more than this left when it gives up has tried as often as one may.
const AMPLE: Duration = Duration::from_secs(12);

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Own,
    /// It needs the own token first.
    Mcp,
}

fn kind_of(request: &Request) -> Kind {
    let body = String::from_utf8_lossy(request.body());
    if body.contains("client_credentials") { Kind::Own } else { Kind::Mcp }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// In this place, another caller in place of the one there.
    Begin(usize, Wants, bool),
    /// The answer to this caller's request arrives.
    Answer(usize, Says),
    /// This caller is turned, if it may be.
    Turn(usize),
    Drop(usize),
    Pass(Duration),
    /// The wall clock is set back or ahead, in seconds.
    Jump(i64),
}

#[derive(Clone, Copy, Debug)]
enum Wants {
    Any(Kind),
    New,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Good(u32),
    Status(u16),
    /// The token that was traded is refused.
    Refused,
    Malformed,
    Silence,
    NotSent,
}

fn event(kind: Kind) -> impl Strategy<Value = Event> {
    let wants = match kind {
        Kind::Own => prop_oneof![3 => Just(Wants::Any(Kind::Own)), 1 => Just(Wants::New)].boxed(),
        Kind::Mcp => prop_oneof![
            6 => Just(Wants::Any(Kind::Mcp)),
            1 => Just(Wants::Any(Kind::Own)),
            1 => Just(Wants::New)
        ]
        .boxed(),
    };
    let says = prop_oneof![
        6 => prop::sample::select(vec![3600, 3600, 10, 1, 0]).prop_map(Says::Good),
        4 => prop::sample::select(vec![401, 403, 408, 429, 500, 502, 503]).prop_map(Says::Status),
        2 => Just(Says::Refused),
        1 => Just(Says::Malformed),
        1 => Just(Says::Silence),
        1 => Just(Says::NotSent),
    ];
    let span = prop_oneof![
        6 => (0..300_u64).prop_map(Duration::from_millis),
        3 => (0..6000_u64).prop_map(Duration::from_millis),
        1 => (0..4000_u64).prop_map(Duration::from_secs),
    ];
    prop_oneof![
        6 => (0..CALLERS, wants, prop::bool::weighted(0.2)).prop_map(|(at, wants, hurried)| Event::Begin(at, wants, hurried)),
        8 => (0..CALLERS, says).prop_map(|(at, says)| Event::Answer(at, says)),
        8 => (0..CALLERS).prop_map(Event::Turn),
        1 => (0..CALLERS).prop_map(Event::Drop),
        3 => span.prop_map(Event::Pass),
        1 => prop::sample::select(vec![-100_000, -60, 60, 4000, 100_000]).prop_map(Event::Jump),
    ]
}

impl Says {
    fn arrived(self, number: usize) -> Arrived {
        match self {
            Says::Good(life) => {
                let body =
                    format!(r#"{{"access_token":"tok-{number}","token_type":"Bearer","expires_in":{life}}}"#);
                reply(200, &body).arrived
            }
            Says::Status(429) => reply(429, "{}").header("retry-after", "1").arrived,
            Says::Status(status) => reply(status, "{}").arrived,
            Says::Refused => reply(400, r#"{"error":"invalid_grant"}"#).arrived,
            Says::Malformed => reply(200, "{\"access_tok").arrived,
            Says::Silence => broken(TransportError::unknown(TransportFault::Timeout, "time ran out")).arrived,
            Says::NotSent => broken(TransportError::not_sent(TransportFault::Connect, "refused")).arrived,
        }
    }
}

type Turn = dyn FnMut(&Now, Option<Arrived>) -> Result<Step<AccessToken>, Error>;

enum State {
    /// With how many jumps of the clock there were by then.
    Asked(Kind, usize),
    Waiting {
        until: Duration,
    },
    Joined {
        settled: Arc<AtomicBool>,
        until: Duration,
    },
}

/// What a caller that waited for another's fetch is to be told.
#[derive(Clone, Copy)]
struct Owed {
    kind: Kind,
    good: bool,
    /// It is owed so long, by the monotonic clock: a good value may be due after that.
    until: Duration,
}

struct Caller {
    turn: Box<Turn>,
    wants: Kind,
    state: State,
    deadline: Duration,
    owed: Option<Owed>,
}

struct Orders {
    world: World,
    session: Session,
    callers: [Option<Caller>; CALLERS],
    answers: usize,
    /// Calls that ended with a value.
    values: usize,
    /// Jumps of the wall clock.
    jumps: usize,
    owed: usize,
}

impl Orders {
    fn begin(&mut self, at: usize, wants: Wants, total: Duration) {
        let session = self.session.with_total(total);
        let (wants, turn): (Kind, Box<Turn>) = match wants {
            Wants::Any(Kind::Own) => {
                let mut machine = session.token();
                (Kind::Own, Box::new(move |now, arrived| machine.step(now, arrived)))
            }
            Wants::New => {
                let mut machine = session.new_token();
                (Kind::Own, Box::new(move |now, arrived| machine.step(now, arrived)))
            }
            Wants::Any(Kind::Mcp) => {
                let mut machine = session.mcp_token(McpToken::new("files"));
                (Kind::Mcp, Box::new(move |now, arrived| machine.step(now, arrived)))
            }
        };
        let deadline = self.world.monotonic.saturating_add(total);
        let state = State::Waiting { until: Duration::ZERO };
        self.callers[at] = Some(Caller { turn, wants, state, deadline, owed: None });
        self.turn(at, None, false);
    }

    /// Who waits for another and has not been told that it has settled.
    fn waiting(&self) -> Vec<usize> {
        let waits = |caller: &Caller| matches!(&caller.state, State::Joined { settled, .. } if !settled.load(Ordering::SeqCst));
        (0..CALLERS).filter(|at| self.callers[*at].as_ref().is_some_and(waits)).collect()
    }

    /// One step of one caller, with what is promised about it.
    fn turn(&mut self, at: usize, arrived: Option<Arrived>, life: bool) {
        let before = self.waiting();
        let now = self.world.now();
        let Some(mut caller) = self.callers[at].take() else { return };
        let asked = match &caller.state {
            State::Asked(kind, _) => Some(*kind),
            _ => None,
        };
        // Whoever asked before a jump, or too long ago, may have a value that is over when it comes.
        let life = life && matches!(&caller.state, State::Asked(_, jumps) if *jumps == self.jumps);
        let (late, brought) = (now.monotonic >= caller.deadline, arrived.is_some());
        let owed = caller.owed.take();
        let step = (caller.turn)(&now, arrived);
        assert!(!late || !matches!(step, Ok(Step::Do(_))), "something is begun after the deadline: {step:?}");
        assert!(!late || brought || step.is_err(), "a value after the deadline");
        if let Some(owed) = owed.filter(|owed| !late && now.monotonic < owed.until) {
            self.owed += 1;
            let asks = matches!(&step, Ok(Step::Do(Action::Send(request))) if kind_of(request) == owed.kind);
            assert!(!asks, "{:?} was settled, and it is asked for again", owed.kind);
            if owed.kind == caller.wants {
                let told = match &step {
                    Ok(Step::Done(_)) => true,
                    Err(_) => !owed.good,
                    Ok(Step::Do(Action::Join(_))) => !owed.good,
                    Ok(Step::Do(_)) => false,
                };
                assert!(told, "{:?}, good: {}, and it is not told: {step:?}", owed.kind, owed.good);
            }
        }
        // What became of the fetch that was answered.
        let settled = asked.filter(|_| brought).and_then(|kind| match &step {
            Ok(Step::Done(_)) => Some((kind, true)),
            Ok(Step::Do(Action::Send(request))) if kind == Kind::Own && kind_of(request) == Kind::Mcp => {
                Some((kind, true))
            }
            Ok(Step::Do(_)) => None,
            Err(_) => Some((kind, false)),
        });
        self.values += usize::from(matches!(step, Ok(Step::Done(_))));
        let ample = caller.deadline.saturating_sub(now.monotonic) > AMPLE;
        let next = match step {
            Ok(Step::Do(Action::Send(request))) => {
                let kind = kind_of(&request);
                // Whoever begins anew has the word from now on.
                let others = self.callers.iter_mut().flatten();
                others
                    .filter(|other| other.owed.is_some_and(|owed| owed.kind == kind))
                    .for_each(|other| other.owed = None);
                Some(State::Asked(kind, self.jumps))
            }
            Ok(Step::Do(Action::Wait(pause))) => {
                Some(State::Waiting { until: now.monotonic.saturating_add(pause) })
            }
            Ok(Step::Do(Action::Join(ticket))) => {
                let settled = Arc::new(AtomicBool::new(false));
                let wake = Arc::clone(&settled);
                ticket.on_settled(move || wake.store(true, Ordering::SeqCst));
                Some(State::Joined { settled, until: now.monotonic.saturating_add(ticket.within()) })
            }
            Ok(Step::Do(other)) => panic!("{other:?}"),
            Ok(Step::Done(_)) | Err(_) => None,
        };
        if let Some(state) = next {
            self.callers[at] = Some(Caller { state, ..caller });
        }
        if let Some((kind, good)) = settled {
            let after = self.waiting();
            for follower in before.into_iter().filter(|follower| !after.contains(follower)) {
                let until = match (good, life && !late) {
                    (true, true) => now.monotonic.saturating_add(Duration::from_secs(1000)),
                    // It lives for a moment, or the leader goes on with what it had before.
                    (true, false) => Duration::ZERO,
                    // A leader without time has no word for others.
                    (false, _) if ample => Duration::MAX,
                    (false, _) => Duration::ZERO,
                };
                if let Some(follower) = &mut self.callers[follower] {
                    // A failure of what comes before is a failure of what it is for.
                    let kind = if good { kind } else { follower.wants.min(kind) };
                    follower.owed = Some(Owed { kind, good, until });
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        let now = self.world.monotonic;
        let live = || self.callers.iter().flatten().filter(|caller| now < caller.deadline);
        for kind in [Kind::Own, Kind::Mcp] {
            let asked = live().filter(|caller| matches!(&caller.state, State::Asked(own, _) if *own == kind));
            assert!(asked.count() <= 1, "{kind:?} is fetched twice at a time");
        }
        let waits = |caller: &&Caller| matches!(&caller.state, State::Joined { settled, until } if !settled.load(Ordering::SeqCst) && now < *until);
        assert!(
            live().filter(waits).count() == 0 || live().any(|caller| !waits(&caller)),
            "all wait, and for nobody"
        );
    }

    /// A caller that may go on without an answer.
    fn is_due(&self, at: usize) -> bool {
        let now = self.world.monotonic;
        self.callers[at].as_ref().is_some_and(|caller| match &caller.state {
            State::Asked(..) => now >= caller.deadline,
            State::Waiting { until } => now >= *until,
            State::Joined { settled, until } => settled.load(Ordering::SeqCst) || now >= *until,
        })
    }

    fn answer(&mut self, at: usize, says: Says) {
        let asked = self.callers[at].as_ref().and_then(|caller| match &caller.state {
            State::Asked(kind, _) => Some(*kind),
            _ => None,
        });
        let Some(kind) = asked else { return };
        self.answers += 1;
        // A refusal of the token that was traded, or of the client, may end the own token.
        if kind == Kind::Mcp && matches!(says, Says::Refused | Says::Status(401)) {
            self.forgive(|owed| owed.good);
        }
        let life = matches!(says, Says::Good(3600));
        self.turn(at, Some(says.arrived(self.answers)), life);
    }

    fn forgive(&mut self, which: impl Fn(&Owed) -> bool) {
        for caller in self.callers.iter_mut().flatten() {
            caller.owed = caller.owed.filter(|owed| !which(owed));
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Begin(at, wants, hurried) => {
                self.drop(at);
                self.begin(at, wants, if hurried { SHORT } else { LONG });
            }
            Event::Answer(at, says) => self.answer(at, says),
            Event::Turn(at) if self.is_due(at) => self.turn(at, None, false),
            Event::Turn(_) => {}
            Event::Drop(at) => self.drop(at),
            Event::Pass(span) => self.world.pass(span),
            Event::Jump(seconds) => {
                self.world.wall = self.world.wall.saturating_add_signed(seconds * 1000);
                self.forgive(|owed| owed.good);
                self.jumps += 1;
            }
        }
    }

    fn drop(&mut self, at: usize) {
        if self.callers[at].take().is_some() {
            self.check();
        }
    }

    /// From here on the service is well: everybody comes to an end, and the next one has a value.
    fn ends(&mut self, kind: Kind) {
        for _ in 0..200 {
            for at in 0..CALLERS {
                self.answer(at, Says::Good(3600));
                if self.is_due(at) {
                    self.turn(at, None, false);
                }
            }
            self.world.pass_millis(250);
        }
        assert!(self.callers.iter().all(Option::is_none), "somebody does not come to an end");
        self.world.pass(Duration::from_secs(700));
        let (answers, values) = (self.answers, self.values);
        self.begin(0, Wants::Any(kind), LONG);
        while self.callers[0].is_some() {
            self.answer(0, Says::Good(3600));
            self.world.pass_millis(10);
        }
        assert!(self.answers - answers <= 2, "a caller alone needs the own token and this one");
        assert_eq!(self.values, values + 1, "it has no value though all is well");
    }
}

fn run(kind: Kind, events: &[Event]) -> usize {
    let (world, callers) = (World::new(events.len() as u64), Default::default());
    let mut orders = Orders { world, session: session(), callers, answers: 0, values: 0, jumps: 0, owed: 0 };
    events.iter().for_each(|event| orders.happens(*event));
    orders.ends(kind);
    orders.owed
}

fn every_order(kind: Kind) {
    let cases = u32::try_from(super::rounds::of(4000)).unwrap();
    let owed = std::cell::Cell::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let ran = runner.run(&prop::collection::vec(event(kind), 1..120), |events| {
        owed.set(owed.get() + run(kind, &events));
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    println!("{kind:?}: {cases} orders, {} callers told what others had settled, 0 asked again", owed.get());
    assert!(owed.get() > 0);
}

#[test]
fn t11_any_order_of_callers_for_the_own_token() {
    every_order(Kind::Own);
}

#[test]
fn t11_any_order_of_callers_for_a_token_that_needs_another_first() {
    every_order(Kind::Mcp);
}
