//! Records in Redis or Valkey: for fleets, on an engine that they run already.

mod address;
mod answers;
mod cluster;
mod framing;
mod line;
mod script;
mod servers;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::address::{Login, Server};
use self::line::LARGEST_RECORD;
use self::script::{Names, Question, done, record};
use self::servers::{Answer, Kind, Servers};
use super::workers::{Job, Workers};
use super::{NameKey, Page, Prefix, Record, SealedStore, SealingKey, StoreKey, Version};
use crate::error::{ConfigError, InputError, StoreError};
use crate::secret::Secret;
use crate::trust::Trust;

/// How many keys are on a page.
const PAGE: usize = 1_000;
/// How long a record is kept for which nothing is said.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 3_600);
/// What the name of every record begins with, unless something else is said.
const NAMESPACE: &str = "lumoauth:";
/// The size of a version.
const VERSION: usize = 16;

/// Where the servers are, and how records lie there. What comes of it is a store, with [`sealed`](RedisSettings::sealed) or, in
/// so many words, [`unsealed`](RedisSettings::unsealed).
///
/// ```no_run
/// use lumoauth::store::{NameKey, RedisStore, SealingKey};
///
/// # let (names, key) = ([1; 32], [2; 32]);
/// let store = RedisStore::server("rediss://app:password@redis.example.com:6380/0")?
///     .sealed(NameKey::new(&names), SealingKey::new("2026-11", &key)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisSettings {
    kind: Kind,
    tls: bool,
    login: Option<Login>,
    database: i64,
    roots: Vec<Vec<u8>>,
    namespace: String,
    longest: Duration,
}

impl RedisSettings {
    /// Logs in at the servers with these, instead of what the URL says.
    pub fn credentials(self, user: Option<&str>, password: impl Into<Secret>) -> Self {
        let login = Login { user: user.map(str::to_owned), password: password.into() };
        RedisSettings { login: Some(login), ..self }
    }

    /// Trusts the certificates in this PEM text in addition to the built-in roots.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// What the name of every record begins with: `lumoauth:`, if nothing else is said. Stores with different ones share a
    /// server and no records. In a cluster, `{` and `}` in it put all records on one server.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        RedisSettings { namespace: namespace.into(), ..self }
    }

    /// How long a record is kept for which nothing is said, such as a user's session, counted from the last time it was
    /// saved: 400 days, if nothing else is said. No record is left on a server for ever.
    pub fn longest(self, longest: Duration) -> Self {
        RedisSettings { longest, ..self }
    }

    /// A store whose records nobody can read who can read the server.
    ///
    /// # Errors
    /// [`InputError`] if a certificate cannot be read.
    pub fn sealed(self, names: NameKey, key: SealingKey) -> Result<SealedStore<RedisStore>, InputError> {
        Ok(SealedStore::new(self.unsealed()?, names, key))
    }

    /// A store whose records lie on the server as they are: **whoever can read it, or a backup of it, has the tokens of
    /// agents and of users**. For nonces, which are no secrets.
    ///
    /// # Errors
    /// [`InputError`] if a certificate cannot be read.
    pub fn unsealed(self) -> Result<RedisStore, InputError> {
        let RedisSettings { kind, tls, login, database, roots, namespace, longest } = self;
        let config = tls.then(|| Trust::new(&roots, None).and_then(|trust| trust.read())).transpose();
        let tls = config.map_err(|error| match error {
            ConfigError::BadCertificate(problem) => InputError::new("root_certificates", problem),
            _ => InputError::new("url", "cannot be used: TLS is not available"),
        })?;
        let servers = Servers::new(kind, tls, login, database);
        let inner = Inner { servers, names: Names(namespace), longest };
        Ok(RedisStore { inner: Arc::new(inner), workers: Workers::new("Redis") })
    }
}

/// No password.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisSettings({})", Shown(&self.kind))
    }
}

/// Keeps records in Redis (7.0 was tried) or Valkey (9.1 was tried), for all processes that reach it.
///
/// A record is read with one command, and changed by a script that compares its version first: one trip over the network
/// each. A version is drawn by lot, so none comes again when a server is emptied or replaced by one that lags behind. Every
/// record has an end. A line that was closed is opened anew; each method ends by its time, whatever the server does, and at
/// most eight threads wait for servers that hang. In the async mount no thread of the runtime waits.
///
/// TLS (`rediss://`) has settings of our own, as the transports have: no provider of the process is read or installed.
///
/// Nonces and approvals must not be dropped before their time: new ones are refused by a server whose `maxmemory-policy` is not
/// `noeviction`. A server that fails and is replaced by its replica may lose what was saved last; that may be a nonce or an
/// approval that was used.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
    workers: Workers,
}

struct Inner {
    servers: Servers,
    names: Names,
    longest: Duration,
}

fn settings(kind: Kind, server: Server) -> RedisSettings {
    let Server { tls, login, database, .. } = server;
    let (roots, namespace, longest) = (Vec::new(), NAMESPACE.to_owned(), LONGEST);
    RedisSettings { kind, tls, login, database, roots, namespace, longest }
}

/// The servers of these URLs, which are used alike.
fn alike<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Vec<Server>, InputError> {
    let servers: Vec<Server> =
        urls.into_iter().map(|url| Server::read(url.as_ref())).collect::<Result<_, _>>()?;
    match servers.first() {
        None => Err(InputError::new("urls", "must be one at least")),
        Some(first) if servers.iter().any(|other| other.tls != first.tls) => {
            Err(InputError::new("urls", "must all be redis:// or all rediss://"))
        }
        Some(_) => Ok(servers),
    }
}

