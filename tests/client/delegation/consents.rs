//! Consents that follow one another, that are forged or abandoned, and sessions that end in the middle of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::error::{ConfigError, ConsentError};
use lumoauth::{Agent, Credentials, DelegationChain, Error};

use super::support::*;

fn consent_error(result: Result<(), Error>) -> ConsentError {
    match result {
        Err(Error::Consent(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_user_of_a_session_is_never_renewed_with_the_last_ones_token() {
    let emulator = builder().build().unwrap();
    let chain = chain(&emulator);
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    chain.handle_callback_url("s1", &come_back_as(&emulator, "alice", &url)).unwrap();
    // Bob's answer has no refresh token.
    let url = chain.consent_url("s1", ["read:documents"]).unwrap().replace("&access_type=offline", "");
    chain.handle_callback_url("s1", &come_back_as(&emulator, "bob", &url)).unwrap();
    let subject = || {
        Ok::<_, Error>(
            chain.exchange("s1", [])?.unverified_claims().unwrap().unverified_subject().map(str::to_owned),
        )
    };
    assert!(subject().unwrap().unwrap().contains("bob"));
    emulator.advance(Duration::from_secs(3600));
    let late = subject();
    assert!(matches!(late, Err(Error::Consent(ConsentError::Needed))), "{late:?}");
}

#[test]
fn no_refresh_token_outlives_its_session() {
    let emulator = emulator();
    let chain = chain(&emulator);
    // Displaced by another consent, and by a token that came by another way.
    consent(&emulator, &chain, "s1");
    consent(&emulator, &chain, "s1");
    consent(&emulator, &chain, "s2");
    chain.set_user_token("s2", "user-token").unwrap();
    let before = emulator.active_refresh_tokens();
    assert_eq!(before, 3);
    // The service is told, and nothing is forgotten before it was.
    emulator.fault(lumoauth::emulator::FaultRule::on("oauth.revoke").nth(2).times(3).status(503)).unwrap();
    assert!(chain.revoke("s1").unwrap_err().is_temporary());
    chain.revoke("s1").unwrap();
    chain.revoke("s2").unwrap();
    println!("{before} refresh tokens of 2 sessions, {} after revoking", emulator.active_refresh_tokens());
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

#[test]
fn a_session_that_ends_while_its_code_is_traded_does_not_come_back() {
    let emulator = emulator();
    let quiet = Watched::new(|| ());
    let here = chain(&emulator).store(quiet.clone());
    let url = here.consent_url("s1", ["read:documents"]).unwrap();
    let back = come_back(&emulator, &url);
    // Elsewhere it is revoked as soon as the code is on its way.
    let (saves, elsewhere) = (AtomicUsize::new(0), here.clone());
    let chain = chain(&emulator).store(quiet.and(move || {
        if saves.fetch_add(1, Ordering::SeqCst) == 0 {
            elsewhere.revoke("s1").unwrap();
        }
    }));
    assert_eq!(consent_error(chain.handle_callback_url("s1", &back)), ConsentError::WrongState);
    assert!(!here.has_delegation("s1").unwrap());
    assert!(quiet.sessions().is_empty());
    assert_eq!((emulator.count("oauth.token").unwrap(), emulator.active_refresh_tokens()), (1, 0));
}

#[test]
fn what_comes_while_a_session_is_revoked_is_revoked_too() {
    let emulator = emulator();
    let quiet = Watched::new(|| ());
    let here = chain(&emulator).store(quiet.clone());
    consent(&emulator, &here, "s1");
    // Elsewhere a consent ends between the revoking here and the forgetting.
    let url = here.consent_url("s1", ["read:documents"]).unwrap();
    let back = std::sync::Mutex::new(Some(come_back(&emulator, &url)));
    let elsewhere = here.clone();
    let transport = emulator.transport();
    let agent = Agent::builder().base_url(emulator.site().base_url()).tenant("acme").client_id("agt_1");
    let revoking = move |request: lumoauth::embed::wire::Request| {
        let answer = lumoauth::Transport::send(&transport, request);
        if let Some(back) = back.lock().unwrap().take() {
            elsewhere.handle_callback_url("s1", &back).unwrap();
        }
        answer
    };
    let agent = agent.client_secret("fixed-secret").build_with(revoking).unwrap();
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap().store(quiet.clone());
    chain.revoke("s1").unwrap();
    assert!(quiet.sessions().is_empty());
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

#[test]
fn forged_answers_keep_nothing_and_abandoned_consents_go() {
    let emulator = emulator();
    let saves = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&saves);
    let store = Watched::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let chain = chain(&emulator).store(store.clone());
    for count in 0..500 {
        let session = format!("invented {count}");
        let forged = format!("{REDIRECT}?code=c&state=s");
        assert_eq!(consent_error(chain.handle_callback_url(&session, &forged)), ConsentError::WrongState);
        assert_eq!(consent_error(chain.handle_consent_callback(&session, "c")), ConsentError::WrongState);
    }
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    let before = saves.load(Ordering::SeqCst);
    let forged = come_back(&emulator, &url).replace("state=", "state=x");
    assert_eq!(consent_error(chain.handle_callback_url("s1", &forged)), ConsentError::WrongState);
    println!("1000 forged answers: {} sessions, {} saves", store.sessions().len() - 1, before - 1);
    assert_eq!((store.sessions().len(), before, saves.load(Ordering::SeqCst)), (1, 1, 1));
    // Nobody came back from that one. The session of a user stays, whatever is pending in it.
    consent(&emulator, &chain, "s2");
    chain.consent_url("s2", ["read:documents"]).unwrap();
    assert_eq!(chain.active_sessions().unwrap(), ["s2"]);
    assert_eq!(store.sessions().len(), 2, "it may come back still");
    emulator.advance(Duration::from_secs(3600));
    assert_eq!(chain.active_sessions().unwrap(), ["s2"]);
    assert_eq!(store.sessions(), ["s2"]);
    // A refusal leaves nothing either.
    let url = chain.consent_url("s3", ["read:documents"]).unwrap();
    let back = come_back(&emulator, &url).replace("code=", "not-a-code=");
    assert_eq!(consent_error(chain.handle_callback_url("s3", &back)), ConsentError::NoCode);
    assert_eq!(store.sessions(), ["s2"]);
}

#[test]
fn a_consent_belongs_to_the_client_that_asked_for_it() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
    let back = |session: &str| come_back(&emulator, &chain.consent_url(session, ["read:documents"]).unwrap());
    let (first, second) = (back("s1"), back("s2"));
    consent(&emulator, &chain, "s3");
    let actor = || {
        let claims = chain.exchange("s3", []).unwrap().unverified_claims().unwrap();
        claims.unverified_actors()[0].subject().to_owned()
    };
    assert_eq!(actor(), "agent:first");
    agent.set_credentials(Credentials::new("agt_2", "fixed-secret").unwrap());
    let requests = emulator.count("oauth.token").unwrap();
    assert_eq!(consent_error(chain.handle_callback_url("s1", &first)), ConsentError::OtherClient);
    let code = second.split_once("code=").unwrap().1.split('&').next().unwrap();
    assert_eq!(consent_error(chain.handle_consent_callback("s2", code)), ConsentError::OtherClient);
    assert_eq!(emulator.count("oauth.token").unwrap(), requests, "no code is sent for another client");
    // Nor is the token of the actor before given out: the service is asked, and the user has not agreed to this one.
    let error = chain.exchange("s3", []).unwrap_err();
    assert_eq!(error.code(), Some("delegation_not_allowed"), "{error}");
    agent.set_credentials(Credentials::new("agt_1", "fixed-secret").unwrap());
    assert_eq!(actor(), "agent:first");
    // Another scope of the actor's own token is another token as well.
    agent.session().set_scopes(["read:documents"]);
    let requests = emulator.count("oauth.token").unwrap();
    actor();
    assert_eq!(
        emulator.count("oauth.token").unwrap() - requests,
        2,
        "the agent's own token, and an exchange"
    );
}

#[test]
fn an_answer_counts_where_it_was_to_come() {
    let emulator = emulator();
    let chain = chain(&emulator);
    let answer = || come_back(&emulator, &chain.consent_url("s1", ["read:documents"]).unwrap());
    let at = |place: &str| chain.handle_callback_url("s1", &answer().replacen(REDIRECT, place, 1));
    for wrong in [
        "https://evil.test/consent",
        "https://myapp.com.evil.test/consent",
        "https://myapp.com:444/consent",
        "http://myapp.com:8080/consent",
        "http://myapp.com:443/consent",
        "http://myapp.com.evil.test/consent",
        "http://evil.test/consent",
        "ftp://myapp.com/consent",
        "https://myapp.com/consent/",
        "https://myapp.com/CONSENT",
        "https://myapp.com",
        "/other",
        "com.myapp:/consent",
    ] {
        let before = emulator.count("oauth.token").unwrap();
        assert_eq!(consent_error(at(wrong)), ConsentError::WrongPlace, "{wrong}");
        assert_eq!(emulator.count("oauth.token").unwrap(), before, "{wrong}: no code may travel");
    }
    // The last two are what a server sees behind a proxy that ends TLS.
    let by_http = ["http://myapp.com/consent", "http://MYAPP.com:80/consent"];
    for right in [REDIRECT, "HTTPS://MyApp.com:443/consent", "/consent", ""].into_iter().chain(by_http) {
        at(right).unwrap_or_else(|error| panic!("{right}: {error}"));
    }
    // Its query alone.
    let back = answer();
    chain.handle_callback_url("s1", back.split_once('?').unwrap().1).unwrap();
}

#[test]
fn a_workload_has_no_consent_flow() {
    let emulator = emulator();
    let agent = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let agent = agent.workload_token_file("github", "token").build_with(emulator.transport()).unwrap();
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
    let error = chain.consent_url("s1", ["read:documents"]).unwrap_err();
    assert!(matches!(error, Error::Config(ConfigError::Missing { setting: "client_id", .. })), "{error}");
    assert_eq!(emulator.count_all(), 0);
}
