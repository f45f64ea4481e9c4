//! Tokens that the service ended before their time, in every form in which a service says so when they are traded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, ClientAuth, DelegationChain, McpToken, Transport};
use serde_json::json;

use super::support::*;

/// The refusals of a traded token: RFC 6749 section 5.2, RFC 8693 section 2.2.2, and what services say besides.
const REFUSALS: [(u16, &str); 7] = [
    (400, r#"{"error":"invalid_grant"}"#),
    (400, r#"{"error":"INVALID_GRANT"}"#),
    (400, r#"{"error":"invalid_request","error_description":"subject_token is invalid"}"#),
    (400, r#"{"error":"invalid_token"}"#),
    (401, r#"{"error":"invalid_token"}"#),
    (401, ""),
    (401, "{}"),
];

/// A service that takes only the newest of the agent's tokens and the newest of the user's, at a time that stands still.
#[derive(Clone)]
struct Service(Arc<Inner>);

struct Inner {
    refusal: (u16, &'static str),
    own: AtomicUsize,
    user: AtomicUsize,
    /// The first that are taken.
    good: (usize, usize),
    asked: Mutex<Vec<&'static str>>,
    monotonic: Mutex<Duration>,
    draws: AtomicUsize,
}

impl Service {
    fn new(refusal: (u16, &'static str), good: (usize, usize)) -> Self {
        Service(Arc::new(Inner {
            refusal,
            own: AtomicUsize::new(0),
            user: AtomicUsize::new(0),
            good,
            asked: Mutex::default(),
            monotonic: Mutex::new(Duration::from_secs(100)),
            draws: AtomicUsize::new(0),
        }))
    }

    fn agent(&self) -> Agent {
        let builder = Agent::builder().tenant("acme").client_id("agt_1").client_secret(SECRET);
        builder.build_with(self.clone()).unwrap()
    }

    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.asked.lock().unwrap())
    }

    fn answer(&self, request: &Request) -> (u16, String) {
        let field = |wanted: &str| {
            let mut fields = form_urlencoded::parse(request.body());
            fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let number = |token: Option<String>, kind: &str| {
            token.and_then(|token| token.strip_prefix(kind)?.parse::<usize>().ok())
        };
        let issue = |count: &AtomicUsize, kind: &str| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            json!({"access_token": format!("{kind}{number}"), "refresh_token": format!("r{number}"), "expires_in": 3600})
                .to_string()
        };
        let grant = field("grant_type").unwrap_or_default();
        let (what, answer) = match &*grant {
            "client_credentials" => ("own", (200, issue(&self.0.own, "own-"))),
            "authorization_code" => ("code", (200, issue(&self.0.user, "user-"))),
            "refresh_token" => ("renewal", (200, issue(&self.0.user, "user-"))),
            _ => {
                let own = number(field("actor_token"), "own-").or(number(field("subject_token"), "own-"));
                let user = number(field("subject_token"), "user-");
                let is_good = own.is_none_or(|own| own >= self.0.good.0)
                    && user.is_none_or(|user| user >= self.0.good.1);
                let (status, body) = self.0.refusal;
                let token = json!({"access_token": "traded", "expires_in": 600}).to_string();
                ("exchange", if is_good { (200, token) } else { (status, body.to_owned()) })
            }
        };
        self.0.asked.lock().unwrap().push(what);
        answer
    }
}

impl Transport for Service {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (status, body) = self.answer(&request);
        Ok(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body))
    }

    fn sleep(&self, pause: Duration) {
        *self.0.monotonic.lock().unwrap() += pause;
    }

    fn now(&self) -> Result<Now, TransportError> {
        let draw = self.0.draws.fetch_add(1, Ordering::SeqCst) as u64;
        let mut random = [7; 32];
        random[..8].copy_from_slice(&draw.to_be_bytes());
        let monotonic = *self.0.monotonic.lock().unwrap();
        Ok(Now::new(Timestamp::from_unix(1_750_000_000 + monotonic.as_secs()), monotonic, random))
    }
}

#[test]
fn t8_a_traded_token_that_was_ended_is_replaced_once_however_that_is_said() {
    for refusal in REFUSALS {
        // The agent's own: as the subject, with the client authenticated and without, and as the actor.
        for client_auth in [None, Some(ClientAuth::Basic)] {
            let service = Service::new(refusal, (2, 0));
            let wanted = McpToken::new("files");
            let wanted = client_auth.map_or(wanted.clone(), |how| wanted.client_auth(how));
            service.agent().mcp_token(wanted).unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
            assert_eq!(service.asked(), ["own", "exchange", "own", "exchange"], "{refusal:?}");
        }
        let service = Service::new(refusal, (2, 0));
        let chain = DelegationChain::without_consent(&service.agent());
        chain.set_user_token("s1", "somebodys").unwrap();
        chain.exchange("s1", []).unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
        assert_eq!(service.asked(), ["own", "exchange", "own", "exchange"], "{refusal:?}");
        // The user's.
        let service = Service::new(refusal, (0, 2));
        let chain = DelegationChain::new(&service.agent(), REDIRECT).unwrap();
        chain.consent_url("s1", []).unwrap();
        chain.handle_consent_callback("s1", "code").unwrap();
        chain.exchange("s1", []).unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
        let asked = ["code", "own", "exchange", "own", "exchange", "renewal", "exchange"];
        assert_eq!(service.asked(), asked, "{refusal:?}");
    }
}

/// A request that is wrong itself may be refused in the same words: that is told as it is, and asked no more than before.
#[test]
fn t8_a_request_that_is_wrong_itself_costs_no_loop_and_no_consent() {
    let service = Service::new(REFUSALS[2], (usize::MAX, usize::MAX));
    let agent = service.agent();
    let chain = DelegationChain::without_consent(&agent);
    chain.set_user_token("s1", "somebodys").unwrap();
    for _ in 0..20 {
        let error = chain.exchange("s1", []).unwrap_err();
        assert_eq!(error.code(), Some("invalid_request"), "{error}");
        let error = agent.mcp_token("files").unwrap_err();
        assert_eq!(error.code(), Some("invalid_request"), "{error}");
    }
    let asked = service.asked();
    assert!(asked.len() <= 6, "{asked:?}");
}

/// A delegated token that the caller has shown elsewhere.
#[test]
fn t9_a_delegated_token_that_somebody_did_not_take_is_given_out_no_more() {
    let emulator = emulator();
    let chain = DelegationChain::new(&emulator.agent().unwrap(), REDIRECT).unwrap();
    consent(&emulator, &chain, "s1");
    consent(&emulator, &chain, "s2");
    let token = |session: &str| chain.exchange(session, []).unwrap().token().secret().clone();
    let (one, two) = (token("s1"), token("s2"));
    let before = emulator.count("oauth.token").unwrap();
    assert!(chain.token_refused(&one));
    assert_eq!(token("s2"), two, "the other session's is held still");
    let other = token("s1");
    assert_ne!(other, one);
    assert!(!chain.token_refused(&one) && !chain.token_refused(&other), "late, and too soon");
    assert_eq!(token("s1"), other);
    assert_eq!(emulator.count("oauth.token").unwrap() - before, 1);
}
