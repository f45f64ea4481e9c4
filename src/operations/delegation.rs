//! One user's session with an agent: the consent that is pending, the user's tokens, and who renews them. Pure.
//!
//! A [`UserSession`] is kept by a store as opaque bytes, so that several threads and processes may share it: every
//! change is "load, change, save if nobody else did meanwhile".

mod acting;
mod renewal;
mod stored;

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use acting::Delegation;

use super::consent::{AuthorizationRequest, Callback};
use super::grants::{RedeemCode, TokenSet};
use crate::error::{ConsentError, Error, InputError, ProtocolError, ProtocolFault};
use crate::pkce::{Pkce, derive};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Now, Timestamp};
use crate::token::{AccessToken, TokenType};

/// A consent that nobody came back from is forgotten after this long.
const PENDING: Duration = Duration::from_secs(3600);

/// The state of one user's delegation to an agent.
///
/// **Security:** [`UserSession::to_bytes`] is the only way out, and what it gives is secret: it holds the user's tokens.
#[derive(Clone, Default)]
pub struct UserSession {
    pending: Option<Pending>,
    user: Option<User>,
    claim: Option<Claim>,
    generation: u64,
}

#[derive(Clone)]
struct Pending {
    state: Secret,
    verifier: Secret,
    redirect_uri: String,
    scopes: Scopes,
    since: Timestamp,
}

#[derive(Clone)]
struct User {
    access: Secret,
    token_type: String,
    scopes: Scopes,
    /// None: not known, so never renewed; the service decides.
    expires_at: Option<Timestamp>,
    refresh: Option<Secret>,
}

#[derive(Clone)]
struct Claim {
    by: String,
    at: Timestamp,
}

/// What a session needs before the user's token can be used.
#[derive(Clone, Debug)]
pub enum UserToken {
    /// Use this one.
    Ready(AccessToken),
    /// Renew it with this refresh token first, if nobody else is about to.
    Renew(Secret),
    /// Somebody claimed the renewal a moment ago: look again soon.
    Claimed,
    /// There is none, or none that could be renewed: the user must consent (again).
    Missing,
}

impl UserSession {
    /// A session in which nothing has happened.
    pub fn new() -> Self {
        UserSession::default()
    }

    /// Begins asking for consent: the URL for the person. An earlier consent that is still pending is given up.
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
        let (redirect_uri, verifier) = (redirect_uri.to_owned(), pkce.verifier().clone());
        self.pending = Some(Pending { state, verifier, redirect_uri, scopes, since: now.wall });
        Ok(request)
    }

    /// Takes the answer that came back to the redirect URI. The pending consent is used up, whatever comes of it: save
    /// the session before running the operation.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn finish(
        &mut self,
        callback: Callback,
        issuer: Option<&str>,
        issuer_required: bool,
        now: Timestamp,
    ) -> Result<RedeemCode, ConsentError> {
        let pending = self.take_pending(now)?;
        let code = match callback.accept(&pending.state, issuer, issuer_required) {
            Ok(code) => code,
            Err(error) => {
                // A forged answer must not end the flow that the person is in.
                if matches!(error, ConsentError::WrongState) {
                    self.pending = Some(pending);
                }
                return Err(error);
            }
        };
        Ok(pending.redeem(code))
    }

    /// Takes a code whose state and issuer the caller has checked.
    ///
    /// # Errors
    /// [`ConsentError::WrongState`] if no consent is pending.
    pub fn finish_with_code(&mut self, code: Secret, now: Timestamp) -> Result<RedeemCode, ConsentError> {
        Ok(self.take_pending(now)?.redeem(code))
    }

    fn take_pending(&mut self, now: Timestamp) -> Result<Pending, ConsentError> {
        let pending = self.pending.take().filter(|pending| now.saturating_since(pending.since) < PENDING);
        pending.ok_or(ConsentError::WrongState)
    }

    /// True while a consent is pending.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// True if there is a token of the user.
    pub fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// The scopes that the user consented to.
    pub fn scopes(&self) -> Scopes {
        self.user.as_ref().map(|user| user.scopes.clone()).unwrap_or_default()
    }

    /// The user's refresh token, for revoking.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.user.as_ref()?.refresh.as_ref()
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

    /// Takes tokens over: from a code, or renewed. The old refresh token is kept if no new one came.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the token is not one that can be presented as Bearer.
    pub fn store_tokens(&mut self, tokens: TokenSet) -> Result<(), Error> {
        if tokens.access.token_type() != &TokenType::Bearer {
            let problem = "its type is not Bearer, so it is never sent as one";
            return Err(
                ProtocolError::new("oauth.token", 200, ProtocolFault::UnusableToken { problem }).into()
            );
        }
        let kept = self.user.take().and_then(|user| user.refresh);
        self.user = Some(User {
            access: tokens.access.secret().clone(),
            token_type: "Bearer".into(),
            scopes: tokens.access.scopes().clone(),
            expires_at: Some(tokens.access.expires_at()),
            refresh: tokens.refresh.or(kept),
        });
        self.claim = None;
        self.generation = self.generation.saturating_add(1);
        Ok(())
    }

    /// Takes a token of the user that came by another way. Its end is not known, so it is never renewed.
    pub fn store_user_token(&mut self, token: Secret) {
        let (token_type, scopes) = ("Bearer".into(), Scopes::none());
        self.user = Some(User { access: token, token_type, scopes, expires_at: None, refresh: None });
        self.claim = None;
        self.generation = self.generation.saturating_add(1);
    }
}

