//! The issuer's keys: fetched rarely, by one caller, kept through an outage, and never from elsewhere.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::crypto::KeyPair;
use lumoauth::embed::session::{Action, Arrived, Machine, Step};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::Now;
use lumoauth::verify::{TrustedIssuer, Verifier, VerifierConfig, VerifyError};
use lumoauth::{Secret, TokenVerifier};
use serde_json::{Value, json};

use super::support::*;

const KEYS_URL: &str = "https://issuer.test/keys";

/// An issuer that counts its visitors.
struct Service {
    keys: Option<Value>,
    visits: u32,
}

fn respond(status: u16, body: &Value) -> Arrived {
    let status = StatusCode::from_u16(status).unwrap();
    Arrived::Response(Response::new(status, HeaderMap::new(), body.to_string()))
}

impl Service {
    fn answer(&mut self, request: &Request) -> Arrived {
        self.visits += 1;
        assert_eq!(request.url().to_string(), KEYS_URL);
        assert!(
            request.attempt_limits().body == 1024 * 1024 && request.headers().get("authorization").is_none()
        );
        match &self.keys {
            Some(keys) => respond(200, keys),
            None => Arrived::Failed(TransportError::not_sent(TransportFault::Connect, "down")),
        }
    }

    fn check(&mut self, begin: &Begin, token: &Secret, now: &Now) -> Result<(), VerifyError> {
        let mut step = begin(token);
        let mut arrived = None;
        let mut now = *now;
        loop {
            match step(&now, arrived.take()) {
                Step::Do(Action::Send(request)) => arrived = Some(self.answer(&request)),
                Step::Do(Action::Wait(pause)) => now.monotonic += pause,
                Step::Do(Action::Join(_))
                | Step::Do(Action::Given(_) | Action::Store(_) | Action::Sign(_)) => {
                    panic!("nobody else is there")
                }
                Step::Done(result) => return result,
            }
        }
    }
}

fn fetching(tokens: &Kind) -> Begin {
    (tokens.verifier)(TrustedIssuer::new(ISSUER).jwks_url(KEYS_URL))
}

/// A token of a key that the issuer has, valid for two days.
fn long(tokens: &Kind, key: &KeyPair) -> Secret {
    tokens.token(key, &json!({"exp": START + 200_000}))
}

fn with_kid(tokens: &Kind, kid: &str) -> Secret {
    let mut header = tokens.header(p256());
    header["kid"] = json!(kid);
    let mut payload = tokens.payload.clone();
    payload["exp"] = json!(START + 200_000);
    Secret::new(sign_raw(p256(), &header.to_string(), &payload.to_string()))
}

fn at_millis(millis: u64) -> Now {
    let now = at(START);
    Now {
        wall: now.wall.saturating_add(Duration::from_millis(millis)),
        monotonic: now.monotonic + Duration::from_millis(millis),
        ..now
    }
}

#[test]
fn v6_invented_key_ids_cause_one_fetch_in_thirty_seconds() {
    for tokens in kinds_of_tokens() {
        let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
        let good = long(&tokens, p256());
        assert!(service.check(&verifier, &good, &at_millis(0)).is_ok());
        let mut random = 1_u64;
        let (kids, step) = (crate::rounds::of(100_000) as u64, 17);
        for number in 1..=kids {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let now = at_millis(number * step);
            let result = service.check(&verifier, &with_kid(&tokens, &format!("{random:x}")), &now);
            assert!(matches!(result, Err(VerifyError::UnknownKey)), "{result:?}");
            if number % 1000 == 0 {
                assert!(service.check(&verifier, &good, &now).is_ok(), "a good key was evicted");
            }
        }
        let allowed = u32::try_from(kids * step / 30_000).unwrap() + 1;
        println!(
            "v6: {}: {kids} invented key ids in {} s: {} fetches ({allowed} allowed), 0 of them kept in memory",
            tokens.typ,
            kids * step / 1000,
            service.visits
        );
        assert!(service.visits <= allowed, "{}", service.visits);
    }
}

