//! Signing a person in on another device (RFC 8628), and pushing an authorization request ahead (RFC 9126).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::consent::AUTHORIZE;
use super::grants::{TokenSet, Whose, token_request, token_set};
use super::token::TOKEN;
use crate::error::{Error, ProtocolFault};
use crate::json::{self, seconds};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::origin::Origin;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::site::Site;
use crate::time::whole_seconds;
use crate::wire::{self, Form, Request, Response};

/// Devices begin here (RFC 8628).
pub const DEVICE_AUTHORIZATION: Route =
    Route::post("oauth.device_authorization", "oauth/device_authorization");
/// Requests for authorization are pushed here (RFC 9126).
pub const PUSHED_AUTHORIZATION: Route = Route::post("oauth.par", "oauth/par");
pub(super) const ROUTES: &[Route] = &[DEVICE_AUTHORIZATION, PUSHED_AUTHORIZATION];

/// Begins signing in on another device (RFC 8628 section 3.1). `POST oauth/device_authorization`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | scopes | OPTIONAL | `scope` |
/// | client id and secret | REQUIRED | attached by the session |
#[derive(Clone, Debug, Default)]
pub struct DeviceAuthorization {
    scopes: Scopes,
}

impl DeviceAuthorization {
    /// For these scopes.
    pub fn new(scopes: impl Into<Scopes>) -> Self {
        DeviceAuthorization { scopes: scopes.into() }
    }
}

impl Operation for DeviceAuthorization {
    type Output = DeviceCode;

    fn terms(&self) -> Terms {
        Terms::new(DEVICE_AUTHORIZATION.name(), Effect::Repeatable, Auth::Client)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let scope = self.scopes.parameter()?;
        let form = Form::new().optional("scope", scope.as_deref());
        Ok(context.to(DEVICE_AUTHORIZATION).form(form))
    }

    fn response(&self, response: &Response) -> Result<Answer<DeviceCode>, Error> {
        let mut fields = wire::read(DEVICE_AUTHORIZATION.name(), response)?;
        let verification_uri = fields.required_text("verification_uri")?;
        let verification_uri_complete = fields.text("verification_uri_complete")?;
        for address in verification_uri_complete.iter().chain([&verification_uri]) {
            for_people(address, response).map_err(|problem| fields.fault(ProtocolFault::Other(problem)))?;
        }
        Ok(Answer::Done(DeviceCode {
            code: Secret::new(fields.required_text("device_code")?),
            user_code: fields.required_text("user_code")?,
            verification_uri,
            verification_uri_complete,
            expires_in: fields.seconds("expires_in")?.ok_or_else(|| fields.missing("expires_in"))?,
            // RFC 8628 section 3.2: five seconds if the service names none.
            interval: fields
                .seconds("interval")?
                .unwrap_or(Duration::from_secs(5))
                .max(Duration::from_secs(1)),
            scopes: self.scopes.clone(),
        }))
    }
}

/// What to show the person, and what to poll with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceCode {
    code: Secret,
    /// What the person types: `WDJB-MJHT`.
    pub user_code: String,
    /// Where the person types it. For people: show it, do not open it.
    pub verification_uri: String,
    /// The same with the code in it, for QR codes.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good for.
    pub expires_in: Duration,
    /// The pause between two polls.
    pub interval: Duration,
    scopes: Scopes,
}

impl DeviceCode {
    /// Waits for the person, for [`DeviceCode::expires_in`] from when it is run.
    pub fn poll(&self) -> PollDevice {
        PollDevice {
            code: self.code.clone(),
            scopes: self.scopes.clone(),
            interval: AtomicU64::new(self.interval.as_secs()),
            total: self.expires_in,
        }
    }
}

/// Polls the token endpoint until the person has decided (RFC 8628 section 3.4). `POST oauth/token`.
///
/// Failures that pass (no connection, timeouts, 429, 5xx) do not end it: the pause doubles with each one in a row, up to a minute, until
/// the code is over (section 3.5). Its time is the code's: the client's own timeout is for calls that answer at once.
#[derive(Debug)]
pub struct PollDevice {
    code: Secret,
    scopes: Scopes,
    /// Seconds between polls; `slow_down` adds five (RFC 8628 section 3.5).
    interval: AtomicU64,
    total: Duration,
}

impl PollDevice {
    /// Five seconds more from now on, or the longer interval that the answer names, as some servers do.
    fn slow_down(&self, response: &Response) {
        let named = json::parse(response.body()).ok().and_then(|body| seconds(body.get("interval")?));
        let named = named.map_or(0, whole_seconds);
        let slower = |own: u64| Some(own.saturating_add(5).max(named));
        let _ = self.interval.fetch_update(Ordering::Relaxed, Ordering::Relaxed, slower);
    }
}

impl Operation for PollDevice {
    type Output = TokenSet;