impl RedisStore {
    /// On one server: `redis://`, `rediss://` (TLS), each with user, password (percent-encoded), port and a number of a
    /// database if need be, or `unix://` and a path. Nothing is connected yet.
    ///
    /// # Errors
    /// [`InputError`] if it is no such URL. It does not repeat the URL, which may hold a password.
    pub fn server(url: impl AsRef<str>) -> Result<RedisSettings, InputError> {
        let server = Server::read(url.as_ref())?;
        Ok(settings(Kind::One(server.address.clone()), server))
    }

    /// On the server that sentinels name: the name of the group, and the URLs of sentinels, with what they want as a password.
    /// For the servers themselves there are [`RedisSettings::credentials`]; the first URL says which database, and whether TLS is used
    /// with all.
    ///
    /// # Errors
    /// As [`RedisStore::server`], and without any URL.
    pub fn sentinel<U: AsRef<str>>(
        name: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> Result<RedisSettings, InputError> {
        let servers = alike(urls)?;
        let sentinels = servers.iter().map(|server| server.address.clone()).collect();
        let mut first =
            servers.into_iter().next().ok_or_else(|| InputError::new("urls", "must be one at least"))?;
        let login = first.login.take();
        Ok(settings(Kind::Sentinel { name: name.into(), sentinels, login }, first))
    }

    /// On a cluster: the URLs of some of its servers, with the user and password that all take.
    ///
    /// # Errors
    /// As [`RedisStore::server`], without any URL, and with a database: a cluster has one.
    pub fn cluster<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<RedisSettings, InputError> {
        let servers = alike(urls)?;
        if servers.iter().any(|server| server.database != 0) {
            return Err(InputError::new("urls", "must name no database: a cluster has one"));
        }
        let seeds = servers.iter().map(|server| server.address.clone()).collect();
        let first =
            servers.into_iter().next().ok_or_else(|| InputError::new("urls", "must be one at least"))?;
        Ok(settings(Kind::Cluster(seeds), first))
    }

    pub(super) fn load_job(&self, key: &StoreKey, within: Duration) -> Job<Option<Record>> {
        let (inner, question) = (Arc::clone(&self.inner), Question::load(self.inner.names.of(key)));
        self.workers.timed_job(within, move |end| record(inner.servers.ask(&question, end)?.value))
    }

    pub(super) fn save_job(
        &self,
        key: &StoreKey,
        over: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Job<Option<Version>> {
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let bytes = Zeroizing::new(bytes.to_vec());
        self.workers.timed_job(within, move |end| {
            // No record here ever had such a version.
            if over.is_some_and(|over| over.as_bytes().len() != VERSION) {
                return Ok(None);
            }
            if bytes.len() > LARGEST_RECORD {
                return Err(StoreError::full("a record has 32 MiB at most"));
            }
            let keep = keep.unwrap_or(inner.longest);
            let (question, version) = Question::save(key.shelf(), inner.names.of(&key), over, &bytes, keep)?;
            Ok(outcome(&inner.servers.ask(&question, end)?)?.then_some(version))
        })
    }

    pub(super) fn remove_job(&self, key: &StoreKey, version: Version, within: Duration) -> Job<bool> {
        let (inner, question) =
            (Arc::clone(&self.inner), Question::remove(self.inner.names.of(key), version));
        self.workers.timed_job(within, move |end| {
            if version.as_bytes().len() != VERSION {
                return Ok(false);
            }
            outcome(&inner.servers.ask(&question, end)?)
        })
    }

    /// In the order of their texts. Servers list names in no order and some of them twice, so each page looks at all.
    pub(super) fn keys_job(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Job<Page> {
        let (inner, prefix, after) = (Arc::clone(&self.inner), prefix.clone(), after.map(str::to_owned));
        self.workers.timed_job(within, move |end| {
            let pattern = inner.names.pattern(prefix.shelf(), prefix.as_str());
            let mut keys = BTreeSet::new();
            inner.servers.names(&pattern, end, |name| {
                let key = inner.names.key(prefix.shelf(), name).filter(|key| prefix.is_of(key));
                let key = key.filter(|key| after.as_deref().is_none_or(|after| key.as_str() > after));
                keys.extend(key);
                if keys.len() > PAGE.saturating_add(1) {
                    keys.pop_last();
                }
            })?;
            let more = keys.len() > PAGE;
            let keys: Vec<StoreKey> = keys.into_iter().take(PAGE).collect();
            let next = keys.last().filter(|_| more).map(|key| key.as_str().to_owned());
            Ok(Page::new(keys, next))
        })
    }

    /// Done if every server that has records keeps them until their end.
    #[cfg(feature = "aauth")]
    pub(crate) fn keeps_job(&self, within: Duration) -> Job<()> {
        let inner = Arc::clone(&self.inner);
        self.workers.timed_job(within, move |end| inner.servers.keeps(end))
    }
}

/// Whether it was done. If an answer was lost before, "no" says nothing: it may have been done, and changed since.
fn outcome(answer: &Answer) -> Result<bool, StoreError> {
    match done(&answer.value)? {
        false if answer.lost_before => Err(StoreError::unavailable(
            "Redis: the connection was lost, and it is not known whether the record was changed",
        )),
        done => Ok(done),
    }
}

/// The servers, without users and passwords.
struct Shown<'a>(&'a Kind);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::One(address) => write!(f, "{address}"),
            Kind::Sentinel { name, sentinels, .. } => write!(f, "{name} of {} sentinels", sentinels.len()),
            Kind::Cluster(seeds) => write!(f, "a cluster, {} servers named", seeds.len()),
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", Shown(&self.inner.servers.kind))
    }
}
