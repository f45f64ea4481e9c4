//! A web service that people sign in to, on a local LumoAuth: `/login`, `/callback`, `/logout`, and a page for those who are signed in.
//!
//! ```sh
//! cargo run --example signin --features axum,reqwest,emulator -- serve
//! ```
//!
//! Then open the address that it prints. Without `serve` it walks the way once as a browser would, and ends. Against LumoAuth itself, leave the emulator out: `SignIn::from_env()` reads `LUMOAUTH_URL`,
//! `LUMOAUTH_TENANT`, `LUMOAUTH_CLIENT_ID`, `LUMOAUTH_CLIENT_SECRET`, `SESSION_SECRET` and `LUMOAUTH_PUBLIC_URL`.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lumoauth::asynchronous::signin::SignIn;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use lumoauth::http::{HeaderMap, Request};
use lumoauth::signin::User;
use tokio::net::TcpListener;

const STYLE: &str =
    "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}</style>";

/// Texts of others are escaped.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The first page, for everybody.
async fn home(user: Option<User>) -> Html<String> {
    Html(match user {
        Some(user) => format!(
            "{STYLE}<h1>Welcome, {}</h1><p><a href=\"/documents\">Documents</a></p>\
             <form method=\"post\" action=\"/logout\"><button>Sign out</button></form>",
            escape(user.name().unwrap_or(user.subject()))
        ),
        None => format!("{STYLE}<h1>Welcome</h1><p><a href=\"/login\">Sign in</a></p>"),
    })
}

/// A page for those who are signed in: a browser is brought to the sign-in, and back.
async fn documents(user: User) -> Html<String> {
    let whose = escape(user.email().unwrap_or(user.subject()));
    Html(format!("{STYLE}<h1>Documents of {whose}</h1><p>1. Report</p><p><a href=\"/\">Home</a></p>"))
}

/// The whole service: its pages, and the three places of the sign-in.
pub fn service(sign_in: &SignIn) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/documents", get(documents))
        .with_state(sign_in.clone())
        .merge(sign_in.router())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let home_url = format!("http://{}", listener.local_addr()?);

    // A LumoAuth on this machine that knows this service and two people.
    let client = AgentSeed::new("app_documents")
        .secret("the emulator's alone")
        .name("Documents")
        .redirect_uri(format!("{home_url}/callback"))
        .post_logout_redirect_uri(format!("{home_url}/"));
    let person = |name: &str| UserSeed::new(name).email(format!("{name}@acme.example")).display_name(name);
    let tenant = Tenant::new("acme").agent(client).user(person("alice")).user(person("bob"));
    let emulator = Emulator::builder().tenant(tenant).build()?;
    let served = emulator.serve("127.0.0.1:0")?;

    let sign_in = SignIn::builder()
        .base_url(served.url())
        .tenant("acme")
        .client_id("app_documents")
        .client_secret("the emulator's alone")
        .public_url(&home_url)
        .session_secret("an example has no secrets: take 32 random bytes")
        .scopes("openid profile email offline_access")
        .back_from_service("/")
        .build()?;

    println!("{home_url}");
    let serving = async move { axum::serve(listener, service(&sign_in)).await };
    if std::env::args().any(|argument| argument == "serve") {
        return Ok(serving.await?);
    }
    let server = tokio::spawn(serving);
    walk(&home_url, &emulator).await?;
    server.abort();
    Ok(())
}

/// What a browser does: it keeps cookies and goes where it is sent; at the service somebody agrees.
async fn walk(home_url: &str, emulator: &Emulator) -> Result<(), Box<dyn std::error::Error>> {
    let page = get_with(&format!("{home_url}/documents"), "").await?;
    println!("/documents: sent to {}", place(&page.0)?);
    let start = get_with(&format!("{home_url}{}", place(&page.0)?), "").await?;
    get_with(place(&start.0)?, "").await?; // the page that asks who one is
    let waiting = emulator.pending_consents();
    let back = emulator.approve_consent(&waiting.first().ok_or("nobody is asked")?.id, "alice")?;
    let end = get_with(back.expose(), &cookie(&start.0)).await?;
    println!("/callback: sent to {}", place(&end.0)?);
    let page = get_with(place(&end.0)?, &cookie(&end.0)).await?;
    assert!(page.1.contains("Documents of alice@acme.example"), "{}", page.1);
    println!("/documents: the documents of alice");
    Ok(())
}

async fn get_with(url: &str, cookie: &str) -> Result<(HeaderMap, String), Box<dyn std::error::Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<axum::body::Bytes>>();
    let request = Request::get(url).header(ACCEPT, "text/html").header(COOKIE, cookie).body(Empty::new())?;
    let response = client.request(request).await?;
    let headers = response.headers().clone();
    Ok((headers, String::from_utf8(response.collect().await?.to_bytes().to_vec())?))
}

fn place(headers: &HeaderMap) -> Result<&str, Box<dyn std::error::Error>> {
    Ok(headers.get(LOCATION).ok_or("it is sent nowhere")?.to_str()?)
}

fn cookie(headers: &HeaderMap) -> String {
    let first = headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
    first.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned()
}