#[test]
fn v6_a_rotation_is_seen_within_thirty_seconds() {
    for tokens in kinds_of_tokens() {
        let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
        assert!(service.check(&verifier, &long(&tokens, p256()), &at_millis(0)).is_ok());
        let next = KeyPair::generate_p256().unwrap();
        service.keys = Some(jwks(&[p256(), &next]));
        let seen = (0..=40).find(|second| {
            service.check(&verifier, &long(&tokens, &next), &at_millis(second * 1000)).is_ok()
        });
        assert_eq!(seen, Some(30));
        // The old key is withdrawn: trusted until the set is old, not longer.
        service.keys = Some(jwks(&[&next]));
        assert!(service.check(&verifier, &long(&tokens, p256()), &at_millis(31_000)).is_ok());
        assert!(service.check(&verifier, &long(&tokens, &next), &at_millis(631_000)).is_ok());
        let withdrawn = service.check(&verifier, &long(&tokens, p256()), &at_millis(632_000));
        assert!(matches!(withdrawn, Err(VerifyError::UnknownKey)));
        println!(
            "v6: {}: a new key is accepted after 30 s, a withdrawn one refused after 10 min; {} fetches",
            tokens.typ, service.visits
        );
    }
}

#[test]
fn v6_an_outage_of_a_day_and_then_nothing() {
    for tokens in kinds_of_tokens() {
        let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
        let good = long(&tokens, p256());
        assert!(service.check(&verifier, &good, &at_millis(0)).is_ok());
        service.keys = None;
        let day = 24 * 60 * 60;
        // Every second, or every tenth.
        for second in (0..day).step_by(if crate::rounds::all() { 1 } else { 10 }) {
            let result = service.check(&verifier, &good, &at_millis(second * 1000));
            assert!(result.is_ok(), "{second}: {result:?}");
        }
        let during = service.visits;
        assert!(during <= u32::try_from(day / 30).unwrap(), "{during}");
        for second in day..day + 600 {
            let result = service.check(&verifier, &good, &at_millis(second * 1000));
            let Err(error @ VerifyError::Unavailable(_)) = result else { panic!("{second}: {result:?}") };
            assert_eq!((error.status(), error.challenge()), (503, None));
        }
        let after = service.visits - during;
        assert!(after <= 30, "{after}");
        service.keys = Some(jwks(&[p256()]));
        let healed = (0..=40)
            .find(|more| service.check(&verifier, &good, &at_millis((day + 600 + more) * 1000)).is_ok());
        assert!(healed.is_some_and(|seconds| seconds <= 30), "{healed:?}");
        println!(
            "v6: {}: endpoint down: accepted for 24 h ({during} fetches), then refused ({after} fetches in 600 s), well again after {} s",
            tokens.typ,
            healed.unwrap()
        );
    }
}

#[test]
fn v6_bad_answers_replace_nothing() {
    for tokens in kinds_of_tokens() {
        let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
        let good = long(&tokens, p256());
        assert!(service.check(&verifier, &good, &at_millis(0)).is_ok());
        let bad = [
            (200, json!([])),
            (200, json!({"keys": []})),
            (200, json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]})),
            (206, jwks(&[ed25519()])),
            (302, jwks(&[ed25519()])),
            (404, json!({})),
            (500, json!({})),
        ];
        for (number, (status, body)) in bad.into_iter().enumerate() {
            let now = at_millis((number as u64 + 1) * 700_000);
            let mut check = verifier(&good);
            let Step::Do(Action::Send(_)) = check(&now, None) else { panic!("old keys are fetched anew") };
            let step = check(&now, Some(respond(status, &body)));
            assert!(matches!(step, Step::Done(Ok(_))), "{status} {body}");
        }
        let foreign = service.check(&verifier, &long(&tokens, ed25519()), &at_millis(10_000_000));
        assert!(matches!(foreign, Err(VerifyError::UnknownKey)));
    }
}

#[test]
fn v6_tokens_of_others_cause_no_fetch() {
    for tokens in kinds_of_tokens() {
        let verifier = fetching(&tokens);
        for token in [
            tokens.token(p256(), &json!({"iss": "https://other.test"})),
            Secret::new("a.b.c"),
            Secret::new(sign_raw(
                p256(),
                &json!({"alg": "none", "typ": tokens.typ}).to_string(),
                &tokens.payload.to_string(),
            )),
        ] {
            let step = verifier(&token)(&at(START), None);
            assert!(matches!(step, Step::Done(Err(_))));
        }
    }
}

#[test]
fn v6_sixty_four_threads_make_one_fetch() {
    let visits = Arc::new(AtomicU32::new(0));
    let (counted, keys) = (Arc::clone(&visits), jwks(&[p256()]).to_string());
    let barrier = Arc::new(Barrier::new(64));
    let slow = move |_request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::thread::yield_now();
        Ok(Response::new(StatusCode::OK, HeaderMap::new(), keys.as_bytes()))
    };
    // The built-in clock is the real one.
    let issuer = TrustedIssuer::new(ISSUER).jwks_url(KEYS_URL);
    let verifier = TokenVerifier::build_with(VerifierConfig::new(issuer, AUDIENCE), slow).unwrap();
    let good = token(p256(), &json!({"exp": 250_000_000_000_u64}));
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (verifier, good, barrier) = (verifier.clone(), good.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                verifier.verify(&good).map(|token| token.subject().to_owned())
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap(), "agent:bot");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 1);
    println!("v6: 64 threads on an empty cache: 1 fetch");
}

