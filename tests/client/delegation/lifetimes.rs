//! Tokens of users with every lifetime: margins follow it, and no call renews twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::{Agent, DelegationChain};

use super::support::REDIRECT;

/// A service whose users' tokens live so long. Its clock is this machine's: a test takes no time.
fn service(
    lifetime: &'static str,
) -> (Arc<AtomicUsize>, impl Fn(Request) -> Result<Response, TransportError> + Send + Sync) {
    let refreshes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refreshes);
    let service = move |request: Request| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let body = if form.contains("refresh_token") || form.contains("authorization_code") {
            let number = if form.contains("grant_type=refresh_token") {
                counted.fetch_add(1, Ordering::SeqCst) + 1
            } else {
                0
            };
            format!(
                r#"{{"access_token":"user-{number}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"r{number}"}}"#
            )
        } else {
            r#"{"access_token":"other","token_type":"Bearer","expires_in":3600}"#.to_owned()
        };
        Ok(Response::new(StatusCode::OK, HeaderMap::new(), body))
    };
    (refreshes, service)
}

#[test]
fn t6_no_lifetime_of_a_users_token_makes_a_call_renew_twice() {
    let mut most = 0;
    for lifetime in [
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
    ] {
        let (refreshes, service) = service(lifetime);
        let agent = Agent::builder().tenant("acme").client_id("agt_1").client_secret("fixed-secret");
        let chain = DelegationChain::new(&agent.build_with(service).unwrap(), REDIRECT).unwrap();
        chain.consent_url("s1", ["a"]).unwrap();
        let began = Instant::now();
        chain.handle_consent_callback("s1", "code").unwrap();
        let calls = if lifetime == "0" { 2 } else { 5 };
        for _ in 0..calls {
            let before = refreshes.load(Ordering::SeqCst);
            let outcome = chain.exchange("s1", []);
            let made = refreshes.load(Ordering::SeqCst) - before;
            most = most.max(made);
            assert!(made <= 1, "{lifetime}: {made} renewals in one call");
            assert!(outcome.is_ok() || lifetime == "0", "{lifetime}: {outcome:?}");
        }
        // What was renewed a moment ago is used, and what is over when it comes is asked for once a second.
        let all = refreshes.load(Ordering::SeqCst);
        assert!(
            all <= 1 || began.elapsed() >= Duration::from_secs(all as u64 - 1),
            "{lifetime}: {all} renewals"
        );
    }
    println!("T6: users' tokens of 13 lifetimes, a few calls each: {most} renewal a call at most");
}
