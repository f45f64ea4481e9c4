//! Waiting is polite, and ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::approvals::ApprovalOutcome;
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{ApprovalForms, Emulator, FaultRule, InProcess, Tenant};
use lumoauth::error::TransportError;
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, Response, Transport};

use super::support::{approve, ask};

/// Notes when the status is asked for, by the emulator's clock.
struct Watched {
    inner: InProcess,
    emulator: Emulator,
    seen: Arc<Mutex<Vec<Timestamp>>>,
}

impl Transport for Watched {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.url().path().ends_with("/status") {
            self.seen.lock().unwrap().push(self.emulator.now());
        }
        Transport::send(&self.inner, request)
    }

    fn sleep(&self, duration: Duration) {
        Transport::sleep(&self.inner, duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }
}

fn watched(patience: u64) -> (Emulator, Agent, Arc<Mutex<Vec<Timestamp>>>) {
    let forms = ApprovalForms::new().patience(Duration::from_secs(patience));
    let emulator = Emulator::builder().tenant(Tenant::demo()).approvals(forms).build().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transport =
        Watched { inner: emulator.transport(), emulator: emulator.clone(), seen: Arc::clone(&seen) };
    let agent = Agent::builder().base_url(emulator.site().base_url()).tenant("acme-corp");
    let agent = agent.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    (emulator, agent.build_with(transport).unwrap(), seen)
}

fn pauses(seen: &[Timestamp]) -> Vec<u128> {
    seen.windows(2).map(|pair| pair[1].saturating_since(pair[0]).as_millis()).collect()
}

#[test]
fn f14_the_interval_grows_from_one_and_a_half_to_five_seconds_and_ends_with_the_request() {
    let (emulator, agent, seen) = watched(120);
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    let began = emulator.now();
    assert!(matches!(approvals.wait(&pending).unwrap(), ApprovalOutcome::Expired(_)));
    let seen = seen.lock().unwrap().clone();
    let pauses = pauses(&seen);
    assert_eq!(pauses[..4], [1500, 2250, 3375, 5000]);
    assert!(pauses[3..pauses.len() - 1].iter().all(|pause| *pause == 5000), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause >= 1500), "{pauses:?}");
    let took = emulator.now().saturating_since(began);
    assert!(took == Duration::from_secs(120), "{took:?}");
    assert!(seen.iter().all(|at| *at < pending.ends()));
    println!("F14: {} questions in {took:?}, pauses of {pauses:?} ms", seen.len());
}

#[test]
fn f14_the_callers_patience_ends_it_and_it_goes_on_later() {
    let (emulator, agent, seen) = watched(120);
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    let began = emulator.now();
    let outcome = approvals.wait_for(&pending, Duration::from_secs(10)).unwrap();
    let ApprovalOutcome::TimedOut(pending) = outcome else { panic!("{outcome:?}") };
    assert!(emulator.now().saturating_since(began) <= Duration::from_secs(10));
    approve(&emulator);
    let outcome = approvals.wait_for(&pending, Duration::from_secs(10)).unwrap();
    assert!(outcome.is_approved());
    assert_eq!(emulator.count("approvals.create").unwrap(), 1);
    assert!(seen.lock().unwrap().len() <= 6);
    // No patience at all: nothing is asked.
    let before = emulator.count("approvals.status").unwrap();
    let outcome = approvals.wait_for(&pending, Duration::ZERO).unwrap();
    assert!(matches!(outcome, ApprovalOutcome::TimedOut(_)));
    assert_eq!(emulator.count("approvals.status").unwrap(), before);
}

#[test]
fn a_question_that_fails_loses_nothing() {
    for rule in [
        FaultRule::on("approvals.status").reset(),
        FaultRule::on("approvals.status").drop_before(),
        FaultRule::on("approvals.status").status(503),
        FaultRule::on("approvals.status").status(429).retry_after("7"),
        FaultRule::on("approvals.status").truncate(5),
        FaultRule::on("approvals.status").delay(Duration::from_secs(60)),
    ] {
        let (emulator, agent, seen) = watched(120);
        let approvals = agent.approvals();
        let pending = ask(&approvals);
        emulator.fault(rule.clone().times(2)).unwrap();
        approve(&emulator);
        let outcome = approvals.wait(&pending).unwrap();
        assert!(outcome.is_approved(), "{rule:?}");
        let seen = seen.lock().unwrap().clone();
        assert!(pauses(&seen).iter().all(|pause| *pause >= 1500), "{rule:?}: {:?}", pauses(&seen));
        assert_eq!(emulator.count("approvals.create").unwrap(), 1, "{rule:?}");
    }
}

#[test]
fn f14_nobody_asks_earlier_than_the_service_says() {
    for (rule, least) in [
        (FaultRule::on("approvals.status").retry_after("20"), 20_000),
        (FaultRule::on("approvals.status").status(429).retry_after("20"), 20_000),
        (FaultRule::on("approvals.status").status(503).retry_after("20"), 20_000),
        (FaultRule::on("approvals.status").retry_after("0"), 1_500),
    ] {
        let (emulator, agent, seen) = watched(60);
        let approvals = agent.approvals();
        let pending = ask(&approvals);
        emulator.fault(rule.clone()).unwrap();
        assert!(matches!(approvals.wait(&pending).unwrap(), ApprovalOutcome::Expired(_)));
        let pauses = pauses(&seen.lock().unwrap());
        assert!((least..=least * 2).contains(&pauses[0]), "{rule:?}: {pauses:?}");
        assert!(pauses[1] <= 5_000, "{rule:?}: for this one time: {pauses:?}");
    }
    // Later than the request lives: it is not asked about any more, and ends when it does.
    for status in [None, Some(429), Some(503)] {
        let (emulator, agent, seen) = watched(60);
        let approvals = agent.approvals();
        let pending = ask(&approvals);
        let began = emulator.now();
        let rule = FaultRule::on("approvals.status").retry_after("90").always();
        emulator.fault(status.into_iter().fold(rule, FaultRule::status)).unwrap();
        let outcome = approvals.wait(&pending).unwrap();
        assert!(matches!(outcome, ApprovalOutcome::Expired(_)), "{status:?}: {outcome:?}");
        assert_eq!(emulator.now().saturating_since(began), Duration::from_secs(60));
        assert_eq!(seen.lock().unwrap().len(), 1, "{status:?}");
    }
}

#[test]
fn failures_without_end_end_with_the_request() {
    let (emulator, agent, seen) = watched(60);
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    approve(&emulator);
    emulator.fault(FaultRule::on("approvals.status").status(503).always()).unwrap();
    let outcome = approvals.wait(&pending).unwrap();
    assert!(matches!(outcome, ApprovalOutcome::Expired(_)), "{outcome:?}");
    let seen = seen.lock().unwrap().clone();
    assert!(pauses(&seen).iter().all(|pause| *pause >= 1500), "{:?}", pauses(&seen));
}

#[test]
fn a_refusal_ends_it_at_once() {
    for status in [400, 403, 404] {
        let (emulator, agent, _) = watched(120);
        let approvals = agent.approvals();
        let pending = ask(&approvals);
        emulator.fault(FaultRule::on("approvals.status").status(status)).unwrap();
        assert_eq!(approvals.wait(&pending).unwrap_err().status(), Some(status));
        assert_eq!(emulator.count("approvals.status").unwrap(), 1);
    }
}