impl Pending {
    fn redeem(self, code: Secret) -> RedeemCode {
        RedeemCode::new(code, self.redirect_uri, Pkce::from_verifier(self.verifier)).scopes(self.scopes)
    }
}

impl fmt::Debug for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UserSession { pending, user, claim, generation } = self;
        f.debug_struct("UserSession")
            .field("pending", &pending.is_some())
            .field("user", &user.as_ref().map(|user| &user.scopes))
            .field("claimed", &claim.is_some())
            .field("generation", generation)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        TokenSet { access, refresh: refresh.map(Secret::new), id: None, issued_token_type: None }
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
        assert!(session.finish(callback(), None, false, Timestamp::from_unix(1_001)).is_ok());
        let again = session.finish(callback(), None, false, Timestamp::from_unix(1_002)).unwrap_err();
        assert_eq!(again, ConsentError::WrongState);
    }

    #[test]
    fn a_forged_answer_does_not_end_the_flow_and_an_old_one_is_refused() {
        let (mut session, state) = pending();
        let forged = Callback::read("code=c&state=forged").unwrap();
        assert_eq!(
            session.finish(forged, None, false, Timestamp::from_unix(1_001)).unwrap_err(),
            ConsentError::WrongState
        );
        assert!(session.is_pending());
        let late = Callback::read(&format!("code=c&state={state}")).unwrap();
        assert_eq!(
            session.finish(late, None, false, Timestamp::from_unix(5_000)).unwrap_err(),
            ConsentError::WrongState
        );
    }

    #[test]
    fn the_life_of_a_users_token() {
        let mut session = UserSession::new();
        assert!(matches!(session.user_token(Timestamp::from_unix(0)), UserToken::Missing));
        session.store_tokens(tokens("t1", Some("r1"), 1_000)).unwrap();
        assert!(matches!(session.user_token(Timestamp::from_unix(4_500)), UserToken::Ready(_)));
        assert!(
            matches!(session.user_token(Timestamp::from_unix(4_571)), UserToken::Renew(r) if r.expose() == "r1")
        );
        session.claim("me", Timestamp::from_unix(4_571));
        assert!(matches!(session.user_token(Timestamp::from_unix(4_600)), UserToken::Claimed));
        let late = session.user_token(Timestamp::from_unix(4_700));
        assert!(
            matches!(late, UserToken::Missing),
            "it may have been sent, so it is never sent again: {late:?}"
        );
        session.store_tokens(tokens("t2", None, 4_700)).unwrap();
        assert_eq!(session.refresh_token().unwrap().expose(), "r1", "kept if none came");
        session.store_tokens(tokens("t3", Some("r2"), 4_700)).unwrap();
        assert_eq!(session.refresh_token().unwrap().expose(), "r2");
        session.spend_refresh_token();
        assert!(matches!(session.user_token(Timestamp::from_unix(9_000)), UserToken::Missing));
    }

    #[test]
    fn bytes_and_back() {
        let (mut session, _) = pending();
        session.store_tokens(tokens("canary-access", Some("canary-refresh"), 1_000)).unwrap();
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
}
