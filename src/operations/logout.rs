//! Where a person's browser goes to sign out of the service too (OpenID Connect RP-Initiated Logout 1.0).

use std::fmt;

use crate::error::InputError;
use crate::route::Route;
use crate::secret::Secret;
use crate::site::Site;

use super::consent::check_return_uri;

/// People are sent here, with their browsers.
pub const LOGOUT: Route = Route::get("oauth.logout", "oauth/logout");
pub(super) const ROUTES: &[Route] = &[LOGOUT];

/// The end of a person's session at the service: where the browser goes when the person has signed out here.
///
/// | part | | on the wire |
/// |---|---|---|
/// | ID token of the sign-in | RECOMMENDED | `id_token_hint`: without it the service may ask the person |
/// | client id | RECOMMENDED | `client_id` |
/// | where the browser comes back to | OPTIONAL | `post_logout_redirect_uri`, exactly as registered |
///
/// ```
/// use lumoauth::Site;
/// use lumoauth::embed::operations::EndSession;
///
/// let end = EndSession::new("app_1").back_to("https://myapp.example/")?;
/// let url = end.url(&Site::tenant("acme")?);
/// assert!(url.ends_with("/oauth/logout?client_id=app_1&post_logout_redirect_uri=https%3A%2F%2Fmyapp.example%2F"));
/// # Ok::<(), lumoauth::Error>(())
/// ```
#[derive(Clone)]
pub struct EndSession {
    client_id: String,
    id_token: Option<Secret>,
    back_to: Option<String>,
}

impl EndSession {
    /// For this client.
    pub fn new(client_id: impl Into<String>) -> Self {
        EndSession { client_id: client_id.into(), id_token: None, back_to: None }
    }

    /// The ID token of the sign-in that ends; it may be over. It travels in a URL, through the person's browser: it says who signed in, and
    /// opens nothing.
    pub fn id_token(mut self, id_token: impl Into<Secret>) -> Self {
        self.id_token = Some(id_token.into());
        self
    }

    /// Where the browser comes back to, exactly as it is registered for this.
    ///
    /// # Errors
    /// [`InputError`] if it is not absolute or has a fragment.
    pub fn back_to(mut self, uri: impl Into<String>) -> Result<Self, InputError> {
        let uri = uri.into();
        check_return_uri("back_to", &uri)?;
        self.back_to = Some(uri);
        Ok(self)
    }

    /// The URL to send the browser to.
    pub fn url(&self, site: &Site) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(id_token) = &self.id_token {
            query.append_pair("id_token_hint", id_token.expose());
        }
        query.append_pair("client_id", &self.client_id);
        if let Some(back_to) = &self.back_to {
            query.append_pair("post_logout_redirect_uri", back_to);
        }
        format!("{}?{}", site.url(LOGOUT), query.finish())
    }
}

impl fmt::Debug for EndSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EndSession { client_id, id_token, back_to } = self;
        f.debug_struct("EndSession")
            .field("client_id", client_id)
            .field("id_token", id_token)
            .field("back_to", back_to)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_and_what_is_no_place_to_come_back_to() {
        let site = Site::tenant("acme-corp").unwrap();
        let end = EndSession::new("app 1").id_token("h.p.s").back_to("https://myapp.com/?a=b").unwrap();
        assert_eq!(
            end.url(&site),
            "https://app.lumoauth.dev/t/acme-corp/api/v1/oauth/logout?id_token_hint=h.p.s&client_id=app+1\
             &post_logout_redirect_uri=https%3A%2F%2Fmyapp.com%2F%3Fa%3Db"
        );
        assert!(!format!("{end:?}").contains("h.p.s"));
        for bad in ["", "/", "//evil.example", "https://a/#x", "https://a/\r\n", "javascript:alert(1)"] {
            assert!(EndSession::new("app").back_to(bad).is_err(), "{bad}");
        }
    }
}
