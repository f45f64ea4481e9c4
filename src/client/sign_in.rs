//! Signing people in: the machines of `sign_in`, driven.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::builder::connection;
use super::givers::Givers;
use super::run::Driver;
use super::{AgentBuilder, Store, Transport, dual, example, twin};
use crate::credentials::{ClientAuth, Credentials};
use crate::error::{ConfigError, Error};
use crate::operations::{AccessType, Prompt};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::Session;
use crate::sign_in::desk::{Desk, Settings};
use crate::sign_in::{Answer, Answered, Begin, Current, Leaving, Login, SignInError, User};
use crate::store::{MemoryStore, NameKey, SealedStore, SealingKey};
use crate::transport::environment;
use crate::verify::Leeway;

#[doc = twin!("Signs people in to a web service.", "signin::SignIn")]
///
/// Cheap to clone; clones share everything.
///
#[doc = example!("use lumoauth::http::{HeaderMap, header::{COOKIE, LOCATION, SET_COOKIE}};\nuse lumoauth::signin::Login;\n# use lumoauth::{embed::wire::Request, emulator::{AgentSeed, Tenant, UserSeed}, http::Method};\n# let web = AgentSeed::new(\"app_1\").secret(\"s\").redirect_uri(\"http://127.0.0.1:3000/callback\");\n# let tenant = Tenant::new(\"acme\").agent(web).user(UserSeed::new(\"alice\"));\n# let emulator = Emulator::builder().tenant(tenant).auto_consent(\"alice\").build()?;\n# let builder = signin::SignIn::builder().base_url(emulator.site().base_url()).tenant(\"acme\").client_id(\"app_1\").client_secret(\"s\");\nlet sign_in = builder\n    .public_url(\"http://127.0.0.1:3000\")\n    .session_secret(\"32 random bytes, of which none can be guessed\")\n    .build_with(emulator.transport())?;\n\n// GET /login: the browser goes to the service, with a cookie.\nlet answer = sign_in.login(&HeaderMap::new(), Login::new().return_to(\"/documents\"))", ";\nlet cookies = |answer: &lumoauth::signin::Answer| {\n    let pairs = answer.cookies().iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());\n    let value = pairs.collect::<Vec<_>>().join(\"; \");\n    HeaderMap::from_iter([(COOKIE, value.parse().unwrap())])\n};\nlet to_service = answer.location().ok_or(\"no redirect\")?.expose().to_owned();\n# let at_service = emulator.handle_in_process(&Request::new(Method::GET, to_service.parse()?)).response;\n# let back = at_service.header(LOCATION).ok_or(\"no redirect\")?;\n// GET /callback: it comes back, with the cookie, and has a session.\nlet answer = sign_in.callback(&cookies(&answer), back)", ";\nassert_eq!(answer.location().unwrap().expose(), \"http://127.0.0.1:3000/documents\");\n\n// Every other request: who is it?\nlet user = sign_in.user(&cookies(&answer))", "?.ok_or(\"nobody\")?;\nassert_eq!(user.subject(), \"user:alice\");\n# let _ = SET_COOKIE;")]
#[derive(Clone)]
pub struct SignIn {
    driver: Driver,
    desk: Arc<Desk>,
}

impl SignIn {
    /// Starts building one.
    pub fn builder() -> SignInBuilder {
        SignInBuilder {
            connection: AgentBuilder::new(),
            client_id: None,
            client_secret: None,
            is_public: false,
            client_auth: ClientAuth::default(),
            public_url: None,
            session_secret: None,
            store: None,
            settings: Settings::default(),
        }
    }

    /// The redirect URI, exactly as it is to be registered for the client.
    pub fn redirect_uri(&self) -> String {
        self.desk.redirect_uri()
    }

    /// The path at which people sign in, and are brought back to this path afterwards, if it is one of this site.
    pub fn login_path(&self, return_to: Option<&str>) -> String {
        self.desk.login_path(return_to)
    }

    /// The path at which a form signs out, by POST.
    pub fn logout_path(&self) -> String {
        self.desk.path("logout")
    }

    /// The answer to somebody who may not see a page: 401, 403 or 503. See [`SignIn::login_path`] to send somebody to the sign-in instead.
    pub fn refuse(&self, error: SignInError, headers: &HeaderMap) -> Answer {
        self.desk.refused(error, headers)
    }

    #[allow(dead_code)] // of the frameworks
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }
}

#[dual(AFIT)]
impl SignIn {
    /// `GET /login`: sends the browser to the service. What `login` does not say is as the builder's [`login`](SignInBuilder::login) has it.
    pub async fn login(&self, headers: &HeaderMap, login: Login) -> Answer {
        let begin = Begin::new(&self.desk, headers, login.or(&self.desk.login));
        let answer = self.driver.turn(begin).await;
        self.told(answer, headers)
    }

