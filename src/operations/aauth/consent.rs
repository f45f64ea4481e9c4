//! A person's consent that an agent waits for: where to send them, and what has to come back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::token::TOKEN;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::json::Fields;
use crate::operations::token::lifetime;
use crate::origin::Origin;
use crate::path::LONGEST_URL;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::site::Site;
use crate::time::Timestamp;
use crate::wire::Response;

/// People are sent here, with their browsers.
pub const CONSENT: Route = Route::get("aauth.agent.auth", "aauth/agent/auth");
pub(super) const ROUTES: &[Route] = &[CONSENT];

/// The service wants a person to consent. It carries the next step: the URL to send them to, and the code's request once
/// they are back.
#[derive(Clone)]
pub struct Consent {
    url: Option<String>,
    /// Of the answer that asked for it.
    status: u16,
    pub(super) request_token: Option<Secret>,
    expires_at: Option<Timestamp>,
    pub(super) redirect_uri: Option<String>,
    pub(super) state: Option<Secret>,
    pub(super) scopes: Scopes,
    /// Clones share it: one consent gives one code.
    used: Arc<AtomicBool>,
}

impl Consent {
    /// Reads what is needed for consent, if the answer asks for it.
    pub(super) fn read(
        fields: &mut Fields,
        response: &Response,
        redirect_uri: Option<&str>,
        state: Option<&Secret>,
        scopes: &Scopes,
    ) -> Result<Option<Consent>, Error> {
        let newer = fields.text("authorization_uri")?;
        let older = fields.text("auth_url")?;
        let request_token = fields.text("request_token")?.filter(|text| !text.is_empty()).map(Secret::new);
        let url = newer.or(older).filter(|url| !url.is_empty());
        if url.is_none() && request_token.is_none() {
            return Ok(None);
        }
        let expires_in = match fields.value("expires_in") {
            None => None,
            Some(value) => {
                let map = serde_json::Map::from_iter([("expires_in".to_owned(), value)]);
                Some(lifetime(&mut Fields::new(TOKEN.name(), response.status().as_u16(), map))?)
            }
        };
        let expires_at = expires_in.map(|left| response.received().unwrap_or_default().saturating_add(left));
        Ok(Some(Consent {
            url,
            status: response.status().as_u16(),
            request_token,
            expires_at,
            redirect_uri: redirect_uri.map(str::to_owned),
            state: state.cloned(),
            scopes: scopes.clone(),
            used: Arc::default(),
        }))
    }

    /// The URL to send the person to. Nothing in this library opens it. It is the service's own, checked: https (or this
    /// machine), on the site's origin, visible ASCII; the state of the request goes along.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the service names a URL elsewhere, or one that carries a state already.
    pub fn url(&self, site: &Site) -> Result<String, Error> {
        let bad = |problem| {
            let fault = ProtocolFault::Other(problem);
            Error::Protocol(ProtocolError::new(TOKEN.name(), self.status, fault))
        };
        let mut url = match (&self.url, &self.request_token) {
            (Some(url), _) => url.clone(),
            (None, Some(request_token)) => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("request_token", request_token.expose());
                format!("{}?{}", site.url(CONSENT), query.finish())
            }
            (None, None) => return Err(bad("the answer asks for consent and does not say where")),
        };
        if url.len() > LONGEST_URL {
            return Err(bad("the consent URL is longer than 8 KiB"));
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['#', '\\']) {
            return Err(bad("the consent URL has a fragment, blank or other character that it cannot have"));
        }
        let (bare, query) = url.split_once('?').unwrap_or((&url, ""));
        let origin = Origin::parse(bare);
        if origin.ok().as_ref() != Some(site.origin()) {
            return Err(bad("the consent URL is not on the service's own origin"));
        }
        if let Some(state) = &self.state {
            if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "state") {
                return Err(bad("the consent URL carries a state that is not the request's"));
            }
            let mut pair = form_urlencoded::Serializer::new(String::new());
            pair.append_pair("state", state.expose());
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&pair.finish());
        }
        Ok(url)
    }

    /// True for the first that comes with what fits.
    pub(super) fn use_up(&self) -> bool {
        !self.used.swap(true, Ordering::SeqCst)
    }

    /// Nothing came of it, and nobody used the code: it is as it was.
    pub(crate) fn give_back(&self) {
        self.used.store(false, Ordering::SeqCst);
    }

    /// Names the request at the service.
    pub fn request_token(&self) -> Option<&Secret> {
        self.request_token.as_ref()
    }

    /// When the person must have answered, if the service says so.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The state that the answer has to carry, if the request was made with one.
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Consent { url: _, status: _, request_token, expires_at, redirect_uri, state, scopes, used } =
            self;
        f.debug_struct("Consent")
            .field("request_token", request_token)
            .field("expires_at", expires_at)
            .field("redirect_uri", redirect_uri)
            .field("state", state)
            .field("scopes", scopes)
            .field("used", &used.load(Ordering::SeqCst))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::reads;
    use super::super::{Authorization, Authorize};
    use super::*;

    pub(in crate::operations::aauth) const GOOD: &str = r#"{"request_token":"rt-1","authorization_uri":"https://app.lumoauth.dev/orgs/acme/portal/aauth/authorize?request_token=rt-1","expires_in":600}"#;

    pub(in crate::operations::aauth) fn consent(body: &str) -> Consent {
        let authorize = Authorize::new("r").redirect_uri("https://agent.example/cb").state("s-1");
        match reads(&authorize, 200, body).unwrap() {
            Authorization::Consent(consent) => consent,
            Authorization::Granted(_) => panic!("nothing was granted"),
        }
    }

    fn url(body: &str) -> Result<String, Error> {
        consent(body).url(&Site::tenant("acme").unwrap())
    }

    #[test]
    fn the_url_is_the_services_with_our_state() {
        assert_eq!(
            url(GOOD).unwrap(),
            "https://app.lumoauth.dev/orgs/acme/portal/aauth/authorize?request_token=rt-1&state=s-1"
        );
        assert_eq!(
            url(r#"{"request_token":"rt 1"}"#).unwrap(),
            "https://app.lumoauth.dev/t/acme/api/v1/aauth/agent/auth?request_token=rt+1&state=s-1"
        );
    }

    #[test]
    fn a_url_elsewhere_is_refused() {
        for bad in [
            "https://evil.test/",
            "https://app.lumoauth.dev.evil.test/",
            "https://app.lumoauth.dev@evil.test/",
            "https://app.lumoauth.dev:444/",
            "http://app.lumoauth.dev/",
            "//app.lumoauth.dev/",
            "/aauth",
            "javascript:alert(1)",
            "https://app.lumoauth.dev/#x",
            "https://app.lumoauth.dev/a b",
            "https://app.lumoauth.dev\\\\@evil.test/",
            "https://app.lumoauth.dev/\\u001b[31m",
            "https://app.lumoauth.dev/?state=theirs",
        ] {
            let error = url(&format!(r#"{{"auth_url":"{bad}"}}"#)).unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{bad}: {error}");
        }
    }

    #[test]
    fn it_prints_without_its_secrets() {
        let shown = format!("{:?}", consent(GOOD));
        assert!(!shown.contains("rt-1") && !shown.contains("s-1"), "{shown}");
    }
}
