//! Tokens of users with every lifetime: margins follow it, and no call renews twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, DelegationChain, Transport};

use super::support::REDIRECT;

/// A service whose users' tokens live so long, in a world whose time passes only while somebody waits.
struct World {
    lifetime: &'static str,
    /// The scopes of the first token and of each renewal.
    scopes: &'static [&'static str],
    refreshes: AtomicUsize,
    time: Mutex<Duration>,
}

impl Transport for Shared {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let body = if form.contains("refresh_token") || form.contains("authorization_code") {
            let renews = form.contains("grant_type=refresh_token");
            let number = self.0.refreshes.fetch_add(usize::from(renews), Ordering::SeqCst);
            let World { lifetime, scopes, .. } = &*self.0;
            let scope = scopes.get(number + usize::from(renews)).or(scopes.last()).unwrap();
            format!(
                r#"{{"access_token":"user-{number}-{renews}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"r{number}-{renews}","scope":"{scope}"}}"#
            )
        } else {
            r#"{"access_token":"other","token_type":"Bearer","expires_in":3600}"#.to_owned()
        };
        Ok(Response::new(StatusCode::OK, HeaderMap::new(), body))
    }

    fn sleep(&self, duration: Duration) {
        *self.0.time.lock().unwrap() += duration;
    }

    fn now(&self) -> Result<Now, TransportError> {
        let time = *self.0.time.lock().unwrap();
        Ok(Now::new(Timestamp::from_unix(1_750_000_000).saturating_add(time), time, [7; 32]))
    }
}

#[derive(Clone)]
struct Shared(Arc<World>);

#[test]
fn t6_no_lifetime_of_a_users_token_makes_a_call_renew_twice() {
    let lifetimes = [
        "0",
        "1",
        "5",
        "10",
        "29",
        "30",
        "31",
        "60",
        "300",
        "3600",
        "31536000",
        "1e308",
        "18446744073709551615",
    ];
    let mut most = 0;
    for lifetime in lifetimes {
        let (refreshes, time) = (AtomicUsize::new(0), Mutex::new(Duration::from_secs(100)));
        let world = Shared(Arc::new(World { lifetime, scopes: &["a"], refreshes, time }));
        let agent = Agent::builder().tenant("acme").client_id("agt_1").client_secret("fixed-secret");
        let chain = DelegationChain::new(&agent.build_with(world.clone()).unwrap(), REDIRECT).unwrap();
        chain.consent_url("s1", ["a"]).unwrap();
        chain.handle_consent_callback("s1", "code").unwrap();
        for _ in 0..5 {
            let before = world.0.refreshes.load(Ordering::SeqCst);
            let outcome = chain.exchange("s1", []);
            let made = world.0.refreshes.load(Ordering::SeqCst) - before;
            most = most.max(made);
            assert!(made <= 1, "{lifetime}: {made} renewals in one call");
            assert!(outcome.is_ok() || lifetime == "0", "{lifetime}: {outcome:?}");
        }
        // What was renewed a moment ago is used, and what is over when it comes is asked for once a second.
        let all = world.0.refreshes.load(Ordering::SeqCst);
        let passed = world.0.time.lock().unwrap().as_secs() - 100;
        assert!(all as u64 <= passed + 1, "{lifetime}: {all} renewals in {passed} s");
        assert_eq!(all > 0, lifetime == "0", "{lifetime}: {all} renewals of a token that is good");
    }
    println!(
        "T6: users' tokens of {} lifetimes, 5 calls each: {most} renewal a call at most",
        lifetimes.len()
    );
}

/// A renewal may bring fewer scopes than the user consented to, and a later one all of them again; more it may never bring.
#[test]
fn fewer_scopes_for_a_while_cost_no_consent() {
    let world = Shared(Arc::new(World {
        lifetime: "3600",
        scopes: &["a b", "a", "b", "a b", "a b c"],
        refreshes: AtomicUsize::new(0),
        time: Mutex::new(Duration::from_secs(100)),
    }));
    let agent = Agent::builder().tenant("acme").client_id("agt_1").client_secret("fixed-secret");
    let chain = DelegationChain::new(&agent.build_with(world.clone()).unwrap(), REDIRECT).unwrap();
    chain.consent_url("s1", ["a", "b"]).unwrap();
    chain.handle_consent_callback("s1", "code").unwrap();
    for renewals in 0..=3 {
        chain.exchange("s1", []).unwrap_or_else(|error| panic!("after {renewals} renewals: {error}"));
        assert_eq!(world.0.refreshes.load(Ordering::SeqCst), renewals);
        *world.0.time.lock().unwrap() += Duration::from_secs(3600);
    }
    let wider = chain.exchange("s1", []).unwrap_err();
    assert!(wider.to_string().contains("granted more than was asked for"), "{wider}");
}
