//! Connections of a tenant to the services of others.

/// A connection to start with, for which the vault has tokens.
#[derive(Clone, Debug)]
#[must_use = "a connection does nothing until it is handed to a tenant"]
pub struct ConnectionSeed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) agents: Vec<String>,
    /// Whose tokens there are; the agents' own if nobody is named.
    pub(crate) users: Vec<String>,
    pub(crate) lifetime: Option<u64>,
    pub(crate) enabled: bool,
}

impl ConnectionSeed {
    /// A connection of this id to the service of this provider, for every agent. Its tokens are good for an hour.
    pub fn new(id: impl Into<String>, provider: impl Into<String>) -> Self {
        let (id, provider) = (id.into(), provider.into());
        ConnectionSeed {
            name: id.clone(),
            id,
            provider,
            scopes: Vec::new(),
            agents: Vec::new(),
            users: Vec::new(),
            lifetime: Some(3600),
            enabled: true,
        }
    }

    /// What its tokens may do there.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// For this agent, by its client id, and those of other calls; for every agent without any.
    pub fn agent(mut self, client_id: impl Into<String>) -> Self {
        self.agents.push(client_id.into());
        self
    }

    /// A user who linked an account: then its tokens are users', and one has to be named.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.users.push(name.into());
        self
    }

    /// How long its tokens live, in seconds; without, their end is not said.
    pub fn lifetime(mut self, seconds: impl Into<Option<u64>>) -> Self {
        self.lifetime = seconds.into();
        self
    }

    /// Nobody gets a token for it.
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }
}
