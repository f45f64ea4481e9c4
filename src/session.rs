//! The machines that turn operations into sends, waits and answers. Pure: no socket, no clock, no sleep in here.
//!
//! A driver owns the I/O and turns a [`Call`]: it hands in the time and what arrived, and does what comes back.
//! Everything that decides (when a token is renewed and by whom, what is repeated, when it is over) is in this room.

#[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
mod access;
mod approvals;
mod attach;
mod bulk;
mod call;
pub(crate) mod change;
pub(crate) mod code;
mod given;
#[cfg(feature = "aauth")]
mod holder;
mod identity;
mod jit;
pub(crate) mod keep;
pub(crate) mod kinds;
pub(crate) mod part;
pub(crate) mod places;
mod resource;
mod retry;
mod shared;
mod signature;
mod token;
pub(crate) mod users;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;

pub use access::{Access, StoreAnswer, StoreRequest};
#[cfg(feature = "calls")]
pub use approvals::ClaimedRun;
pub use approvals::{ApprovalOutcome, ApprovalProof, Approvals, DeniedApproval};
pub use call::Call;
pub use given::{Given, Giver};
#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub use holder::{AgentTokens, KeyHolder};
pub use jit::{Ahead, Allowed, Escalated, Escalation, LeftTask};
pub use keep::Ticket;
pub use resource::Resource;
pub use signature::ToSign;
pub use token::TokenCall;
pub use users::Users;

use crate::credentials::{ClientAuth, Credentials, Key, Workload};
use crate::error::{ConfigError, Error, SignerError, StoreError, TransportError, TransportFault};
use crate::operation::Operation;
#[cfg(feature = "aauth")]
use crate::operations::aauth::IssuerMetadata;
use crate::operations::{AgentInfo, Decision, ResourceMetadata, ServerMetadata, VaultToken};
use crate::origin::Origin;
use crate::scopes::Scopes;
use crate::site::Site;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::{Request, Response};
use identity::{Identity, Owner, TokenKey};
use keep::{Keeper, MOST_KEPT, Slot};
use kinds::{DecisionKey, Granted, LONGEST_DECISION, McpKey, PermissionKey, RecordKey, VaultKey};
use retry::Quota;

/// What a driver is to do next. Exhaustive on purpose: a driver that does not know an action must not compile.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // sent on at once, never stored
pub enum Action {
    /// Send this, and step again with what arrived.
    Send(Request),
    /// Let this much time pass, and step again with nothing.
    Wait(Duration),
    /// Another call is fetching the token: wait until it has settled, at most for [`Ticket::within`], and step again
    /// with nothing.
    Join(Ticket),
    /// Get what only the driver's surroundings can give, and step again with [`Arrived::Given`].
    Given(Giver),
    /// Ask the store, and step again with [`Arrived::Stored`].
    Store(StoreRequest),
    /// Sign this with the client's own key, wherever that lives, and step again with [`Arrived::Signature`].
    Sign(ToSign),
}

/// What a step of a machine came to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // taken apart at once, never stored
pub enum Step<T> {
    /// Something is to be done first.
    Do(Action),
    /// Finished.
    Done(T),
}

/// What came of an [`Action::Send`], [`Action::Given`], [`Action::Store`] or [`Action::Sign`]. Exhaustive on purpose.
#[derive(Debug)]
pub enum Arrived {
    /// A whole response.
    Response(Response),
    /// No whole response.
    Failed(TransportError),
    /// What was given, or why nothing was.
    Given(Result<Given, Error>),
    /// What the store said, or why it did not.
    Stored(Result<StoreAnswer, StoreError>),
    /// The signature, or why there is none.
    Signature(Result<Vec<u8>, SignerError>),
}

impl From<Result<Response, TransportError>> for Arrived {
    fn from(result: Result<Response, TransportError>) -> Self {
        match result {
            Ok(response) => Arrived::Response(response),
            Err(error) => Arrived::Failed(error),
        }
    }
}

/// What a driver turns until it is done.
pub trait Machine {
    /// What it is done with.
    type Output;

    /// True if something that it draws must be unpredictable to others (a nonce, a secret). If not, the bytes in [`Now`]
    /// only have to differ from call to call, and the driver may take them from where they cost least. Asked before every
    /// step; a machine that wraps another hands it on, or leaves it at true.
    fn draws_secrets(&self) -> bool {
        true
    }

