//! Taking the answer of a sign-in: the code is traded once, the ID token verified, and a new session begins.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::attempt::{Attempt, LIFE};
use super::cookies::find;
use super::desk::Desk;
use super::error::SignInError;
use super::left::{Claim, Held, Left, Look, TakeOut, session_key};
use super::user::User;
use crate::error::{ConsentError, Error};
use crate::operation::AttemptId;
use crate::operations::{
    Callback, Person, RedeemCode, Revoke, ServerMetadata, TokenHint, TokenSet, UserSession,
};
use crate::pkce::{Pkce, derive};
use crate::secret::Secret;
use crate::session::change::{Change, Edit};
use crate::session::code::{is_unused, outcome};
use crate::session::keep::Keep;
use crate::session::kinds::Service;
use crate::session::part::{Failed, Part, Within, ready};
use crate::session::{Action, Arrived, Call, Machine, Step};
use crate::store::{Shelf, StoreKey};
use crate::time::{Deadline, Now, Timestamp, hex};
use crate::verify::{IdCheck, KeysAhead, VerifiedIdToken, VerifyError};

/// The whole time of taking an answer, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(20);

/// What came back, and the sign-in that it answers.
struct Came {
    callback: Callback,
    attempt: Attempt,
    /// The cookie that held it.
    cookie: String,
    /// The session that the browser has already.
    old: Option<Secret>,
}

impl Came {
    fn read(desk: &Desk, headers: &HeaderMap, url: &str) -> Result<Self, SignInError> {
        let callback = Callback::read(url).map_err(SignInError::Callback)?;
        let state = callback.state().ok_or(SignInError::State)?;
        let cookie = desk.cookies.attempt(state);
        let sealed = find(headers, &cookie).ok_or(SignInError::State)?;
        let attempt = desk.attempt(&cookie, sealed.expose()).ok_or(SignInError::State)?;
        if !callback.answers(&attempt.state) {
            return Err(SignInError::State);
        }
        Ok(Came { callback, attempt, cookie, old: desk.session_of(headers) })
    }

    /// Stands for the answer in the store.
    fn name(&self) -> String {
        hex(&Sha256::digest(self.attempt.state.expose()))
    }
}

/// Whoever has signed in, and where the browser goes.
pub(crate) struct SignedIn {
    user: User,
    id: Secret,
}

/// A sign-in that did not come about. The cookie is cleared unless the same answer can be taken again.
struct Refusal {
    error: SignInError,
    is_final: bool,
}

impl From<SignInError> for Refusal {
    fn from(error: SignInError) -> Self {
        Refusal { error, is_final: true }
    }
}

/// The machine for one answer.
pub(crate) struct Answered {
    desk: Arc<Desk>,
    headers: HeaderMap,
    came: Result<Arc<Came>, Option<SignInError>>,
    inner: Option<Within<Taking>>,
}

impl Answered {
    pub(crate) fn new(desk: &Arc<Desk>, headers: &HeaderMap, url: &str) -> Self {
        let came = Came::read(desk, headers, url).map(Arc::new);
        let inner = came.as_ref().ok().map(|came| {
            let total = desk.session.total().unwrap_or(TOTAL);
            Within::new(Taking::new(desk, came), total)
        });
        Answered { desk: Arc::clone(desk), headers: headers.clone(), came: came.map_err(Some), inner }
    }

    fn refused(&self, refusal: Refusal) -> Answer {
        let answer = self.desk.refused(refusal.error, &self.headers);
        match &self.came {
            Ok(came) if refusal.is_final => answer.cookie(self.desk.cookies.clear(&came.cookie)),
            _ => answer,
        }
    }
}

impl Machine for Answered {
    type Output = Answer;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Answer>, Error> {
        let came = match &mut self.came {
            Ok(came) => Arc::clone(came),
            Err(error) => {
                let error = error.take().unwrap_or(SignInError::State);
                return Ok(Step::Done(self.refused(error.into())));
            }
        };
        let Some(inner) = &mut self.inner else {
            return Ok(Step::Done(self.refused(SignInError::State.into())));
        };
        let refusal = match inner.step(now, arrived) {
            Ok(Step::Do(action)) => return Ok(Step::Do(action)),
            Ok(Step::Done(Ok(SignedIn { user, id }))) => {
                let cookies = &self.desk.cookies;
                let answer = Answer::go(self.desk.public.at(&came.attempt.return_to))
                    .cookie(cookies.set(&cookies.session(), &id, self.desk.life))
                    .cookie(cookies.clear(&came.cookie));
                return Ok(Step::Done(answer.with_user(user)));
            }
            Ok(Step::Done(Err(refusal))) => refusal,
            Err(error) => Refusal { error: error.into(), is_final: false },
        };
        Ok(Step::Done(self.refused(refusal)))
    }
}

