//! One user's session with an agent: the consent that is pending, the user's tokens, and who renews them. Pure.
//!
//! A [`UserSession`] is kept by a store as opaque bytes, so that several threads and processes may share it: every
//! change is "load, change, save if nobody else did meanwhile".

mod acting;
mod person;
mod renewal;
mod stored;

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use acting::{Delegation, Revocation, SubAgent};
pub use person::Person;
pub use renewal::{Claimed, UserTimes};

use super::consent::{AuthorizationRequest, Callback};
use super::grants::{RedeemCode, TokenSet};
use super::token::{TOKEN, bearer};
use crate::error::{ConsentError, Error, InputError, ProtocolError, ProtocolFault};
use crate::pkce::{Pkce, derive};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Now, Timestamp};

/// A consent that nobody came back from is forgotten after this long.
const PENDING: Duration = Duration::from_secs(3600);
/// Who signed in further in the future than that did not: a clock was wrong then, or is by now.
const AHEAD: Duration = Duration::from_secs(300);
/// The most consents that are pending at a time.
const PENDINGS: usize = 4;
/// The most refresh tokens that wait to be revoked; the oldest goes.
const DISPLACED: usize = 16;

/// The state of one user's delegation to an agent.
///
/// **Security:** [`UserSession::to_bytes`] is the only way out, and what it gives is secret: it holds the user's tokens.
#[derive(Clone, Default)]
pub struct UserSession {
    /// The oldest first.
    pending: Vec<Pending>,
    user: Option<User>,
    /// Who the user is, where the user signed in.
    person: Option<Person>,
    claim: Option<Claim>,
    /// Who is trading a code for the tokens of the session's next user.
    redeeming: Option<Redeeming>,
    /// Refresh tokens that nothing here uses any more, to be revoked.
    displaced: Vec<Secret>,
    generation: u64,
}

#[derive(Clone)]
struct Pending {
    client_id: String,
    state: Secret,
    verifier: Secret,
    redirect_uri: String,
    scopes: Scopes,
    since: Timestamp,
}

/// A code that is being traded, and the consent that it came of: if the service has no time, it can be tried again.
#[derive(Clone)]
struct Redeeming {
    claim: Claim,
    pending: Option<Pending>,
}

#[derive(Clone)]
struct User {
    access: Secret,
    token_type: String,
    scopes: Scopes,
    /// Those of the first token: a renewal may bring fewer, and a later one these again (RFC 6749 section 6).
    consented: Scopes,
    /// None: not known, so never renewed; the service decides.
    expires_at: Option<Timestamp>,
    /// How long it was issued for, if that is known.
    lifetime: Option<Duration>,
    refresh: Option<Secret>,
    /// A renewal failed for the moment: none before this, as long as the token is good.
    put_off: Option<Timestamp>,
}

#[derive(Clone)]
struct Claim {
    by: String,
    at: Timestamp,
}

/// True if a consent that was asked for then may still be given. One that was asked for that far in the future is as old as it is young.
fn is_recent(since: Timestamp, now: Timestamp) -> bool {
    now.saturating_since(since).max(since.saturating_since(now)) < PENDING
}

impl UserSession {
    /// A session in which nothing has happened.
    pub fn new() -> Self {
        UserSession::default()
    }

    /// Begins asking for consent: the URL for the person. Four consents may be pending at a time (a person has several tabs); the
    /// oldest is given up.
    ///
    /// # Errors
    /// [`InputError`] for a redirect URI or scope that cannot be sent.
    pub fn begin(
        &mut self,
        client_id: &str,
        redirect_uri: &str,
        scopes: Scopes,
        now: &Now,
    ) -> Result<AuthorizationRequest, InputError> {
        let (state, pkce) = (Secret::new(derive("state", now)), Pkce::new(now));
        let request = AuthorizationRequest::new(client_id, redirect_uri, &scopes, state.expose(), &pkce)?;
        let (client_id, redirect_uri) = (client_id.to_owned(), redirect_uri.to_owned());
        let (verifier, since) = (pkce.verifier().clone(), now.wall);
        self.pending.push(Pending { client_id, state, verifier, redirect_uri, scopes, since });
        let over = self.pending.len().saturating_sub(PENDINGS);
        self.pending.drain(..over);
        Ok(request)
    }

