//! The web example over a socket, asked by a client that nobody here wrote: curl, or hyper's where there is none.

use std::process::Command;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lumoauth::asynchronous::TokenVerifier;
use lumoauth::axum::metadata_routes;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::tower::Verified;

use super::serving::Serving;
use super::support::{agent, run};
use super::web_example;

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// By curl; none if it is not installed.
fn curl(method: &Method, url: &str, token: Option<&str>) -> Option<Answer> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--noproxy", "*", "--max-time", "60"]);
    if *method == Method::HEAD {
        command.arg("--head");
    } else {
        command.args(["--request", method.as_str()]);
    }
    if let Some(token) = token {
        command.args(["--header", &format!("authorization: Bearer {token}")]);
    }
    let output = command.arg(url).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    Some(Answer { status, headers, body: body.to_owned() })
}

fn hyper(method: &Method, url: &str, token: Option<&str>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let answer = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body).unwrap(),
        }
    })
}

/// By both, if both are there, which must say the same.
fn ask(method: Method, url: &str, token: Option<&str>) -> Answer {
    let ours = hyper(&method, url, token);
    if let Some(theirs) = curl(&method, url, token) {
        assert_eq!((theirs.status, &theirs.body), (ours.status, &ours.body), "{method} {url}");
        for name in ["www-authenticate", "content-type", "allow", "retry-after", "cache-control"] {
            assert_eq!(theirs.headers.get(name), ours.headers.get(name), "{method} {url}: {name}");
        }
    }
    ours
}

/// A tenant whose service may read documents, and may delete them if that is said.
fn tenant(name: &str, may_delete: bool) -> Emulator {
    let service = AgentSeed::new("agt_service").secret("only-for-tests").capability("read_documents");
    let service = if may_delete { service.capability("delete_documents") } else { service };
    Emulator::builder().tenant(Tenant::new(name).agent(service)).build().unwrap()
}

#[test]
fn the_example_is_asked_by_a_real_client() {
    let (may, may_not) = (tenant("acme", true), tenant("acme", false));
    let all = Serving::start(|_| web_example::app(&agent(&may)));
    let reads = Serving::start(|_| web_example::app(&agent(&may_not)));
    let documents = |service: &Serving| format!("{}/api/documents", service.url);
    let one = |service: &Serving| format!("{}/api/documents/doc-1", service.url);

    let listed = ask(Method::GET, &documents(&all), None);
    assert_eq!((listed.status, listed.body.as_str()), (200, r#"{"documents":["doc-1","doc-2","doc-3"]}"#));
    let deleted = ask(Method::DELETE, &one(&all), None);
    assert_eq!((deleted.status, deleted.body.as_str()), (200, r#"{"deleted":"doc-1"}"#));
    let head = ask(Method::HEAD, &documents(&all), None);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let options = ask(Method::OPTIONS, &documents(&all), None);
    assert_eq!((options.status, options.header("allow")), (405, Some("GET,HEAD")));

    // The service's agent may not delete: nobody learns why.
    assert_eq!(ask(Method::GET, &documents(&reads), None).status, 200);
    let denied = ask(Method::DELETE, &one(&reads), None);
    assert_eq!((denied.status, denied.body.as_str()), (403, r#"{"detail":"Forbidden"}"#));
    assert_eq!((denied.header("www-authenticate"), denied.header("cache-control")), (None, Some("no-store")));
}

#[test]
fn behind_a_check_of_the_caller_it_takes_the_tokens_of_its_tenant_alone() {
    let (acme, globex) = (tenant("acme", true), tenant("globex", true));
    let token = |emulator: &Emulator| {
        run(async { agent(emulator).access_token().await.unwrap().secret().expose().to_owned() })
    };
    let service = Serving::start(|_| {
        let agent = agent(&acme);
        let verifier = TokenVerifier::of(&agent, "agt_service").unwrap();
        web_example::app(&agent).layer(Verified::new(verifier.clone())).merge(metadata_routes(&verifier))
    });
    let url = format!("{}/api/documents", service.url);
    let (own, other) = (token(&acme), token(&globex));
    let bad = format!("{}x", own);
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE, Method::POST] {
        for (token, error) in
            [(None, None), (Some(&bad), Some("invalid_token")), (Some(&other), Some("invalid_token"))]
        {
            let refused = ask(method.clone(), &url, token.map(String::as_str));
            let challenge = refused.header("www-authenticate").unwrap();
            assert_eq!(refused.status, 401, "{method} {token:?}");
            assert_eq!(
                challenge,
                error.map_or("Bearer".to_owned(), |error| format!("Bearer error=\"{error}\""))
            );
            let body = if method == Method::HEAD { "" } else { r#"{"detail":"Unauthorized"}"# };
            assert_eq!(refused.body, body);
        }
    }
    assert_eq!(ask(Method::GET, &url, Some(&own)).status, 200);
    assert_eq!(ask(Method::HEAD, &url, Some(&own)).status, 200);
    assert_eq!(ask(Method::DELETE, &format!("{url}/doc-1"), Some(&own)).status, 200);
    assert_eq!(ask(Method::OPTIONS, &url, Some(&own)).status, 405);
    let elsewhere = ask(Method::GET, &format!("{}/.well-known/oauth-protected-resource", service.url), None);
    assert_eq!(elsewhere.status, 404, "an audience that is no URL has no document");
}
