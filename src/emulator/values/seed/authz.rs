//! Who decides about others: API keys.

use crate::secret::Secret;

/// An organization's API key to start with.
#[derive(Clone, Debug)]
#[must_use = "a key does nothing until it is handed to a tenant"]
pub struct ApiKeySeed {
    pub(crate) user: String,
    pub(crate) key: Option<Secret>,
    pub(crate) scopes: Vec<String>,
}

impl ApiKeySeed {
    /// A key that this user made: whoever sends it is the user to the service.
    pub fn new(user: impl Into<String>) -> Self {
        ApiKeySeed { user: user.into(), key: None, scopes: Vec::new() }
    }

    /// A fixed key, for tests. Without one a new key (`lmk_...`) is made at each start.
    pub fn key(mut self, key: impl Into<Secret>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds scopes, such as `authz:check` for checks about others, or `admin` for everything.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }
}
