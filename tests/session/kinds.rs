//! One life for every kind of value that one call fetches for many: the same promises, from one table.
//!
//! Not in the table: key sets, which need no session (`tests/verify/refresh.rs`); descriptions of resources and the service's own
//! metadata, which are read within a request to a resource (`tests/client/mcp.rs`).

use std::time::Duration;

use lumoauth::embed::operations::McpToken;
use lumoauth::embed::session::{Arrived, Machine, Session, Step};
use lumoauth::error::{Error, TransportError, TransportFault};
use lumoauth::time::Now;

use super::server::{Hit, Reply, Server, broken, hang, mint, reply};
use super::world::{World, session};

/// Any machine, done with a text.
struct Any(Box<Turn>);

type Turn = dyn FnMut(&Now, Option<Arrived>) -> Result<Step<String>, Error>;

impl Machine for Any {
    type Output = String;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<String>, Error> {
        (self.0)(now, arrived)
    }
}

fn any<M: Machine + 'static>(mut machine: M, shown: impl Fn(M::Output) -> String + 'static) -> Any {
    Any(Box::new(move |now, arrived| {
        Ok(match machine.step(now, arrived)? {
            Step::Do(action) => Step::Do(action),
            Step::Done(output) => Step::Done(shown(output)),
        })
    }))
}

/// Where a kind is fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the token endpoint, with this grant.
    Grant(&'static str),
    /// Elsewhere.
    Document,
}

struct Kind {
    name: &'static str,
    at: At,
    begin: fn(&Session) -> Any,
    good: fn(&Hit) -> Reply,
    /// Seconds after which the value is soft but good still. None if there is no such time.
    soft: Option<u64>,
    /// Two early attempts are at least this far apart, in seconds.
    pause: u64,
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind {
            name: "own token",
            at: At::Grant("client_credentials"),
            begin: |session| any(session.token(), |token| token.secret().expose().to_owned()),
            good: |hit| mint(hit, "3600"),
            soft: Some(3400),
            pause: 10,
        },
        Kind {
            name: "MCP token",
            at: At::Grant("urn:ietf:params:oauth:grant-type:token-exchange"),
            begin: |session| {
                any(session.mcp_token(McpToken::new("files")), |token| token.secret().expose().to_owned())
            },
            good: |hit| mint(hit, "3600"),
            soft: Some(3400),
            pause: 10,
        },
        Kind {
            name: "agent's record",
            at: At::Document,
            begin: |session| any(session.info(), |info| format!("{info:?}")),
            good: |_| reply(200, r#"{"sub":"agt_1","id":"agt_1","name":"bot","capabilities":["read"]}"#),
            // Used for a minute, and not after it.
            soft: None,
            pause: 10,
        },
        #[cfg(feature = "aauth")]
        Kind {
            name: "issuer's description",
            at: At::Document,
            begin: |session| any(session.issuer_metadata(), |metadata| metadata.issuer.clone()),
            good: |_| reply(200, r#"{"issuer":"https://app.lumoauth.dev"}"#),
            soft: Some(3700),
            pause: 30,
        },
    ]
}

impl Kind {
    /// Says what its fetches are answered; all others are answered well.
    fn answer(&self, server: &mut Server, mut script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        match self.at {
            At::Grant(grant) => server.on_token(move |hit| {
                let mine = hit.form.get("grant_type").is_some_and(|own| own == grant);
                if mine { script(hit) } else { mint(hit, "86400") }
            }),
            At::Document => {
                server.on_token(|hit| mint(hit, "86400"));
                server.on_call(script);
            }
        }
    }

