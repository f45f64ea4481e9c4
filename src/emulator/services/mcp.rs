//! MCP servers as protected resources: metadata (RFC 9728), the list, the challenge and its step-up.

use http::StatusCode;
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::{access_token, caller};
use crate::emulator::state::State;
use crate::emulator::state::tokens::Principal;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::McpServerSeed;
use crate::operations::routes;
use crate::route::Route;

/// What an agent needs to look at the servers' settings.
const MAY_MANAGE: &str = "settings.manage";

/// Envelope D.
fn unknown() -> Answer {
    let body = json!({"error": "not_found", "message": "There is no such MCP server"});
    Answer::json(StatusCode::NOT_FOUND, &body)
}

fn servers<'s>(state: &'s State, call: &Call<'_>) -> &'s [McpServerSeed] {
    let tenant = state.world.tenants.get(call.tenant);
    tenant.map(|tenant| tenant.seed.mcp_servers.as_slice()).unwrap_or_default()
}

/// The server that the path names, by id or name.
fn named<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s McpServerSeed, Answer> {
    let id = call.id;
    servers(state, call).iter().find(|server| server.server_id == id || server.name == id).ok_or_else(unknown)
}

fn metadata_url(call: &Call<'_>, server: &McpServerSeed) -> String {
    format!("{}/{}/mcp/{}", call.issuer(), routes::PROTECTED_RESOURCE.path(), server.server_id)
}

/// LumoAuth lists metadata URLs where RFC 9728 section 2 wants issuers.
fn authorization_servers(call: &Call<'_>) -> Value {
    let issuer = call.issuer();
    if call.settings.issuers_in_resource_metadata {
        json!([issuer])
    } else {
        json!([format!("{issuer}/{}", routes::AUTHORIZATION_SERVER.path())])
    }
}

fn document(call: &Call<'_>, server: &McpServerSeed, uri: &str) -> Answer {
    Answer::cacheable(&json!({
        "resource": uri,
        "resource_name": server.name,
        "authorization_servers": authorization_servers(call),
        "bearer_methods_supported": ["header"],
        "scopes_supported": server.scopes,
    }))
}

/// The root document: the one server's, or a list of several.
fn root(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let protected: Vec<(&McpServerSeed, &String)> = servers(state, call)
        .iter()
        .filter_map(|server| Some((server, server.resource_uri.as_ref()?)))
        .collect();
    match protected.as_slice() {
        [] => Err(unknown()),
        [(server, uri)] => Ok(document(call, server, uri)),
        several => Ok(Answer::cacheable(&json!({"resources": several.iter().map(|(server, uri)| json!({
            "resource": uri,
            "resource_metadata_url": metadata_url(call, server),
            "authorization_servers": authorization_servers(call),
        })).collect::<Vec<_>>()}))),
    }
}

/// The document of one server.
fn metadata(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let server = named(state, call)?;
    match &server.resource_uri {
        Some(uri) => Ok(document(call, server, uri)),
        None => Err(Answer::bad_oauth("not_applicable", "The server has no Resource URI")),
    }
}

fn manager(state: &State, call: &mut Call<'_>) -> Result<(), Answer> {
    let caller = caller(state, call)?;
    let tenant = state.world.tenants.get(call.tenant);
    let may = match (&caller.principal, &caller.client_id) {
        (Principal::Agent, Some(id)) => {
            tenant.and_then(|tenant| tenant.agent(id)).is_some_and(|agent| agent.has_capability(MAY_MANAGE))
        }
        _ => caller.has_scope(MAY_MANAGE),
    };
    if may { Ok(()) } else { Err(Answer::missing_scope(MAY_MANAGE, &caller.scopes)) }
}

fn row(server: &McpServerSeed) -> Value {
    json!({
        "id": server.server_id,
        "server_id": server.server_id,
        "name": server.name,
        "resource_uri": server.resource_uri,
        "transport": "streamable-http",
        "auth_mode": if server.resource_uri.is_some() { "oauth" } else { "none" },
        "status": "active",
    })
}