    fn terms(&self) -> Terms {
        let interval = Duration::from_secs(self.interval.load(Ordering::Relaxed));
        let terms = Terms::new(TOKEN.name(), Effect::Repeatable, Auth::Client);
        terms.total(self.total).own_times().waits(interval)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let form = Form::new()
            .field("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .secret("device_code", &self.code);
        Ok(token_request(context, form))
    }

    fn response(&self, response: &Response) -> Result<Answer<TokenSet>, Error> {
        let error = match token_set(response, &self.scopes, Whose::User) {
            Ok(tokens) => return Ok(Answer::Done(tokens)),
            Err(error) => error,
        };
        match error.code() {
            Some("authorization_pending") => {}
            Some("slow_down") => self.slow_down(response),
            _ => return Err(error),
        }
        Ok(Answer::Again(Duration::from_secs(self.interval.load(Ordering::Relaxed))))
    }
}

/// Pushes an authorization request ahead (RFC 9126), so that its parameters do not travel through the browser.
/// `POST oauth/par`.
#[derive(Clone, Debug)]
pub struct PushAuthorization {
    form: Form,
}

impl PushAuthorization {
    /// The parameters of the authorization request, as [`crate::operations::AuthorizationRequest`] lists them. The client id
    /// is the session's to attach.
    pub fn new<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        // Twice the same parameter is an error (RFC 6749 section 3.1).
        let parameters = parameters.into_iter().filter(|(name, _)| *name != "client_id");
        let form = parameters.fold(Form::new(), |form, (name, value)| form.field(name, value));
        PushAuthorization { form }
    }
}

impl Operation for PushAuthorization {
    type Output = PushedAuthorization;

    fn terms(&self) -> Terms {
        Terms::new(PUSHED_AUTHORIZATION.name(), Effect::Repeatable, Auth::Client)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(PUSHED_AUTHORIZATION).form(self.form.clone()))
    }

    fn response(&self, response: &Response) -> Result<Answer<PushedAuthorization>, Error> {
        let mut fields = wire::read(PUSHED_AUTHORIZATION.name(), response)?;
        Ok(Answer::Done(PushedAuthorization {
            request_uri: fields.required_text("request_uri")?,
            expires_in: fields.seconds("expires_in")?.ok_or_else(|| fields.missing("expires_in"))?,
        }))
    }
}

/// The answer to a [`PushAuthorization`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushedAuthorization {
    /// Stands for the request in the authorization URL.
    pub request_uri: String,
    /// How long it is good for.
    pub expires_in: Duration,
}

impl PushedAuthorization {
    /// The URL to send the user to (RFC 9126 section 4): the client, and what stands for the request.
    pub fn url(&self, site: &Site, client_id: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", client_id).append_pair("request_uri", &self.request_uri);
        format!("{}?{}", site.url(AUTHORIZE), query.finish())
    }
}

/// An address for people: https, or http to this machine; on the origin that was asked; nothing in it that acts on a
/// terminal. It is data: nothing here opens it.
fn for_people(url: &str, response: &Response) -> Result<(), &'static str> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the address for the person has a character that no URL has");
    }
    let absolute = crate::origin::absolute("verification_uri", url);
    let (origin, _) = absolute.map_err(|_| "the address for the person is not an https URL")?;
    match response.url().and_then(Origin::of) {
        Some(asked) if asked != origin => {
            Err("the address for the person is on another origin than the service's")
        }
        // Driven by hand, without a session: its origin is the caller's to compare.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};

    fn answered(status: u16, body: &str) -> Response {
        Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes())
    }

    fn code(json: &str) -> Result<DeviceCode, Error> {
        match DeviceAuthorization::new("a").response(&answered(200, json))? {
            Answer::Done(code) => Ok(code),
            Answer::Again(_) => panic!("this never polls"),
        }
    }

    const GOOD: &str = r#"{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://a/device","expires_in":600,"interval":5}"#;

    #[test]
    fn the_code_and_the_address() {
        let good = code(GOOD).unwrap();
        assert_eq!(
            (good.user_code.as_str(), good.interval, good.expires_in.as_secs()),
            ("WDJB-MJHT", Duration::from_secs(5), 600)
        );
        assert!(!format!("{good:?}").contains("\"d\""));
        for (from, to) in [
            ("https://a/device", "javascript:alert(1)"),
            ("https://a/device", "http://evil.test/x"),
            (",\"expires_in\":600", ""),
            ("600", "-1"),
        ] {
            assert!(code(&GOOD.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn polling_slows_down_when_told_to() {
        let poll = code(GOOD).unwrap().poll();
        let again = |error: &str| match poll.response(&answered(400, &format!(r#"{{"error":"{error}"}}"#))) {
            Ok(Answer::Again(pause)) => Some(pause.as_secs()),
            _ => None,
        };
        assert_eq!(again("authorization_pending"), Some(5));
        assert_eq!(again("slow_down"), Some(10));
        assert_eq!(again("authorization_pending"), Some(10));
        for end in ["access_denied", "expired_token", "invalid_grant", "something_new"] {
            assert_eq!(again(end), None, "{end}");
        }
        let done =
            poll.response(&answered(200, r#"{"access_token":"t","refresh_token":"r","scope":"a"}"#)).unwrap();
        assert!(matches!(done, Answer::Done(tokens) if tokens.refresh.is_some()));
    }
}