    fn fetches(&self, server: &Server) -> usize {
        match self.at {
            At::Grant(grant) => {
                let mine = |hit: &&Hit| hit.form.get("grant_type").is_some_and(|own| own == grant);
                server.token_hits.iter().filter(mine).count()
            }
            At::Document => server.calls,
        }
    }
}

fn down() -> Reply {
    reply(503, "{}").after(200)
}

#[test]
fn t15_t1_a_crowd_fetches_once() {
    for kind in kinds() {
        let (mut world, session) = (World::new(1), session());
        kind.answer(&mut world.server, move |hit| (kind.good)(hit).after(200));
        for _ in 0..64 {
            world.spawn((kind.begin)(&session));
        }
        let ends = world.run_ends();
        let first = ends[0].result.as_ref().unwrap();
        assert!(ends.iter().all(|end| end.result.as_ref().unwrap() == first), "{}", kind.name);
        assert_eq!(kind.fetches(&world.server), 1, "{}", kind.name);
    }
}

#[test]
fn t15_t2_a_failure_is_shared() {
    for kind in kinds() {
        let (mut world, session) = (World::new(2), session());
        kind.answer(&mut world.server, |_| down());
        for _ in 0..64 {
            world.spawn((kind.begin)(&session));
        }
        let ends = world.run_ends();
        let first = ends[0].result.as_ref().unwrap_err().to_string();
        for end in &ends {
            assert_eq!(end.result.as_ref().unwrap_err().to_string(), first, "{}", kind.name);
            assert!(end.took <= Duration::from_millis(20_100), "{}", kind.name);
        }
        let fetches = kind.fetches(&world.server);
        assert!(fetches <= 3, "{}: {fetches}", kind.name);
    }
}

#[test]
fn t15_t4_a_good_value_outlives_an_outage() {
    for kind in kinds() {
        let Some(soft) = kind.soft else { continue };
        let (mut world, session) = (World::new(4), session());
        kind.answer(&mut world.server, kind.good);
        world.run((kind.begin)(&session)).unwrap();
        world.pass(Duration::from_secs(soft));
        kind.answer(&mut world.server, |_| reply(503, "{}"));
        world.server.reset();
        for _ in 0..100 {
            assert!(world.run((kind.begin)(&session)).is_ok(), "{}", kind.name);
            world.pass_millis(1000);
        }
        let fetches = u64::try_from(kind.fetches(&world.server)).unwrap();
        assert!((1..=100 / kind.pause + 1).contains(&fetches), "{}: {fetches}", kind.name);
    }
}

#[test]
fn t15_t5_no_outage_lasts_longer_than_it_does() {
    let outages: [fn() -> Reply; 7] = [
        || broken(TransportError::not_sent(TransportFault::Name, "no such name")),
        || broken(TransportError::not_sent(TransportFault::Connect, "refused")),
        || broken(TransportError::unknown(TransportFault::Broken, "reset")),
        || reply(500, "{}"),
        || reply(200, "<!doctype html><title>Sign in</title>"),
        || reply(200, "{"),
        || reply(401, r#"{"error":"invalid_client"}"#),
    ];
    for kind in kinds() {
        for outage in outages {
            let (mut world, session) = (World::new(5), session());
            kind.answer(&mut world.server, move |_| outage());
            for _ in 0..60 {
                assert!(world.run((kind.begin)(&session)).is_err(), "{}", kind.name);
                world.pass_millis(60_000);
            }
            kind.answer(&mut world.server, kind.good);
            assert!(world.run((kind.begin)(&session)).is_ok(), "{}", kind.name);
        }
    }
}

#[test]
fn t15_t6_no_lifetime_makes_it_loop() {
    let lifetimes = ["-1", "0", "1", "5", "10", "2147483648", "1e308", "3600.5", "\"3600\"", "null", "[]"];
    for kind in kinds() {
        // Documents and records say nothing of their lifetime.
        let At::Grant(_) = kind.at else { continue };
        for lifetime in lifetimes {
            let (mut world, session) = (World::new(6), session());
            kind.answer(&mut world.server, move |hit| mint(hit, lifetime));
            let begin = world.truth;
            for calls in 1..=30 {
                let _ = world.run((kind.begin)(&session));
                let (fetches, passed) = (kind.fetches(&world.server), (world.truth - begin).as_secs());
                assert!(fetches <= calls, "{} {lifetime}: {fetches} in {calls} calls", kind.name);
                assert!(fetches as u64 <= passed + 1, "{} {lifetime}: {fetches} in {passed} s", kind.name);
                world.pass_millis(100);
            }
        }
    }
}

#[test]
fn t15_t11_a_leader_short_of_time_or_dropped_harms_nobody() {
    for kind in kinds() {
        // The agent's own token is at hand: it is this kind whose leader has 150 ms, and a follower has 20 s.
        let (mut world, session) = (World::new(11), session());
        if kind.at != At::Grant("client_credentials") {
            world.run(session.token()).unwrap();
        }
        let mut first = true;
        kind.answer(
            &mut world.server,
            move |hit| {
                if std::mem::take(&mut first) { hang() } else { (kind.good)(hit) }
            },
        );
        world.spawn((kind.begin)(&session.with_total(Duration::from_millis(150))));
        assert!(world.step(), "it leads");
        for _ in 0..8 {
            world.spawn((kind.begin)(&session.with_total(Duration::from_secs(20))));
        }
        let ends = world.run_ends();
        assert!(ends[0].result.as_ref().is_err_and(Error::is_timeout), "{}", kind.name);
        assert!(ends[0].took <= Duration::from_millis(250), "{}", kind.name);
        for end in &ends[1..] {
            assert!(end.result.is_ok(), "{}: {:?}", kind.name, end.result);
        }
        assert_eq!(kind.fetches(&world.server), 2, "{}", kind.name);

        let (mut world, session) = (World::new(12), super::world::session());
        kind.answer(&mut world.server, move |hit| (kind.good)(hit).after(200));
        let leader = world.spawn((kind.begin)(&session));
        while kind.fetches(&world.server) == 0 {
            assert!(world.step());
        }
        world.spawn((kind.begin)(&session));
        assert!(world.step(), "it follows");
        world.cancel(leader);
        let ends = world.run_all();
        assert!(ends[1].as_ref().is_some_and(|end| end.result.is_ok()), "{}", kind.name);
    }
}