    /// The next thing to do, now that `arrived` has come of the last action.
    ///
    /// # Errors
    /// The call's end. Do not step again after it.
    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error>;
}

/// The settings of a [`Session`]. Every one has a default but the site.
#[derive(Clone, Debug)]
pub struct Settings {
    site: Site,
    identity: Option<Identity>,
    client_auth: ClientAuth,
    allowed_origins: Vec<Origin>,
    scopes: Scopes,
    total: Option<Duration>,
    attempt: Option<Duration>,
    connect: Duration,
    user_agent: HeaderValue,
    most_kept: usize,
    shared_tokens: bool,
    decisions: Duration,
}

impl Settings {
    /// For this site, with the defaults.
    pub fn new(site: Site) -> Self {
        Settings {
            site,
            identity: None,
            client_auth: ClientAuth::default(),
            allowed_origins: Vec::new(),
            scopes: Scopes::none(),
            total: None,
            attempt: None,
            connect: Duration::from_millis(3100),
            user_agent: HeaderValue::from_static(concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION"))),
            most_kept: MOST_KEPT,
            shared_tokens: false,
            decisions: Duration::ZERO,
        }
    }

    /// The agent's credentials.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.identity = Some(Identity::client(credentials));
        self
    }

    /// The agent has no secret: its platform vouches for it. In place of credentials.
    pub fn workload(mut self, workload: Workload) -> Self {
        self.identity = Some(Identity::workload(workload));
        self
    }

    /// Every call travels with this key, or this user's token. In place of credentials.
    pub fn key(mut self, key: Key) -> Self {
        self.identity = Some(Identity::key(key));
        self
    }

    /// How the client authenticates itself at the token endpoint.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Lets the agent's token travel to one more origin.
    pub fn allow_origin(mut self, origin: Origin) -> Self {
        self.allowed_origins.push(origin);
        self
    }

    /// The scopes that tokens are asked for.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The whole time of every call, in place of each operation's own.
    pub fn total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// The longest time of one attempt, in place of each operation's own.
    pub fn attempt(mut self, attempt: Duration) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// The longest time until a connection stands, 3.1 s if not set.
    pub fn connect(mut self, connect: Duration) -> Self {
        self.connect = connect;
        self
    }

    /// The most values of each kind that are held at once, 1,024 if not set, one at least: the agent's own tokens, tokens for
    /// MCP servers, descriptions of resources, and so on. A new one pushes out what is over, and then what was not used
    /// for longest.
    pub fn most_kept(mut self, most: usize) -> Self {
        self.most_kept = most;
        self
    }

    /// Shares the agent's own tokens and those for MCP servers with every session that has the same credentials and the same
    /// store: before one is fetched, the driver is asked for the record on [`Shelf::Tokens`] ([`Action::Store`]), and one session
    /// fetches it for all. Nothing depends on that store: an error of it is answered by fetching the token.
    ///
    /// The records hold tokens. A record's key has the service, the client id and what the token is for, and a hash of the client
    /// secret, so that nobody finds a token by another secret. A client that a workload's token vouches for shares its tokens if
    /// its client id is set.
    ///
    /// [`Shelf::Tokens`]: crate::store::Shelf::Tokens
    pub fn shared_tokens(mut self) -> Self {
        self.shared_tokens = true;
        self
    }

    /// Uses a decision again for so long, 30 s at most; not at all if not set. Checks of permissions, relations and policies are meant:
    /// what is allowed may go on for so long after it was taken back, and what is denied after it was granted. Questions to
    /// the Ask API are always asked anew.
    pub fn remember_decisions(mut self, age: Duration) -> Self {
        self.decisions = age.min(LONGEST_DECISION);
        self
    }

    /// Puts a product of yours in front of `User-Agent`.
    ///
    /// # Errors
    /// [`ConfigError::BadText`] if a header cannot carry it.
    pub fn user_agent(mut self, product: &str) -> Result<Self, ConfigError> {
        let own = concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION"));
        self.user_agent =
            HeaderValue::from_str(&format!("{product} {own}")).map_err(|_| ConfigError::BadText {
                setting: "user_agent",
                problem: "has a character that no header can carry",
            })?;
        Ok(self)
    }
}

