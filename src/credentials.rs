//! Who the agent is to the service, and where that comes from. Pure: the process environment is read elsewhere.

use std::fmt;

use crate::error::ConfigError;
use crate::secret::Secret;
use crate::site::{DEFAULT_BASE_URL, Layout, Site};

/// An agent's client id and secret (OAuth 2.0 client credentials), or the id of a public client, which has no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    client_id: String,
    client_secret: Secret,
}

impl Credentials {
    /// Checks that both can be sent: RFC 6749 appendix A.1 and A.2 allow visible ASCII and blanks.
    ///
    /// # Errors
    /// [`ConfigError`] if one is empty or has a character that cannot be sent.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Result<Self, ConfigError> {
        let (client_id, client_secret) = (client_id.into(), client_secret.into());
        check("client_id", "set it on the builder or in AGENT_CLIENT_ID", &client_id)?;
        check("client_secret", "set it on the builder or in AGENT_CLIENT_SECRET", client_secret.expose())?;
        Ok(Credentials { client_id, client_secret })
    }

    /// A public client (RFC 6749 section 2.1): a program on people's own devices, which can keep no secret. It names itself where
    /// others prove who they are. People sign in to it by the code grant, whose PKCE is its protection; it has no token of its own.
    ///
    /// # Errors
    /// [`ConfigError`] if the id is empty or has a character that cannot be sent.
    pub fn public(client_id: impl Into<String>) -> Result<Self, ConfigError> {
        let client_id = client_id.into();
        check("client_id", "set it on the builder or in AGENT_CLIENT_ID", &client_id)?;
        Ok(Credentials { client_id, client_secret: Secret::new("") })
    }

    /// True for a client that has no secret.
    pub fn is_public(&self) -> bool {
        self.client_secret.is_empty()
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client secret; empty for a public client.
    pub fn client_secret(&self) -> &Secret {
        &self.client_secret
    }
}

fn check(setting: &'static str, hint: &'static str, text: &str) -> Result<(), ConfigError> {
    if text.is_empty() {
        Err(ConfigError::Missing { setting, hint })
    } else if text.contains(['\r', '\n']) {
        Err(ConfigError::BadText {
            setting,
            problem: "has a line break: trim it, if it was read from a file",
        })
    } else if !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Err(ConfigError::BadText {
            setting,
            problem: "has a character that cannot be sent (RFC 6749 appendix A)",
        })
    } else {
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credentials { client_id, client_secret } = self;
        f.debug_struct("Credentials")
            .field("client_id", client_id)
            .field("client_secret", client_secret)
            .finish()
    }
}

/// An agent without a secret: its platform vouches for it, and the platform's token is exchanged for the agent's own
/// (`docs/wire.md`, X-workload).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    provider: String,
    client_id: Option<String>,
}

impl Workload {
    /// Of this platform: `kubernetes`, `aws`, `gcp`, `azure` or `oidc`.
    ///
    /// # Errors
    /// [`ConfigError`] if the name is empty or has a character that cannot be sent.
    pub fn new(provider: impl Into<String>) -> Result<Self, ConfigError> {
        let provider = provider.into();
        check("workload_token", "name the platform, such as \"kubernetes\"", &provider)?;
        Ok(Workload { provider, client_id: None })
    }

    /// The agent's client id, for what needs one: consent URLs and registering. The exchange goes without.
    ///
    /// # Errors
    /// [`ConfigError`] if it is empty or has a character that cannot be sent.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Result<Self, ConfigError> {
        let client_id = client_id.into();
        check("client_id", "leave it out if there is none", &client_id)?;
        self.client_id = Some(client_id);
        Ok(self)
    }

    /// The platform.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The agent's client id, if it was set.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }
}

/// A credential that is sent as it is: nothing is fetched for it, and nothing renews it (`docs/wire.md`, S-keys). It goes to
/// the service and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    bearer: Bearer,
    secret: Secret,
}

/// Whose word a request travels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bearer {
    /// An agent's: its own token, or its key.
    Agent,
    /// A user's access token.
    User,
    /// An organization's API key.
    ApiKey,
}

impl Key {
    /// The key of an agent, in place of client credentials: `Authorization: Bearer`.
    ///
    /// # Errors
    /// [`ConfigError`] if it is empty or cannot be sent.
    pub fn agent(key: impl Into<Secret>) -> Result<Self, ConfigError> {
        Key::new(
            Bearer::Agent,
            "agent_key",
            "leave it out if the agent has a client id and secret",
            key.into(),
        )
    }

    /// The access token of a user who is signed in elsewhere: `Authorization: Bearer`.
    ///
    /// # Errors
    /// [`ConfigError`] if it is empty or cannot be sent.
    pub fn user_token(token: impl Into<Secret>) -> Result<Self, ConfigError> {
        Key::new(Bearer::User, "user_token", "hand over the access token of a user", token.into())
    }