    /// `GET /callback`: takes the answer that the browser came back with. `url` is the request's, or its path and query.
    ///
    /// **Do not drop it**: run it in a task of its own where a browser that goes away would end it. A code can be used once.
    pub async fn callback(&self, headers: &HeaderMap, url: &str) -> Answer {
        let answer = self.driver.turn(Answered::new(&self.desk, headers, url)).await;
        self.told(answer, headers)
    }

    /// `POST /logout`: ends the session here, revokes its refresh token, and sends the browser on to the service. Any other method is refused,
    /// and so is what no page of this site sent.
    pub async fn logout(&self, method: &Method, headers: &HeaderMap) -> Answer {
        let answer = self.driver.turn(Leaving::new(&self.desk, method, headers)).await;
        self.told(answer, headers)
    }

    /// Who the request comes from; nobody if it has no session, or one that is over.
    ///
    /// # Errors
    /// [`SignInError::Service`] if it cannot be known: the store failed, or the session's token is over and the service cannot be asked for
    /// another. Let nobody in then.
    pub async fn user(&self, headers: &HeaderMap) -> Result<Option<User>, SignInError> {
        match self.driver.turn(Current::new(&self.desk, headers)).await {
            Ok(user) => user,
            Err(error) => Err(SignInError::Service(error)),
        }
    }
}

impl SignIn {
    /// What whoever runs the service may read in the log.
    fn told(&self, answer: Result<Answer, Error>, headers: &HeaderMap) -> Answer {
        let answer = answer.unwrap_or_else(|error| self.desk.refused(error, headers));
        if let Some(error) = answer.error() {
            log::warn!(target: "lumoauth::signin", "a sign-in or logout was refused: {error}");
        }
        answer
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignIn { driver, desk } = self;
        f.debug_struct("SignIn")
            .field("session", &driver.session)
            .field("redirect_uri", &desk.redirect_uri())
            .finish_non_exhaustive()
    }
}

#[doc = twin!("Builds a [`SignIn`].", "signin::SignInBuilder")]
///
/// Required are the tenant, the client's id and secret, the public URL and a secret for sessions.
#[must_use = "a builder does nothing until it is built"]
pub struct SignInBuilder {
    connection: AgentBuilder,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    is_public: bool,
    client_auth: ClientAuth,
    public_url: Option<String>,
    session_secret: Option<Secret>,
    store: Option<Arc<dyn Store>>,
    settings: Settings,
}

connection!(SignInBuilder);

impl SignInBuilder {
    /// Takes every setting that is in the environment and not set yet: `LUMOAUTH_URL`, `LUMOAUTH_TENANT` (else `LUMOAUTH_ORG_ID`),
    /// `LUMOAUTH_CLIENT_ID`, `LUMOAUTH_CLIENT_SECRET`, `SESSION_SECRET`, `LUMOAUTH_PUBLIC_URL`, the proxy that the usual variables name, and
    /// the certificates to trust besides (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
    pub fn environment(mut self) -> Self {
        let get = |name| environment::variable(name).filter(|value| !value.trim().is_empty());
        self.connection = self.connection.environment();
        self.client_id = self.client_id.or_else(|| get("LUMOAUTH_CLIENT_ID"));
        self.client_secret = self.client_secret.or_else(|| get("LUMOAUTH_CLIENT_SECRET").map(Secret::from));
        self.session_secret = self.session_secret.or_else(|| get("SESSION_SECRET").map(Secret::from));
        self.public_url = self.public_url.or_else(|| get("LUMOAUTH_PUBLIC_URL"));
        self
    }

    /// The client id of the web service.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Its client secret.
    pub fn client_secret(mut self, client_secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(client_secret.into());
        self
    }

    /// The client has no secret (RFC 6749 section 2.1): PKCE protects the code.
    pub fn public_client(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// How the client authenticates itself, in the body if not set.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Where browsers find this service: `https://app.example.com`, with a path if it has one. Everything that is sent to browsers is made of it,
    /// and never of what a request says (`Host`, `X-Forwarded-Host`). http is for this machine only.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The secret by which sessions and sign-ins are sealed: 32 bytes or more that nobody can guess, the same in every process of the service. With
    /// another one everybody is signed out.
    pub fn session_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.session_secret = Some(secret.into());
        self
    }

