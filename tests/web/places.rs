//! Where a guard stands: nested routes, and the RFC 9728 document for pages of others.

use axum::routing::get as route;
use axum::{Extension, Router};
use lumoauth::asynchronous::TokenVerifier;
use lumoauth::axum::{metadata_routes, metadata_routes_of};
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::Method;
use lumoauth::service::Caller;
use lumoauth::tower::{ServerAuth, Verified};

use super::support::*;

#[test]
fn a_public_route_is_none_of_a_nested_router() {
    let issuer = Issuer::new();
    run(async {
        let handler = Handler::default();
        let nested = |guard: Verified| Router::new().nest("/admin", handler.behind(guard));
        let app = nested(Verified::new(issuer.verifier()).public(Method::GET, "/health"));
        for path in ["/admin/health", "/health", "/admin/admin/health"] {
            let status = get(&app, path, None).await.status();
            assert!(status == 401 || status == 404, "{path}: {status}");
        }
        assert_eq!(handler.runs(), 0);
        let app = nested(Verified::new(issuer.verifier()).public(Method::GET, "/admin/health"));
        assert_eq!(get(&app, "/admin/health", None).await.status(), 200);
        assert_eq!(get(&app, "/admin/health/", None).await.status(), 401);
        // As a service, and for servers of MCP.
        let auth = ServerAuth::new(issuer.verifier()).public(Method::GET, "/health");
        let app = Router::new().nest_service("/admin", handler.router().layer(auth.layer()));
        assert_eq!(get(&app, "/admin/health", None).await.status(), 401);
        assert_eq!(handler.runs(), 1);
        // Whatever name the request has for the service.
        let app = handler.behind(Verified::new(issuer.verifier()).public(Method::GET, "/health"));
        assert_eq!(get(&app, "http://any.test/health", None).await.status(), 200);
        for path in
            ["http://any.test/health/", "http://any.test//health", "http://any.test/", "http://health"]
        {
            assert_eq!(get(&app, path, None).await.status(), 401, "{path}");
        }
    });
}

#[test]
fn a_page_of_another_site_may_read_the_document() {
    let issuer = Issuer::new();
    let app = Router::new().merge(metadata_routes(&issuer.verifier()));
    run(async {
        for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/v1"] {
            let mut preflight = request(Method::OPTIONS, path, None);
            preflight.headers_mut().insert("origin", "https://page.test".parse().unwrap());
            preflight.headers_mut().insert("access-control-request-method", "GET".parse().unwrap());
            let asked = "mcp-protocol-version".parse().unwrap();
            preflight.headers_mut().insert("access-control-request-headers", asked);
            let response = send(&app, preflight).await;
            assert_eq!(response.status(), 204, "{path}");
            for (name, value) in [("origin", "*"), ("methods", "GET, HEAD"), ("headers", "*")] {
                assert_eq!(header(&response, &format!("access-control-allow-{name}")), Some(value));
            }
            let head = send(&app, request(Method::HEAD, path, None)).await;
            assert_eq!((head.status().as_u16(), text(head).await.len()), (200, 0));
            let read = get(&app, path, None).await;
            assert_eq!(header(&read, "cache-control"), Some("public, max-age=300"));
            assert_eq!(send(&app, request(Method::POST, path, None)).await.status(), 405);
        }
    });
}

/// Two MCP servers in one program, each with its own document; the first one's stands at the root too.
#[test]
fn several_servers_of_one_program_have_a_document_each() {
    let emulator = Emulator::demo().unwrap();
    run(async {
        let agent = agent(&emulator);
        let server = |name: &str| ServerAuth::of(&agent, format!("https://mcp.acme.test/{name}")).unwrap();
        let (files, mail) = (server("files"), server("mail"));
        let inner = || Router::new().route("/", route(async || "in"));
        let app = Router::new()
            .nest_service("/files", inner().layer(files.layer()))
            .nest_service("/mail", inner().layer(mail.layer()))
            .merge(metadata_routes_of([files.verifier(), mail.verifier()]));
        for (behind, name) in [("", "files"), ("/files", "files"), ("/mail", "mail")] {
            let read = get(&app, &format!("/.well-known/oauth-protected-resource{behind}"), None).await;
            assert_eq!(read.status(), 200, "{behind}");
            let document: serde_json::Value = serde_json::from_str(&text(read).await).unwrap();
            assert_eq!(document["resource"], format!("https://mcp.acme.test/{name}"), "{behind}");
        }
        for (server, other) in [("files", "mail"), ("mail", "files")] {
            let (status, challenge, _) = told(get(&app, &format!("/{server}"), None).await).await;
            assert_eq!(status.as_u16(), 401);
            assert!(
                challenge.is_some_and(|text| text.contains(&format!("/{server}\"")) && !text.contains(other))
            );
        }
        for path in ["/mail/", "/mail/files", "/else", "/"] {
            let read = get(&app, &format!("/.well-known/oauth-protected-resource{path}"), None).await;
            assert_eq!(read.status(), 404, "{path}");
        }
    });
}

