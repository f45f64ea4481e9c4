//! Futures dropped at any moment harm nobody.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use lumoauth::asynchronous::{Agent, Io, Transport};
use lumoauth::embed::session::Ticket;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{Emulator, InProcess};
use lumoauth::error::TransportError;
use lumoauth::time::Now;

use super::support::{ALLOW, ENOUGH, TOKEN, agent, emulator, polled, several};
use crate::hostile::{Latch, Reply, Server};

/// The emulator's transport, which makes its caller wait some polls before and after each send.
pub struct Slow {
    pub inner: InProcess,
    pub before: usize,
    pub after: usize,
}

pub struct Yield(pub usize);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(()) };
        self.0 = left;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Transport for Slow {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            Yield(self.before).await;
            let answer = Transport::send(&self.inner, request).await;
            Yield(self.after).await;
            answer
        })
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Box::pin(async move {
            Yield(1).await;
            Transport::sleep(&self.inner, duration).await;
        })
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }

    fn join<'a>(&'a self, ticket: Ticket) -> Io<'a, ()> {
        Transport::join(&self.inner, ticket)
    }
}

fn slow(emulator: &Emulator, before: usize, after: usize) -> Agent {
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let builder = builder.client_id("agt_1").client_secret(emulator.secret().clone());
    builder.build_with(Slow { inner: emulator.transport(), before, after }).unwrap()
}

#[test]
fn t11_a_leader_dropped_at_any_await_point_harms_nobody() {
    for expired in [false, true] {
        let mut points = 0;
        for n in 0.. {
            let emulator = emulator();
            let agent = slow(&emulator, 3, 3);
            if expired {
                polled(pin!(agent.ensure_authenticated()), ENOUGH).unwrap().unwrap();
                emulator.advance(Duration::from_secs(7200));
            }
            let before = emulator.count("oauth.token").unwrap();
            let follower = agent.clone();
            let mut follower = Box::pin(follower.is_allowed("read"));
            {
                let mut leader = Box::pin(agent.is_allowed("read"));
                if polled(leader.as_mut(), n).is_some() {
                    points = n;
                }
                // The follower is in the middle of things as well when the leader goes away.
                assert!(polled(follower.as_mut(), 1).is_none_or(|allowed| allowed.unwrap()));
            }
            if points > 0 {
                break;
            }
            assert!(
                polled(follower.as_mut(), ENOUGH).expect("the follower hangs").unwrap(),
                "after {n} polls"
            );
            assert!(polled(pin!(agent.is_allowed("read")), ENOUGH).expect("a later caller hangs").unwrap());
            assert!((1..=2).contains(&(emulator.count("oauth.token").unwrap() - before)), "after {n} polls");
        }
        println!("expired token: {expired}; dropped after each of {points} polls");
        assert!(points > 10, "{points}");
    }
}

#[test]
fn t11_a_follower_dropped_at_any_point_harms_nobody() {
    for n in 0..12 {
        let emulator = emulator();
        let agent = slow(&emulator, 3, 3);
        let mut leader = Box::pin(agent.is_allowed("read"));
        assert!(polled(leader.as_mut(), 2).is_none());
        let other = agent.clone();
        let mut follower = Box::pin(other.is_allowed("read"));
        assert!(polled(follower.as_mut(), n).is_none());
        drop(follower);
        assert!(polled(leader.as_mut(), ENOUGH).expect("the leader hangs").unwrap());
        assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    }
}

#[test]
fn t11_a_call_aborted_in_the_middle_of_a_request_leaves_the_client_usable() {
    let latch = Latch::new();
    let gate = latch.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let first = Arc::clone(&asked);
    let server = Server::start(move |request| match request.path() {
        path if path.ends_with("/oauth/token") && first.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::json(200, TOKEN).delay(&gate)
        }
        path if path.ends_with("/oauth/token") => Reply::json(200, TOKEN),
        _ => Reply::json(200, ALLOW),
    });
    let agent = agent(server.url());
    several().block_on(async {
        let call = agent.clone();
        let call = tokio::spawn(async move { call.is_allowed("read").await });
        let other = agent.clone();
        while latch.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let other = tokio::spawn(async move { other.is_allowed("read").await });
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert!(other.await.unwrap().unwrap());
    });
    latch.open();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
