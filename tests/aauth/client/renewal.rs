//! The agent's own token, and the renewal of tokens: once for all who ask.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::Duration;

use lumoauth::aauth::{AgentToken, AuthToken, Client};
use lumoauth::error::ConfigError;
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Error, Scopes, TokenType};

use super::world::*;

const THREADS: usize = 64;

fn all<T: Send + 'static>(work: impl Fn() -> T + Clone + Send + 'static) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (barrier, work) = (Arc::clone(&barrier), work.clone());
            std::thread::spawn(move || {
                barrier.wait();
                work()
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// A source that counts, and hands out tokens of one minute by the world's clock.
fn counting(
    world: &World,
    count: &Arc<AtomicU32>,
) -> impl Fn() -> Result<AgentToken, Error> + Send + Sync + 'static {
    let (world, count) = (world.clone(), Arc::clone(count));
    move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        // Everybody else has to come while this is under way.
        std::thread::yield_now();
        Ok(AgentToken::new(format!("agent.token.{number}"), world.time().wall, Duration::from_secs(60)))
    }
}

fn agent(world: &World) -> lumoauth::aauth::ClientBuilder {
    let _ = world;
    Client::builder().tenant("acme").key(key()).agent(AGENT)
}

#[test]
fn sixty_four_threads_on_an_expired_agent_token_renew_it_once() {
    let (world, count) = (World::new(|_, _| (500, String::new())), Arc::new(AtomicU32::new(0)));
    let client = agent(&world).agent_token_from(counting(&world, &count)).build_with(world.clone()).unwrap();
    let rounds = 50;
    for round in 0..rounds {
        let own = client.clone();
        let tokens = all(move || own.agent_token().unwrap().expose().to_owned());
        assert!(tokens.iter().all(|token| token == &format!("agent.token.{round}")), "{tokens:?}");
        assert_eq!(count.load(Ordering::SeqCst), round + 1);
        world.pass(Duration::from_secs(61));
    }
    println!("agent token: {THREADS} threads, {rounds} rounds, {} renewals", count.load(Ordering::SeqCst));
}

#[test]
fn sixty_four_tasks_on_an_expired_agent_token_renew_it_once() {
    let (world, count) = (World::new(|_, _| (500, String::new())), Arc::new(AtomicU32::new(0)));
    let (own, counter) = (world.clone(), Arc::clone(&count));
    let source = move || {
        let (world, count) = (own.clone(), Arc::clone(&counter));
        async move {
            let number = count.fetch_add(1, Ordering::SeqCst);
            for _ in 0..THREADS {
                tokio::task::yield_now().await;
            }
            Ok(AgentToken::new(format!("agent.token.{number}"), world.time().wall, Duration::from_secs(60)))
        }
    };
    let builder = lumoauth::asynchronous::aauth::Client::builder().tenant("acme").key(key()).agent(AGENT);
    let client = builder.agent_token_from(source).build_with(world.clone()).unwrap();
    block_on(async {
        for round in 0..10_u32 {
            let tasks: Vec<_> = (0..THREADS)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { client.agent_token().await.unwrap().expose().to_owned() })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.unwrap(), format!("agent.token.{round}"));
            }
            assert_eq!(count.load(Ordering::SeqCst), round + 1);
            world.pass(Duration::from_secs(61));
        }
    });
}

#[test]
fn a_failure_is_shared_and_fades() {
    let (world, count) = (World::new(|_, _| (500, String::new())), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&count);
    let failing = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Err(ConfigError::Unavailable("the key server is down").into())
    };
    let client = agent(&world).agent_token_from(failing).build_with(world.clone()).unwrap();
    let own = client.clone();
    let errors = all(move || own.agent_token().unwrap_err().to_string());
    assert!(errors.iter().all(|error| error == "the key server is down"), "{errors:?}");
    assert_eq!(count.load(Ordering::SeqCst), 1, "all share one attempt");
    world.pass(Duration::from_millis(1001));
    assert!(client.agent_token().is_err());
    assert_eq!(count.load(Ordering::SeqCst), 2);
    world.pass(Duration::from_millis(1001));
    assert!(client.agent_token().is_err());
    assert_eq!(count.load(Ordering::SeqCst), 2, "remembered for two seconds by now");
}

