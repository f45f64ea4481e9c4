//! Where a shared token is kept, and what this process knows of its store.

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::super::identity::Identity;
use super::super::{Session, lock};
use crate::operation::AttemptId;
use crate::operations::McpToken;
use crate::scopes::Scopes;
use crate::store::{Shelf, StoreKey};
use crate::time::Now;

/// A store that failed is not asked about tokens again for so long.
const DOWN: Duration = Duration::from_secs(5);

/// What the processes' own side of sharing is.
#[derive(Default)]
pub(in super::super) struct Sharing {
    /// The name under which this process claims.
    by: OnceLock<String>,
    /// When the store failed, by the monotonic clock.
    failed: Mutex<Option<Duration>>,
}

/// The record of one token.
pub(crate) struct Place {
    session: Session,
    epoch: u64,
    key: StoreKey,
    /// The resource that its token must be bound to, as the record has it.
    resource: Option<Box<str>>,
}

impl Place {
    /// Of the agent's own token. None if this agent shares none: it was not asked for, or nothing says whose it would be.
    pub(in super::super) fn own(session: &Session, identity: &Identity, scopes: &Scopes) -> Option<Self> {
        Place::new(session, identity, &["own", &words(scopes)], None)
    }

    /// Of the token for an MCP server.
    pub(in super::super) fn mcp(session: &Session, identity: &Identity, wanted: &McpToken) -> Option<Self> {
        // A wrong argument is the answer before the store is asked.
        if wanted.server().is_empty() || wanted.server().chars().any(char::is_control) {
            return None;
        }
        let (own, scopes) = (words(&session.scopes()), words(wanted.asked_scopes()));
        let resource = wanted.resource().map(Box::from);
        Place::new(session, identity, &["mcp", wanted.server(), &own, &scopes], resource)
    }

    fn new(
        session: &Session,
        identity: &Identity,
        what: &[&str],
        resource: Option<Box<str>>,
    ) -> Option<Self> {
        if !session.settings().shared_tokens {
            return None;
        }
        let whose = whose(session, identity)?;
        let key = StoreKey::new(Shelf::Tokens, whose.iter().map(String::as_str).chain(what.iter().copied()));
        Some(Place { session: session.clone(), epoch: session.epoch(), key, resource })
    }

    pub(super) fn key(&self) -> &StoreKey {
        &self.key
    }

    pub(super) fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// False if the credentials were replaced meanwhile: what is fetched now may be another agent's.
    pub(super) fn is_of_session(&self) -> bool {
        self.epoch == self.session.epoch()
    }

    /// The name under which this process claims. A process that was forked has its parent's; each of them saves its claim, and
    /// only one can.
    pub(super) fn by(&self, now: &Now) -> String {
        self.session.shared.sharing.by.get_or_init(|| AttemptId::of(now).to_string()).clone()
    }

    pub(super) fn store_failed(&self, now: &Now) {
        *lock(&self.session.shared.sharing.failed) = Some(now.monotonic);
    }

    /// True if the store failed a moment ago.
    pub(super) fn is_down(&self, now: &Now) -> bool {
        lock(&self.session.shared.sharing.failed).is_some_and(|at| now.monotonic.saturating_sub(at) < DOWN)
    }
}

/// What the keys of all its tokens begin with. None if nothing says whose they would be.
pub(super) fn whose(session: &Session, identity: &Identity) -> Option<[String; 3]> {
    let service = session.site().api_base();
    let credential = identity.fingerprint(&service)?;
    Some([service, identity.client_id()?.to_owned(), credential])
}

fn words(scopes: &Scopes) -> String {
    scopes.sorted().join(" ")
}
