//! How somebody is to sign in: what the service is asked to show, and where the browser comes back to.

use std::time::Duration;

use crate::operations::{AccessType, Prompt};
use crate::scopes::Scopes;

/// How somebody is to sign in. Nothing of it is needed: the service then decides what it shows.
///
/// ```
/// use std::time::Duration;
/// use lumoauth::signin::{Login, Prompt};
///
/// // Before something that matters: whoever signed in more than five minutes ago signs in again.
/// let again = Login::new().max_age(Duration::from_secs(300)).return_to("/transfers/new");
/// // "Make an account".
/// let register = Login::new().prompt(Prompt::Create);
/// # let _ = (again, register);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it says how to sign in, and begins nothing"]
pub struct Login {
    pub(crate) return_to: Option<String>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) access_type: Option<AccessType>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) hint: Option<String>,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Login {
    /// As the service sees fit, and back to the first page.
    pub fn new() -> Self {
        Login::default()
    }

    /// What this does not say is as the other one has it.
    pub(crate) fn or(self, other: &Login) -> Self {
        let parameters = match self.parameters.is_empty() {
            true => other.parameters.clone(),
            false => self.parameters,
        };
        Login {
            return_to: self.return_to.or_else(|| other.return_to.clone()),
            scopes: self.scopes.or_else(|| other.scopes.clone()),
            prompt: self.prompt.or(other.prompt),
            access_type: self.access_type.or(other.access_type),
            max_age: self.max_age.or(other.max_age),
            hint: self.hint.or_else(|| other.hint.clone()),
            parameters,
        }
    }

    /// The path on this site that the browser comes back to; it may be anybody's text. One that could lead to another site (`//x`, `/\x`, in
    /// whatever encoding), that is not behind the public URL, or that has more than 1,024 bytes counts as none.
    pub fn return_to(mut self, path: impl Into<String>) -> Self {
        self.return_to = Some(path.into());
        self
    }

    /// Other scopes than the usual ones; `openid` is added.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = Some(scopes.into());
        self
    }

    /// What the person is shown. With [`Prompt::None`] nothing is: who is not signed in at the service is refused
    /// ([`SignInError::Callback`](crate::signin::SignInError::Callback)).
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// Whether a refresh token is asked for, with which the session outlives its first access token.
    pub fn access_type(mut self, access_type: AccessType) -> Self {
        self.access_type = Some(access_type);
        self
    }

    /// Who signed in longer ago than this signs in again, and the ID token must say so (`auth_time`).
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Who the person may be: an email address, a name.
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A parameter of the service's own, or of an extension (`ui_locales`, `acr_values`).
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}
