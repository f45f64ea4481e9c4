//! What several sign-ins, and browsers that go away, must not do to each other.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lumoauth::asynchronous::{Io, Transport, signin::SignIn as AsyncSignIn};
use lumoauth::embed::session::Ticket;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, InProcess, Tenant, TokenKind, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, Method};
use lumoauth::signin::{Login, SignIn, User};
use lumoauth::store::MemoryStore;
use lumoauth::time::Now;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::support::*;

/// One store, one secret, one host: a session is of the client and the tenant where the person signed in, and of no other.
#[test]
fn a_session_of_one_tenant_or_client_is_none_at_another() {
    let client =
        |id: &str| AgentSeed::new(id).secret("fixed-secret").redirect_uri(format!("{HOME}/callback"));
    let tenant = |name: &str| {
        Tenant::new(name).agent(client("app_1")).agent(client("app_2")).user(UserSeed::new("alice"))
    };
    let [acme, globex] = ["acme", "globex"]
        .map(|name| Emulator::builder().tenant(tenant(name)).auto_consent("alice").build().unwrap());
    let of = |tenant: &str| if tenant == "acme" { &acme } else { &globex };
    let store = Arc::new(MemoryStore::new());
    let at = |tenant: &str, id: &str| {
        let settings = SignIn::builder().base_url(of(tenant).site().base_url()).tenant(tenant).client_id(id);
        let settings = settings.client_secret("fixed-secret").public_url(HOME).session_secret(SECRET);
        settings.store(Arc::clone(&store)).build_with(of(tenant).transport()).unwrap()
    };
    let places = [("acme", "app_1"), ("acme", "app_2"), ("globex", "app_1")];
    for (tenant, id) in places {
        let browser = signed_in(of(tenant), &at(tenant, id));
        for (other_tenant, other_id) in places {
            let seen = who(&at(other_tenant, other_id), &browser);
            let is_same = (tenant, id) == (other_tenant, other_id);
            assert_eq!(seen.is_some(), is_same, "{tenant} {id} at {other_tenant} {other_id}");
        }
        // Nobody is signed out there either.
        let other = at(if tenant == "acme" { "globex" } else { "acme" }, "app_2");
        let _ = other.logout(&Method::POST, &browser.posts());
        assert!(who(&at(tenant, id), &browser).is_some());
    }
}

/// The emulator, whose answers about tokens arrive when they are let through.
#[derive(Clone)]
struct Held {
    inner: InProcess,
    holds: Arc<AtomicBool>,
    asked: Arc<Semaphore>,
    lets: Arc<Semaphore>,
}

impl Transport for Held {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            let is_held = self.holds.load(Ordering::SeqCst) && request.url().path().ends_with("/oauth/token");
            let response = Transport::send(&self.inner, request).await;
            if is_held {
                self.asked.add_permits(1);
                self.lets.acquire().await.unwrap().forget();
            }
            response
        })
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Transport::sleep(&self.inner, duration)
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }

    fn join<'a>(&'a self, ticket: Ticket) -> Io<'a, ()> {
        Transport::join(&self.inner, ticket)
    }
}

/// Runs it until the service has answered it, lets it fall as a server does whose browser went away, and only then lets the answer arrive.
async fn given_up<T>(held: &Held, request: impl Future<Output = T>) {
    held.holds.store(true, Ordering::SeqCst);
    tokio::select! {
        biased;
        _ = request => panic!("it was answered"),
        asked = held.asked.acquire() => asked.unwrap().forget(),
    }
    held.holds.store(false, Ordering::SeqCst);
    held.lets.add_permits(1);
}

fn get(path: &str, headers: HeaderMap) -> axum::extract::Request {
    let mut request = axum::extract::Request::new(axum::body::Body::empty());
    (*request.uri_mut(), *request.headers_mut()) = (path.parse().unwrap(), headers);
    request
}

#[tokio::test]
async fn a_browser_that_goes_away_loses_nothing_that_the_service_gave() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let held = Held {
        inner: emulator.transport(),
        holds: Arc::default(),
        asked: Arc::new(Semaphore::new(0)),
        lets: Arc::new(Semaphore::new(0)),
    };
    let sign_in = AsyncSignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("app_1")
        .client_secret("fixed-secret")
        .public_url(HOME)
        .session_secret(SECRET)
        .scopes("openid offline_access")
        .build_with(held.clone())
        .unwrap();
    async fn page(user: User) -> String {
        user.subject().to_owned()
    }
    let app = axum::Router::new().route("/", axum::routing::get(page)).with_state(sign_in.clone());
    let app = app.merge(sign_in.router());
    let mut browser = Browser::default();
    let begin = async |browser: &mut Browser| {
        let answer = sign_in.login(&browser.headers(), Login::new()).await;
        browser.take(answer.cookies());
        visit(&emulator, answer.location().unwrap().expose()).strip_prefix(HOME).unwrap().to_owned()
    };
    let back = begin(&mut browser).await;
    let answer = app.clone().oneshot(get(&back, browser.headers())).await.unwrap();
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().cloned().collect();
    browser.take(&cookies);

    // The session's token is renewed, with a refresh token that is good for one use, and the browser is gone.
    emulator.advance(Duration::from_secs(601));
    given_up(&held, app.clone().oneshot(get("/", browser.headers()))).await;
    let answer = app.clone().oneshot(get("/", browser.headers())).await.unwrap();
    assert_eq!(answer.status(), 200, "still signed in");
    assert_eq!(emulator.count("oauth.token").unwrap(), 2, "and renewed once");

    // A code is traded, and the browser is gone: the session that came of it is in the store, and its token is not forgotten.
    let mut other = Browser::default();
    let back = begin(&mut other).await;
    given_up(&held, app.clone().oneshot(get(&back, other.headers()))).await;
    let again = app.clone().oneshot(get(&back, other.headers())).await.unwrap();
    assert_eq!(again.status(), 400, "the answer was taken");
    assert_eq!(emulator.token_count(TokenKind::Refresh), 2);
}
