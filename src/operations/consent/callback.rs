//! What comes back to the redirect URI.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::error::ConsentError;
use crate::secret::Secret;

/// The origin as browsers write it (empty for a path alone), and the path. A URI without authority is all path.
fn split_place(place: &str) -> (String, &str) {
    let Some((scheme, rest)) = place.split_once("://") else { return (String::new(), place) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
    let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    let origin = origin.strip_suffix(default_port).map(str::to_owned).unwrap_or(origin);
    (origin, if path.is_empty() { "/" } else { path })
}

/// What came back to the redirect URI.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where it came to, as far as that was told.
    place: Option<String>,
    code: Option<Secret>,
    state: Option<Secret>,
    issuer: Option<String>,
    error: Option<(String, Option<String>)>,
}

impl Callback {
    /// Reads the URL that the person's browser was sent to, or its query alone.
    ///
    /// # Errors
    /// [`ConsentError::Twice`] if a parameter that counts is there twice (RFC 6749 section 3.1).
    pub fn read(url: &str) -> Result<Self, ConsentError> {
        if !url.contains(['?', '=']) {
            return Err(ConsentError::NoUrl);
        }
        let (place, query) = url.split_once('?').map_or(("", url), |(place, query)| (place, query));
        let query = query.split('#').next().unwrap_or_default();
        let mut found: [(&'static str, Option<String>); 5] =
            [("code", None), ("state", None), ("iss", None), ("error", None), ("error_description", None)];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some((known, slot)) = found.iter_mut().find(|(known, _)| *known == name) {
                if slot.is_some() {
                    return Err(ConsentError::Twice { parameter: known });
                }
                *slot = Some(value.into_owned());
            }
        }
        let [code, state, issuer, error, description] = found.map(|(_, value)| value);
        let code = code.map(Secret::new);
        Ok(Callback {
            place: (!place.is_empty()).then(|| place.to_owned()),
            code,
            state: state.map(Secret::new),
            issuer,
            error: error.map(|code| (code, description)),
        })
    }

    /// The state, to find out which request this answers. Trust it only after [`Callback::accept`].
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }

    /// True if it answers the request that had this state. Compared in constant time.
    pub fn answers(&self, state: &Secret) -> bool {
        let own = self.state.as_ref();
        own.is_some_and(|own| bool::from(own.expose().as_bytes().ct_eq(state.expose().as_bytes())))
    }

    /// The issuer that the answer names (RFC 9207).
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Compares where the answer came to with the redirect URI that was sent, whatever their queries: the whole URL, or its
    /// path if it was read without origin, as servers see it. A query alone does not tell. A redirect URI with https is met by the
    /// same host and port with http too: so a server sees it behind a proxy that ends TLS.
    ///
    /// # Errors
    /// [`ConsentError::WrongPlace`].
    pub fn check_place(&self, redirect_uri: &str) -> Result<(), ConsentError> {
        let Some(place) = &self.place else { return Ok(()) };
        let sent = redirect_uri.split_once('?').map_or(redirect_uri, |(sent, _)| sent);
        let ((origin, path), sent) = (split_place(place), split_place(sent));
        // Behind a proxy that ends TLS, a server does not know that it was called by https.
        let behind_tls =
            || origin.strip_prefix("http://").is_some_and(|own| sent.0.strip_prefix("https://") == Some(own));
        if (origin.is_empty() || origin == sent.0 || behind_tls()) && path == sent.1 {
            return Ok(());
        }
        Err(ConsentError::WrongPlace)
    }

    /// The code, if everything fits: the state that was sent (compared in constant time), the issuer byte for byte
    /// (`issuer` is the tenant's; `required` if its metadata says that answers carry it), and no refusal.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn accept(
        self,
        state: &Secret,
        issuer: Option<&str>,
        required: bool,
    ) -> Result<Secret, ConsentError> {
        if !self.answers(state) {
            return Err(ConsentError::WrongState);
        }
        match (&self.issuer, issuer) {
            (Some(own), Some(issuer)) if own != issuer => return Err(ConsentError::WrongIssuer),
            (None, _) if required => return Err(ConsentError::NoIssuer),
            _ => {}
        }
        if let Some((code, description)) = self.error {
            return Err(ConsentError::Refused { code, description });
        }
        self.code.filter(|code| !code.is_empty()).ok_or(ConsentError::NoCode)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Callback { place, code, state, issuer, error } = self;
        f.debug_struct("Callback")
            .field("place", &place.as_deref().map(crate::error::inert))
            .field("code", code)
            .field("state", state)
            .field("issuer", &issuer.as_deref().map(crate::error::inert))
            .field("error", &error.as_ref().map(|(code, _)| crate::error::inert(code)))
            .finish()
    }
}
