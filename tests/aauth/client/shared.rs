//! One renewal for all who wait for the same refresh token, step by step: whose outcome it is, and whose not.

use std::time::Duration;

use lumoauth::aauth::AuthToken;
use lumoauth::embed::session::{Action, Arrived, KeyHolder, Machine, Step};
use lumoauth::embed::wire::Response;
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Error, Scopes, Signer, TokenType};

use super::world::*;

fn world() -> (World, KeyHolder) {
    let world = World::new(|_, _| panic!("the tests answer themselves"));
    let holder = builder().timeout(Duration::from_secs(20)).build_with(world.clone()).unwrap();
    (world, holder.holder().clone())
}

/// A token that is over, with this refresh token.
fn token(name: &str, refresh_token: &str) -> AuthToken {
    let (wall, lifetime) = (Timestamp::from_unix(START), Duration::from_secs(1));
    AuthToken::new(AccessToken::new(name.into(), TokenType::Bearer, Scopes::none(), wall, lifetime))
        .refresh(refresh_token)
}

/// Turns a machine, signatures made, to where something else has to happen.
fn turn<M: Machine>(
    machine: &mut M,
    world: &World,
    mut arrived: Option<Arrived>,
) -> Result<Step<M::Output>, Error> {
    loop {
        match machine.step(&world.time(), arrived.take())? {
            Step::Do(Action::Sign(to_sign)) => {
                arrived = Some(Arrived::Signature(Signer::sign(&key(), to_sign.base())));
            }
            step => return Ok(step),
        }
    }
}

fn resource_token<M: Machine>(machine: &mut M, world: &World) -> String {
    let Ok(Step::Do(Action::Send(request))) = turn(machine, world, None) else { panic!("it sends") };
    let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
    body["resource_token"].as_str().unwrap().to_owned()
}

fn waits<M: Machine>(machine: &mut M, world: &World) -> bool {
    matches!(turn(machine, world, None), Ok(Step::Do(Action::Join(_))))
}

fn answer(name: &str) -> Option<Arrived> {
    let body = format!(r#"{{"auth_token":"{name}"}}"#);
    Some(Arrived::Response(Response::new(StatusCode::OK, HeaderMap::new(), body)))
}

fn done<M: Machine<Output = AuthToken>>(machine: &mut M, world: &World, arrived: Option<Arrived>) -> String {
    let Ok(Step::Done(token)) = turn(machine, world, arrived) else { panic!("it is done") };
    token.auth_token().expose().to_owned()
}

#[test]
fn an_outcome_is_for_those_who_were_there() {
    let (world, holder) = world();
    let renew = |name: &str, fresh: &str| holder.renew(&token(name, "rf"), fresh.into()).unwrap();
    let (mut first, mut second, mut other) = (renew("old", "r1"), renew("old", "r2"), renew("older", "r3"));
    assert_eq!(resource_token(&mut first, &world), "r1");
    assert!(waits(&mut second, &world) && waits(&mut other, &world));
    assert_eq!(done(&mut first, &world, answer("new-1")), "new-1");
    // Who comes now is told nothing, at the same instant by every clock, and takes nothing away from who was there.
    let mut third = renew("old", "r4");
    assert_eq!(resource_token(&mut third, &world), "r4");
    assert_eq!(done(&mut second, &world, None), "new-1");
    // The refresh token of another token: never two requests with it at once, and its own outcome.
    assert!(waits(&mut other, &world));
    assert_eq!(done(&mut third, &world, answer("new-2")), "new-2");
    assert_eq!(resource_token(&mut other, &world), "r3");
    assert_eq!(done(&mut other, &world, answer("new-3")), "new-3");
    // Another refresh token is nobody's business.
    let (mut own, mut elses) =
        (renew("old", "r5"), holder.renew(&token("old", "rf-2"), "r6".into()).unwrap());
    assert_eq!(
        (resource_token(&mut own, &world), resource_token(&mut elses, &world)),
        ("r5".into(), "r6".into())
    );
}

#[test]
fn a_failure_is_for_those_who_were_there() {
    let (world, holder) = world();
    let renew = |fresh: &str| holder.renew(&token("old", "rf"), fresh.into()).unwrap();
    let (mut first, mut second) = (renew("r1"), renew("r2"));
    assert_eq!(resource_token(&mut first, &world), "r1");
    assert!(waits(&mut second, &world));
    let body = r#"{"error":"invalid_grant"}"#;
    let refused = Response::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body);
    let error = turn(&mut first, &world, Some(Arrived::Response(refused))).unwrap_err();
    let mut third = renew("r3");
    assert_eq!(resource_token(&mut third, &world), "r3", "with another resource token it may go well");
    assert_eq!(turn(&mut second, &world, None).map(drop).unwrap_err().to_string(), error.to_string());
    assert_eq!(done(&mut third, &world, answer("new")), "new");
}

#[test]
fn nobody_repeats_what_a_dropped_renewal_has_sent() {
    for sent in [false, true] {
        let (world, holder) = world();
        let renew = |fresh: &str| holder.renew(&token("old", "rf"), fresh.into()).unwrap();
        let (mut first, mut second) = (renew("r1"), renew("r2"));
        if sent {
            assert_eq!(resource_token(&mut first, &world), "r1");
        } else {
            let step = first.step(&world.time(), None);
            assert!(matches!(step, Ok(Step::Do(Action::Sign(_)))), "it is not signed yet");
        }
        assert!(waits(&mut second, &world));
        drop(first);
        if sent {
            let error = turn(&mut second, &world, None).map(drop).unwrap_err();
            let name = "aauth.agent.token";
            assert!(
                matches!(&error, Error::OutcomeUnknown { operation, .. } if *operation == name),
                "{error}"
            );
        } else {
            assert_eq!(resource_token(&mut second, &world), "r2", "nothing was sent: it takes over");
        }
        // Whoever decides to try again may.
        drop(second);
        assert_eq!(resource_token(&mut renew("r3"), &world), "r3");
    }
}

#[test]
fn the_end_of_a_renewal_is_waited_for_beyond_its_callers_time() {
    let (world, holder) = world();
    let renew = |fresh: &str| holder.renew(&token("old", "rf"), fresh.into()).unwrap();
    let (mut first, mut second, mut third) = (renew("r1"), renew("r2"), renew("r3"));
    assert_eq!(resource_token(&mut first, &world), "r1");
    world.pass(Duration::from_secs(15));
    assert!(waits(&mut second, &world) && waits(&mut third, &world));
    // The first call's time is over; its answer is not here yet, and nobody sends the same again.
    world.pass(Duration::from_secs(6));
    assert!(waits(&mut second, &world));
    let lost = Arrived::Failed(TransportError::unknown(TransportFault::Timeout, "time ran out"));
    assert!(matches!(turn(&mut first, &world, Some(lost)), Err(Error::OutcomeUnknown { .. })));
    assert!(matches!(turn(&mut second, &world, None), Err(Error::OutcomeUnknown { .. })));
    // Each waits for its own time and no longer.
    world.pass(Duration::from_secs(30));
    assert!(turn(&mut third, &world, None).is_err_and(|error| error.is_timeout()));
}