/// From the answer to the session, within one deadline.
struct Taking {
    desk: Arc<Desk>,
    came: Arc<Came>,
    /// Names this use of the answer.
    by: String,
    service: Option<Arc<ServerMetadata>>,
    code: Option<Secret>,
    tokens: Option<TokenSet>,
    person: Option<Person>,
    held: Held,
    claimed: Claim,
    /// The code may have been used.
    spent: bool,
    at: At,
}

enum At {
    Start,
    /// A session of which an earlier sign-in or logout could not tell whether it is gone.
    Look(Box<Look>),
    /// A refresh token of an earlier sign-in or logout that the service is still to be told of.
    Sweep(Box<Call<Revoke>>, Held),
    Service(Box<Keep<Service>>),
    Keys(Box<KeysAhead>),
    Claim(Box<Change<bool>>),
    Redeem(Box<Call<RedeemCode>>),
    /// The code was not used: the same answer may be taken again.
    Release(Box<Change<bool>>, Option<Failed>),
    Check(Box<IdCheck>),
    Old(Box<TakeOut>),
    Begin(Box<Change<()>>, Secret, Arc<UserSession>),
    /// Nothing came of it: what the code gave is ended.
    Revoke(Box<Call<Revoke>>, Option<Result<SignInError, Failed>>),
}

impl Taking {
    fn new(desk: &Arc<Desk>, came: &Arc<Came>) -> Self {
        let (held, claimed) = (Held::new(&desk.left), Claim::new(&desk.unsent, came.name(), None));
        let (desk, came) = (Arc::clone(desk), Arc::clone(came));
        let (by, service, code, tokens, person) = (String::new(), None, None, None, None);
        Taking { desk, came, by, service, code, tokens, person, held, claimed, spent: false, at: At::Start }
    }

    fn revoke(&self, token: &Secret) -> Box<Call<Revoke>> {
        Box::new(self.desk.session.call(Revoke::new(token.clone()).hint(TokenHint::RefreshToken)))
    }

    fn sweep(&self) -> At {
        let Some(token) = self.desk.left.take() else { return self.ask_service() };
        let mut held = Held::new(&self.desk.left);
        held.tokens.push(token.clone());
        At::Sweep(self.revoke(&token), held)
    }

    fn ask_service(&self) -> At {
        At::Service(Box::new(Keep::new(Service::new(&self.desk.session))))
    }

    /// The answer is used up before its code is traded, in whatever process. A claim of before whose code was not sent is gone on with:
    /// a store or a browser that fails in between loses no sign-in.
    fn claim(&mut self) -> At {
        if let Some(by) = self.desk.unsent.take(&self.came.name()) {
            self.by = by;
        }
        self.claimed.stands(&self.by);
        let by = self.by.clone();
        let claim = Change::new(self.claim_key(), move |record, _| {
            Ok(match record {
                None => Edit::Keep(by.clone().into_bytes(), LIFE.saturating_mul(2), true),
                // An answer of the store that was lost.
                Some(record) => Edit::Leave(record.bytes() == by.as_bytes()),
            })
        });
        At::Claim(Box::new(claim))
    }

    fn claim_key(&self) -> StoreKey {
        StoreKey::new(Shelf::Nonces, ["sign-in", &self.came.name()])
    }

    fn redeem(&mut self) -> Result<At, SignInError> {
        let Some(code) = self.code.take() else { return Err(SignInError::Callback(ConsentError::NoCode)) };
        let attempt = &self.came.attempt;
        let pkce = Pkce::from_verifier(attempt.verifier.clone()).map_err(|_| SignInError::State)?;
        self.spent = true;
        let redeem = RedeemCode::new(code, self.desk.redirect_uri(), pkce).scopes(&attempt.scopes);
        Ok(At::Redeem(Box::new(self.desk.session.call(redeem))))
    }

    fn release(&mut self, failed: Failed) -> At {
        self.claimed.stands(&self.by);
        let by = self.by.clone();
        let release = Change::new(self.claim_key(), move |record, _| {
            let is_ours = record.is_some_and(|record| record.bytes() == by.as_bytes());
            Ok(if is_ours { Edit::Remove(true) } else { Edit::Leave(false) })
        });
        At::Release(Box::new(release), Some(failed))
    }

    fn check(&mut self, tokens: TokenSet) -> Result<At, SignInError> {
        self.held.tokens.extend(tokens.refresh.clone());
        let id_token = tokens.id.clone();
        self.tokens = Some(tokens);
        let id_token = id_token.ok_or(SignInError::NoIdToken)?;
        let issuer = self.service.as_ref().map(|service| service.issuer()).unwrap_or_default();
        let verifier = self.desk.verifier(issuer).map_err(SignInError::Service)?;
        Ok(At::Check(Box::new(verifier.check(&id_token, Some(&self.came.attempt.nonce)))))
    }

