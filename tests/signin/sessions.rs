//! Who is signed in, for how long, and what a store that fails makes of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule, TokenKind};
use lumoauth::error::StoreError;
use lumoauth::signin::{Login, SignIn, SignInError};
use lumoauth::store::{MemoryStore, Page, Prefix, Record, Shelf, Store, StoreKey, Version};

use super::support::*;

/// A record that was saved, and for how long.
type Seen = (StoreKey, Vec<u8>, Option<Duration>);

/// Keeps records in memory, remembers what it was given, and fails when it is told to.
#[derive(Clone, Default)]
struct Watched {
    store: Arc<MemoryStore>,
    seen: Arc<Mutex<Vec<Seen>>>,
    fails: Arc<AtomicBool>,
    fails_saving_sessions: Arc<AtomicBool>,
}

impl Watched {
    fn down(&self) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) { Err(StoreError::unavailable("down")) } else { Ok(()) }
    }
}

impl Store for Watched {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.down()?;
        Store::load(&self.store, key, within)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.down()?;
        if key.shelf() == Shelf::Sessions && self.fails_saving_sessions.load(Ordering::SeqCst) {
            return Err(StoreError::full("full"));
        }
        self.seen.lock().unwrap().push((key.clone(), bytes.to_vec(), keep));
        Store::save_if(&self.store, key, version, bytes, keep, within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.down()?;
        Store::remove_if(&self.store, key, version, within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.down()?;
        Store::keys(&self.store, prefix, after, within)
    }
}

fn stored(emulator: &Emulator, store: &Watched) -> SignIn {
    let settings =
        settings(emulator).scopes("openid email read:documents offline_access").store(store.clone());
    settings.build_with(emulator.transport()).unwrap()
}

#[test]
fn a_session_without_a_refresh_token_ends_with_its_token() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let sign_in = sign_in(&emulator);
    let browser = signed_in(&emulator, &sign_in);
    let user = sign_in.user(&browser.headers()).unwrap().unwrap();
    assert!(!user.renews());
    emulator.advance(Duration::from_secs(599));
    assert_eq!(who(&sign_in, &browser).as_deref(), Some("user:alice"));
    emulator.advance(Duration::from_secs(2));
    assert_eq!(who(&sign_in, &browser), None);
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
}

#[test]
fn a_session_is_renewed_until_its_own_end() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let sign_in = settings(&emulator)
        .scopes("openid email read:documents offline_access")
        .session_lifetime(Duration::from_secs(3_600))
        .build_with(emulator.transport())
        .unwrap();
    let browser = signed_in(&emulator, &sign_in);
    let first = sign_in.user(&browser.headers()).unwrap().unwrap();
    assert!(first.renews());
    emulator.advance(Duration::from_secs(700));
    let renewed = sign_in.user(&browser.headers()).unwrap().unwrap();
    assert_eq!((renewed.subject(), renewed.email()), ("user:alice", Some("alice@acme.test")));
    assert_ne!(renewed.access_token().secret(), first.access_token().secret());
    assert_eq!((renewed.signed_in_at(), renewed.until()), (first.signed_in_at(), first.until()));
    assert_eq!(emulator.count("oauth.token").unwrap(), 2);
    emulator.advance(Duration::from_secs(2_899));
    assert!(who(&sign_in, &browser).is_some());
    let before = emulator.count("oauth.token").unwrap();
    emulator.advance(Duration::from_secs(2));
    assert_eq!(who(&sign_in, &browser), None);
    assert_eq!(
        emulator.count("oauth.token").unwrap(),
        before,
        "nothing is renewed for a session that is over"
    );
}

#[test]
fn however_many_tabs_there_are_a_session_is_renewed_once() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let other_process = stored(&emulator, &store);
    let browser = signed_in(&emulator, &sign_in);
    let rounds = super::rounds::of(50);
    for round in 0..rounds {
        emulator.advance(Duration::from_secs(601));
        let before = emulator.count("oauth.token").unwrap();
        let barrier = Barrier::new(64);
        let tokens: BTreeSet<String> = std::thread::scope(|scope| {
            let tabs: Vec<_> = (0..64)
                .map(|_| {
                    let (sign_in, browser, barrier) = (&sign_in, &browser, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let user = sign_in.user(&browser.headers()).unwrap().unwrap();
                        user.access_token().secret().expose().to_owned()
                    })
                })
                .collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        assert_eq!(emulator.count("oauth.token").unwrap() - before, 1, "round {round}");
        assert_eq!(tokens.len(), 1, "round {round}");
        let user = other_process.user(&browser.headers()).unwrap().unwrap();
        assert!(tokens.contains(user.access_token().secret().expose()), "round {round}");
        assert_eq!(
            emulator.count("oauth.token").unwrap() - before,
            1,
            "another process finds it, round {round}"
        );
    }
    println!("64 tabs, {rounds} rounds: 1 renewal each");
}

