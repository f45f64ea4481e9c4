//! Clocks that differ: every second around the edges.

use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{Leeway, Verifier, VerifyError};
use serde_json::json;

use super::support::*;

#[test]
fn v8_every_second_around_the_edges() {
    let mut cases = 0;
    for leeway in [0, 1, 60, 300] {
        let config = config().leeway(Leeway::seconds(leeway).unwrap());
        let verifier = Verifier::new(config).unwrap();
        let leeway = u64::from(leeway);
        let ends = token(p256(), &json!({"exp": START, "iat": START - 5000}));
        let begins = token(p256(), &json!({"nbf": START, "exp": START + 9000, "iat": START - 5000}));
        let issued = token(p256(), &json!({"iat": START, "exp": START + 9000}));
        for now in START - 310..=START + 310 {
            let result = check(&verifier, &ends, &at(now));
            assert_eq!(result.is_ok(), now < START + leeway, "exp, {leeway} s, {now}");
            assert!(result.is_ok() || matches!(result, Err(VerifyError::Expired)));
            let result = check(&verifier, &begins, &at(now));
            assert_eq!(result.is_ok(), now + leeway >= START, "nbf, {leeway} s, {now}");
            assert!(result.is_ok() || matches!(result, Err(VerifyError::NotYetValid)));
            let result = check(&verifier, &issued, &at(now));
            assert_eq!(result.is_ok(), now + leeway >= START, "iat, {leeway} s, {now}");
            assert!(result.is_ok() || matches!(result, Err(VerifyError::IssuedInFuture)));
            cases += 3;
        }
    }
    assert_eq!(Leeway::default(), Leeway::seconds(60).unwrap());
    for seconds in 301..=u16::MAX {
        assert_eq!(Leeway::seconds(seconds), None);
    }
    println!(
        "v8: {cases} checks, one a second around exp, nbf and iat with 0, 1, 60 and 300 s of leeway: 0 wrong"
    );
}

/// Half a second is rounded to the side on which nothing is taken that should not be.
#[test]
fn v8_times_between_two_seconds() {
    let verifier = Verifier::new(config().leeway(Leeway::seconds(0).unwrap())).unwrap();
    let at_millis = |millis: u64| {
        let now = at(START);
        Now { wall: Timestamp::from_unix_millis(START * 1000 + millis), ..now }
    };
    let half = START as f64 + 0.5004;
    let ends = token(p256(), &json!({"exp": half, "iat": START - 5000}));
    let begins = token(p256(), &json!({"nbf": half, "exp": START + 9000, "iat": START - 5000}));
    check(&verifier, &ends, &at_millis(499)).unwrap();
    assert!(matches!(check(&verifier, &ends, &at_millis(500)), Err(VerifyError::Expired)));
    assert!(matches!(check(&verifier, &begins, &at_millis(500)), Err(VerifyError::NotYetValid)));
    check(&verifier, &begins, &at_millis(501)).unwrap();
    // The last second that there is, and the one behind it.
    let last = 253_402_300_799_u64;
    for exp in [json!(last), json!(last as f64)] {
        check(&verifier, &token(p256(), &json!({"exp": exp})), &at(START)).unwrap();
    }
    for exp in [json!(last + 1), json!((last + 1) as f64), json!(u64::MAX), json!(1e300), json!(-1.0)] {
        assert!(check(&verifier, &token(p256(), &json!({"exp": exp})), &at(START)).is_err(), "{exp}");
    }
}

/// Settings of a trusted issuer and of the verifier of ID tokens count.
#[test]
fn times_that_are_set_count() {
    use lumoauth::embed::session::{Action, Machine, Step};
    use lumoauth::verify::{IdVerifier, IdVerifierConfig, TrustedIssuer, VerifierConfig};
    use std::time::Duration;
    let id = |leeway: u16| {
        let config = IdVerifierConfig::new(given(&jwks(&[p256()])), "agt_1");
        let verifier = IdVerifier::new(config.leeway(Leeway::seconds(leeway).unwrap())).unwrap();
        let claims = json!({"iss": ISSUER, "aud": "agt_1", "sub": "u", "iat": START - 100, "exp": START});
        let mut header = header(p256());
        header["typ"] = json!("JWT");
        let token = sign_raw(p256(), &header.to_string(), &claims.to_string());
        let mut check = verifier.check(&lumoauth::Secret::new(token), None);
        match check.step(&at(START + 5), None).unwrap() {
            Step::Done(result) => result.map(|token| token.issued_at()),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(id(0), Err(VerifyError::Expired)));
    assert_eq!(id(10).unwrap(), Some(Timestamp::from_unix(START - 100)));
    // How long a request may take at most, and how long keys are used.
    let issuer = TrustedIssuer::new(ISSUER).jwks_url("https://issuer.test/keys");
    let issuer = issuer.timeout(Duration::from_secs(2)).keys_max_age(Duration::from_secs(600));
    let verifier = Verifier::new(VerifierConfig::new(issuer, AUDIENCE)).unwrap();
    let long = token(p256(), &json!({"exp": START + 100_000}));
    let fetches = |second: u64| {
        let mut check = verifier.check(&long);
        let Step::Do(Action::Send(request)) = check.step(&at(START + second), None).unwrap() else {
            return false;
        };
        assert!(request.attempt_limits().total <= Duration::from_secs(2));
        let response = lumoauth::embed::wire::Response::new(
            lumoauth::http::StatusCode::OK,
            lumoauth::http::HeaderMap::new(),
            jwks(&[p256()]).to_string(),
        );
        let arrived = lumoauth::embed::session::Arrived::Response(response);
        assert!(matches!(check.step(&at(START + second), Some(arrived)).unwrap(), Step::Done(Ok(_))));
        true
    };
    assert!(fetches(0) && !fetches(400) && fetches(601));
}