/// One client's state: its credentials, its tokens, its retry quota. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    wanted: Arc<Mutex<Wanted>>,
    total: Option<Duration>,
}

/// The scopes that tokens are asked for, with the key and the slot of their token as they were last: looked up once, not
/// once a call.
struct Wanted {
    scopes: Scopes,
    key: Option<Arc<TokenKey>>,
    slot: Option<Arc<Slot<AccessToken>>>,
}

impl Wanted {
    fn new(scopes: Scopes) -> Self {
        Wanted { scopes, key: None, slot: None }
    }
}

struct Shared {
    settings: Settings,
    owner: Mutex<Owner>,
    /// The owner's, to be read without the lock.
    epoch: AtomicU64,
    tokens: Keeper<Arc<TokenKey>, AccessToken>,
    mcp: Keeper<McpKey, AccessToken>,
    service: Keeper<(), Arc<ServerMetadata>>,
    descriptions: Keeper<(String, Vec<Uri>), Arc<ResourceMetadata>>,
    records: Keeper<RecordKey, Arc<AgentInfo>>,
    decisions: Keeper<DecisionKey, Decision>,
    vault: Keeper<VaultKey, VaultToken>,
    permissions: Keeper<PermissionKey, Arc<Granted>>,
    /// Requests whose token was asked for.
    taken: jit::Once,
    /// Tasks that nobody ended.
    left: jit::Left,
    #[cfg(feature = "aauth")]
    issuer: Keeper<(), Arc<IssuerMetadata>>,
    quota: Quota,
    sharing: shared::Sharing,
}

impl Session {
    /// A session with these settings and no token yet.
    pub fn new(settings: Settings) -> Self {
        let owner = Mutex::new(Owner::new(settings.identity.clone()));
        let wanted = Arc::new(Mutex::new(Wanted::new(settings.scopes.clone())));
        let (total, most) = (settings.total, settings.most_kept);
        let shared = Shared {
            settings,
            owner,
            epoch: AtomicU64::default(),
            tokens: Keeper::bounded(most),
            mcp: Keeper::bounded(most),
            service: Keeper::bounded(most),
            descriptions: Keeper::bounded(most),
            records: Keeper::bounded(most),
            decisions: Keeper::bounded(most),
            vault: Keeper::bounded(most),
            #[cfg(feature = "aauth")]
            issuer: Keeper::bounded(most),
            quota: Quota::default(),
            sharing: shared::Sharing::default(),
            permissions: Keeper::bounded(most),
            taken: jit::Once::bounded(most),
            left: jit::Left::default(),
        };
        Session { shared: Arc::new(shared), wanted, total }
    }

    /// The machine for one call of an operation. Its deadline starts with the first step.
    pub fn call<O: Operation>(&self, operation: O) -> Call<O> {
        Call::new(self.clone(), operation, None)
    }

    /// The machine for one call within a deadline that runs already.
    pub fn call_within<O: Operation>(&self, operation: O, deadline: Deadline) -> Call<O> {
        Call::new(self.clone(), operation, Some(deadline))
    }

    /// The machine that gets the agent's token: the current one if it is fresh.
    pub fn token(&self) -> TokenCall {
        TokenCall::new(self, false)
    }

    /// The machine that gets a new token, whatever the current one's state; callers at the same time share one request.
    pub fn new_token(&self) -> TokenCall {
        TokenCall::new(self, true)
    }

    /// The token held at the moment, if it may still be used.
    pub fn current_token(&self, now: &Now) -> Option<AccessToken> {
        let (key, _) = self.key(&self.scopes()).ok()?;
        self.shared.tokens.peek(&key, now)
    }

    /// How many tokens (and remembered failures) are held, for all scopes and siblings together. At most as many as
    /// [`Settings::most_kept`] says.
    pub fn cached_tokens(&self) -> usize {
        self.shared.tokens.len()
    }

    /// Where the service is.
    pub fn site(&self) -> &Site {
        &self.shared.settings.site
    }

    /// The scopes that tokens are asked for.
    pub fn scopes(&self) -> Scopes {
        lock(&self.wanted).scopes.clone()
    }

    /// Sets the scopes that tokens are asked for, for this session and its clones.
    pub fn set_scopes(&self, scopes: impl Into<Scopes>) {
        *lock(&self.wanted) = Wanted::new(scopes.into());
    }

