//! Ten thousand faults, each decided by a seed.

use crate::hostile::{Fault, Plan, Recorded, Server, agent, answer};
use crate::late::{OVERSHOOT, Stopwatch};
use lumoauth::{Agent, ApiRequest, Credentials, Error};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOTAL: Duration = Duration::from_millis(300);
const ATTEMPT: Duration = Duration::from_millis(100);
const SECRET: &str = "scr_4f9Kq2ZxWv7LmB81TnYc";
const TOKEN: &str = "tok_R7hQx3Pz0VbK5sWdLm92EgJf";
/// Faults of one server; then comes another server with another seed.
const SLICE: usize = 250;
const WORKERS: usize = 4;

#[derive(Default)]
struct Figures {
    calls: usize,
    faults: usize,
    allowed: usize,
    worst: Duration,
}

/// Which faults the attempts of each question met.
type Met = Arc<Mutex<HashMap<String, Vec<Option<Fault>>>>>;

fn mark(request: &Recorded) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    Some(body.get("action")?.as_str()?.to_owned())
}

/// True if a reply with this fault still holds the whole answer of the good script.
fn keeps_the_answer(fault: Option<Fault>) -> bool {
    matches!(fault, None | Some(Fault::Interim(_) | Fault::Duplicate(..)))
}

fn shown(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!("\n{error}\n{error:?}"));
        source = error.source();
    }
    text
}

fn slice(seed: u64, faults: usize) -> Figures {
    let plan = Plan::with(seed, 60, true);
    let met = Met::default();
    let noted = Arc::clone(&met);
    let done: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let counted = Arc::clone(&done);
    let server = Server::start(plan.over_noting(
        |request| answer(request, TOKEN),
        move |request, fault| {
            if let Some(action) = mark(request) {
                noted.lock().unwrap().entry(action).or_default().push(fault);
            }
            // An error in place of the script's answer means that nothing was done.
            if let Some(mark) = request.header("x-once")
                && fault.is_none_or(Fault::asks_script)
            {
                *counted.lock().unwrap().entry(mark.to_owned()).or_default() += 1;
            }
        },
    ));
    let agent = agent(server.url())
        .client_secret(SECRET)
        .timeout(TOTAL)
        .attempt_timeout(ATTEMPT)
        .connect_timeout(ATTEMPT)
        .build()
        .unwrap();
    let mut figures = Figures::default();
    while plan.injected().len() < faults {
        let call = figures.calls;
        figures.calls += 1;
        let watch = Stopwatch::start();
        let result = catch_unwind(AssertUnwindSafe(|| one(&agent, call, &met)));
        let late = watch.beyond(TOTAL);
        assert!(late <= OVERSHOOT, "call {call} was {late:?} late: {result:?}");
        figures.worst = figures.worst.max(late);
        match result.unwrap_or_else(|_| panic!("call {call} panicked")) {
            Ok(allowed) => figures.allowed += usize::from(allowed),
            Err(error) => {
                let text = shown(&error);
                for secret in [SECRET, TOKEN] {
                    let leak = secret
                        .as_bytes()
                        .windows(12)
                        .any(|piece| text.as_bytes().windows(12).any(|window| window == piece));
                    assert!(!leak, "call {call} shows a secret: {text}");
                }
                // Remembered failures would answer the next calls without the network.
                agent.set_credentials(Credentials::new("agt_1", SECRET).unwrap());
            }
        }
    }
    figures.faults = plan.injected().len();
    let done = done.lock().unwrap();
    let twice: Vec<_> = done.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    figures
}

/// One call of the mix; true if it was an allow.
fn one(agent: &Agent, call: usize, met: &Met) -> Result<bool, Error> {
    match call % 8 {
        0..=2 => {
            let action = format!("allow-{call}");
            let allowed = agent.ask(action.as_str())?.allowed();
            let met = met.lock().unwrap();
            let attempts = met.get(&action).map(Vec::as_slice).unwrap_or_default();
            let told = attempts.last().is_some_and(|fault| keeps_the_answer(*fault));
            assert!(!allowed || told, "allowed by {attempts:?}");
            return Ok(allowed);
        }
        3 => {
            let decision = agent.ask(format!("deny-{call}"))?;
            assert!(!decision.allowed(), "a denial became an allow");
        }
        4 => drop(agent.info()?),
        5 => drop(agent.register("bot")?),
        6 => drop(agent.run(ApiRequest::get("things"))?),
        _ => {
            let post = ApiRequest::post("things").header("X-Once", &call.to_string());
            let result = agent.run(post.body("text/plain", "x"));
            if let Err(error) = result {
                let typed = matches!(
                    error,
                    Error::OutcomeUnknown { .. }
                        | Error::DeadlineExceeded { .. }
                        | Error::Api(_)
                        | Error::Protocol(_)
                        | Error::Transport(_)
                );
                assert!(typed, "{error:?}");
                return Err(error);
            }
        }
    }
    Ok(false)
}

/// Runs until so many faults were put in; prints the seed of a slice that fails.
fn faults(seed: u64, total: usize) -> Figures {
    let (next, slices) = (AtomicUsize::new(0), total.div_ceil(SLICE));
    let work = || {
        let mut sum = Figures::default();
        loop {
            let n = next.fetch_add(1, Ordering::SeqCst);
            if n >= slices {
                return sum;
            }
            let own = seed + n as u64;
            let figures = catch_unwind(|| slice(own, SLICE)).unwrap_or_else(|panic| {
                eprintln!("f1: failing seed {own}");
                std::panic::resume_unwind(panic)
            });
            sum = add(sum, figures);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Figures::default(), add)
    })
}

fn add(a: Figures, b: Figures) -> Figures {
    Figures {
        calls: a.calls + b.calls,
        faults: a.faults + b.faults,
        allowed: a.allowed + b.allowed,
        worst: a.worst.max(b.worst),
    }
}

#[test]
fn f1_ten_thousand_faults() {
    let Figures { calls, faults, allowed, worst } = faults(20_260_101, crate::rounds::of(10_000));
    println!(
        "f1: {faults} faults in {calls} calls: 0 panics, 0 doubled, 0 wrong decisions ({allowed} allowed), \
         0 secrets, worst overshoot {worst:?}"
    );
    assert!(faults >= crate::rounds::of(10_000) && allowed > crate::rounds::of(100));
}
