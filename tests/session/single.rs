//! What must not happen twice.

use std::sync::{Arc, Mutex};

use lumoauth::embed::operation::{Auth, Effect};
use lumoauth::embed::session::{Action, Machine, Step};
use lumoauth::error::{Error, Sent, TransportError, TransportFault};

use super::server::{broken, probe, reply};
use super::world::{Rng, World, session};

const FAULTS: [TransportFault; 9] = [
    TransportFault::Name,
    TransportFault::Connect,
    TransportFault::Tls,
    TransportFault::Timeout,
    TransportFault::Broken,
    TransportFault::Framing,
    TransportFault::TooLarge,
    TransportFault::Refused,
    TransportFault::Other,
];

#[test]
fn f7_no_double_effect() {
    let (mut cases, mut unknown, mut repeated) = (0, 0, 0);
    for fault in FAULTS {
        for (place, sent) in
            [("before", Sent::NotSent), ("amid", Sent::Unknown), ("after the commit", Sent::Unknown)]
        {
            for auth in [Auth::Bearer, Auth::Client, Auth::InBody, Auth::None] {
                let (mut world, session) = (World::new(7), session());
                let effects = Arc::new(Mutex::new(0));
                let done = Arc::clone(&effects);
                world.server.on_call(move |hit| {
                    if hit.count > 1 || place == "after the commit" {
                        *done.lock().unwrap() += 1;
                    }
                    match (hit.count, sent) {
                        (1, Sent::NotSent) => broken(TransportError::not_sent(fault, "fault")),
                        (1, Sent::Unknown) => broken(TransportError::unknown(fault, "fault")),
                        _ => reply(200, "{}"),
                    }
                });
                let result = world.run(session.call(probe(Effect::Once).auth(auth)));
                let effects = *effects.lock().unwrap();
                cases += 1;
                assert!(effects <= 1, "{fault:?} {place}: {effects} effects");
                if sent == Sent::Unknown {
                    assert_eq!(world.server.calls, 1);
                    let Err(Error::OutcomeUnknown { operation, attempt_id, source }) = result else {
                        panic!("{fault:?} {place}: {result:?}");
                    };
                    assert_eq!(operation, "test.probe");
                    assert_eq!(attempt_id, world.server.call_hits[0].attempt_id);
                    assert!(matches!(*source, Error::Transport(_)));
                    unknown += 1;
                } else if world.server.calls == 2 {
                    assert_eq!(world.server.call_hits[0].attempt_id, world.server.call_hits[1].attempt_id);
                    repeated += usize::from(result.is_ok());
                }
            }
        }
    }
    println!(
        "F7: {cases} faults: {unknown} unknown outcomes of the right type, {repeated} repeated because nothing was sent, at most 1 effect each"
    );
}

#[test]
fn f7_gateways_and_silence_are_unknown_and_answers_are_answers() {
    for (status, is_unknown) in
        [(502, true), (504, true), (500, false), (503, false), (429, false), (408, false), (409, false)]
    {
        let (mut world, session) = (World::new(7), session());
        world.server.on_call(move |_| reply(status, "{}"));
        let result = world.run(session.call(probe(Effect::Once))).unwrap_err();
        assert_eq!(matches!(result, Error::OutcomeUnknown { .. }), is_unknown, "{status}: {result:?}");
        assert_eq!(world.server.calls, 1, "{status}");
    }
    // The driver brings nothing, in time or after the deadline: never a plain timeout.
    for wait in [0, 15_000, 100_000] {
        let (mut world, session) = (World::new(7), session());
        world.run(session.token()).unwrap();
        let mut call = session.call(probe(Effect::Once));
        assert!(matches!(call.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
        world.pass_millis(wait);
        let result = call.step(&world.now(), None);
        assert!(matches!(result, Err(Error::OutcomeUnknown { .. })), "{result:?}");
    }
}

#[test]
fn f7_seeded_faults_of_every_kind() {
    const RUNS: u64 = 10_000;
    let (mut effects, mut unknown) = (0, 0);
    for seed in 0..RUNS {
        let (mut world, session) = (World::new(seed), session());
        let done = Arc::new(Mutex::new(0));
        let (counted, mut rng) = (Arc::clone(&done), Rng(seed));
        world.server.on_call(move |_| {
            let fault = FAULTS[rng.below(9) as usize];
            match rng.below(6) {
                0 => broken(TransportError::not_sent(fault, "fault")),
                1 => reply([401, 429, 503][rng.below(3) as usize], "{}"),
                committed => {
                    *counted.lock().unwrap() += 1;
                    match committed {
                        2 => broken(TransportError::unknown(fault, "fault")),
                        3 => reply(if rng.below(2) == 0 { 502 } else { 504 }, "{}"),
                        _ => reply(200, "{}"),
                    }
                }
            }
        });
        let result = world.run(session.call(probe(Effect::Once)));
        let done = *done.lock().unwrap();
        assert!(done <= 1, "seed {seed}: {done} effects");
        // Committed, and not known to be: that is the typed error and no other.
        assert!(
            done == 0 || matches!(result, Ok(_) | Err(Error::OutcomeUnknown { .. })),
            "seed {seed}: {result:?}"
        );
        effects += done;
        unknown += usize::from(matches!(result, Err(Error::OutcomeUnknown { .. })));
    }
    println!("F7: {RUNS} seeded runs, {effects} effects, {unknown} unknown outcomes, 0 double effects");
}