#[test]
fn v6_a_leader_that_is_dropped_harms_nobody() {
    for tokens in kinds_of_tokens() {
        let verifier = fetching(&tokens);
        let good = long(&tokens, p256());
        let mut leader = verifier(&good);
        assert!(matches!(leader(&at(START), None), Step::Do(Action::Send(_))));
        let mut follower = verifier(&good);
        assert!(matches!(follower(&at(START), None), Step::Do(Action::Join(_))));
        drop(leader);
        // The follower waits out the pace of a second, and fetches itself.
        let Step::Do(Action::Wait(pause)) = follower(&at(START), None) else { panic!("a pause") };
        assert_eq!(pause, Duration::from_secs(1));
        assert!(matches!(follower(&at(START + 1), None), Step::Do(Action::Send(_))));
        let step = follower(&at(START + 1), Some(respond(200, &jwks(&[p256()]))));
        assert!(matches!(step, Step::Done(Ok(_))));
    }
}

#[test]
fn t11_a_check_that_runs_out_of_time_fails_alone() {
    for tokens in kinds_of_tokens() {
        let verifier = fetching(&tokens);
        let good = long(&tokens, p256());
        let (mut first, mut hurried, mut patient) = (verifier(&good), verifier(&good), verifier(&good));
        assert!(matches!(first(&at(START), None), Step::Do(Action::Send(_))));
        assert!(matches!(hurried(&at(START), None), Step::Do(Action::Join(_))));
        drop(first);
        // Four of its eight seconds are left, and an attempt has five.
        let Step::Do(Action::Send(request)) = hurried(&at(START + 4), None) else { panic!("it leads") };
        assert_eq!(request.attempt_limits().total, Duration::from_secs(4));
        assert!(matches!(patient(&at(START + 4), None), Step::Do(Action::Join(_))));
        let timeout = Arrived::Failed(TransportError::unknown(TransportFault::Timeout, "slow"));
        let end = hurried(&at(START + 8), Some(timeout));
        assert!(matches!(end, Step::Done(Err(VerifyError::Unavailable(_)))));
        assert!(matches!(patient(&at(START + 8), None), Step::Do(Action::Send(_))), "it goes on");
        let step = patient(&at(START + 8), Some(respond(200, &jwks(&[p256()]))));
        assert!(matches!(step, Step::Done(Ok(_))));
    }
}

