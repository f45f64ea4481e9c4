//! A strict, certified authorization server behind this service's paths: the same code works with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lumoauth::embed::operations::{
    AuthorizationRequest, Callback, GetMetadata, Introspect, Introspection, PushAuthorization, RedeemCode,
    Refresh, UserSession,
};
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::error::ConsentError;
use lumoauth::http::header::{COOKIE, LOCATION, SET_COOKIE};
use lumoauth::http::{HeaderValue, Method, Uri};
use lumoauth::store::{MemoryStore, Shelf, Store, StoreKey};
use lumoauth::time::Now;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, ClientAuth, DelegationChain, Error, Pkce, Transport};

use super::child::{folder, run, skipped};

const REDIRECT: &str = "https://myapp.com/consent";
const RESOURCE: &str = "https://api.acme.test/documents";

/// Installs the server once for all tests.
fn installed() -> Result<(), &'static str> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let install = || {
        let home = folder("oidc");
        std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
        let manifest = include_str!("oidc/package.json");
        let file = home.join("package.json");
        let known = std::fs::read_to_string(&file).is_ok_and(|own| own == manifest);
        if !known || !home.join("node_modules/oidc-provider").exists() {
            run(Command::new("node").arg("--version"))?;
            std::fs::write(&file, manifest).map_err(|error| error.to_string())?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]);
            run(npm.current_dir(&home))?;
        }
        Ok(())
    };
    INSTALLED.get_or_init(install).as_ref().copied().map_err(String::as_str)
}

/// The running server.
pub(super) struct Provider {
    child: Child,
    /// Kept open: the server writes its notices there.
    _notices: BufReader<ChildStdout>,
    base: String,
}