#[test]
fn a_session_whose_renewal_is_refused_is_over() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let sign_in = renewing(&emulator);
    let browser = signed_in(&emulator, &sign_in);
    emulator.revoke_consent("alice", "app_1");
    emulator.advance(Duration::from_secs(601));
    for _ in 0..5 {
        // Refused once, and then nobody is asked again.
        let user = sign_in.user(&browser.headers());
        assert!(!matches!(user, Ok(Some(_))), "{user:?}");
        emulator.advance(Duration::from_secs(60));
    }
    assert_eq!(who(&sign_in, &browser), None);
    assert_eq!(emulator.count("oauth.token").unwrap(), 2);
}

#[test]
fn where_it_cannot_be_known_who_it_is_it_is_nobody() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let browser = signed_in(&emulator, &sign_in);
    emulator.fault(FaultRule::on("oauth.token").always().status(503)).unwrap();
    // The token stands: nobody needs the service.
    emulator.advance(Duration::from_secs(500));
    assert!(who(&sign_in, &browser).is_some());
    emulator.advance(Duration::from_secs(130));
    let error = sign_in.user(&browser.headers()).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    assert_eq!(sign_in.refuse(error, &browser.headers()).into_response().status().as_u16(), 503);
    emulator.clear_faults();
    emulator.advance(Duration::from_secs(60));
    assert!(who(&sign_in, &browser).is_some());
    store.fails.store(true, Ordering::SeqCst);
    let error = sign_in.user(&browser.headers()).unwrap_err();
    assert!(matches!(error, SignInError::Service(_)) && error.is_temporary(), "{error}");
}

#[test]
fn a_sign_in_that_cannot_be_saved_leaves_no_token_behind() {
    let emulator = emulator();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    store.fails_saving_sessions.store(true, Ordering::SeqCst);
    let answer = browser.callback(&sign_in, &back);
    assert!(answer.error().is_some_and(SignInError::is_temporary), "{:?}", answer.error());
    assert_eq!(browser.session(), None);
    store.fails_saving_sessions.store(false, Ordering::SeqCst);
    // At the latest with the next sign-in.
    let next = signed_in(&emulator, &sign_in);
    assert_eq!(emulator.token_count(TokenKind::Refresh), 1);
    assert!(who(&sign_in, &next).is_some());
}

/// Neither that of the new session nor that of the one which it was to replace.
#[test]
fn a_sign_in_that_replaces_one_and_cannot_be_saved_leaves_no_token_behind() {
    let emulator = emulator();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let mut browser = signed_in(&emulator, &sign_in);
    let back = visit(&emulator, &browser.login(&sign_in, Login::new()));
    store.fails_saving_sessions.store(true, Ordering::SeqCst);
    assert!(browser.callback(&sign_in, &back).error().is_some_and(SignInError::is_temporary));
    store.fails_saving_sessions.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let _ = signed_in(&emulator, &sign_in);
    }
    assert_eq!(emulator.token_count(TokenKind::Refresh), 3, "those of the three that stand");
}

#[test]
fn a_store_that_is_down_lets_no_code_travel() {
    let emulator = emulator();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    store.fails.store(true, Ordering::SeqCst);
    let answer = browser.callback(&sign_in, &back);
    assert!(answer.error().is_some_and(SignInError::is_temporary), "{:?}", answer.error());
    assert_eq!(emulator.count("oauth.token").unwrap(), 0);
    // The browser keeps its cookie, and can come again.
    store.fails.store(false, Ordering::SeqCst);
    assert!(browser.callback(&sign_in, &back).error().is_none());
    assert!(who(&sign_in, &browser).is_some());
}

#[test]
fn what_a_store_keeps_says_nothing_and_ends() {
    let emulator =
        builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
    let store = Watched::default();
    let sign_in = stored(&emulator, &store);
    let browser = signed_in(&emulator, &sign_in);
    emulator.advance(Duration::from_secs(601));
    let user = sign_in.user(&browser.headers()).unwrap().unwrap();
    let seen = store.seen.lock().unwrap().clone();
    assert!(seen.len() >= 4, "a claim, a session, a renewal's claim, the renewal: {}", seen.len());
    let session = browser.session().unwrap();
    for (key, bytes, keep) in &seen {
        assert!(!key.as_str().contains(session.as_str()), "{}", key.as_str());
        let shown = String::from_utf8_lossy(bytes);
        for secret in ["alice", "acme.test", session, &user.access_token().secret().expose()[..20]] {
            assert!(!shown.contains(secret), "{secret}");
        }
        let keep = keep.expect("every record has an end");
        assert!(keep <= Duration::from_secs(12 * 3600), "{keep:?}");
    }
    // Another secret finds nothing of it.
    let other = settings(&emulator)
        .session_secret("f".repeat(32))
        .store(store)
        .build_with(emulator.transport())
        .unwrap();
    assert_eq!(who(&other, &browser), None);
}

