//! What all sign-ins of one service share: its settings, checked, and what is left to be done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;

use super::answer::Answer;
use super::attempt::Attempt;
use super::cookies::{Cookies, find};
use super::error::SignInError;
use super::left::{Left, Unsent};
use super::login::Login;
use super::place::PublicUrl;
use crate::crypto::sealing::{Sealing, hkdf_sha256};
use crate::error::{ConfigError, Error};
use crate::operations::{EndSession, routes};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::{Session, Users};
use crate::verify::{IdVerifier, IdVerifierConfig, Leeway, TrustedIssuer};

/// How long a session lasts, if nothing else is said.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// The longest that a session may last: 400 days, as browsers have it for cookies.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 24 * 3600);

/// The settings of sign-ins.
pub(crate) struct Settings {
    pub(crate) public_url: String,
    pub(crate) secret: Secret,
    pub(crate) under: String,
    pub(crate) login: Login,
    pub(crate) scopes: Scopes,
    pub(crate) life: Duration,
    pub(crate) leeway: Leeway,
    /// People sign out of the service too.
    pub(crate) ends_at_service: bool,
    /// The path here that they come back to from there, if the service may send them.
    pub(crate) back: Option<String>,
    /// The path here that they go to after signing out, if they stay here.
    pub(crate) after: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            public_url: String::new(),
            secret: Secret::new(""),
            under: String::new(),
            login: Login::new(),
            scopes: Scopes::from("openid profile email"),
            life: LIFE,
            leeway: Leeway::default(),
            ends_at_service: true,
            back: None,
            after: None,
        }
    }
}

/// Checks a path of the settings.
fn own_path(public: &PublicUrl, setting: &'static str, path: String) -> Result<String, ConfigError> {
    let problem = "is no path of this service: it begins with a slash and what public_url is behind";
    if public.is_own(&path) { Ok(path) } else { Err(ConfigError::BadText { setting, problem }) }
}

/// What all sign-ins of one service share.
pub(crate) struct Desk {
    pub(crate) session: Session,
    pub(crate) users: Users,
    pub(crate) public: PublicUrl,
    pub(crate) cookies: Cookies,
    pub(crate) sealing: Sealing,
    pub(crate) client_id: String,
    pub(crate) login: Login,
    pub(crate) scopes: Scopes,
    pub(crate) life: Duration,
    pub(crate) leeway: Leeway,
    pub(crate) left: Arc<Left>,
    pub(crate) unsent: Arc<Unsent>,
    under: String,
    ends_at_service: bool,
    back: Option<String>,
    after: String,
    verifier: Mutex<Option<(String, IdVerifier)>>,
}

impl Desk {
    pub(crate) fn new(session: Session, settings: Settings) -> Result<Self, ConfigError> {
        ConfigError::of_session_secret(&settings.secret)?;
        let public = PublicUrl::parse(&settings.public_url)?;
        let Settings { secret, login, life, leeway, ends_at_service, .. } = settings;
        let is_piece = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let under = settings.under;
        if !under.is_empty()
            && (!under.starts_with('/')
                || under.ends_with('/')
                || !under.bytes().all(is_piece)
                || !public.is_own(&format!("{}{under}", public.base())))
        {
            let problem = "is no beginning of a path: write /auth";
            return Err(ConfigError::BadText { setting: "under", problem });
        }
        if life < Duration::from_secs(60) || life > LONGEST_LIFE {
            let problem = "is shorter than a minute or longer than 400 days";
            return Err(ConfigError::BadText { setting: "session_lifetime", problem });
        }
        let back = settings.back.map(|path| own_path(&public, "back_from_service", path)).transpose()?;
        let back = back.map(|path| public.at(&path));
        let after = settings.after.map(|path| own_path(&public, "after_logout", path)).transpose()?;
        let after = after.unwrap_or_else(|| public.home());
        let key = hkdf_sha256(secret.expose().as_bytes(), b"lumoauth sign-in", &[b"attempts"]);
        let unusable = || ConfigError::BadText { setting: "session_secret", problem: "gives no key" };
        let sealing = key.and_then(|key| Sealing::new(&key)).map_err(|_| unusable())?;
        let missing = || ConfigError::Missing { setting: "client_id", hint: "set it in LUMOAUTH_CLIENT_ID" };
        let client_id = session.client_id().filter(|id| !id.is_empty()).ok_or_else(missing)?;
        Ok(Desk {
            users: Users::without_consent(&session),
            session,
            cookies: Cookies::of(&public),
            public,
            sealing,
            client_id,
            login,
            scopes: settings.scopes,
            life,
            leeway,
            left: Arc::new(Left::default()),
            unsent: Arc::new(Unsent::default()),
            under,
            ends_at_service,
            back,
            after,
            verifier: Mutex::new(None),
        })
    }