/// A guard in a guard: what the outer one found out is not what the inner one says of a public route.
#[test]
fn a_caller_of_another_guard_is_none_of_this_one() {
    let issuer = Issuer::new();
    let handler = Router::new()
        .route("/raw", route(async |caller: Option<Extension<Caller>>| caller.is_some().to_string()))
        .route("/caller", route(async |_: Caller| "in"));
    let web = Verified::new(issuer.verifier());
    let mcp = ServerAuth::new(issuer.verifier());
    for app in [
        handler.clone().layer(web.public(Method::GET, "/raw").public(Method::GET, "/caller")),
        handler.layer(mcp.public(Method::GET, "/raw").public(Method::GET, "/caller").layer()),
    ] {
        let app = app.layer(Verified::new(issuer.verifier()));
        run(async {
            assert_eq!(text(get(&app, "/raw", Some(&issuer.person())).await).await, "false");
            let (status, challenge, _) = told(get(&app, "/caller", Some(&issuer.person())).await).await;
            assert_eq!((status.as_u16(), challenge.as_deref()), (401, Some("Bearer")));
        });
    }
}

/// The audience of a server that is registered is read before anybody is judged; until it is had, everybody is refused.
#[test]
fn who_the_server_is_must_be_known_before_anybody_is_judged() {
    let emulator = Emulator::demo().unwrap();
    let site = emulator.site().clone();
    let config = |id: &str| {
        lumoauth::service::verifier_config(|name| match name {
            "LUMOAUTH_URL" => Some(site.base_url()),
            "LUMOAUTH_TENANT" => Some("acme-corp".to_owned()),
            "LUMOAUTH_MCP_SERVER_ID" => Some(id.to_owned()),
            _ => None,
        })
        .unwrap()
    };
    run(async {
        let client = agent(&emulator);
        let token = client.token_for("my-mcp-server").await.unwrap().secret().expose().to_owned();
        let handler = Handler::default();
        let verifier = TokenVerifier::build_with(config("mcp_0001"), emulator.transport()).unwrap();
        let app = handler.behind(Verified::new(verifier));
        let route = "wellknown.oauth_protected_resource.mcp";
        emulator.fault(FaultRule::on(route).status(503).always()).unwrap();
        for bearer in [None, Some(&*token), Some("x")] {
            let response = get(&app, "/x", bearer).await;
            assert_eq!((response.status().as_u16(), header(&response, "www-authenticate")), (503, None));
        }
        emulator.clear_faults();
        emulator.advance(std::time::Duration::from_secs(60));
        let (status, challenge, _) = told(get(&app, "/x", None).await).await;
        let document =
            "resource_metadata=\"https://mcp.acme.test/.well-known/oauth-protected-resource/my-mcp-server\"";
        assert_eq!((status.as_u16(), challenge), (401, Some(format!("Bearer {document}"))));
        assert_eq!(handler.runs(), 0);
        assert_eq!(get(&app, "/x", Some(&token)).await.status(), 200);
        // Of a server that nobody knows, nobody is told anything, and nobody gets in.
        let verifier = TokenVerifier::build_with(config("mcp_none"), emulator.transport()).unwrap();
        let app = handler.behind(Verified::new(verifier));
        assert_eq!(get(&app, "/x", Some(&token)).await.status(), 503);
        assert_eq!(handler.runs(), 1);
    });
}