    fn verified(&mut self, id_token: &VerifiedIdToken, now: &Now) -> Result<At, SignInError> {
        let attempt = &self.came.attempt;
        if let Some(age) = attempt.max_age {
            let signed_in = id_token.claims().get("auth_time").and_then(serde_json::Value::as_u64);
            let signed_in = signed_in.map(Timestamp::from_unix).ok_or(SignInError::NotRecent)?;
            let allowed = age.saturating_add(self.desk.leeway.duration());
            let ahead = signed_in.saturating_since(now.wall);
            if now.wall.saturating_since(signed_in) > allowed || ahead > self.desk.leeway.duration() {
                return Err(SignInError::NotRecent);
            }
        }
        let text = self.tokens.as_ref().and_then(|tokens| tokens.id.clone()).ok_or(SignInError::NoIdToken)?;
        let mut claims = id_token.claims().clone();
        claims.retain(|name, _| !matches!(&**name, "at_hash" | "c_hash" | "s_hash" | "sid"));
        let who = (id_token.issuer(), id_token.subject());
        let until = now.wall.saturating_add(self.desk.life);
        self.person = Some(Person::new(who, claims, text, now.wall, until));
        match &self.came.old {
            Some(old) => Ok(At::Old(Box::new(TakeOut::replaced(&self.desk.left, old)))),
            None => self.begin(Vec::new(), now),
        }
    }

    /// The session that the browser had is gone. Its refresh tokens end with the new one if it was the same person's, since a service may
    /// end what else comes of one grant with them (RFC 7009 section 2.1); else as soon as may be.
    fn displaced(&mut self, old: Option<UserSession>) -> Vec<Secret> {
        let Some(old) = old else { return Vec::new() };
        let who = |person: &Person| (person.issuer().to_owned(), person.subject().to_owned());
        let is_same = old.person().map(who) == self.person.as_ref().map(who);
        if is_same {
            return old.refresh_tokens();
        }
        self.desk.left.put(old.refresh_tokens());
        Vec::new()
    }

    /// A name that nobody knew before.
    fn begin(&mut self, displaced: Vec<Secret>, now: &Now) -> Result<At, SignInError> {
        let (Some(tokens), Some(person)) = (self.tokens.take(), self.person.take()) else {
            return Err(SignInError::NoIdToken);
        };
        self.held.tokens.extend(displaced.iter().cloned());
        let session = UserSession::signed_in(tokens, person, displaced).map_err(SignInError::Service)?;
        let session = Arc::new(session);
        let id = Secret::new(derive("session", now));
        let (saved, keep) = (Arc::clone(&session), self.desk.life);
        let begin = Change::new(session_key(&id), move |record, _| {
            // Of a name that was drawn a moment ago there is no other record than this one.
            Ok(match record {
                None => Edit::Keep(saved.to_bytes(), keep, ()),
                Some(_) => Edit::Leave(()),
            })
        });
        Ok(At::Begin(Box::new(begin.that_carries()), id, session))
    }

    /// Ends what the code gave, and then with this.
    fn undo(&mut self, why: Result<SignInError, Failed>) -> Result<At, Result<SignInError, Failed>> {
        let token = self.tokens.as_ref().and_then(|tokens| tokens.refresh.clone());
        match token.or_else(|| self.held.tokens.first().cloned()) {
            Some(token) => Ok(At::Revoke(self.revoke(&token), Some(why))),
            None => Err(why),
        }
    }
}

impl Part for Taking {
    type Output = Result<SignedIn, Refusal>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        let failed = match self.advance(now, arrived, time) {
            Err(failed) => failed,
            step => return step,
        };
        Ok(Step::Done(Err(Refusal { error: failed.error.into(), is_final: self.spent })))
    }
}

