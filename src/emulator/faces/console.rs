//! The console: a page that shows what happens here and lets a person decide. Who may see it, and what may change something.
//!
//! Other sites reach this machine through a person's browser, and other users of the machine reach it by themselves. So nothing is shown
//! without the token that the start printed, nothing changes for a page that is not this one, and no secret is on the page.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION,
    ORIGIN, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, StatusCode};

use crate::crypto::{CryptoError, base64url, random_bytes};
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html;
use crate::emulator::values::incoming::{Incoming, Media, Parameters};
use crate::secret::Secret;

mod act;
mod render;
mod snapshot;
mod views;

/// The cookie that stands for the start's token. Cookies are sent to every port of a host, so its path is a secret of this start: another
/// server on this machine is not sent it, and two emulators do not take it from each other.
const NAME: &str = "lumoauth-console";
/// The parameter of the address that the start prints.
const START: &str = "start";
const STYLE: &str = include_str!("console/style.css");
const SCRIPT: &str = include_str!("console/script.js");

/// The console of one server.
pub(super) struct Console {
    start: Secret,
    cookie: Secret,
    /// Where everything but the door is: `/console/` and a name that nobody can guess, with a slash at both ends.
    place: String,
    /// What the handles of things on the page are made with.
    key: [u8; 32],
}

impl Console {
    pub(super) fn new() -> Result<Self, CryptoError> {
        let name = || Ok::<_, CryptoError>(base64url(&random_bytes::<32>()?));
        Ok(Console {
            start: Secret::new(name()?),
            cookie: Secret::new(name()?),
            place: format!("/console/{}/", base64url(&random_bytes::<16>()?)),
            key: random_bytes()?,
        })
    }

    /// The address that a person opens, on the server of this base URL.
    pub(super) fn address(&self, base: &str) -> Secret {
        Secret::new(format!("{base}/?{START}={}", self.start.expose()))
    }

    /// True for the paths that are the console's to answer.
    pub(super) fn has(path: &str) -> bool {
        path == "/" || path.starts_with("/console/")
    }

    /// Answers a request. `named` is true if the Host is a name of this very server, with its port.
    pub(super) fn answer(&self, emulator: &Emulator, incoming: &Incoming<'_>, named: bool) -> Answer {
        if !named {
            let status = StatusCode::MISDIRECTED_REQUEST;
            return html::html(status, "Another host", "<p>The console has no such name.</p>\n");
        }
        match incoming.path.strip_prefix(self.place.as_str()) {
            None if incoming.path == "/" => self.door(incoming),
            None => locked(),
            Some(_) if !self.knows(incoming) => locked(),
            Some("") => reads(incoming, || self.page(emulator, incoming)),
            Some("style.css") => reads(incoming, || file("text/css; charset=utf-8", STYLE)),
            Some("script.js") => reads(incoming, || file("text/javascript; charset=utf-8", SCRIPT)),
            Some("do") => self.change(emulator, incoming),
            Some(_) => {
                html::html(StatusCode::NOT_FOUND, "Not here", "<p>The console has no such page.</p>\n")
            }
        }
    }

    /// The first visit: the token of the address becomes a cookie and leaves the address.
    fn door(&self, incoming: &Incoming<'_>) -> Answer {
        reads(incoming, || {
            let parameters = Parameters::query(incoming).ok().filter(|query| !query.repeats_any());
            let given = parameters.as_ref().and_then(|query| query.get(START)).map(Secret::new);
            if given.is_none_or(|given| given != self.start) {
                return locked();
            }
            let cookie =
                format!("{NAME}={}; Path={}; HttpOnly; SameSite=Strict", self.cookie.expose(), self.place);
            let (Ok(mut cookie), Ok(place)) =
                (HeaderValue::from_str(&cookie), HeaderValue::from_str(&self.place))
            else {
                return locked();
            };
            cookie.set_sensitive(true);
            Answer::empty(StatusCode::SEE_OTHER)
                .with(SET_COOKIE, cookie)
                .with(LOCATION, place)
                .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        })
    }

    /// True if the request carries the cookie.
    fn knows(&self, incoming: &Incoming<'_>) -> bool {
        let lines = incoming.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == NAME).then(|| Secret::new(value))
        });
        values.any(|value| value == self.cookie)
    }

    fn page(&self, emulator: &Emulator, incoming: &Incoming<'_>) -> Answer {
        let query = Parameters::query(incoming).ok();
        let wanted = query.as_ref().and_then(|query| query.get("agent")).unwrap_or_default();
        let snapshot = views::Snapshot::take(emulator, &self.key, incoming.base, wanted);
        let forms: String = snapshot.origins.iter().map(|origin| format!(" {origin}")).collect();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'{forms}"
        );
        let answer = file("text/html; charset=utf-8", &render::page(&snapshot));
        match HeaderValue::from_str(&policy) {
            Ok(policy) => answer.with(CONTENT_SECURITY_POLICY, policy),
            Err(_) => locked(),
        }
    }

    /// What a form does. It has to come from this very page, which a browser says by its origin.
    fn change(&self, emulator: &Emulator, incoming: &Incoming<'_>) -> Answer {
        if incoming.method != Method::POST {
            return not_allowed("POST");
        }
        let from_here = incoming.only(ORIGIN).is_ok_and(|origin| origin == Some(incoming.base))
            && !incoming.is_from_elsewhere();
        if !from_here {
            let body = "<p role=\"alert\">Only the console's own page can do this.</p>\n";
            return html::html(StatusCode::FORBIDDEN, "Not from here", body);
        }
        if incoming.media() != Media::Form || incoming.body.is_none() {
            return html::problem("The form cannot be read");
        }
        match Parameters::read(incoming) {
            Ok(form) => act::act(emulator, &self.key, &form, &self.place),
            Err(problem) => html::problem(problem),
        }
    }
}

/// What is read: by the person's own window or the page itself, never by the page of another site.
fn reads(incoming: &Incoming<'_>, answer: impl FnOnce() -> Answer) -> Answer {
    if ![Method::GET, Method::HEAD].contains(incoming.method) {
        return not_allowed("GET, HEAD");
    }
    if incoming.is_from_elsewhere() && !incoming.is_navigation() {
        return locked();
    }
    let mut answer = answer();
    if incoming.method == Method::HEAD {
        answer.body.clear();
    }
    answer
}

/// Says where the key is, and nothing else.
fn locked() -> Answer {
    let body = "<p>Open the address that <code>lumoauth emulator</code> printed when it started. It has the token without \
                which nothing is shown here.</p>\n";
    html::html(StatusCode::FORBIDDEN, "The console is locked", body)
}

fn not_allowed(allow: &'static str) -> Answer {
    html::html(StatusCode::METHOD_NOT_ALLOWED, "Not so", "<p>The method is not allowed here.</p>\n")
        .with(ALLOW, HeaderValue::from_static(allow))
}

/// A part of the console. Nobody may keep or frame it.
fn file(media: &'static str, text: &str) -> Answer {
    let name = HeaderName::from_static;
    let mut answer = Answer::empty(StatusCode::OK)
        .with(CONTENT_TYPE, HeaderValue::from_static(media))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
        .with(REFERRER_POLICY, HeaderValue::from_static("same-origin"))
        .with(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"))
        .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(name("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"))
        .with(name("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    answer.body = text.as_bytes().to_vec();
    answer
}