/// `mcp.servers.list`: every server, on one page.
fn list(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    manager(state, call)?;
    let rows: Vec<Value> = servers(state, call).iter().map(row).collect();
    let meta = json!({
        "total": rows.len(), "page": 1, "limit": rows.len().max(25), "totalPages": 1,
        "hasNextPage": false, "hasPreviousPage": false,
    });
    Ok(Answer::ok(&json!({"servers": rows, "data": rows, "pagination": meta})))
}

/// `mcp.servers.get`.
fn get(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    manager(state, call)?;
    let server = named(state, call)?;
    let mut row = row(server);
    if let Some(row) = row.as_object_mut() {
        row.insert("scopes_supported".into(), json!(server.scopes));
        row.insert("require_pkce".into(), json!(true));
        row.insert("require_dpop".into(), json!(false));
        row.insert("token_lifetime".into(), json!(call.settings.lifetime));
        row.insert(
            "discovery".into(),
            json!({
                "authorization_server_metadata":
                    format!("{}/{}", call.issuer(), routes::AUTHORIZATION_SERVER.path()),
                "protected_resource_metadata": metadata_url(call, server),
                "www_authenticate_example": challenge(call, server, None),
            }),
        );
    }
    Ok(Answer::ok(&row))
}

/// `WWW-Authenticate` (RFC 9728 section 5.1, RFC 6750 section 3).
fn challenge(call: &Call<'_>, server: &McpServerSeed, error: Option<(&str, &str)>) -> String {
    let mut text = "Bearer ".to_owned();
    if let Some((code, description)) = error {
        text.push_str(&format!("error=\"{code}\", error_description=\"{description}\", "));
    }
    text.push_str(&format!("resource_metadata=\"{}\"", metadata_url(call, server)));
    if !server.demands().is_empty() {
        text.push_str(&format!(", scope=\"{}\"", server.demands().join(" ")));
    }
    text
}

/// `mcp.challenge`: what an MCP server says to a token.
fn challenged(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let server = named(state, call)?;
    let token = access_token(state, call).map_err(|refused| {
        let error = refused.code.map(|code| (code, refused.problem));
        Answer::oauth(refused.status, refused.code.unwrap_or("invalid_token"), refused.problem)
            .challenge(&challenge(call, server, error))
    })?;
    if !token.audience.iter().any(|audience| audience == server.audience()) {
        let problem = "The token is for another audience";
        return Err(Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_token", problem).challenge(&challenge(
            call,
            server,
            Some(("invalid_token", problem)),
        )));
    }
    if !server.demands().iter().all(|scope| token.scopes.contains(scope)) {
        return Err(step_up(call, server));
    }
    Ok(Answer::ok(&json!({"status": "authenticated", "server": server.name, "server_id": server.server_id})))
}

/// 403: more scopes are needed (RFC 6750 section 3.1).
fn step_up(call: &Call<'_>, server: &McpServerSeed) -> Answer {
    let problem = "The token has too few scopes";
    let body = json!({
        "error": "insufficient_scope",
        "error_description": problem,
        "scope": server.demands().join(" "),
        "resource_metadata": metadata_url(call, server),
    });
    let error = Some(("insufficient_scope", problem));
    Answer::json(StatusCode::FORBIDDEN, &body).challenge(&challenge(call, server, error))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::document(routes::PROTECTED_RESOURCE, root),
    Service::document(
        Route::get("wellknown.oauth_protected_resource.mcp", ".well-known/oauth-protected-resource/mcp/{id}"),
        metadata,
    ),
    Service::of(Route::get("mcp.servers.list", "mcp/servers"), "GET, HEAD", list),
    Service::of(Route::get("mcp.servers.get", "mcp/servers/{id}"), "GET, HEAD", get),
    Service::of(Route::get("mcp.challenge", "mcp/{id}/challenge"), "GET, POST", challenged),
];