    /// Takes the answer that came back to the redirect URI, for the client that asked. The consent that it answers is used up,
    /// whatever comes of it but [`ConsentError::WrongState`]: save the session before running the operation, and keep what
    /// it gives only while [`UserSession::is_redeemed_by`] says so of `by`, which names this use of the code.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn finish(
        &mut self,
        callback: Callback,
        client_id: &str,
        (issuer, issuer_required): (Option<&str>, bool),
        by: &str,
        now: Timestamp,
    ) -> Result<RedeemCode, ConsentError> {
        let pending = self.take_pending(now, |pending| callback.answers(&pending.state))?;
        let fits = callback.check_place(&pending.redirect_uri);
        let code = callback.accept(&pending.state, issuer, issuer_required)?;
        fits?;
        self.redeem(pending, code, client_id, by, now)
    }

    /// Takes a code whose state and issuer the caller has checked, for the consent that was asked for last. The rest is as in [`UserSession::finish`].
    ///
    /// # Errors
    /// [`ConsentError::WrongState`] if no consent is pending, [`ConsentError::OtherClient`].
    pub fn finish_with_code(
        &mut self,
        code: Secret,
        client_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<RedeemCode, ConsentError> {
        let pending = self.take_pending(now, |_| true)?;
        self.redeem(pending, code, client_id, by, now)
    }

    fn redeem(
        &mut self,
        pending: Pending,
        code: Secret,
        client_id: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<RedeemCode, ConsentError> {
        if pending.client_id != client_id {
            return Err(ConsentError::OtherClient);
        }
        // A verifier that nobody here has made: what was kept is damaged.
        let pkce = Pkce::from_verifier(pending.verifier.clone()).map_err(|_| ConsentError::Needed)?;
        let claim = Claim { by: by.to_owned(), at };
        self.redeeming = Some(Redeeming { claim, pending: Some(pending.clone()) });
        Ok(RedeemCode::new(code, pending.redirect_uri, pkce).scopes(pending.scopes))
    }

    /// True if what the code of this use gives still belongs here: the session was not ended and no other user was taken
    /// meanwhile.
    pub fn is_redeemed_by(&self, by: &str) -> bool {
        self.redeeming.as_ref().is_some_and(|redeeming| redeeming.claim.by == by)
    }

    /// Nothing came of the code.
    pub fn give_up_code(&mut self, by: &str) {
        self.redeeming.take_if(|redeeming| redeeming.claim.by == by);
    }

    /// The service refused the code for the moment alone: the consent is as it was, and its answer can be taken again.
    pub fn restore_code(&mut self, by: &str) {
        let redeeming = self.redeeming.take_if(|redeeming| redeeming.claim.by == by);
        self.pending.extend(redeeming.and_then(|redeeming| redeeming.pending));
    }

    /// True if nothing is left here to be kept: no user, nothing to revoke, and no consent that could still be given.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        let over = |since: Timestamp| !is_recent(since, now);
        self.user.is_none()
            && self.displaced.is_empty()
            && self.pending.iter().all(|pending| over(pending.since))
            && self.redeeming.as_ref().is_none_or(|redeeming| over(redeeming.claim.at))
    }

    /// The newest consent that this answers, and that is not too old.
    fn take_pending(
        &mut self,
        now: Timestamp,
        answers: impl Fn(&Pending) -> bool,
    ) -> Result<Pending, ConsentError> {
        self.pending.retain(|pending| is_recent(pending.since, now));
        let at = self.pending.iter().rposition(answers).ok_or(ConsentError::WrongState)?;
        Ok(self.pending.remove(at))
    }

    /// The session of somebody who signed in, with the tokens that came with it. `displaced` are refresh tokens of an earlier session
    /// of the same person, which are revoked when this one ends.
    ///
    /// # Errors
    /// As [`UserSession::store_consented`].
    pub fn signed_in(tokens: TokenSet, person: Person, displaced: Vec<Secret>) -> Result<Self, Error> {
        let mut session = UserSession { displaced, ..UserSession::default() };
        let over = session.displaced.len().saturating_sub(DISPLACED);
        session.displaced.drain(..over);
        session.store_consented(tokens)?;
        session.person = Some(person);
        Ok(session)
    }

    /// Who signed in, if somebody did.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// True if somebody signed in here, and the time of that is over, or has not begun: clocks may be five minutes apart.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let ended = |person: &Person| now >= person.until();
        let not_begun = |person: &Person| person.since().saturating_since(now) > AHEAD;
        self.person.as_ref().is_some_and(|person| ended(person) || not_begun(person))
    }

    /// How long a store keeps it, if not until it is removed. A session that is over is kept for a moment, to be seen as such.
    pub fn keep(&self, now: Timestamp) -> Option<Duration> {
        self.person.as_ref().map(|person| person.until().saturating_since(now).max(Duration::from_secs(1)))
    }

    /// True while a consent is pending.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// True if there is a token of the user.
    pub fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// The scopes of the user's token: those that the user consented to, or fewer since it was renewed.
    pub fn scopes(&self) -> Scopes {
        self.user.as_ref().map(|user| user.scopes.clone()).unwrap_or_default()
    }

    /// The scopes that the user consented to: what a renewal may bring, whatever the last one brought.
    pub fn consented(&self) -> Scopes {
        self.user.as_ref().map(|user| user.consented.clone()).unwrap_or_default()
    }

    /// The user's refresh token, for revoking.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.user.as_ref()?.refresh.as_ref()
    }

    /// Every refresh token that must not outlive the session: the user's, and those that were displaced.
    pub fn refresh_tokens(&self) -> Vec<Secret> {
        self.displaced.iter().chain(self.refresh_token()).cloned().collect()
    }

    /// The refresh token is not used any more. It is revoked with the session and not at once: a service may end
    /// everything of the same grant with it (RFC 7009 section 2.1), the tokens of a new consent too.
    fn displace(&mut self) {
        let Some(refresh) = self.user.as_mut().and_then(|user| user.refresh.take()) else { return };
        self.displaced.push(refresh);
        let over = self.displaced.len().saturating_sub(DISPLACED);
        self.displaced.drain(..over);
    }

    /// Counts up with every change of the user's tokens.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Tells the user's token from every other one, without being it: what was got with one token is never taken for
    /// what another would give, though the session's name and count be the same.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let access = self.user.as_ref().map_or("", |user| user.access.expose());
        Sha256::digest(access.as_bytes()).into()
    }

    /// True if these are the user's tokens already.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn holds(&self, tokens: &TokenSet) -> bool {
        self.user.as_ref().is_some_and(|user| user.access == *tokens.access.secret())
    }

    /// Takes the tokens that a code gave. They replace the user whole, who may be another one: nothing of the earlier
    /// user's is kept but the refresh token, for revoking.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the token is not one that can be presented as Bearer.
    pub fn store_consented(&mut self, tokens: TokenSet) -> Result<(), Error> {
        let user = User::of(tokens, None)?;
        self.take_user(user);
        Ok(())
    }

    /// Takes renewed tokens of the same user. The refresh token is kept if no new one came.
    ///
    /// # Errors
    /// As [`UserSession::store_consented`]; and if an ID token came along that is of another person than the one who signed in (OpenID
    /// Connect Core section 12.2).
    pub fn store_renewed(&mut self, tokens: TokenSet) -> Result<(), Error> {
        if let (Some(person), Some(id)) = (&self.person, &tokens.id)
            && !person.may_be_of(id)
        {
            let problem = "an ID token of another person came with it";
            let fault = ProtocolFault::UnusableToken { problem };
            return Err(ProtocolError::new(TOKEN.name(), 200, fault).into());
        }
        let mut user = User::of(tokens, self.refresh_token().cloned())?;
        if self.user.is_some() {
            user.consented = self.consented();
        }
        self.user = Some(user);
        self.claim = None;
        self.generation = self.generation.saturating_add(1);
        Ok(())
    }

    /// Takes a token of the user that came by another way. Its end is not known, so it is never renewed.
    pub fn store_user_token(&mut self, token: Secret) {
        self.take_user(User {
            access: token,
            token_type: "Bearer".into(),
            scopes: Scopes::none(),
            consented: Scopes::none(),
            expires_at: None,
            lifetime: None,
            refresh: None,
            put_off: None,
        });
    }

    fn take_user(&mut self, user: User) {
        self.displace();
        self.displaced.retain(|displaced| user.refresh.as_ref() != Some(displaced));
        (self.user, self.person) = (Some(user), None);
        (self.claim, self.redeeming) = (None, None);
        self.generation = self.generation.saturating_add(1);
    }
}

