//! An answer cut at any byte is never a success.

use crate::hostile::{Accept, End, Recorded, Reply, Server, agent, answer, script};
use crate::late::{OVERSHOOT, Stopwatch};
use crate::rounds;
use lumoauth::{Agent, ApiRequest, Error};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOTAL: Duration = Duration::from_millis(150);
/// What must succeed has all the time that a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

type Operation = (&'static str, fn(&Agent) -> Result<(), Error>);

const OPERATIONS: [Operation; 8] = [
    ("token", |agent| agent.authenticate(["a"]).map(drop)),
    ("ask", |agent| agent.ask("read").map(drop)),
    ("info", |agent| agent.info().map(drop)),
    ("identity", |agent| agent.identity().map(drop)),
    ("register", |agent| agent.register("bot").map(drop)),
    ("get", |agent| agent.run(ApiRequest::get("things")).map(drop)),
    ("post", |agent| agent.run(ApiRequest::post("things").body("text/plain", "x")).map(drop)),
    ("put", |agent| agent.run(ApiRequest::put("things").body("text/plain", "x")).map(drop)),
];

/// How a request is spoilt.
type Spoil = Arc<dyn Fn(Reply) -> Reply + Send + Sync>;

fn serve(spoil: Arc<Mutex<Option<Spoil>>>, chunked: bool) -> Server {
    Server::start(script(move |request: &Recorded| {
        let reply = answer(request, "tok_good");
        let reply = if chunked { reply.chunked(7) } else { reply };
        match &*spoil.lock().unwrap() {
            Some(spoil) => spoil(reply),
            None => reply,
        }
    }))
}

struct Figures {
    cases: usize,
    worst: Duration,
}

/// Cuts every answer at every `step`th byte, and stalls at every `stalls`th.
fn cut_answers(step: usize, stalls: usize) -> Figures {
    let mut figures = Figures { cases: 0, worst: Duration::ZERO };
    for chunked in [false, true] {
        let spoil: Arc<Mutex<Option<Spoil>>> = Arc::default();
        let server = serve(Arc::clone(&spoil), chunked);
        for (name, run) in OPERATIONS {
            let agent = agent(server.url()).timeout(PATIENCE).attempt_timeout(PATIENCE).build().unwrap();
            let hurried = agent.with_timeout(TOTAL);
            run(&agent).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let whole = {
                let last = server.requests().pop().unwrap();
                let reply = answer(&last, "tok_good");
                if chunked { reply.chunked(7).bytes().len() } else { reply.bytes().len() }
            };
            // Every step, and always the last bytes.
            let places = (0..whole).filter(|at| at % step == 0 || at + 3 > whole);
            for at in places {
                for end in [End::Fin, End::Reset, End::Stall] {
                    if end == End::Stall && at % stalls != 0 {
                        continue;
                    }
                    *spoil.lock().unwrap() = Some(Arc::new(move |reply: Reply| reply.cut_at(at).then(end)));
                    let watch = Stopwatch::start();
                    let result = run(&hurried);
                    let late = watch.beyond(TOTAL);
                    assert!(result.is_err(), "{name} (chunked {chunked}) cut at {at} of {whole}, {end:?}");
                    assert!(late <= OVERSHOOT, "{name} cut at {at}, {end:?}: {late:?} late");
                    figures.cases += 1;
                    figures.worst = figures.worst.max(late);
                    *spoil.lock().unwrap() = None;
                    // The memory of a failed token request goes with the credentials.
                    let fresh = lumoauth::Credentials::new("agt_1", "secret").unwrap();
                    agent.set_credentials(fresh);
                    agent.ensure_authenticated().unwrap();
                }
            }
        }
    }
    figures
}

/// Ends the connection when the server has read `step`, 2 * `step`, ... bytes of the request.
fn cut_requests(step: usize) -> Figures {
    let mut figures = Figures { cases: 0, worst: Duration::ZERO };
    let cut: Arc<Mutex<Option<(usize, End)>>> = Arc::default();
    let decided = Arc::clone(&cut);
    let server = Server::builder()
        .on_accept(move |_| match *decided.lock().unwrap() {
            Some((at, end)) => Accept::ReadThen(at, end),
            None => Accept::Serve,
        })
        .start(script(|request| answer(request, "tok").announce_close()));
    for (name, run) in OPERATIONS {
        let agent = agent(server.url()).timeout(PATIENCE).attempt_timeout(PATIENCE).build().unwrap();
        let hurried = agent.with_timeout(TOTAL);
        for at in (0..400).step_by(step) {
            for end in [End::Fin, End::Reset] {
                *cut.lock().unwrap() = None;
                agent.set_credentials(lumoauth::Credentials::new("agt_1", "secret").unwrap());
                agent.ensure_authenticated().unwrap();
                *cut.lock().unwrap() = Some((at, end));
                let before = server.connections();
                let watch = Stopwatch::start();
                let result = run(&hurried);
                let late = watch.beyond(TOTAL);
                assert!(result.is_err(), "{name}: request cut at {at}, {end:?}");
                assert!(late <= OVERSHOOT, "{name}: request cut at {at}, {end:?}: {late:?} late");
                // A connection that ends before anything was sent may be followed by another.
                if name == "post" && at > 0 {
                    assert!(
                        server.connections() - before <= 1,
                        "a POST that may have arrived was sent again"
                    );
                }
                figures.cases += 1;
                figures.worst = figures.worst.max(late);
            }
        }
    }
    figures
}

#[test]
fn f2_an_answer_cut_at_any_byte_is_never_a_success() {
    let (step, stalls) = if rounds::all() { (1, 1) } else { (7, 70) };
    let Figures { cases, worst } = cut_answers(step, stalls);
    println!(
        "f2: {cases} cut answers (step {step}, stalls at every step of {stalls}), 0 successes, worst overshoot {worst:?}"
    );
}

#[test]
fn f2_a_request_cut_at_any_byte_is_never_a_success() {
    let step = if rounds::all() { 1 } else { 23 };
    let Figures { cases, worst } = cut_requests(step);
    println!("f2: {cases} cut requests (step {step}), 0 successes, worst overshoot {worst:?}");
}
