//! The router and the extractors of axum, asked as a server would.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::response::Response;
use axum::routing::get;
use lumoauth::asynchronous::signin::SignIn;
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::header::{LOCATION, SET_COOKIE};
use lumoauth::http::{HeaderMap, Method, Request, StatusCode};
use lumoauth::signin::axum::{RequiredScopes, UserWith};
use lumoauth::signin::{SignInError, User};
use tower::ServiceExt;

use super::support::{Browser, HOME, SECRET, builder, emulator, for_people, visit};

struct MayWrite;

impl RequiredScopes for MayWrite {
    const SCOPES: &'static [&'static str] = &["write:documents"];
}

#[derive(Clone)]
struct Application {
    sign_in: SignIn,
    name: Arc<str>,
}

impl FromRef<Application> for SignIn {
    fn from_ref(application: &Application) -> SignIn {
        application.sign_in.clone()
    }
}

fn application(emulator: &Emulator, scopes: &str) -> Router {
    let sign_in = SignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("app_1")
        .client_secret("fixed-secret")
        .public_url(HOME)
        .session_secret(SECRET)
        .scopes(scopes)
        .build_with(emulator.transport())
        .unwrap();
    let state = Application { sign_in: sign_in.clone(), name: "app".into() };
    async fn home(user: Option<User>) -> String {
        user.map_or("nobody".to_owned(), |user| user.subject().to_owned())
    }
    async fn documents(axum::extract::State(state): axum::extract::State<Application>, user: User) -> String {
        format!("{}: documents of {}", state.name, user.subject())
    }
    async fn write(user: UserWith<MayWrite>) -> String {
        format!("written by {}", user.subject())
    }
    async fn read(user: User) -> Result<String, SignInError> {
        user.require_scopes("read:documents")?;
        Ok(format!("read by {}", user.into_name()))
    }
    Router::new()
        .route("/", get(home))
        .route("/documents", get(documents).post(documents))
        .route("/write", get(write))
        .route("/read", get(read))
        .with_state(state)
        .merge(sign_in.router())
}

trait Name {
    fn into_name(self) -> String;
}

impl Name for User {
    fn into_name(self) -> String {
        self.subject().to_owned()
    }
}