impl Taking {
    fn advance(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Result<SignedIn, Refusal>>, Failed> {
        loop {
            let next = match &mut self.at {
                At::Start => {
                    if !self.came.attempt.is_fresh(now.wall) {
                        return Ok(Step::Done(Err(SignInError::State.into())));
                    }
                    self.by = AttemptId::of(now).to_string();
                    match Left::look(&self.desk.left) {
                        Some(look) => At::Look(Box::new(look)),
                        None => self.sweep(),
                    }
                }
                At::Look(look) => match look.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    // If it cannot be done, it is left to the next one.
                    _ => self.sweep(),
                },
                At::Sweep(call, held) => {
                    match Part::step(&mut **call, now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(())) => held.let_go(),
                        // It is left to the next one.
                        Err(_) => {}
                    }
                    self.ask_service()
                }
                At::Service(keep) => {
                    let service = ready!(keep.step(now, arrived.take(), time)?).value;
                    let (issuer, required) = (service.issuer(), service.answers_carry_issuer());
                    let attempt = &self.came.attempt;
                    let code = self.came.callback.clone().accept(&attempt.state, Some(issuer), required);
                    self.service = Some(Arc::clone(&service));
                    match code {
                        Ok(code) => self.code = Some(code),
                        Err(error) => return Ok(Step::Done(Err(SignInError::Callback(error).into()))),
                    }
                    // The code is good once: it is not used while what comes of it could not be verified.
                    match self.desk.verifier(service.issuer()) {
                        Ok(verifier) => At::Keys(Box::new(verifier.keys_ahead())),
                        Err(error) => return Ok(Step::Done(Err(SignInError::Service(error).into()))),
                    }
                }
                At::Keys(keys) => match keys.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(())) => self.claim(),
                    Err(failed) => {
                        let error = SignInError::IdToken(VerifyError::Unavailable(failed.error));
                        let is_final = !error.is_temporary();
                        return Ok(Step::Done(Err(Refusal { error, is_final })));
                    }
                },
                At::Claim(claim) => match ready!(claim.step(now, arrived.take(), time)?) {
                    true => match self.redeem() {
                        Ok(at) => at,
                        Err(error) => return Ok(Step::Done(Err(error.into()))),
                    },
                    false => {
                        self.claimed.is_over();
                        return Ok(Step::Done(Err(SignInError::Used.into())));
                    }
                },
                At::Redeem(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => {
                        if matches!(action, Action::Send(_)) {
                            self.claimed.is_over();
                        }
                        return Ok(Step::Do(action));
                    }
                    Ok(Step::Done(tokens)) => match self.check(tokens) {
                        Ok(at) => at,
                        Err(error) => match self.undo(Ok(error)) {
                            Ok(at) => at,
                            Err(why) => return ended(why),
                        },
                    },
                    Err(failed) if is_unused(&failed.error) => self.release(failed),
                    Err(failed) => {
                        return Err(Failed { error: outcome("oauth.token", failed.error), ..failed });
                    }
                },
                At::Release(release, failed) => match release.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    released => {
                        // If the store cannot be told that the code was not used, or reads what was there before, this process knows it.
                        if matches!(released, Ok(Step::Done(true))) {
                            self.claimed.is_over();
                        }
                        self.spent = false;
                        return ended(failed.take().map_or(Ok(SignInError::State), Err));
                    }
                },
                At::Check(check) => {
                    let checked = match check.step(now, arrived.take()) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(checked)) => checked.map_err(SignInError::IdToken),
                        Err(error) => Err(SignInError::Service(error)),
                    };
                    match checked.and_then(|id_token| self.verified(&id_token, now)) {
                        Ok(at) => at,
                        Err(error) => match self.undo(Ok(error)) {
                            Ok(at) => at,
                            Err(why) => return ended(why),
                        },
                    }
                }
                At::Old(old) => {
                    let old = match old.step(now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(old)) => Ok(old),
                        Err(failed) => Err(failed),
                    };
                    let begun = match old {
                        Ok(old) => {
                            let displaced = self.displaced(old);
                            self.begin(displaced, now).map_err(Ok)
                        }
                        Err(failed) => Err(Err(failed)),
                    };
                    match begun.or_else(|why| self.undo(why)) {
                        Ok(at) => at,
                        Err(why) => return ended(why),
                    }
                }
                At::Begin(begin, id, session) => match begin.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(())) => {
                        let (id, user) = (id.clone(), User::of(session, now.wall));
                        self.held.let_go();
                        let signed_in = user.map(|user| SignedIn { user, id });
                        return Ok(Step::Done(signed_in.ok_or_else(|| SignInError::NotSignedIn.into())));
                    }
                    Err(failed) => match self.undo(Err(failed)) {
                        Ok(at) => at,
                        Err(why) => return ended(why),
                    },
                },
                At::Revoke(call, why) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    told => {
                        let why = why.take().unwrap_or(Ok(SignInError::State));
                        if told.is_ok() {
                            // The first is the one that was revoked.
                            self.held.tokens = self.held.tokens.split_off(self.held.tokens.len().min(1));
                        }
                        return ended(why);
                    }
                },
            };
            self.at = next;
        }
    }
}

fn ended(why: Result<SignInError, Failed>) -> Result<Step<Result<SignedIn, Refusal>>, Failed> {
    why.map(|error| Step::Done(Err(error.into())))
}