    /// A sibling with scopes of its own; it shares credentials, token cache and quota.
    pub fn with_scopes(&self, scopes: impl Into<Scopes>) -> Self {
        Session { wanted: Arc::new(Mutex::new(Wanted::new(scopes.into()))), ..self.clone() }
    }

    /// A sibling whose calls have this whole time each.
    pub fn with_total(&self, total: Duration) -> Self {
        Session { total: Some(total), ..self.clone() }
    }

    /// The client id in use, if one is known.
    pub fn client_id(&self) -> Option<String> {
        lock(&self.shared.owner).client_id().map(str::to_owned)
    }

    /// Replaces the credentials; every token and every remembered failure of the old ones is dropped.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.replace(Identity::client(credentials));
    }

    /// Replaces the credentials by a key, or by a user's token, or the key by another; whatever is held of the old ones is dropped.
    pub fn set_key(&self, key: Key) {
        self.replace(Identity::key(key));
    }

    fn replace(&self, identity: Identity) {
        let mut owner = lock(&self.shared.owner);
        owner.replace(identity);
        self.shared.epoch.store(owner.epoch(), Ordering::Release);
        drop(owner);
        self.shared.tokens.clear();
        self.shared.mcp.clear();
        self.shared.records.clear();
        self.shared.decisions.clear();
        self.shared.vault.clear();
        self.shared.permissions.clear();
    }

    /// The whole time of each call, if one was set.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn total(&self) -> Option<Duration> {
        self.total
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Counts how often the credentials were replaced.
    pub(crate) fn epoch(&self) -> u64 {
        self.shared.epoch.load(Ordering::Acquire)
    }

    /// The key that every call travels with, if it is one.
    pub(crate) fn standing_key(&self) -> Option<Arc<Key>> {
        lock(&self.shared.owner).standing_key()
    }

    fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        lock(&self.shared.owner).credentials()
    }

    fn identity(&self) -> Result<Identity, Error> {
        lock(&self.shared.owner).identity()
    }

    /// The key of the agent's own token with these scopes, and who it belongs to.
    fn key(&self, scopes: &Scopes) -> Result<(Arc<TokenKey>, Identity), Error> {
        let owner = lock(&self.shared.owner);
        let identity = owner.identity()?;
        let mut wanted = lock(&self.wanted);
        let is_wanted = wanted.scopes == *scopes;
        if let Some(key) = wanted.key.as_ref().filter(|key| is_wanted && key.epoch == owner.epoch()) {
            return Ok((Arc::clone(key), identity));
        }
        let key = Arc::new(owner.key(&identity, scopes));
        if is_wanted {
            (wanted.key, wanted.slot) = (Some(Arc::clone(&key)), None);
        }
        Ok((key, identity))
    }

    /// The slot of the agent's own token with the scopes wanted.
    fn wanted_slot(&self, now: &Now) -> Result<Arc<Slot<AccessToken>>, Error> {
        let (epoch, tokens) = (self.epoch(), &self.shared.tokens);
        let scopes = {
            let wanted = lock(&self.wanted);
            if let (Some(key), Some(slot)) = (&wanted.key, &wanted.slot)
                && key.epoch == epoch
                && tokens.holds(slot)
            {
                return Ok(Arc::clone(slot));
            }
            wanted.scopes.clone()
        };
        let (key, _) = self.key(&scopes)?;
        let slot = tokens.slot(&key, now);
        let mut wanted = lock(&self.wanted);
        if wanted.key.as_ref().is_some_and(|current| Arc::ptr_eq(current, &key)) {
            wanted.slot = Some(Arc::clone(&slot));
        }
        Ok(slot)
    }
}

/// The driver came back from a send with nothing: that tells nothing about what was sent.
pub(crate) fn nothing_arrived() -> Error {
    Error::Transport(TransportError::unknown(TransportFault::Other, "the driver brought no answer"))
}

/// The driver goes on after the end.
fn ended() -> Error {
    let problem = "the call is over; the driver stepped it again";
    Error::Transport(TransportError::not_sent(TransportFault::Other, problem))
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Session { shared, wanted, total } = self;
        f.debug_struct("Session")
            .field("settings", &shared.settings)
            .field("scopes", &lock(wanted).scopes)
            .field("total", total)
            .finish_non_exhaustive()
    }
}

/// A lock that another thread's panic does not take away: every state behind these locks is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
