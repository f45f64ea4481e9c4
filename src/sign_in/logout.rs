//! Signing out: the session ends here whatever the service says, its refresh tokens are revoked, and the browser goes on to the service.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Method};

use super::answer::Answer;
use super::desk::Desk;
use super::error::SignInError;
use super::left::{Held, TakeOut};
use crate::error::Error;
use crate::operations::{Person, Revoke, TokenHint};
use crate::secret::Secret;
use crate::session::part::{Failed, Part, Within, ready};
use crate::session::{Arrived, Call, Machine, Step};
use crate::time::{Deadline, Now};

/// The whole time of signing out: a person waits for it.
const TOTAL: Duration = Duration::from_secs(8);

/// Browsers say here where a request was begun (Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// True if a page of this site sent the request: as browsers say in `Sec-Fetch-Site`, or in `Origin`. Nobody's word is not enough.
pub(crate) fn is_from_here(desk: &Desk, headers: &HeaderMap) -> bool {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        (values.next().map(|value| value.to_str().unwrap_or("?")), values.next().is_some())
    };
    let own = desk.public.origin().to_string();
    match (one(&SITE), one(&ORIGIN)) {
        ((_, true), _) | (_, (_, true)) => false,
        // A page without a referrer policy of its own says where it is; one with `no-referrer` says "null".
        ((Some(site), _), (origin, _)) => {
            site == "same-origin" && origin.is_none_or(|origin| origin == own || origin == "null")
        }
        ((None, _), (Some(origin), _)) => origin == own,
        ((None, _), (None, _)) => false,
    }
}

/// The machine that signs out.
pub(crate) struct Leaving {
    desk: Arc<Desk>,
    headers: HeaderMap,
    refused: Option<SignInError>,
    inner: Option<Within<Ending>>,
}

impl Leaving {
    pub(crate) fn new(desk: &Arc<Desk>, method: &Method, headers: &HeaderMap) -> Self {
        let refused = if method != Method::POST {
            Some(SignInError::Method { allowed: "POST" })
        } else if !is_from_here(desk, headers) {
            Some(SignInError::CrossSite)
        } else {
            None
        };
        let session = desk.session_of(headers).filter(|_| refused.is_none());
        let total = desk.session.total().unwrap_or(TOTAL).min(TOTAL);
        let inner = session.map(|id| Within::new(Ending::new(desk, &id), total));
        Leaving { desk: Arc::clone(desk), headers: headers.clone(), refused, inner }
    }
}

impl Machine for Leaving {
    type Output = Answer;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Answer>, Error> {
        let desk = &self.desk;
        if let Some(error) = self.refused.take() {
            return Ok(Step::Done(desk.refused(error, &self.headers)));
        }
        let person = match &mut self.inner {
            None => Ok(None),
            Some(inner) => match inner.step(now, arrived) {
                Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                Ok(Step::Done(person)) => Ok(person),
                Err(error) => Err(error),
            },
        };
        let out = person.and_then(|person| desk.out(person.as_ref().map(Person::id_token)));
        let answer = match out {
            Ok(location) => Answer::go(location),
            Err(error) => desk.refused(error, &self.headers),
        };
        // The browser forgets it in any case.
        Ok(Step::Done(answer.cookie(desk.cookies.clear(&desk.cookies.session()))))
    }
}

/// The session goes first, so that nothing that fails keeps anybody signed in.
struct Ending {
    desk: Arc<Desk>,
    person: Option<Person>,
    held: Held,
    at: At,
}

enum At {
    Take(Box<TakeOut>),
    Revoke(Box<Call<Revoke>>),
}

impl Ending {
    fn new(desk: &Arc<Desk>, id: &Secret) -> Self {
        let at = At::Take(Box::new(TakeOut::ended(&desk.left, id)));
        Ending { desk: Arc::clone(desk), person: None, held: Held::new(&desk.left), at }
    }

    /// The next token that the service is told of.
    fn next(&mut self) -> Option<At> {
        let token = self.held.tokens.last()?.clone();
        let revoke = Revoke::new(token).hint(TokenHint::RefreshToken);
        Some(At::Revoke(Box::new(self.desk.session.call(revoke))))
    }
}

impl Part for Ending {
    type Output = Option<Person>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Option<Person>>, Failed> {
        loop {
            match &mut self.at {
                At::Take(change) => {
                    let session = ready!(change.step(now, arrived.take(), time)?);
                    let Some(session) = session else { return Ok(Step::Done(None)) };
                    self.person = session.person().cloned();
                    self.held.tokens = session.refresh_tokens();
                }
                At::Revoke(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(())) => {
                        self.held.tokens.pop();
                    }
                    // The rest is left to a later sign-in or logout: the person is signed out here.
                    Err(_) => return Ok(Step::Done(self.person.take())),
                },
            }
            match self.next() {
                Some(at) => self.at = at,
                None => return Ok(Step::Done(self.person.take())),
            }
        }
    }
}
