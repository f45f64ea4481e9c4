//! Who a request comes from: the session that its cookie names, renewed if that is due, once for all tabs.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::desk::Desk;
use super::error::SignInError;
use super::user::User;
use crate::error::{ConsentError, Error};
use crate::session::part::Within;
use crate::session::users::UserToken;
use crate::session::{Arrived, Machine, Step};
use crate::time::Now;

/// The whole time of looking for who is signed in, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(20);

/// The machine that finds who is signed in; done with nobody at once where no cookie can be one.
pub(crate) struct Current(Option<Within<UserToken>>);

impl Current {
    pub(crate) fn new(desk: &Desk, headers: &HeaderMap) -> Self {
        let total = desk.session.total().unwrap_or(TOTAL);
        let id = desk.session_of(headers).filter(|id| !desk.left.is_over(id));
        let user = id.and_then(|id| desk.users.user_token(id.expose()).ok());
        Current(user.map(|user| Within::new(user, total)))
    }
}

impl Machine for Current {
    type Output = Result<Option<User>, SignInError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        let Some(inner) = &mut self.0 else { return Ok(Step::Done(Ok(None))) };
        Ok(match inner.step(now, arrived) {
            Ok(Step::Do(action)) => Step::Do(action),
            Ok(Step::Done(loan)) => Step::Done(Ok(User::of(&Arc::clone(&loan.value), now.wall))),
            Err(Error::Consent(ConsentError::Needed)) => Step::Done(Ok(None)),
            Err(error) => Step::Done(Err(SignInError::Service(error))),
        })
    }
}