    /// The API key of an organization: `X-API-Key`.
    ///
    /// # Errors
    /// [`ConfigError`] if it is empty or cannot be sent.
    pub fn api_key(key: impl Into<Secret>) -> Result<Self, ConfigError> {
        Key::new(Bearer::ApiKey, "api_key", "set it on the builder or in LUMOAUTH_API_KEY", key.into())
    }

    fn new(
        bearer: Bearer,
        setting: &'static str,
        hint: &'static str,
        secret: Secret,
    ) -> Result<Self, ConfigError> {
        check(setting, hint, secret.expose())?;
        if secret.expose().contains(' ') {
            return Err(ConfigError::BadText { setting, problem: "has a blank, which no key or token has" });
        }
        Ok(Key { bearer, secret })
    }

    /// Whose it is.
    pub fn bearer(&self) -> Bearer {
        self.bearer
    }

    /// The key itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// How the client authenticates itself at the token endpoint (`docs/wire.md`, T-auth).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `client_id` and `client_secret` among the form fields (`client_secret_post`). The default, as the vendor's SDKs do.
    #[default]
    Post,
    /// `Authorization: Basic` with both parts form-encoded first (`client_secret_basic`, RFC 6749 section 2.3.1).
    Basic,
}

/// The settings that the environment can carry (`docs/wire.md`, S-environment), as they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// `LUMOAUTH_URL`.
    pub base_url: Option<String>,
    /// `LUMOAUTH_TENANT`, else `LUMOAUTH_ORG_ID`.
    pub layout: Option<Layout>,
    /// `AGENT_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `AGENT_CLIENT_SECRET`.
    pub client_secret: Option<Secret>,
    /// `LUMOAUTH_API_KEY`.
    pub api_key: Option<Secret>,
}

impl Variables {
    /// Asks `var` for each variable. An empty value counts as not set.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        Variables {
            base_url: get("LUMOAUTH_URL"),
            layout: get("LUMOAUTH_TENANT")
                .map(Layout::Tenant)
                .or_else(|| get("LUMOAUTH_ORG_ID").map(Layout::Organization)),
            client_id: get("AGENT_CLIENT_ID"),
            client_secret: get("AGENT_CLIENT_SECRET").map(Secret::from),
            api_key: get("LUMOAUTH_API_KEY").map(Secret::from),
        }
    }

    /// The site they name.
    ///
    /// # Errors
    /// [`ConfigError`] if neither tenant nor organization is set, or the URL is not usable.
    pub fn site(&self) -> Result<Site, ConfigError> {
        let base_url = self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
        Site::new(base_url, self.layout.clone().unwrap_or(Layout::Tenant(String::new())))
    }

    /// The credentials they hold.
    ///
    /// # Errors
    /// [`ConfigError`] if one is missing or cannot be sent.
    pub fn credentials(&self) -> Result<Credentials, ConfigError> {
        Credentials::new(
            self.client_id.clone().unwrap_or_default(),
            self.client_secret.clone().unwrap_or_else(|| Secret::new("")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Variables {
        Variables::read(|name| {
            pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_tenant_comes_before_the_organization() {
        let both = from(&[("LUMOAUTH_TENANT", "acme"), ("LUMOAUTH_ORG_ID", "org")]);
        assert_eq!(both.site().unwrap().api_base(), "https://app.lumoauth.dev/t/acme/api/v1");
        let organization = from(&[("LUMOAUTH_TENANT", ""), ("LUMOAUTH_ORG_ID", "org")]);
        assert_eq!(organization.site().unwrap().api_base(), "https://app.lumoauth.dev/orgs/org/api/v1");
    }

    #[test]
    fn empty_means_unset() {
        let variables = from(&[("LUMOAUTH_URL", " "), ("AGENT_CLIENT_ID", ""), ("LUMOAUTH_TENANT", "t")]);
        assert_eq!(variables.base_url, None);
        let error = variables.credentials().unwrap_err();
        assert!(error.to_string().contains("AGENT_CLIENT_ID"), "{error}");
        assert!(from(&[]).site().unwrap_err().to_string().contains("LUMOAUTH_TENANT"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_being_shown() {
        let error = Credentials::new("agt_1", "canary\n").unwrap_err();
        assert!(error.to_string().contains("trim it") && !error.to_string().contains("canary"), "{error}");
        assert!(Credentials::new("agt\0", "s").is_err());
        assert!(Credentials::new("agt", "").is_err(), "a secret that was forgotten makes no public client");
        assert!(Credentials::public("app").unwrap().is_public() && Credentials::public("").is_err());
        assert!(Credentials::new("agt", "ß").is_err());
        for make in
            [|key: &str| Key::agent(key), |key: &str| Key::user_token(key), |key: &str| Key::api_key(key)]
        {
            for bad in ["", "canary\n", "can ary", "canarÿ", "can\0ary"] {
                assert!(!make(bad).unwrap_err().to_string().contains("canar"), "{bad:?}");
            }
            assert!(!format!("{:?}", make("canary").unwrap()).contains("canary"));
        }
        assert!(!format!("{:?}", Credentials::new("agt_1", "canary").unwrap()).contains("canary"));
    }
}
