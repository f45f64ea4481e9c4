//! The page of another site, which a browser on this machine has open too: it changes nothing here.

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{AAuthAgentSeed, AAuthResourceSeed, Emulator, Tenant, TokenKind, UserSeed};
use lumoauth::http::header::{HeaderName, HeaderValue, LOCATION};
use lumoauth::http::{Method, StatusCode};

use crate::support::{bot, form, small, token_request};

/// What browsers say of a request for another site's page, in all the ways that there are.
const ELSEWHERE: [&[(&str, &str)]; 7] = [
    &[("origin", "https://evil.test")],
    &[("origin", "null")],
    &[("origin", "http://lumoauth.test")],
    &[("origin", "https://lumoauth.test.evil.test")],
    &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
    &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors"), ("origin", "https://lumoauth.test")],
    &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
];
const NAVIGATION: &[(&str, &str)] =
    &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

fn with(request: Request, headers: &[(&'static str, &'static str)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(HeaderName::from_static(name), HeaderValue::from_static(value))
    })
}

fn automatic() -> Emulator {
    let agent = bot().redirect_uri("https://app.test/cb").scopes(["offline_access"]);
    let tenant = Tenant::new("acme").agent(agent).user(UserSeed::new("alice").scopes(["read_document"]));
    let tenant = tenant
        .aauth_agent(AAuthAgentSeed::new("aag_1", "https://agent.test"))
        .aauth_resource(AAuthResourceSeed::served("reports"));
    Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap()
}

fn authorize(emulator: &Emulator) -> Request {
    let query = format!(
        "response_type=code&client_id=agt_bot&redirect_uri=https%3A%2F%2Fapp.test%2Fcb&scope=read_document&state=s\
         &code_challenge={}&code_challenge_method=S256",
        "a".repeat(43)
    );
    let url = format!("{}?{query}", emulator.site().url(routes::AUTHORIZE));
    Request::new(Method::GET, url.parse().unwrap())
}

fn answer(emulator: &Emulator, request: &Request) -> Response {
    emulator.handle_in_process(request).response
}

#[test]
fn e13_automatic_consent_is_not_for_the_page_of_another_site() {
    for headers in ELSEWHERE {
        let emulator = automatic();
        let response = answer(&emulator, &with(authorize(&emulator), headers));
        assert_eq!(response.status(), 403, "{headers:?}");
        assert_eq!(response.header(LOCATION), None);
        assert!(emulator.consented_scopes("alice", "agt_bot").is_empty(), "{headers:?}");
        assert!(emulator.pending_consents().is_empty(), "{headers:?}");
    }
    // A person's window may be sent here by an application: then the person decides.
    let emulator = automatic();
    let response = answer(&emulator, &with(authorize(&emulator), NAVIGATION));
    assert_eq!((response.status(), response.header(LOCATION)), (StatusCode::OK, None));
    assert!(emulator.consented_scopes("alice", "agt_bot").is_empty());
    assert_eq!(emulator.pending_consents().len(), 1);
    // Programs and the person's own address bar are answered as before.
    let own: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", "https://lumoauth.test")],
    ];
    for headers in own {
        let emulator = automatic();
        let response = answer(&emulator, &with(authorize(&emulator), headers));
        assert_eq!(response.status(), 302, "{headers:?}");
        assert!(response.header(LOCATION).unwrap().contains("code="), "{headers:?}");
    }
}

#[test]
fn e13_no_route_does_anything_for_the_page_of_another_site() {
    let emulator = automatic();
    let base = emulator.site().base_url();
    let paths = [
        "oauth/token",
        "oauth/authorize",
        "oauth/par",
        "oauth/device_authorization",
        "oauth/device",
        "oauth/revoke",
        "oauth/introspect",
        "oauth/userinfo",
        "agents/ask",
        "agents/register",
        "mcp/x/challenge",
        "aauth/agent/token",
        "aauth/agent/issue",
        "aauth/agent/platform-token",
        "aauth/resource/token",
        "aauth/resource/token/verify",
        "aauth/auth/token/verify",
        "aauth/token/revoke",
        "aauth-demo/reports/token",
        "aauth-demo/reports/data",
    ];
    let api = paths.map(|path| format!("{base}/t/acme/api/v1/{path}"));
    let portal = [format!("{base}/orgs/acme/portal/aauth/authorize")];
    let mut tried = 0;
    for url in api.into_iter().chain(portal) {
        for headers in ELSEWHERE.iter().chain([&NAVIGATION]) {
            let post = Request::new(Method::POST, url.parse().unwrap()).form(form("agt_bot", "s3cret"));
            let response = answer(&emulator, &with(post, headers));
            assert_eq!(response.status(), 403, "{url} {headers:?}");
            tried += 1;
        }
    }
    println!("E13: {tried} requests of other sites, {} tokens", emulator.token_count(TokenKind::Access));
    assert_eq!(emulator.token_count(TokenKind::Access), 0);
    assert!(emulator.pending_devices().is_empty() && emulator.pending_consents().is_empty());
    // The same request by a program.
    assert_eq!(answer(&emulator, &token_request(emulator.site(), form("agt_bot", "s3cret"))).status(), 200);
}

#[test]
fn e13_pages_are_for_windows_and_documents_for_everybody() {
    let emulator = automatic();
    let base = emulator.site().base_url();
    for page in
        ["t/acme/api/v1/oauth/device", "t/acme/api/v1/aauth/agent/auth", "orgs/acme/portal/aauth/authorize"]
    {
        let request = || Request::new(Method::GET, format!("{base}/{page}").parse().unwrap());
        for headers in ELSEWHERE {
            assert_eq!(answer(&emulator, &with(request(), headers)).status(), 403, "{page} {headers:?}");
        }
        assert_ne!(answer(&emulator, &with(request(), NAVIGATION)).status(), 403, "{page}");
    }
    for headers in ELSEWHERE.iter().chain([&NAVIGATION]) {
        let request = Request::new(Method::GET, emulator.site().url(routes::JWKS));
        assert_eq!(answer(&emulator, &with(request, headers)).status(), 200, "{headers:?}");
    }
}

/// A decision comes from the page itself, whose browser says so; the page lets it say its origin.
#[test]
fn the_page_itself_may_decide() {
    let emulator = small();
    let device = Request::new(Method::GET, emulator.site().join("oauth/device").unwrap());
    let page = answer(&emulator, &device);
    assert_eq!(page.header(lumoauth::http::header::REFERRER_POLICY), Some("same-origin"));
    let form = || Form::new().field("request", "x").field("csrf", "y").field("user_code", "z");
    let decide = |headers| {
        let post = Request::new(Method::POST, emulator.site().join("oauth/device").unwrap()).form(form());
        answer(&emulator, &with(post, headers)).status()
    };
    assert_eq!(decide(&[("origin", "https://lumoauth.test"), ("sec-fetch-site", "same-origin")]), 400);
    assert_eq!(decide(&[("origin", "https://lumoauth.test")]), 400);
    assert_eq!(decide(&[("origin", "https://evil.test")]), 403);
}
