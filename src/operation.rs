//! A protocol step as a value: both halves, the request and the reading of the answer.

use std::fmt;
use std::time::Duration;

mod signing;

pub use signing::Signing;

use crate::credentials::{Bearer, ClientAuth, Credentials};
use crate::error::Error;
use crate::origin::Origin;
use crate::route::Route;
use crate::secret::Secret;
use crate::site::Site;
use crate::time::{Now, hex};
use crate::token::AccessToken;
use crate::wire::{Request, Response};

/// One step of the protocol, pure: it makes a request and reads the answer, and never sends anything itself.
///
/// The clients run operations, [`crate::session::Session::call`] turns one into a machine, and another SDK may call
/// the halves by hand. Write your own the way `operations/ask.rs` is written.
pub trait Operation {
    /// What the answer means.
    type Output;

    /// How the step is to be run. Asked once per call; may depend on the value.
    fn terms(&self) -> Terms;

    /// What to ask. Called anew for every attempt.
    ///
    /// # Errors
    /// [`Error::Input`] if an argument cannot be sent.
    fn request(&self, context: &Context<'_>) -> Result<Request, Error>;

    /// What the answer says. Start with [`crate::wire::read`].
    ///
    /// # Errors
    /// [`Error::Api`] for a refusal, [`Error::Protocol`] for an answer that cannot be read.
    fn response(&self, response: &Response) -> Result<Answer<Self::Output>, Error>;
}

/// What an answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// Finished.
    Done(T),
    /// Not decided yet: ask the same question again after this long (polling), but never sooner than after 100 ms.
    Again(Duration),
}

/// Whether an operation may be sent again when it is not known if it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something, but twice is as good as once.
    Repeatable,
    /// Must not happen twice. Sent again only if nothing of it was sent.
    Once,
}

/// Which credential an operation travels with. The session attaches it; an operation never does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Auth {
    /// None at all.
    None,
    /// The client's id and secret, in the way the client is set to.
    Client,
    /// The client's id and secret, in this way.
    ClientBy(ClientAuth),
    /// This client's id and secret, in this way: another client's than the session's, which stands behind this one step.
    ClientAs(Credentials, ClientAuth),
    /// What the session has: the agent's own access token, obtained and renewed by the session, or a key or a user's token, sent
    /// as it is. [`Terms::callers`] says which of them the operation takes.
    Bearer,
    /// This token and no other; it is not renewed.
    Token(AccessToken),
    /// The agent's own access token, placed in the body by the operation itself ([`Context::token`]).
    InBody,
    /// The same, with the client's id and secret in this way as well.
    InBodyBy(ClientAuth),
    /// The platform's token of this workload, asked for anew for every attempt and placed in the body by the operation itself
    /// ([`Context::given`]).
    Workload,
    /// Signed with the client's own key, over another credential or none (AAuth).
    Signed(Signing),
}

impl Auth {
    /// The credential itself, below a signature if there is one.
    pub(crate) fn credential(&self) -> &Auth {
        match self {
            Auth::Signed(signing) => signing.credential(),
            other => other,
        }
    }
}

/// With whose word an operation may travel. What the service refuses is said before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callers {
    users: bool,
    api_keys: bool,
}

impl Callers {
    /// Agents alone.
    pub const AGENTS: Callers = Callers { users: false, api_keys: false };
    /// Agents, and users by their tokens.
    pub const PRINCIPALS: Callers = Callers { users: true, api_keys: false };
    /// Agents, users, and services with an API key.
    pub const ALL: Callers = Callers { users: true, api_keys: true };

    /// True if this one may.
    pub const fn include(self, bearer: Bearer) -> bool {
        match bearer {
            Bearer::Agent => true,
            Bearer::User => self.users,
            Bearer::ApiKey => self.api_keys,
        }
    }
}

/// How an operation is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Terms {
    /// The operation's name in errors and logs, as in `docs/wire.md`.
    pub name: &'static str,
    /// May it be repeated?
    pub effect: Effect,
    /// The credential it travels with.
    pub auth: Auth,
    /// Whose it may be, where it is the session's ([`Auth::Bearer`]): agents' alone, if nothing else is said.
    pub callers: Callers,
    /// The whole time of a call, if the caller sets no other.
    pub total: Duration,
    /// The longest time of one attempt.
    pub attempt: Duration,
    /// The largest body that is read, in bytes.
    pub body_limit: usize,
    /// The caller has set the times of this very call: settings of the client do not change them.
    pub own_times: bool,
    /// It waits for a person, and this is the pause between two questions: a failure that passes does not end it. After each one in a
    /// row the pause doubles, until the time is over.
    pub waits: Option<Duration>,
    /// One more origin that this very call may go to: a resource that the caller named. Neither the client's secret nor
    /// the agent's own token goes there; [`Auth::None`] and [`Auth::Token`] do.
    pub named_origin: Option<Origin>,
    /// An answer that ends with its connection is taken ([`Limits::until_closed`](crate::wire::Limits::until_closed)).
    pub until_closed: bool,
}

