//! The emulator with a web service and its users, a browser that keeps cookies, and a service that answers as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::Secret;
use lumoauth::Transport;
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::Ticket;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, EmulatorBuilder, InProcess, Tenant, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN};
use lumoauth::http::{HeaderMap, HeaderName, HeaderValue, Method};
use lumoauth::signin::{Answer, Login, SignIn, SignInBuilder};
use lumoauth::time::Now;
use serde_json::{Map, Value};

pub const HOME: &str = "http://127.0.0.1:3000";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const RSA_PEM: &str = include_str!("../vectors/test_rsa.pem");
/// What the service keeps no record of is signed with its own key all the same.
pub fn key() -> KeyPair {
    KeyPair::from_pem(RSA_PEM.as_bytes()).unwrap()
}

pub fn tenant() -> Tenant {
    let web = AgentSeed::new("app_1")
        .secret("fixed-secret")
        .name("Documents")
        .capabilities(["read:documents", "write:documents"])
        .redirect_uri("http://127.0.0.1:3000/callback")
        .redirect_uri("https://app.example/callback")
        .post_logout_redirect_uri("http://127.0.0.1:3000/bye");
    let user = |name: &str| {
        UserSeed::new(name)
            .email(format!("{name}@acme.test"))
            .display_name(name.to_uppercase())
            .scopes(["read:documents", "write:documents"])
    };
    Tenant::new("acme").agent(web).user(user("alice")).user(user("bob"))
}

pub fn builder() -> EmulatorBuilder {
    Emulator::builder().tenant(tenant()).signing_key_pem(RSA_PEM)
}

pub fn emulator() -> Emulator {
    builder().auto_consent("alice").build().unwrap()
}

pub fn settings(emulator: &Emulator) -> SignInBuilder {
    SignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("app_1")
        .client_secret("fixed-secret")
        .public_url(HOME)
        .session_secret(SECRET)
}

pub fn sign_in(emulator: &Emulator) -> SignIn {
    settings(emulator).build_with(emulator.transport()).unwrap()
}

/// With sessions that are renewed.
pub fn renewing(emulator: &Emulator) -> SignIn {
    let settings = settings(emulator).scopes("openid email read:documents offline_access");
    settings.build_with(emulator.transport()).unwrap()
}

/// What a browser keeps.
#[derive(Clone, Default)]
pub struct Browser(pub BTreeMap<String, String>);

impl Browser {
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.0.is_empty() {
            let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.insert(COOKIE, pairs.join("; ").parse().unwrap());
        }
        headers
    }

    /// As a page of the service's own posts.
    pub fn posts(&self) -> HeaderMap {
        let mut headers = self.headers();
        headers.insert(ORIGIN, HeaderValue::from_static(HOME));
        headers
    }

    pub fn take(&mut self, cookies: &[HeaderValue]) {
        for cookie in cookies {
            let text = cookie.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if text.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Begins to sign in; where the service is.
    pub fn login(&mut self, sign_in: &SignIn, login: Login) -> String {
        let answer = sign_in.login(&self.headers(), login);
        self.take(answer.cookies());
        answer.location().unwrap().expose().to_owned()
    }

    pub fn callback(&mut self, sign_in: &SignIn, url: &str) -> Answer {
        let answer = sign_in.callback(&self.headers(), url);
        self.take(answer.cookies());
        answer
    }

    /// The whole way.
    pub fn signs_in(&mut self, emulator: &Emulator, sign_in: &SignIn, login: Login) -> Answer {
        let at_service = self.login(sign_in, login);
        let back = visit(emulator, &at_service);
        let answer = self.callback(sign_in, &back);
        assert!(answer.error().is_none(), "{:?}", answer.error());
        answer
    }

    pub fn session(&self) -> Option<&String> {
        self.0.get("lumoauth_session")
    }
}

/// What a browser does that is sent on at once.
pub fn visit(emulator: &Emulator, url: &str) -> String {
    let response = emulator.handle_in_process(&Request::new(Method::GET, url.parse().unwrap())).response;
    assert!(response.status().is_redirection(), "{}", response.text());
    response.header(LOCATION).unwrap().to_owned()
}

pub fn signed_in(emulator: &Emulator, sign_in: &SignIn) -> Browser {
    let mut browser = Browser::default();
    let _ = browser.signs_in(emulator, sign_in, Login::new());
    browser
}

pub fn who(sign_in: &SignIn, browser: &Browser) -> Option<String> {
    sign_in.user(&browser.headers()).unwrap().map(|user| user.subject().to_owned())
}

pub fn query(url: &str) -> BTreeMap<String, String> {
    let query = url.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

pub fn with(mut headers: HeaderMap, name: &str, value: &str) -> HeaderMap {
    headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    headers
}

pub fn for_people(headers: HeaderMap) -> HeaderMap {
    with(headers, ACCEPT.as_str(), "text/html,application/xhtml+xml,*/*;q=0.8")
}

type Change = Arc<Mutex<Box<dyn FnMut(&mut Map<String, Value>) + Send>>>;

/// The emulator, whose answers with tokens are changed on the way.
#[derive(Clone)]
pub struct Changed {
    inner: InProcess,
    change: Change,
}

impl Changed {
    pub fn new(emulator: &Emulator, change: impl FnMut(&mut Map<String, Value>) + Send + 'static) -> Self {
        Changed { inner: emulator.transport(), change: Arc::new(Mutex::new(Box::new(change))) }
    }

    /// The claims of the ID token are changed, and it is signed anew by the service's key.
    pub fn claims(emulator: &Emulator, change: impl Fn(&mut Map<String, Value>) + Send + 'static) -> Self {
        Changed::new(emulator, move |tokens| {
            let mut claims = claims(tokens["id_token"].as_str().unwrap());
            change(&mut claims);
            tokens["id_token"] = sign_compact(&key(), "JWT", &Value::Object(claims)).unwrap().into();
        })
    }
}

impl Transport for Changed {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let is_token = request.url().path().ends_with("/oauth/token");
        let response = Transport::send(&self.inner, request)?;
        if !is_token || response.status() != 200 {
            return Ok(response);
        }
        let mut body: Map<String, Value> = serde_json::from_str(&response.text()).unwrap();
        (self.change.lock().unwrap())(&mut body);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Response::new(response.status(), headers, Value::Object(body).to_string()))
    }

    fn sleep(&self, duration: Duration) {
        Transport::sleep(&self.inner, duration);
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(&self.inner)
    }

    fn join(&self, ticket: Ticket) {
        Transport::join(&self.inner, ticket);
    }
}

/// What a token says.
pub fn claims(token: &str) -> Map<String, Value> {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text)
}
