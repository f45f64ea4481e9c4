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
mod machine;
pub(crate) mod part;
pub(crate) mod places;
mod resource;
mod retry;
mod settings;
mod shared;
mod signature;
mod token;
pub(crate) mod users;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;

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
pub use machine::{Action, Arrived, Machine, Step};
pub use resource::Resource;
pub use settings::Settings;
pub use signature::ToSign;
pub use token::TokenCall;
pub use users::Users;

use crate::credentials::{Credentials, Key};
use crate::error::{Error, TransportError, TransportFault};
use crate::operation::Operation;
#[cfg(feature = "aauth")]
use crate::operations::aauth::IssuerMetadata;
use crate::operations::{AgentInfo, Decision, ResourceMetadata, ServerMetadata, VaultToken};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::site::Site;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use identity::{Identity, Owner, TokenKey};
use keep::{Keeper, Policy, Slot};
use kinds::{DecisionKey, Granted, McpKey, PermissionKey, RecordKey, VaultKey};
use retry::Quota;

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

    /// A token that this session gave out was refused by somebody it was shown to: its own, one for a resource, or one out of the vault. It
    /// is given to nobody any more, and who asks next gets another. True if it was held; a token is replaced so once in five seconds.
    pub fn token_refused(&self, token: &Secret, now: &Now) -> bool {
        let (shared, policy) = (&self.shared, &Policy::TOKENS);
        let own = |held: &AccessToken| held.secret() == token;
        shared.tokens.refused(own, policy, now)
            | shared.mcp.refused(own, policy, now)
            | shared.vault.refused(|held| held.secret() == token, policy, now)
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