impl Terms {
    /// 15 s in all, 5 s an attempt, 64 KiB of body.
    pub const fn new(name: &'static str, effect: Effect, auth: Auth) -> Self {
        Terms {
            name,
            effect,
            auth,
            callers: Callers::AGENTS,
            total: Duration::from_secs(15),
            attempt: Duration::from_secs(5),
            body_limit: 64 * 1024,
            own_times: false,
            waits: None,
            named_origin: None,
            until_closed: false,
        }
    }

    /// Another total time.
    pub fn total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Says whose credential it may travel with.
    pub fn callers(mut self, callers: Callers) -> Self {
        self.callers = callers;
        self
    }

    /// Another longest time of one attempt.
    pub fn attempt(mut self, attempt: Duration) -> Self {
        self.attempt = attempt;
        self
    }

    /// Says that the times are this very call's: settings of the client do not change them.
    pub fn own_times(mut self) -> Self {
        self.own_times = true;
        self
    }

    /// Says that it waits for a person, with this pause between two questions; failures that pass make the pause longer and do not
    /// end it.
    pub fn waits(mut self, pause: Duration) -> Self {
        self.waits = Some(pause);
        self
    }

    /// Names one more origin that this very call may go to.
    pub fn named_origin(mut self, origin: Option<Origin>) -> Self {
        self.named_origin = origin;
        self
    }

    /// Takes an answer that ends with its connection too.
    pub fn until_closed(mut self) -> Self {
        self.until_closed = true;
        self
    }

    /// Another largest body, in bytes.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
}

/// The name of a call, the same over all its attempts: 32 hexadecimal digits where it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId([u8; 16]);

impl AttemptId {
    /// A name of these bytes, for drivers and tests of their own.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        AttemptId(bytes)
    }

    /// The name of the call whose first step was given this: its last 16 random bytes.
    pub(crate) fn of(now: &Now) -> Self {
        let [.., a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = now.random;
        AttemptId([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an operation may know when it makes its request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    site: &'a Site,
    token: Option<&'a AccessToken>,
    given: Option<&'a Secret>,
    attempt_id: Option<AttemptId>,
    blind: bool,
}

impl<'a> Context<'a> {
    /// The context of a call to this site.
    pub const fn new(site: &'a Site) -> Self {
        Context { site, token: None, given: None, attempt_id: None, blind: false }
    }

    /// With the agent's current access token, for operations with [`Auth::InBody`].
    pub const fn with_token(mut self, token: &'a AccessToken) -> Self {
        self.token = Some(token);
        self
    }

    /// With the platform's token of this workload, for operations with [`Auth::Workload`].
    pub const fn with_given(mut self, given: &'a Secret) -> Self {
        self.given = Some(given);
        self
    }

    /// With the name of the call, the same over all its attempts.
    pub const fn with_attempt_id(mut self, attempt_id: AttemptId) -> Self {
        self.attempt_id = Some(attempt_id);
        self
    }

    /// Says that an attempt of the same call before this one may have taken effect, and nobody knows.
    pub const fn blind(mut self, blind: bool) -> Self {
        self.blind = blind;
        self
    }

    /// True if an attempt of the same call before this one may have taken effect: what is gone by now may be gone by it.
    pub const fn is_blind(&self) -> bool {
        self.blind
    }

    /// Where the service is.
    pub const fn site(&self) -> &'a Site {
        self.site
    }

    /// A request to a route without ids: its method, and its URL at the service.
    pub fn to(&self, route: Route) -> Request {
        Request::new(route.method(), self.site.url(route))
    }

    /// A request to a route with its ids, in the order of the path.
    ///
    /// # Errors
    /// [`Error::Input`] as [`Site::url_with`].
    pub fn to_with(&self, route: Route, ids: &[&str]) -> Result<Request, Error> {
        Ok(Request::new(route.method(), self.site.url_with(route, ids)?))
    }

    /// The agent's current access token, if the operation's terms ask for it.
    pub const fn token(&self) -> Option<&'a AccessToken> {
        self.token
    }

    /// The platform's token of this workload, if the operation's terms ask for it.
    pub const fn given(&self) -> Option<&'a Secret> {
        self.given
    }

    /// Names the call in logs and idempotency keys; stable over its attempts. None outside of a session. It is a name and no
    /// secret.
    pub const fn attempt_id(&self) -> Option<AttemptId> {
        self.attempt_id
    }
}