#[test]
fn the_keys_are_where_the_issuers_own_metadata_says() {
    let issuer = |issuer: TrustedIssuer| Verifier::new(VerifierConfig::new(issuer, AUDIENCE)).unwrap();
    let base = "https://issuer.test/t/acme/api/v1";
    let good = json!({"issuer": ISSUER, "jwks_uri": KEYS_URL});
    let mut asked = Vec::new();
    let mut run = |verifier: &Verifier, answers: &[(u16, Value)]| {
        asked.clear();
        let token = long(&access_tokens(), p256());
        let mut check = verifier.check(&token);
        let mut arrived = None;
        for answer in answers {
            match check.step(&at(START), arrived.take()).unwrap() {
                Step::Do(Action::Send(request)) => asked.push(request.url().to_string()),
                Step::Done(result) => return (asked.clone(), result.map(drop)),
                other => panic!("{other:?}"),
            }
            arrived = Some(respond(answer.0, &answer.1));
        }
        let Step::Done(result) = check.step(&at(START), arrived).unwrap() else { panic!("one more request") };
        (asked.clone(), result.map(drop))
    };
    let keys = (200, jwks(&[p256()]));
    let verifier = issuer(ISSUER.into());
    let (urls, result) = run(&verifier, &[(200, good.clone()), keys.clone()]);
    assert_eq!(urls, [format!("{base}/.well-known/openid-configuration"), KEYS_URL.to_owned()]);
    result.unwrap();

    let (urls, result) = run(&issuer(ISSUER.into()), &[(404, json!({})), (200, good.clone()), keys.clone()]);
    let before_the_path = "https://issuer.test/.well-known/oauth-authorization-server/t/acme/api/v1";
    assert_eq!(urls, [&*format!("{base}/.well-known/openid-configuration"), before_the_path, KEYS_URL]);
    result.unwrap();

    let elsewhere = "https://issuer.test/meta";
    let (urls, result) = run(
        &issuer(TrustedIssuer::new(ISSUER).metadata_url(elsewhere)),
        &[(200, good.clone()), keys.clone()],
    );
    assert_eq!(urls[0], elsewhere);
    result.unwrap();

    let cdn = json!({"issuer": ISSUER, "jwks_uri": "https://cdn.test/keys"});
    let allowing = TrustedIssuer::new(ISSUER).allow_keys_from("https://cdn.test");
    run(&issuer(allowing), &[(200, cdn.clone()), keys.clone()]).1.unwrap();
    for bad in [
        cdn,
        json!({"issuer": format!("{ISSUER}/"), "jwks_uri": KEYS_URL}),
        json!({"issuer": "https://issuer.test", "jwks_uri": KEYS_URL}),
        json!({"jwks_uri": KEYS_URL}),
        json!({"issuer": ISSUER}),
        json!({"issuer": ISSUER, "jwks_uri": 1}),
        json!({"issuer": ISSUER, "jwks_uri": "http://issuer.test/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "https://issuer.test.evil.test/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "https://issuer.test@evil.test/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "https://issuer.test:8443/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "//issuer.test/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "file:///etc/keys"}),
        json!({"issuer": ISSUER, "jwks_uri": "data:application/json,{}"}),
    ] {
        // Neither place has a good one: the first says what is wrong.
        for second in [(200, bad.clone()), (404, json!({}))] {
            let (urls, result) = run(&issuer(ISSUER.into()), &[(200, bad.clone()), second]);
            assert_eq!(urls.len(), 2, "{bad}");
            let Err(VerifyError::Unavailable(error)) = result else { panic!("{bad}") };
            assert!(!error.is_not_found(), "{error}");
        }
        // A good one at the next place counts.
        let answers = [(200, bad.clone()), (200, good.clone()), keys.clone()];
        run(&issuer(ISSUER.into()), &answers).1.unwrap();
    }
    // Nothing that a place may answer keeps the next one from being asked.
    for status in
        [201, 203, 204, 206, 301, 302, 307, 400, 401, 403, 404, 405, 406, 410, 429, 500, 502, 503, 504]
    {
        // Not even a document in which everything is right.
        for first in [json!({}), json!({"issuer": ISSUER, "jwks_uri": "https://issuer.test/other-keys"})] {
            let answers = [(status, first), (200, good.clone()), keys.clone()];
            let (urls, result) = run(&issuer(ISSUER.into()), &answers);
            let first = format!("{base}/.well-known/openid-configuration");
            assert_eq!(urls, [&*first, before_the_path, KEYS_URL], "{status}");
            result.unwrap();
        }
    }
}

#[test]
fn a_place_with_a_page_or_a_torn_answer_is_passed_by_and_an_unreachable_issuer_is_asked_once() {
    let fresh = || Verifier::new(VerifierConfig::new(TrustedIssuer::from(ISSUER), AUDIENCE)).unwrap();
    let good = json!({"issuer": ISSUER, "jwks_uri": KEYS_URL});
    let page = |status| {
        let page = "<!doctype html><title>Sign in</title>";
        Arrived::Response(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), page))
    };
    let torn = |fault| Arrived::Failed(TransportError::unknown(fault, "torn"));
    let firsts = [
        page(200),
        page(403),
        torn(TransportFault::TooLarge),
        torn(TransportFault::Framing),
        torn(TransportFault::Broken),
        torn(TransportFault::Timeout),
    ];
    for first in firsts {
        let mut check = fresh().check(&long(&access_tokens(), p256()));
        let mut step = |arrived| check.step(&at(START), arrived).unwrap();
        assert!(matches!(step(None), Step::Do(Action::Send(_))));
        let Step::Do(Action::Send(second)) = step(Some(first)) else { panic!("the next place") };
        assert!(second.url().to_string().contains("oauth-authorization-server"));
        let Step::Do(Action::Send(keys)) = step(Some(respond(200, &good))) else { panic!("the keys") };
        assert_eq!(keys.url().to_string(), KEYS_URL);
        assert!(matches!(step(Some(respond(200, &jwks(&[p256()])))), Step::Done(Ok(_))));
    }
    let mut check = fresh().check(&long(&access_tokens(), p256()));
    assert!(matches!(check.step(&at(START), None).unwrap(), Step::Do(Action::Send(_))));
    let nobody = Arrived::Failed(TransportError::not_sent(TransportFault::Connect, "refused"));
    let end = check.step(&at(START), Some(nobody)).unwrap();
    assert!(matches!(end, Step::Done(Err(VerifyError::Unavailable(_)))));
}