#[test]
fn a_good_token_outlives_failed_renewals() {
    let (world, count) = (World::new(|_, _| (500, String::new())), Arc::new(AtomicU32::new(0)));
    let (counter, own) = (Arc::clone(&count), world.clone());
    let once = move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(AgentToken::new("agent.token.0", own.time().wall, Duration::from_secs(3600))),
        _ => Err(ConfigError::Unavailable("the key server is down").into()),
    };
    let client = agent(&world).agent_token_from(once).build_with(world.clone()).unwrap();
    assert!(client.agent_token().is_ok());
    world.pass(Duration::from_secs(3301));
    for _ in 0..250 {
        assert_eq!(client.agent_token().unwrap().expose(), "agent.token.0");
        world.pass(Duration::from_secs(1));
    }
    let attempts = count.load(Ordering::SeqCst) - 1;
    assert!((24..=26).contains(&attempts), "one in ten seconds: {attempts}");
    world.pass(Duration::from_secs(60));
    assert!(client.agent_token().is_err(), "over is over");
}

#[test]
fn a_token_that_is_over_when_it_comes_is_a_fault() {
    let world = World::new(|_, _| (500, String::new()));
    let own = world.clone();
    let stale = move || {
        let issued = Timestamp::from_unix(own.time().wall.unix() - 3600);
        Ok(AgentToken::new("agent.token.0", issued, Duration::from_secs(3600)))
    };
    let client = agent(&world).agent_token_from(stale).build_with(world.clone()).unwrap();
    let error = client.request_authorization("r.s.t").unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(world.seen(), [], "nothing was sent with it");
}

#[test]
fn sixty_four_threads_renew_one_token_with_one_request() {
    let (told, others) = (Arc::new(OnceLock::<World>::new()), THREADS - 1);
    let own = Arc::clone(&told);
    let world = World::new(move |_, number| {
        // Everybody else has to come while this is under way: what comes later is another renewal.
        while own.get().unwrap().joined() < others {
            std::thread::yield_now();
        }
        (200, format!(r#"{{"auth_token":"new-{number}","expires_in":300,"refresh_token":"rf-{number}"}}"#))
    });
    assert!(told.set(world.clone()).is_ok());
    let client = builder().build_with(world.clone()).unwrap();
    let wall = Timestamp::from_unix(START);
    let access =
        AccessToken::new("old".into(), TokenType::Bearer, Scopes::none(), wall, Duration::from_secs(1));
    let token = AuthToken::new(access).refresh("rf");
    let tokens = all(move || client.refresh(&token, "r.s.t").unwrap().auth_token().expose().to_owned());
    assert!(tokens.iter().all(|token| token == "new-0"), "{tokens:?}");
    assert_eq!(world.seen().len(), 1);
    println!("refresh: {THREADS} threads, {} request", world.seen().len());
}

#[test]
fn a_leader_that_is_dropped_harms_nobody() {
    let (world, count) = (World::new(|_, _| (500, String::new())), Arc::new(AtomicU32::new(0)));
    let (own, counter) = (world.clone(), Arc::clone(&count));
    let source = move || {
        let (world, number) = (own.clone(), counter.fetch_add(1, Ordering::SeqCst));
        async move {
            if number == 0 {
                std::future::pending::<()>().await;
            }
            Ok(AgentToken::new(format!("agent.token.{number}"), world.time().wall, Duration::from_secs(60)))
        }
    };
    let builder = lumoauth::asynchronous::aauth::Client::builder().tenant("acme").key(key()).agent(AGENT);
    let client = builder.agent_token_from(source).build_with(world.clone()).unwrap();
    block_on(async {
        let spawn = || {
            let client = client.clone();
            tokio::spawn(async move { client.agent_token().await.map(|token| token.expose().to_owned()) })
        };
        let leader = spawn();
        let followers: Vec<_> = (0..8).map(|_| spawn()).collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "one leads, the others wait");
        leader.abort();
        for follower in followers {
            assert_eq!(follower.await.unwrap().unwrap(), "agent.token.1");
        }
    });
    assert_eq!(count.load(Ordering::SeqCst), 2);
}