#[test]
fn no_text_has_a_secret_in_it() {
    let emulator = emulator();
    let sign_in = renewing(&emulator);
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, Login::new());
    let back = visit(&emulator, &at_service);
    let answer = browser.callback(&sign_in, &back);
    let user = answer.user().unwrap();
    let shown = format!("{sign_in:?} {answer:?} {user:?} {:?}", settings(&emulator));
    let mut secrets = vec![SECRET.to_owned(), "fixed-secret".to_owned(), query(&back)["code"].clone()];
    secrets.push(query(&at_service)["state"].clone());
    secrets.push(browser.session().unwrap().clone());
    secrets.push(user.access_token().secret().expose().to_owned());
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
    assert!(!shown.contains("alice@acme.test"), "{shown}");
}

#[test]
fn cookies_that_can_be_none_cost_nothing() {
    let emulator = emulator();
    let store = Watched::default();
    store.fails.store(true, Ordering::SeqCst);
    let sign_in = stored(&emulator, &store);
    let names = [
        "",
        "short",
        &"a".repeat(42),
        &"a".repeat(44),
        &"\u{22}".repeat(43),
        &"a/".repeat(43),
        &"a".repeat(5000),
    ];
    for name in names {
        let browser = Browser([("lumoauth_session".to_owned(), name.to_owned())].into());
        assert_eq!(who(&sign_in, &browser), None, "{name}");
    }
    // Two of one name: nobody can tell whose is whose.
    let headers = with(
        Browser::default().headers(),
        "cookie",
        &format!("lumoauth_session={0}; lumoauth_session={0}", "a".repeat(43)),
    );
    assert!(sign_in.user(&headers).unwrap().is_none());
}

/// OpenID Connect Core section 12.2: what comes with a renewal is of who signed in.
#[test]
fn a_session_that_is_renewed_with_somebody_elses_tokens_takes_none_of_them() {
    type Edit = fn(&mut serde_json::Map<String, serde_json::Value>);
    let cases: [(&str, bool, Edit); 7] = [
        ("the same", true, |_| ()),
        ("none", true, |claims| claims.clear()),
        ("another person", false, |claims| _ = claims.insert("sub".into(), "user:bob".into())),
        ("nobody", false, |claims| _ = claims.remove("sub")),
        ("no text", false, |claims| _ = claims.insert("sub".into(), 7.into())),
        ("another issuer", false, |claims| _ = claims.insert("iss".into(), "https://other.test".into())),
        ("no issuer", false, |claims| _ = claims.remove("iss")),
    ];
    for (about, taken, edit) in cases {
        let emulator =
            builder().auto_consent("alice").access_token_lifetime(Duration::from_secs(600)).build().unwrap();
        let mut first = None;
        let changed = Changed::new(&emulator, move |tokens| {
            let Some(id) = tokens.get("id_token").and_then(|id| id.as_str()) else { return };
            let mut said = claims(id);
            if first.replace(()).is_none() {
                return;
            }
            edit(&mut said);
            tokens["id_token"] = match said.is_empty() {
                true => serde_json::Value::Null,
                false => lumoauth::crypto::sign_compact(&key(), "JWT", &said.into()).unwrap().into(),
            };
        });
        let scopes = "openid read:documents offline_access";
        let sign_in = settings(&emulator).scopes(scopes).build_with(changed).unwrap();
        let browser = signed_in(&emulator, &sign_in);
        let before = sign_in.user(&browser.headers()).unwrap().unwrap();
        emulator.advance(Duration::from_secs(601));
        let after = sign_in.user(&browser.headers());
        if taken {
            let after = after.unwrap().unwrap();
            assert_eq!(after.subject(), before.subject(), "{about}");
            assert_ne!(after.access_token().secret(), before.access_token().secret(), "{about}");
        } else {
            let error = after.unwrap_err();
            assert!(error.to_string().contains("another person"), "{about}: {error}");
            assert!(!error.is_temporary(), "{about}");
            emulator.advance(Duration::from_secs(61));
            assert_eq!(who(&sign_in, &browser), None, "{about}: and the person signs in anew");
        }
        let _ = sign_in.logout(&lumoauth::http::Method::POST, &browser.posts());
        assert_eq!(emulator.token_count(TokenKind::Refresh), 0, "{about}");
    }
}