impl User {
    fn of(tokens: TokenSet, kept: Option<Secret>) -> Result<Self, Error> {
        let access = bearer(tokens.access)?;
        // What the service added is asked for in no exchange.
        let scopes = access.scopes().without(&tokens.added);
        Ok(User {
            access: access.secret().clone(),
            token_type: "Bearer".into(),
            consented: scopes.clone(),
            scopes,
            expires_at: Some(access.expires_at()),
            lifetime: Some(access.lifetime()),
            refresh: tokens.refresh.or(kept),
            put_off: None,
        })
    }
}

impl fmt::Debug for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UserSession { pending, user, person, claim, redeeming, displaced, generation } = self;
        f.debug_struct("UserSession")
            .field("pending", &pending.len())
            .field("user", &user.as_ref().map(|user| &user.scopes))
            .field("person", person)
            .field("claimed", &claim.is_some())
            .field("redeeming", &redeeming.is_some())
            .field("displaced", &displaced.len())
            .field("generation", generation)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{AccessToken, TokenType};

    fn now(at: u64) -> Now {
        Now::new(Timestamp::from_unix(at), Duration::from_secs(at), [9; 32])
    }

    fn tokens(access: &str, refresh: Option<&str>, at: u64) -> TokenSet {
        let access = AccessToken::new(
            access.into(),
            TokenType::Bearer,
            Scopes::from("a"),
            Timestamp::from_unix(at),
            Duration::from_secs(3600),
        );
        TokenSet {
            access,
            refresh: refresh.map(Secret::new),
            id: None,
            added: Scopes::none(),
            issued_token_type: None,
        }
    }

    fn pending() -> (UserSession, String) {
        let mut session = UserSession::new();
        let request =
            session.begin("agt_1", "https://myapp.com/consent", Scopes::from("a"), &now(1_000)).unwrap();
        let state = request.parameters().find(|(name, _)| *name == "state").unwrap().1.to_owned();
        (session, state)
    }

    #[test]
    fn a_consent_is_used_once() {
        let (mut session, state) = pending();
        assert!(state.len() >= 22, "128 bits at least");
        let callback = || Callback::read(&format!("code=c&state={state}")).unwrap();
        assert!(
            session.finish(callback(), "agt_1", (None, false), "me", Timestamp::from_unix(1_001)).is_ok()
        );
        let again = session
            .finish(callback(), "agt_1", (None, false), "me", Timestamp::from_unix(1_002))
            .unwrap_err();
        assert_eq!(again, ConsentError::WrongState);
    }

    #[test]
    fn a_forged_answer_does_not_end_the_flow_and_an_old_one_is_refused() {
        let (mut session, state) = pending();
        let forged = Callback::read("code=c&state=forged").unwrap();
        assert_eq!(
            session.finish(forged, "agt_1", (None, false), "me", Timestamp::from_unix(1_001)).unwrap_err(),
            ConsentError::WrongState
        );
        assert!(session.is_pending());
        let late = Callback::read(&format!("code=c&state={state}")).unwrap();
        assert_eq!(
            session.finish(late, "agt_1", (None, false), "me", Timestamp::from_unix(5_000)).unwrap_err(),
            ConsentError::WrongState
        );
    }

    #[test]
    fn who_renews_and_what_is_spent() {
        let at = Timestamp::from_unix;
        let mut session = UserSession::new();
        assert!(session.times(at(0)).is_none());
        session.store_consented(tokens("t1", Some("r1"), 1_000)).unwrap();
        let times = session.times(at(4_500)).unwrap();
        assert_eq!((times.left, times.renews), (Some(Duration::from_secs(100)), true));
        assert_eq!(session.claimed(at(4_500)), Claimed::No);
        session.claim("me", at(4_571));
        assert_eq!(session.claimed(at(4_599)), Claimed::Now);
        assert_eq!(
            session.claimed(at(4_700)),
            Claimed::Stale,
            "it may have been sent, so it is never sent again"
        );
        assert_eq!(session.claimed(at(4_520)), Claimed::Now, "clocks of two machines differ");
        assert_eq!(session.claimed(at(4_000)), Claimed::Stale, "a clock was set back");
        session.store_renewed(tokens("t2", None, 4_700)).unwrap();
        assert_eq!(session.refresh_token().unwrap().expose(), "r1", "kept if none came");
        assert_eq!(session.claimed(at(4_700)), Claimed::No);
        session.store_renewed(tokens("t3", Some("r2"), 4_700)).unwrap();
        assert_eq!(session.refresh_token().unwrap().expose(), "r2");
        session.spend_refresh_token();
        assert!(!session.times(at(4_800)).unwrap().renews);
    }

    #[test]
    fn clocks_that_were_set_back_or_ahead_make_nothing_last_longer() {
        let at = Timestamp::from_unix;
        // A consent was asked for at 1,000.
        for (now, is_good) in [(0, true), (1_001, true), (4_599, true), (4_600, false), (90_000, false)] {
            let (mut session, state) = pending();
            assert_eq!(session.is_abandoned(at(now)), !is_good, "{now}");
            let callback = Callback::read(&format!("code=c&state={state}")).unwrap();
            let taken = session.finish(callback, "agt_1", (None, false), "me", at(now));
            assert_eq!(taken.is_ok(), is_good, "{now}");
        }
        let begin = |since: u64| {
            let mut session = UserSession::new();
            let now = Now::new(at(since), Duration::from_secs(1), [3; 32]);
            let request = session.begin("agt_1", "https://a.test/cb", Scopes::none(), &now).unwrap();
            let state = request.parameters().find(|(name, _)| *name == "state").unwrap().1.to_owned();
            (session, Callback::read(&format!("code=c&state={state}")).unwrap())
        };
        let (mut session, callback) = begin(90_000);
        assert!(session.is_abandoned(at(1_000)), "asked for by a clock that was a day ahead");
        assert!(session.finish(callback, "agt_1", (None, false), "me", at(1_000)).is_err());
        // A token lives for an hour from 1,000 on, and never for longer than that.
        let mut session = UserSession::new();
        session.store_consented(tokens("t", None, 1_000)).unwrap();
        assert!(session.good_token(at(4_600)).is_none());
        assert_eq!(session.good_token(at(0)).unwrap().remaining(at(0)), Duration::from_secs(3600));
        // Who signed in at 100,000, for an hour.
        let person = |since: u64| {
            let who = ("https://a.test", "alice");
            Person::new(who, serde_json::Map::new(), "id".into(), at(since), at(since + 3600))
        };
        let mut session = UserSession::new();
        session.person = Some(person(100_000));
        for (now, is_over) in
            [(99_700, false), (99_699, true), (13_600, true), (103_599, false), (103_600, true)]
        {
            assert_eq!(session.is_over(at(now)), is_over, "{now}");
        }
    }

    #[test]
    fn several_consents_may_be_pending_and_each_is_good_once() {
        let mut session = UserSession::new();
        let at = Timestamp::from_unix(1_001);
        let states: Vec<String> = (0..5)
            .map(|tab| {
                let now = Now::new(Timestamp::from_unix(1_000), Duration::from_secs(1), [tab; 32]);
                let request = session.begin("agt_1", "https://myapp.com/consent", Scopes::from("a"), &now);
                let request = request.unwrap();
                request.parameters().find(|(name, _)| *name == "state").unwrap().1.to_owned()
            })
            .collect();
        let finish = |session: &mut UserSession, state: &str| {
            let callback = Callback::read(&format!("code=c&state={state}")).unwrap();
            session.finish(callback, "agt_1", (None, false), "me", at)
        };
        assert_eq!(
            finish(&mut session, &states[0]).unwrap_err(),
            ConsentError::WrongState,
            "the oldest is gone"
        );
        for state in [&states[4], &states[1], &states[3], &states[2]] {
            assert!(finish(&mut session, state).is_ok());
            assert_eq!(finish(&mut session, state).unwrap_err(), ConsentError::WrongState);
        }
        // What the service had no time for can be tried again.
        session.restore_code("somebody else");
        assert!(!session.is_pending());
        session.restore_code("me");
        assert!(finish(&mut session, &states[2]).is_ok());
    }

    #[test]
    fn a_consent_replaces_the_user_whole() {
        let mut session = UserSession::new();
        session.store_consented(tokens("alice", Some("alice-r"), 1_000)).unwrap();
        session.store_consented(tokens("bob", None, 1_000)).unwrap();
        assert!(session.refresh_token().is_none(), "Alice's must never renew what is Bob's");
        assert!(!session.times(Timestamp::from_unix(4_600)).unwrap().renews);
        assert_eq!(session.refresh_tokens(), ["alice-r".into()]);
        session.store_consented(tokens("alice", Some("alice-r"), 1_000)).unwrap();
        assert_eq!(session.refresh_tokens(), ["alice-r".into()], "in use again");
        for count in 0..40 {
            session.store_consented(tokens("t", Some(&format!("r{count}")), 1_000)).unwrap();
        }
        assert_eq!(session.refresh_tokens().len(), DISPLACED + 1);
    }

    #[test]
    fn what_failed_for_the_moment_is_put_off() {
        let mut session = UserSession::new();
        session.store_consented(tokens("t1", Some("r1"), 1_000)).unwrap();
        let at = Timestamp::from_unix;
        session.claim("me", at(4_575));
        session.give_back(at(4_575));
        assert!(session.times(at(4_584)).unwrap().put_off);
        assert!(!session.times(at(4_585)).unwrap().put_off);
        assert!(!session.times(at(4_000)).unwrap().put_off, "a clock was set back");
        let late = Error::DeadlineExceeded {
            operation: "oauth.token",
            total: Duration::from_secs(20),
            phase: "starting",
            last: None,
        };
        assert!(!UserSession::is_spent_by(&late), "nothing was sent");
    }

    #[test]
    fn bytes_and_back() {
        let (mut session, _) = pending();
        session.store_consented(tokens("canary-access", Some("canary-refresh"), 1_000)).unwrap();
        session.claim("me", Timestamp::from_unix(5));
        let (again, _) = (UserSession::from_bytes(&session.to_bytes()).unwrap(), ());
        assert_eq!(again.to_bytes(), session.to_bytes());
        assert!(again.is_claimed_by("me") && again.is_pending());
        assert!(!format!("{session:?}").contains("canary"));
        for bad in [
            &b""[..],
            b"{}",
            b"{\"version\":2}",
            b"[]",
            b"\xff",
            b"{\"version\":1,\"generation\":0,\"user\":{}}",
        ] {
            assert!(UserSession::from_bytes(bad).is_err());
        }
    }

    #[test]
    fn what_a_service_added_is_not_among_the_scopes_of_the_session() {
        let mut tokens = tokens("t", None, 1_000);
        let (secret, given) = (tokens.access.secret().clone(), Scopes::from("a openid"));
        tokens.access = AccessToken::new(
            secret,
            TokenType::Bearer,
            given,
            Timestamp::from_unix(1_000),
            Duration::from_secs(60),
        );
        tokens.added = Scopes::from("openid");
        assert_eq!(User::of(tokens, None).unwrap().scopes, Scopes::from("a"));
    }
}
