//! Clocks that differ: every second around the edges.

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
