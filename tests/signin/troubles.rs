//! A store that fails at any of its calls while people sign in, come back and sign out: nothing of theirs is lost, nothing lives on.

use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule, TokenKind};
use lumoauth::http::{HeaderMap, Method};
use lumoauth::signin::{Answer, Login, SignIn, SignInError};

use super::support::*;
use crate::stores::{FAULTS, Faulty, block_on};

/// What a service does, in either mount.
trait Desk {
    fn login(&self, headers: &HeaderMap) -> Answer;
    fn callback(&self, headers: &HeaderMap, url: &str) -> Answer;
    fn who(&self, headers: &HeaderMap) -> Result<bool, SignInError>;
    fn logout(&self, headers: &HeaderMap) -> Answer;
}

impl Desk for SignIn {
    fn login(&self, headers: &HeaderMap) -> Answer {
        self.login(headers, Login::new())
    }
    fn callback(&self, headers: &HeaderMap, url: &str) -> Answer {
        self.callback(headers, url)
    }
    fn who(&self, headers: &HeaderMap) -> Result<bool, SignInError> {
        self.user(headers).map(|user| user.is_some())
    }
    fn logout(&self, headers: &HeaderMap) -> Answer {
        self.logout(&Method::POST, headers)
    }
}

#[cfg(feature = "async")]
impl Desk for lumoauth::asynchronous::signin::SignIn {
    fn login(&self, headers: &HeaderMap) -> Answer {
        block_on(self.login(headers, Login::new()))
    }
    fn callback(&self, headers: &HeaderMap, url: &str) -> Answer {
        block_on(self.callback(headers, url))
    }
    fn who(&self, headers: &HeaderMap) -> Result<bool, SignInError> {
        block_on(self.user(headers)).map(|user| user.is_some())
    }
    fn logout(&self, headers: &HeaderMap) -> Answer {
        block_on(self.logout(&Method::POST, headers))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The first sign-in of a browser.
    SignIn,
    /// One that takes the place of the browser's session.
    SignInAgain,
    /// A page, with a token that is over.
    Renewal,
    SignOut,
}

const SCOPES: &str = "openid read:documents offline_access";

#[test]
fn f16_a_store_of_sessions_may_fail_at_any_call() {
    fails_at_any_call("blocking", |emulator, store| {
        let settings = settings(emulator).scopes(SCOPES).store(store);
        Box::new(settings.build_with(emulator.transport()).unwrap())
    });
}

#[cfg(feature = "async")]
#[test]
fn f16_a_store_of_sessions_may_fail_at_any_call_in_the_async_mount() {
    fails_at_any_call("async", |emulator, store| {
        let settings = lumoauth::asynchronous::signin::SignIn::builder()
            .base_url(emulator.site().base_url())
            .tenant("acme")
            .client_id("app_1")
            .client_secret("fixed-secret")
            .public_url(HOME)
            .session_secret(SECRET);
        Box::new(settings.scopes(SCOPES).store(store).build_with(emulator.transport()).unwrap())
    });
}

/// The browser goes to the service, and comes back with an answer.
fn begins(emulator: &Emulator, desk: &dyn Desk, browser: &mut Browser) -> String {
    let answer = desk.login(&browser.headers());
    browser.take(answer.cookies());
    visit(emulator, answer.location().unwrap().expose())
}

/// The whole way, where nothing fails.
fn signs_in(emulator: &Emulator, desk: &dyn Desk, browser: &mut Browser) {
    let back = begins(emulator, desk, browser);
    let answer = desk.callback(&browser.headers(), &back);
    assert!(answer.error().is_none(), "{:?}", answer.error());
    browser.take(answer.cookies());
}

fn fails_at_any_call(mount: &str, desk: impl Fn(&Emulator, Faulty) -> Box<dyn Desk>) {
    let (mut cases, mut failed) = (0, 0);
    for flow in [Flow::SignIn, Flow::SignInAgain, Flow::Renewal, Flow::SignOut] {
        for fault in FAULTS {
            for (spread, busy) in [(1, false), (1000, false), (1, true), (1000, true)] {
                for call in 0.. {
                    let lifetimes = builder()
                        .access_token_lifetime(Duration::from_secs(600))
                        .code_lifetime(Duration::from_secs(3_600));
                    let emulator = lifetimes.auto_consent("alice").build().unwrap();
                    let store = Faulty::new(&emulator);
                    let desk = desk(&emulator, store.clone());
                    let mut browser = Browser::default();
                    if flow != Flow::SignIn {
                        signs_in(&emulator, &*desk, &mut browser);
                    }
                    let back = match flow {
                        Flow::SignIn | Flow::SignInAgain => begins(&emulator, &*desk, &mut browser),
                        Flow::Renewal => {
                            emulator.advance(Duration::from_secs(601));
                            String::new()
                        }
                        Flow::SignOut => String::new(),
                    };
                    if busy {
                        let rule = FaultRule::on("oauth.token").times(1).status(429).retry_after("3000");
                        emulator.fault(rule).unwrap();
                    }
                    store.at(call, call + spread, fault);
                    let case = format!("{flow:?}, {fault:?} at call {call} and {spread} on, busy {busy}");
                    let mut copy = browser.clone();
                    let error = match flow {
                        Flow::SignIn | Flow::SignInAgain => {
                            let answer = desk.callback(&browser.headers(), &back);
                            browser.take(answer.cookies());
                            answer.error().cloned()
                        }
                        Flow::Renewal => desk.who(&browser.headers()).err(),
                        Flow::SignOut => {
                            let answer = desk.logout(&browser.posts());
                            browser.take(answer.cookies());
                            assert_eq!(browser.session(), None, "{case}");
                            answer.error().cloned()
                        }
                    };
                    let calls = store.heal();
                    failed += usize::from(error.is_some());
                    let case = format!("{case}: {error:?}");
                    emulator.clear_faults();
                    // As long as the service's wish to be left alone is remembered.
                    emulator.advance(Duration::from_secs(601));
                    match flow {
                        Flow::SignIn | Flow::SignInAgain if error.is_some() => {
                            // Where the browser keeps its cookie, the same answer counts when it comes again.
                            let keeps = browser.0.keys().any(|name| name.starts_with("lumoauth_login_"));
                            let traded = emulator.token_count(TokenKind::Refresh) > 0
                                || emulator.count("oauth.revoke").unwrap() > 0;
                            assert!(keeps || traded || flow == Flow::SignInAgain, "{case}: nothing was used");
                            if keeps {
                                let answer = desk.callback(&browser.headers(), &back);
                                assert!(answer.error().is_none(), "{case}: {:?}", answer.error());
                                browser.take(answer.cookies());
                                assert!(desk.who(&browser.headers()).unwrap(), "{case}");
                            }
                        }
                        Flow::SignIn | Flow::SignInAgain | Flow::Renewal => {
                            assert!(desk.who(&browser.headers()).unwrap(), "{case}: the session is lost");
                        }
                        // Whoever has a copy of the cookie is nobody either.
                        Flow::SignOut => {
                            assert!(!desk.who(&copy.headers()).unwrap(), "{case}: the session lives on");
                        }
                    }
                    // Everybody signs out, and what is left to be revoked is revoked by who comes next.
                    browser.take(desk.logout(&browser.posts()).cookies());
                    copy.take(desk.logout(&copy.posts()).cookies());
                    for _ in 0..4 {
                        if emulator.token_count(TokenKind::Refresh) == 0 {
                            break;
                        }
                        let mut other = Browser::default();
                        signs_in(&emulator, &*desk, &mut other);
                        other.take(desk.logout(&other.posts()).cookies());
                    }
                    assert_eq!(emulator.token_count(TokenKind::Refresh), 0, "{case}");
                    cases += 1;
                    if call >= calls {
                        break;
                    }
                }
            }
        }
    }
    println!(
        "F16, {mount}: {cases} cases of sign-ins, {failed} failed, 0 lost, 0 tokens alive that nobody knows"
    );
    assert!(cases > 100 && failed > 50, "{cases} cases, {failed} failed");
}