    /// The paths for a router that is nested behind the public URL's own path.
    pub(crate) fn route(&self, page: &str) -> String {
        format!("{}/{page}", self.under)
    }

    /// The same with the public URL's path.
    pub(crate) fn path(&self, page: &str) -> String {
        format!("{}{}", self.public.base(), self.route(page))
    }

    /// Exactly as it is to be registered.
    pub(crate) fn redirect_uri(&self) -> String {
        self.public.at(&self.path("callback"))
    }

    /// The path that a browser comes back to: the one that is asked for, if it is one of this site and not of the sign-in itself.
    pub(crate) fn return_path(&self, asked: Option<&str>) -> String {
        let is_of_sign_in = |path: &str| {
            let bare = path.split(['?', '#']).next().unwrap_or_default();
            ["login", "callback", "logout"].iter().any(|page| bare == self.path(page))
        };
        let own = asked.filter(|path| self.public.is_own(path) && !is_of_sign_in(path));
        own.map_or_else(|| self.public.home(), str::to_owned)
    }

    /// Where somebody is sent who has to sign in to see this path.
    pub(crate) fn login_path(&self, return_to: Option<&str>) -> String {
        let path = self.path("login");
        match return_to.map(|path| self.return_path(Some(path))) {
            Some(back) if back != self.public.home() => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                format!("{path}?{}", query.append_pair("return_to", &back).finish())
            }
            _ => path,
        }
    }

    /// What the cookie of a sign-in is bound to.
    pub(crate) fn about(&self, cookie: &str) -> Vec<u8> {
        let (client_id, redirect_uri) = (self.client_id.as_bytes(), self.redirect_uri());
        [b"lumoauth sign-in", client_id, redirect_uri.as_bytes(), cookie.as_bytes()].join(&b"\0"[..])
    }

    /// The sign-in that a cookie holds.
    pub(crate) fn attempt(&self, name: &str, value: &str) -> Option<Attempt> {
        Attempt::open(value, &self.sealing, &self.about(name))
    }

    /// The name of the session that the browser has, if it can be one.
    pub(crate) fn session_of(&self, headers: &HeaderMap) -> Option<Secret> {
        let is_name = |id: &Secret| {
            let id = id.expose();
            id.len() == 43 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        find(headers, &self.cookies.session()).filter(is_name)
    }

    /// The verifier of ID tokens for what the service says it is.
    pub(crate) fn verifier(&self, issuer: &str) -> Result<IdVerifier, Error> {
        let mut kept = lock(&self.verifier);
        if let Some((_, verifier)) = kept.as_ref().filter(|(own, _)| own == issuer) {
            return Ok(verifier.clone());
        }
        let trusted = TrustedIssuer::new(issuer).jwks_url(self.session.site().url(routes::JWKS));
        let config = IdVerifierConfig::new(trusted, self.client_id.as_str()).leeway(self.leeway);
        let verifier = IdVerifier::new(config)?;
        *kept = Some((issuer.to_owned(), verifier.clone()));
        Ok(verifier)
    }

    /// Where the browser goes after signing out; with the ID token of the sign-in to the service.
    pub(crate) fn out(&self, id_token: Option<&Secret>) -> Result<Secret, Error> {
        let Some(id_token) = id_token.filter(|_| self.ends_at_service) else {
            return Ok(self.public.at(&self.after).into());
        };
        let mut end = EndSession::new(self.client_id.as_str()).id_token(id_token.clone());
        if let Some(back) = &self.back {
            end = end.back_to(back.as_str())?;
        }
        Ok(end.url(self.session.site()).into())
    }

    pub(crate) fn refused(&self, error: impl Into<SignInError>, headers: &HeaderMap) -> Answer {
        Answer::refused(error, headers, &self.path("login"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