async fn send(application: &Router, method: Method, path: &str, headers: HeaderMap) -> Response {
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
        (method, path.parse().unwrap(), headers);
    application.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

fn keep(browser: &mut Browser, response: &Response) {
    browser.take(&response.headers().get_all(SET_COOKIE).iter().cloned().collect::<Vec<_>>());
}

async fn sign_in(emulator: &Emulator, application: &Router, start: &str) -> (Browser, String) {
    let mut browser = Browser::default();
    let response = send(application, Method::GET, start, HeaderMap::new()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    keep(&mut browser, &response);
    let back = visit(emulator, &location(&response));
    let back = back.strip_prefix(HOME).unwrap();
    let response = send(application, Method::GET, back, browser.headers()).await;
    keep(&mut browser, &response);
    (browser, location(&response))
}

#[tokio::test]
async fn a_person_is_brought_to_the_sign_in_and_back() {
    let emulator = emulator();
    let application = application(&emulator, "openid");
    let page = for_people(HeaderMap::new());
    let response = send(&application, Method::GET, "/documents?page=2", page.clone()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let start = location(&response);
    assert_eq!(start, "/login?return_to=%2Fdocuments%3Fpage%3D2");
    let (browser, end) = sign_in(&emulator, &application, &start).await;
    assert_eq!(end, format!("{HOME}/documents?page=2"));
    let response = send(&application, Method::GET, "/documents?page=2", browser.headers()).await;
    assert_eq!(text(response).await, "app: documents of user:alice");
    assert_eq!(text(send(&application, Method::GET, "/", browser.headers()).await).await, "user:alice");

    let response = send(&application, Method::POST, "/logout", browser.posts()).await;
    assert!(location(&response).contains("/oauth/logout?id_token_hint="));
    assert_eq!(text(send(&application, Method::GET, "/", browser.headers()).await).await, "nobody");
}

#[tokio::test]
async fn whoever_is_no_person_with_a_page_gets_401() {
    let application = application(&emulator(), "openid");
    for (method, headers) in [
        (Method::GET, HeaderMap::new()),
        (Method::HEAD, HeaderMap::new()),
        (Method::POST, for_people(HeaderMap::new())),
    ] {
        let response = send(&application, method.clone(), "/documents", headers).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method}");
        assert!(!response.headers().contains_key(LOCATION));
    }
    let response = send(&application, Method::GET, "/documents", HeaderMap::new()).await;
    assert_eq!(text(response).await, r#"{"error":"unauthenticated"}"#);
    assert_eq!(text(send(&application, Method::GET, "/", HeaderMap::new()).await).await, "nobody");
}

#[tokio::test]
async fn scopes_are_required_by_extractor_and_by_question() {
    let emulator = emulator();
    for (scopes, write, read) in
        [("openid", 403, 403), ("openid read:documents", 403, 200), ("openid write:documents", 200, 403)]
    {
        let application = application(&emulator, scopes);
        let (browser, _) = sign_in(&emulator, &application, "/login").await;
        let response = send(&application, Method::GET, "/write", browser.headers()).await;
        assert_eq!(response.status(), write, "{scopes}");
        if write == 403 {
            let body = r#"{"error":"insufficient_scope","error_description":"Missing: write:documents"}"#;
            assert_eq!(text(response).await, body);
        }
        assert_eq!(
            send(&application, Method::GET, "/read", browser.headers()).await.status(),
            read,
            "{scopes}"
        );
    }
    let application = application(&emulator, "openid");
    assert_eq!(send(&application, Method::GET, "/write", HeaderMap::new()).await.status(), 401);
}

#[tokio::test]
async fn each_place_has_its_method() {
    let emulator = emulator();
    let application = application(&emulator, "openid");
    let mut browser = Browser::default();
    let response = send(&application, Method::GET, "/login", HeaderMap::new()).await;
    keep(&mut browser, &response);
    let back = visit(&emulator, &location(&response));
    let back = back.strip_prefix(HOME).unwrap();
    for method in [Method::HEAD, Method::POST, Method::OPTIONS, Method::PUT] {
        for path in ["/login", back] {
            let response = send(&application, method.clone(), path, browser.headers()).await;
            assert_eq!(
                (response.status(), &response.headers()["allow"]),
                (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().unwrap())
            );
            assert!(!response.headers().contains_key(SET_COOKIE), "{method} {path}");
        }
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 0, "a code was used up");
    let response = send(&application, Method::GET, back, browser.headers()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    keep(&mut browser, &response);
    for method in [Method::GET, Method::HEAD] {
        let response = send(&application, method, "/logout", browser.posts()).await;
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
    }
    let response = send(&application, Method::POST, "/logout", browser.headers()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(text(send(&application, Method::GET, "/", browser.headers()).await).await, "user:alice");
}

#[tokio::test]
async fn where_it_cannot_be_known_who_it_is_nobody_gets_in() {
    let emulator = builder()
        .auto_consent("alice")
        .access_token_lifetime(std::time::Duration::from_secs(600))
        .build()
        .unwrap();
    let application = application(&emulator, "openid offline_access");
    let (browser, _) = sign_in(&emulator, &application, "/login").await;
    emulator.advance(std::time::Duration::from_secs(700));
    emulator.fault(FaultRule::on("oauth.token").always().status(503)).unwrap();
    for path in ["/", "/documents", "/write"] {
        let response = send(&application, Method::GET, path, for_people(browser.headers())).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}

/// A router may be nested where the application is behind a path.
#[tokio::test]
async fn behind_a_path() {
    let emulator = emulator();
    let sign_in = SignIn::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("app_1")
        .client_secret("fixed-secret")
        .public_url("https://app.example/team")
        .session_secret(SECRET)
        .under("/auth")
        .build_with(emulator.transport())
        .unwrap();
    async fn documents(user: User) -> String {
        user.subject().to_owned()
    }
    let inner =
        Router::new().route("/documents", get(documents)).with_state(sign_in.clone()).merge(sign_in.router());
    let application = Router::new().nest("/team", inner);
    let response = send(&application, Method::GET, "/team/documents", for_people(HeaderMap::new())).await;
    assert_eq!(location(&response), "/team/auth/login?return_to=%2Fteam%2Fdocuments");
    let response = send(&application, Method::GET, "/team/auth/login", HeaderMap::new()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}
