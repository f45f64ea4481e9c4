//! Beginning a sign-in: the browser goes to the service, and keeps what the answer must fit.

use std::sync::Arc;

use http::HeaderMap;

use super::answer::Answer;
use super::attempt::{Attempt, LIFE};
use super::cookies::beginning;
use super::desk::Desk;
use super::login::Login;
use crate::error::{Error, InputError};
use crate::operations::AuthorizationRequest;
use crate::pkce::Pkce;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::{Arrived, Machine, Step};
use crate::time::Now;

/// The most sign-ins of one browser that are on their way, this one counted; the oldest is given up.
const MOST: usize = 4;

/// Sends a browser to the service. Nothing is asked of anybody for it.
pub(crate) struct Begin {
    desk: Arc<Desk>,
    headers: HeaderMap,
    login: Login,
}

impl Begin {
    pub(crate) fn new(desk: &Arc<Desk>, headers: &HeaderMap, login: Login) -> Self {
        Begin { desk: Arc::clone(desk), headers: headers.clone(), login }
    }

    fn begin(&self, now: &Now) -> Result<Answer, Error> {
        let Begin { desk, headers, login } = self;
        let scopes = with_openid(login.scopes.as_ref().unwrap_or(&desk.scopes));
        let return_to = desk.return_path(login.return_to.as_deref());
        let attempt = Attempt::new(scopes, login.max_age, return_to, now);
        let pkce = Pkce::from_verifier(attempt.verifier.clone())?;
        let (client_id, redirect_uri, state) = (&desk.client_id, desk.redirect_uri(), attempt.state.expose());
        let request = AuthorizationRequest::sign_in(client_id, &redirect_uri, &attempt.scopes, state, &pkce)?;
        let mut request = request.nonce(attempt.nonce.expose());
        if let Some(prompt) = login.prompt {
            request = request.prompt(prompt);
        }
        if let Some(access_type) = login.access_type {
            request = request.access_type(access_type);
        }
        if let Some(age) = login.max_age {
            request = request.max_age(age);
        }
        if let Some(hint) = login.hint.as_deref().filter(|hint| !hint.is_empty()) {
            request = request.login_hint(hint);
        }
        for (name, value) in &login.parameters {
            request = request.parameter(name, value)?;
        }
        let name = desk.cookies.attempt(&attempt.state);
        let too_long = || InputError::new("login", "has scopes or a return path that no cookie can hold");
        let sealed = attempt.seal(&desk.sealing, &desk.about(&name)).ok_or_else(too_long)?;
        let mut answer = Answer::go(Secret::new(request.url(desk.session.site())))
            .cookie(desk.cookies.set(&name, &sealed, LIFE));
        for over in given_up(desk, headers, now) {
            answer = answer.cookie(desk.cookies.clear(over));
        }
        Ok(answer)
    }
}

fn with_openid(scopes: &Scopes) -> Scopes {
    if scopes.contains("openid") {
        return scopes.clone();
    }
    Scopes::from(format!("openid {scopes}"))
}

/// The cookies of earlier sign-ins that are cleared: what is none, what is over, and the oldest.
fn given_up<'h>(desk: &Desk, headers: &'h HeaderMap, now: &Now) -> Vec<&'h str> {
    let own = |name: &str| {
        let behind = name.strip_prefix(&*desk.cookies.attempts()).unwrap_or_default();
        behind.len() == 16 && behind.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let came = beginning(headers, &desk.cookies.attempts())
        .into_iter()
        .filter(|(name, _)| own(name))
        .take(MOST.saturating_mul(4));
    let since = |(name, value): &(&str, &str)| {
        desk.attempt(name, value).filter(|attempt| attempt.is_fresh(now.wall)).map(|attempt| attempt.since())
    };
    let mut all: Vec<_> = came.map(|cookie| (since(&cookie), cookie.0)).collect();
    // None is before every time.
    all.sort_unstable();
    let kept = all.iter().filter(|(since, _)| since.is_some()).count().min(MOST.saturating_sub(1));
    all.truncate(all.len().saturating_sub(kept));
    all.into_iter().map(|(_, name)| name).collect()
}

impl Machine for Begin {
    type Output = Answer;

    fn step(&mut self, now: &Now, _: Option<Arrived>) -> Result<Step<Answer>, Error> {
        let answer = self.begin(now).unwrap_or_else(|error| self.desk.refused(error, &self.headers));
        Ok(Step::Done(answer))
    }
}