    /// Keeps sessions in this store, which other processes of the service share; in this process' memory if not set. Each is sealed and under a
    /// name that says nothing, whatever the store is.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The scopes that are asked for, `openid profile email` if not set; `openid` is added. With `offline_access` a session is renewed when its token
    /// ends; without it, it ends with its token.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.settings.scopes = scopes.into();
        self
    }

    /// How people sign in where [`SignIn::login`] is not told otherwise. Its return path does not count.
    pub fn login(mut self, login: Login) -> Self {
        self.settings.login = Login { return_to: None, ..login };
        self
    }

    /// What people are shown by the service, if it is not to decide itself: the same as `login(Login::new().prompt(..))`.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.settings.login = self.settings.login.prompt(prompt);
        self
    }

    /// Whether a refresh token is asked for: the same as `login(Login::new().access_type(..))`.
    pub fn access_type(mut self, access_type: AccessType) -> Self {
        self.settings.login = self.settings.login.access_type(access_type);
        self
    }

    /// How long a session lasts at most, 12 hours if not set; from a minute to 400 days.
    pub fn session_lifetime(mut self, life: Duration) -> Self {
        self.settings.life = life;
        self
    }

    /// How far the clocks of this machine and of the service may differ, 60 s if not set.
    pub fn leeway(mut self, leeway: Leeway) -> Self {
        self.settings.leeway = leeway;
        self
    }

    /// The paths are behind this one: with `/auth` they are `/auth/login`, `/auth/callback` and `/auth/logout`.
    pub fn under(mut self, path: impl Into<String>) -> Self {
        self.settings.under = path.into();
        self
    }

    /// Whoever signs out here stays signed in at the service.
    pub fn stay_signed_in_at_service(mut self) -> Self {
        self.settings.ends_at_service = false;
        self
    }

    /// After signing out of the service the browser comes back to this path here (`post_logout_redirect_uri`), which **must be registered**; if not
    /// set, it stays there.
    pub fn back_from_service(mut self, path: impl Into<String>) -> Self {
        self.settings.back = Some(path.into());
        self
    }

    /// Where the browser goes after signing out if it does not go to the service, the first page if not set.
    pub fn after_logout(mut self, path: impl Into<String>) -> Self {
        self.settings.after = Some(path.into());
        self
    }

    /// On a transport of your own. Root certificates and proxy are that transport's matter then.
    ///
    /// # Errors
    /// [`Error::Config`]: all that is missing is named at once. Nothing is sent.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<SignIn, Error> {
        self.all_there()?;
        let secret = self.session_secret.unwrap_or_else(|| Secret::new(""));
        ConfigError::of_session_secret(&secret)?;
        let client_id = self.client_id.unwrap_or_default();
        let name = client_id.clone();
        let credentials = match self.client_secret {
            Some(_) if self.is_public => {
                let problem = "is set beside a public client, which has none";
                return Err(ConfigError::BadText { setting: "client_secret", problem }.into());
            }
            None if self.is_public => Credentials::public(client_id)?,
            client_secret => Credentials::new(client_id, client_secret.unwrap_or_else(|| Secret::new("")))?,
        };
        let settings = self.connection.connection()?.credentials(credentials).client_auth(self.client_auth);
        let session = Session::new(settings);
        let inner = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        // A session is of one client at one tenant, also where several have one store and one secret.
        let whose = ["sign-in", &session.site().api_base(), &name].join("\0");
        let names = NameKey::derived(&secret, &whose)?;
        let store = SealedStore::new(inner, names, SealingKey::derived("1", &secret, &whose)?);
        let public_url = self.public_url.unwrap_or_default();
        let desk = Desk::new(session.clone(), Settings { public_url, secret, ..self.settings })?;
        let driver = Driver {
            session,
            transport: Arc::new(transport),
            givers: Givers {
                workload: None,
                #[cfg(feature = "aauth")]
                agent_token: None,
            },
            signer: None,
            store: Some(Arc::new(store)),
            tokens: None,
        };
        Ok(SignIn { driver, desk: Arc::new(desk) })
    }

    /// Says all that is missing at once.
    fn all_there(&self) -> Result<(), ConfigError> {
        let unset = |text: Option<&str>| text.is_none_or(str::is_empty);
        let client_secret = self.client_secret.as_ref().map(Secret::expose);
        let session_secret = self.session_secret.as_ref().map(Secret::expose);
        let settings: Vec<_> = [
            (!self.connection.has_layout(), "tenant (LUMOAUTH_TENANT)"),
            (unset(self.client_id.as_deref()), "client_id (LUMOAUTH_CLIENT_ID)"),
            (!self.is_public && unset(client_secret), "client_secret (LUMOAUTH_CLIENT_SECRET)"),
            (unset(session_secret), "session_secret (SESSION_SECRET)"),
            (unset(self.public_url.as_deref()), "public_url (LUMOAUTH_PUBLIC_URL)"),
        ]
        .into_iter()
        .filter_map(|(is_missing, setting)| is_missing.then_some(setting))
        .collect();
        match settings.as_slice() {
            [] => Ok(()),
            [setting] => {
                let hint = "set it on the builder, or in the environment";
                Err(ConfigError::Missing { setting, hint })
            }
            _ => Err(ConfigError::SeveralMissing { settings }),
        }
    }

    /// The transport's options, for the mounts that have a transport ready.
    #[allow(dead_code)] // only where a transport is ready
    pub(super) fn transport_options(&self) -> &crate::transport::TransportOptions {
        self.connection.transport_options()
    }
}

impl fmt::Debug for SignInBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInBuilder")
            .field("connection", &self.connection)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("public_url", &self.public_url)
            .field("session_secret", &self.session_secret)
            .finish_non_exhaustive()
    }
}