/// The usual token, long-lived, with a header that names no key.
fn nameless(tokens: &Kind, key: &KeyPair) -> Secret {
    let mut header = tokens.header(key);
    header.as_object_mut().unwrap().remove("kid");
    let mut payload = tokens.payload.clone();
    payload["exp"] = json!(START + 200_000);
    Secret::new(sign_raw(key, &header.to_string(), &payload.to_string()))
}

#[test]
fn v6_a_rotation_is_seen_by_tokens_that_name_no_key_too() {
    let tokens = access_tokens();
    let next = KeyPair::generate_p256().unwrap();
    let other_type = KeyPair::from_ed25519_seed(&[77; 32]).unwrap();
    // Another key of the same type, which fits and does not verify, and one of another type, where none fits.
    for next in [&next, &other_type] {
        let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
        assert!(service.check(&verifier, &nameless(&tokens, p256()), &at_millis(0)).is_ok());
        service.keys = Some(jwks(&[next]));
        let token = nameless(&tokens, next);
        let seen =
            (0..=40).find(|second| service.check(&verifier, &token, &at_millis(second * 1000)).is_ok());
        assert_eq!((seen, service.visits), (Some(30), 2));
        // What nobody has signed is refused, and costs no more than the pace allows.
        let forged = nameless(&tokens, &KeyPair::generate_p256().unwrap());
        let foreign = {
            let mut foreign = Kind { payload: tokens.payload.clone(), ..access_tokens() };
            foreign.payload["iss"] = json!("https://other.test");
            nameless(&foreign, &KeyPair::generate_p256().unwrap())
        };
        for second in 31..=3031 {
            let now = at_millis(second * 1000);
            for token in [&forged, &foreign] {
                assert!(service.check(&verifier, token, &now).is_err());
            }
            assert!(service.check(&verifier, &token, &now).is_ok(), "a good key was lost");
        }
        assert!(service.visits <= 2 + 3000 / 30 + 1, "{}", service.visits);
    }
    // A token of another issuer is worth no request, and one that names its key and does not verify is not either: the key is there.
    let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
    assert!(service.check(&verifier, &nameless(&tokens, p256()), &at_millis(0)).is_ok());
    let mut foreign = access_tokens();
    foreign.payload["iss"] = json!("https://other.test");
    let foreign = nameless(&foreign, &next);
    let good = long(&tokens, p256());
    let forged = Secret::new(format!("{}.{}", good.expose().rsplit_once('.').unwrap().0, encode([7; 64])));
    for token in [&foreign, &forged] {
        let refused = service.check(&verifier, token, &at_millis(60_000));
        assert!(matches!(refused, Err(VerifyError::Signature)), "{refused:?}");
    }
    assert_eq!(service.visits, 1);
    // The issuer is away: the token is refused for its signature, and the keys at hand stay.
    let (verifier, mut service) = (fetching(&tokens), Service { keys: Some(jwks(&[p256()])), visits: 0 });
    assert!(service.check(&verifier, &nameless(&tokens, p256()), &at_millis(0)).is_ok());
    service.keys = None;
    let refused = service.check(&verifier, &nameless(&tokens, &next), &at_millis(40_000));
    assert!(matches!(refused, Err(VerifyError::Signature)), "{refused:?}");
    assert!(service.check(&verifier, &nameless(&tokens, p256()), &at_millis(40_000)).is_ok());
}

#[test]
fn v6_a_key_that_comes_back_with_another_algorithm_is_seen() {
    for tokens in kinds_of_tokens() {
        let under_one_id = |key: &KeyPair| {
            let mut jwk = key.public_jwk().to_json();
            jwk["kid"] = json!("key-1");
            json!({"keys": [jwk]})
        };
        let (verifier, mut service) =
            (fetching(&tokens), Service { keys: Some(under_one_id(p256())), visits: 0 });
        let token = |key: &KeyPair| {
            let mut header = tokens.header(key);
            header["kid"] = json!("key-1");
            let mut payload = tokens.payload.clone();
            payload["exp"] = json!(START + 200_000);
            Secret::new(sign_raw(key, &header.to_string(), &payload.to_string()))
        };
        assert!(service.check(&verifier, &token(p256()), &at_millis(0)).is_ok());
        service.keys = Some(under_one_id(ed25519()));
        let early = service.check(&verifier, &token(ed25519()), &at_millis(29_000));
        assert!(matches!(early, Err(VerifyError::Algorithm)), "{early:?}");
        assert!(service.check(&verifier, &token(ed25519()), &at_millis(30_000)).is_ok());
        assert_eq!(service.visits, 2);
    }
}