impl Provider {
    pub(super) fn start(what: &str) -> Option<Self> {
        if let Err(reason) = installed() {
            skipped(what, reason);
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/oidc/server.mjs");
        let mut node = Command::new("node");
        node.arg(script)
            .arg(folder("oidc"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = node.spawn().expect("node, which just ran");
        let mut base = String::new();
        let mut notices = BufReader::new(child.stdout.take().unwrap());
        notices.read_line(&mut base).unwrap();
        assert!(base.starts_with("http://127.0.0.1:"), "the server did not start: {base:?}");
        Some(Provider { child, _notices: notices, base: base.trim().to_owned() })
    }

    pub(super) fn agent(&self, id: &str, auth: ClientAuth, clock: &Arc<AtomicU64>) -> Agent {
        let transport = Ahead { inner: transport(), seconds: Arc::clone(clock) };
        let builder = Agent::builder().base_url(&self.base).tenant("acme").client_auth(auth);
        builder
            .client_id(id)
            .client_secret(format!("secret-of-{id}-0123456789abcdef"))
            .build_with(transport)
            .unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn transport() -> UreqTransport {
    UreqTransport::new(&TransportOptions::default()).unwrap()
}

/// The client's clock, some seconds ahead of the server's: what is fresh there is over here.
struct Ahead {
    inner: UreqTransport,
    seconds: Arc<AtomicU64>,
}

impl Transport for Ahead {
    fn send(&self, request: Request) -> Result<Response, lumoauth::error::TransportError> {
        self.inner.send(request)
    }

    fn now(&self) -> Result<Now, lumoauth::error::TransportError> {
        let now = self.inner.now()?;
        let ahead = Duration::from_secs(self.seconds.load(Ordering::SeqCst));
        Ok(Now::new(now.wall.saturating_add(ahead), now.monotonic + ahead, now.random))
    }
}

/// A person with a browser: keeps cookies, follows redirects, signs in and consents.
pub(super) struct Browser {
    transport: UreqTransport,
    cookies: Vec<(String, String)>,
    base: String,
}

impl Browser {
    pub(super) fn new(provider: &Provider) -> Self {
        Browser { transport: transport(), cookies: Vec::new(), base: provider.base.clone() }
    }

    fn send(&mut self, url: &str, form: Option<Form>) -> Response {
        let url: Uri = if url.starts_with('/') { format!("{}{url}", self.base) } else { url.to_owned() }
            .parse()
            .unwrap();
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::new(method, url);
        if let Some(form) = form {
            request = request.form(form);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, HeaderValue::from_str(&pairs.join("; ")).unwrap());
        }
        let shown = format!("{request:?}");
        let response = self.transport.send(request).unwrap_or_else(|error| panic!("{error}: {shown}"));
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.retain(|(own, _)| own != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    /// Goes to the URL and does what the pages ask for, until it is sent back to the application; or the page where it
    /// ends.
    pub(super) fn visit(&mut self, url: &str) -> Result<String, Box<Response>> {
        let mut response = self.send(url, None);
        for _ in 0..20 {
            if response.status().is_redirection() {
                let to = response.header(LOCATION).unwrap().to_owned();
                if to.starts_with(REDIRECT) {
                    return Ok(to);
                }
                response = self.send(&to, None);
                continue;
            }
            let page = response.text();
            let field = |name: &str| {
                let at = page.find(&format!("{name}=\""))? + name.len() + 2;
                page[at..].split('"').next().map(str::to_owned)
            };
            let Some(action) = field("action").filter(|_| response.status() == 200) else {
                return Err(Box::new(response));
            };
            let mut form = Form::new();
            for input in page.split("<input type=\"hidden\" name=\"").skip(1) {
                let (name, rest) = input.split_once("\" value=\"").unwrap();
                form = form.field(name, rest.split('"').next().unwrap());
            }
            if page.contains("value=\"login\"") {
                form = form.field("login", "alice").field("password", "x");
            }
            response = self.send(&action, Some(form));
        }
        panic!("going in circles");
    }
}

fn consent(provider: &Provider, chain: &DelegationChain, session: &str) -> String {
    let url = chain.consent_url(session, ["openid", "read:documents", "write:documents"]).unwrap();
    let back = Browser::new(provider).visit(&url).unwrap_or_else(|page| panic!("{}", page.text()));
    chain.handle_callback_url(session, &back).unwrap();
    back
}

fn is_active(agent: &Agent, token: &lumoauth::Secret) -> bool {
    matches!(agent.run(Introspect::new(token.clone())).unwrap(), Introspection::Active(_))
}

#[test]
fn the_whole_walk_with_a_strict_server() {
    let Some(provider) = Provider::start("oidc-provider") else { return };
    for (id, auth) in [("agent-post", ClientAuth::Post), ("agent-basic", ClientAuth::Basic)] {
        let clock = Arc::new(AtomicU64::new(0));
        let agent = provider.agent(id, auth, &clock);
        let store = Arc::new(MemoryStore::new());
        let chain =
            DelegationChain::new(&agent, REDIRECT).unwrap().client_auth(auth).store(Arc::clone(&store));
        let back = consent(&provider, &chain, "alice");
        assert!(back.contains("iss="), "RFC 9207");

        // Exchange: narrowed, never wider, bound to a resource that is known.
        let delegation = chain.exchange("alice", ["read:documents"]).unwrap();
        assert_eq!(delegation.scopes().to_string(), "read:documents");
        assert!(is_active(&agent, delegation.token().secret()));
        let bound = chain.exchange_for("alice", ["read:documents"], RESOURCE).unwrap();
        let Introspection::Active(told) = agent.run(Introspect::new(bound.token().secret().clone())).unwrap()
        else {
            panic!("not active");
        };
        assert_eq!(told.audience, [RESOURCE]);
        let refused = chain.exchange("alice", ["admin"]).unwrap_err();
        assert_eq!(refused.code(), Some("invalid_scope"), "{refused}");
        let refused = chain.exchange_for("alice", ["read:documents"], "https://other.test/").unwrap_err();
        assert_eq!(refused.code(), Some("invalid_target"), "{refused}");
        let sub_agent = provider.agent("sub-agent", ClientAuth::Post, &clock);
        let sub = sub_agent.access_token().unwrap();
        let handed = chain.delegate_to_sub_agent("alice", sub.secret().clone(), ["read:documents"]);
        assert_eq!(handed.unwrap().scopes().to_string(), "read:documents");

        // Renewal: the refresh token is replaced, and the old one is refused.
        let refresh = |store: &MemoryStore| {
            let key = StoreKey::new(Shelf::Sessions, ["alice"]);
            let record = store.load(&key, Duration::MAX).unwrap().unwrap();
            UserSession::from_bytes(record.bytes()).unwrap().refresh_token().cloned().unwrap()
        };
        let first = refresh(&store);
        clock.store(600, Ordering::SeqCst);
        chain.exchange("alice", ["write:documents"]).unwrap();
        let second = refresh(&store);
        assert_ne!(first, second, "the server rotates");

        // Revoking ends what came of the consent.
        let current = chain.exchange("alice", ["read:documents"]).unwrap();
        assert!(is_active(&agent, current.token().secret()));
        chain.revoke("alice").unwrap();
        assert!(!is_active(&agent, &second));
        assert!(!chain.has_delegation("alice").unwrap());
        let ended = chain.exchange("alice", ["read:documents"]).unwrap_err();
        assert!(matches!(ended, Error::Consent(ConsentError::Needed)), "{ended}");

        // A refresh token that was used: refused, and the server ends the whole family.
        consent(&provider, &chain, "alice");
        let first = refresh(&store);
        clock.store(1200, Ordering::SeqCst);
        chain.exchange("alice", ["read:documents"]).unwrap();
        let second = refresh(&store);
        assert!(is_active(&agent, &second));
        let reused = agent.run(Refresh::new(first)).unwrap_err();
        assert_eq!(reused.code(), Some("invalid_grant"), "{reused}");
        assert!(!is_active(&agent, &second), "the whole family");
        println!("oidc-provider 8.8.1 ({id}): code, exchange, resource, renewal, introspection, revocation");
    }
}

#[test]
fn what_a_strict_server_refuses() {
    let Some(provider) = Provider::start("oidc-provider's refusals") else { return };
    let clock = Arc::new(AtomicU64::new(0));
    let agent = provider.agent("agent-post", ClientAuth::Post, &clock);
    // Another redirect URI than the registered one: nobody is sent there.
    let chain = DelegationChain::new(&agent, "https://myapp.com/other").unwrap();
    let url = chain.consent_url("s", ["openid"]).unwrap();
    let page = Browser::new(&provider).visit(&url).unwrap_err();
    assert_eq!(page.status(), 400, "{}", page.text());
    // No PKCE: refused before anybody signs in. There is no way to ask so with this library.
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
    let url = chain.consent_url("s", ["openid"]).unwrap();
    let bare: Vec<&str> = url.split('&').filter(|pair| !pair.starts_with("code_challenge")).collect();
    let back = Browser::new(&provider).visit(&bare.join("&")).unwrap();
    assert!(back.contains("error=invalid_request"), "{back}");
    let error = chain.handle_callback_url("s", &back).unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    // A code that was used. The chain itself does not send one twice, so by hand.
    let now = transport().now().unwrap();
    let (pkce, state) = (Pkce::new(&now), "0123456789abcdef0123456789abcdef");
    let request = AuthorizationRequest::new("agent-post", REDIRECT, ["openid"], state, &pkce).unwrap();
    let back = Browser::new(&provider).visit(&request.url(agent.session().site())).unwrap();
    let issuer = agent.run(GetMetadata::new()).unwrap().issuer().to_owned();
    let callback = Callback::read(&back).unwrap();
    let code = callback.accept(&state.into(), Some(&issuer), true).unwrap();
    let redeem = RedeemCode::new(code, REDIRECT, pkce).scopes(["openid"]);
    agent.run(redeem.clone()).unwrap();
    let error = agent.run(redeem).unwrap_err();
    assert!(error.status() == Some(400) && error.code() == Some("invalid_grant"), "{error}");
}

#[test]
fn a_pushed_request_with_a_strict_server() {
    let Some(provider) = Provider::start("oidc-provider's pushed requests") else { return };
    let clock = Arc::new(AtomicU64::new(0));
    let agent = provider.agent("agent-basic", ClientAuth::Basic, &clock);
    let now = transport().now().unwrap();
    let pkce = Pkce::new(&now);
    let state = "0123456789abcdef0123456789abcdef";
    let request = AuthorizationRequest::new("agent-basic", REDIRECT, ["openid"], state, &pkce).unwrap();
    let pushed = agent.run(PushAuthorization::new(request.parameters())).unwrap();
    let site = agent.session().site().clone();
    let back = Browser::new(&provider).visit(&pushed.url(&site, "agent-basic")).unwrap();
    assert!(back.contains("code=") && back.contains("state=0123456789abcdef"), "{back}");
}
