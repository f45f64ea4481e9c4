//! Tokens bound to one MCP server, and how such a server says what it wants (RFC 8693, RFC 8707, RFC 9728).

use http::{Method, Uri};
use serde_json::{Map, Value};

use super::discovery::{AUTHORIZATION_SERVER, ServerMetadata};
use super::exchange::{Exchange, bound_alone, is_resource, told_alone};
use super::token::{TOKEN, bearer};
use crate::credentials::ClientAuth;
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::origin::{Origin, absolute, same_resource};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::site::Site;
use crate::token::AccessToken;
use crate::wire::{self, Request, Response};

/// What the service says of the resources that it knows (RFC 9728).
pub const PROTECTED_RESOURCE: Route =
    Route::get("wellknown.oauth_protected_resource", ".well-known/oauth-protected-resource");
pub(super) const ROUTES: &[Route] = &[PROTECTED_RESOURCE];

/// Trades the agent's token for one that is bound to an MCP server. `POST oauth/token`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | server: its id, name, URN or Resource URI | REQUIRED | `audience`; an absolute `http(s)` URI as `resource` too (RFC 8707) |
/// | scopes | OPTIONAL | `scope`; the answer may not have more |
/// | the agent's token | REQUIRED | `subject_token`, by the session |
/// | client authentication | OPTIONAL, none as the vendor's SDKs | in the body or as Basic |
///
/// The token is of use at that server only. `Agent::mcp_token` runs this and holds the token while it is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpToken {
    server: String,
    scopes: Scopes,
    client_auth: Option<ClientAuth>,
}

impl McpToken {
    /// For this server.
    pub fn new(server: impl Into<String>) -> Self {
        McpToken { server: server.into(), scopes: Scopes::none(), client_auth: None }
    }

    /// Only these scopes.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Authenticates the client as well, which strict services demand.
    ///
    /// ```
    /// use lumoauth::{ClientAuth, McpToken};
    ///
    /// // For `agent.mcp_token(..)`, and for `agent.mcp(..)`, which keeps to it.
    /// let wanted = McpToken::new("https://mcp.acme.test/files").client_auth(ClientAuth::Basic);
    /// # assert_eq!(wanted.asked_client_auth(), Some(ClientAuth::Basic));
    /// ```
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = Some(client_auth);
        self
    }

    /// Which server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The scopes asked for.
    pub fn asked_scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The resource that the token is bound to, if the server is named by it.
    pub(crate) fn resource(&self) -> Option<&str> {
        is_resource(&self.server).then_some(&*self.server)
    }

    /// How the client authenticates itself, if it is to.
    pub fn asked_client_auth(&self) -> Option<ClientAuth> {
        self.client_auth
    }

    /// The service names a server by its Resource URI, if it has one: a bare id cannot be compared.
    fn check_bound(&self, token: &AccessToken) -> Result<(), Error> {
        if bound_alone(token, self.resource()).map_err(unusable)? {
            Ok(())
        } else {
            Err(unusable("it is not bound to the MCP server alone"))
        }
    }
}

impl From<&str> for McpToken {
    fn from(server: &str) -> Self {
        McpToken::new(server)
    }
}

impl From<String> for McpToken {
    fn from(server: String) -> Self {
        McpToken::new(server)
    }
}

impl From<&String> for McpToken {
    fn from(server: &String) -> Self {
        McpToken::new(server)
    }
}

fn unusable(problem: &'static str) -> Error {
    ProtocolError::new(TOKEN.name(), 200, ProtocolFault::UnusableToken { problem }).into()
}

impl Operation for McpToken {
    type Output = AccessToken;

    fn terms(&self) -> Terms {
        let auth = self.client_auth.map_or(Auth::InBody, Auth::InBodyBy);
        Terms::new(TOKEN.name(), Effect::Repeatable, auth).total(super::token::TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.server.is_empty() || self.server.chars().any(char::is_control) {
            return Err(InputError::new("server", "is empty or has a control character").into());
        }
        let missing = || InputError::new("token", "of the agent is missing: run this through a session");
        let token = context.token().ok_or_else(missing)?;
        let mut exchange =
            Exchange::new(token.secret().clone()).audience(&self.server).scopes(self.scopes.clone());
        if let Some(resource) = self.resource() {
            exchange = exchange.resource(resource);
        }
        exchange.request(context)
    }

    fn response(&self, response: &Response) -> Result<Answer<AccessToken>, Error> {
        let exchange = Exchange::new("").scopes(self.scopes.clone());
        match exchange.response(response)? {
            Answer::Done(tokens) => {
                self.check_bound(&tokens.access)?;
                if !told_alone(response, self.resource())? {
                    return Err(unusable("the answer says that it is for another resource"));
                }
                let token = bearer(tokens.access)?;
                Ok(Answer::Done(match self.resource() {
                    Some(resource) => token.for_resource(resource),
                    None => token,
                }))
            }
            Answer::Again(after) => Ok(Answer::Again(after)),
        }
    }
}

/// Reads what a protected resource says of itself (RFC 9728 section 3), without any credential.
#[derive(Clone, Debug)]
pub struct GetResourceMetadata {
    url: Uri,
    origin: Option<Origin>,
    resource: String,
}

impl GetResourceMetadata {
    /// Of this resource, at a URL of [`resource_metadata_urls`] or of a challenge. The answer must name the resource
    /// exactly so.
    pub fn new(resource: impl Into<String>, url: Uri) -> Self {
        GetResourceMetadata { origin: Origin::of(&url), url, resource: resource.into() }
    }
}

impl Operation for GetResourceMetadata {
    type Output = ResourceMetadata;

    fn terms(&self) -> Terms {
        let terms = Terms::new(PROTECTED_RESOURCE.name(), Effect::Read, Auth::None);
        terms.body_limit(1024 * 1024).named_origin(self.origin.clone())
    }

    fn request(&self, _: &Context<'_>) -> Result<Request, Error> {
        Ok(Request::new(Method::GET, self.url.clone()))
    }

    fn response(&self, response: &Response) -> Result<Answer<ResourceMetadata>, Error> {
        let mut fields = wire::read(PROTECTED_RESOURCE.name(), response)?;
        // A root document of several resources (`docs/wire.md`, M-root).
        if let Some(list) = fields.value("resources") {
            let Value::Array(list) = list else {
                return Err(fields.mistyped("resources", "a list of objects", &list));
            };
            let ours = list.into_iter().find(|entry| {
                entry
                    .get("resource")
                    .and_then(Value::as_str)
                    .is_some_and(|name| same_resource(name, &self.resource))
            });
            let Some(Value::Object(ours)) = ours else {
                return Err(
                    fields.fault(ProtocolFault::Other("the resource is not among those of the document"))
                );
            };
            fields = Fields::new(PROTECTED_RESOURCE.name(), response.status().as_u16(), ours);
        }
        let resource = fields.required_text("resource")?;
        if !same_resource(&resource, &self.resource) {
            let problem = "the document is about another resource than the one asked about";
            return Err(fields.fault(ProtocolFault::Other(problem)));
        }
        let authorization_servers = fields.texts("authorization_servers")?;
        let scopes_supported = Scopes::from(fields.texts("scopes_supported")?);
        Ok(Answer::Done(ResourceMetadata {
            resource,
            authorization_servers,
            scopes_supported,
            extra: fields.rest(),
        }))
    }
}

/// What a protected resource says of itself. It says so itself: nothing in here is a reason to send a credential anywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Scopes,
    extra: Map<String, Value>,
}

impl ResourceMetadata {
    /// `resource`, equal to the one asked about.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// `authorization_servers` as written: issuers, or their metadata URLs, as this service writes them.
    pub fn authorization_servers(&self) -> &[String] {
        &self.authorization_servers
    }

    /// `scopes_supported`.
    pub fn scopes_supported(&self) -> &Scopes {
        &self.scopes_supported
    }

    /// Everything else.
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Makes sure that the configured service is one that the resource takes tokens of: by its issuer, byte for byte as
    /// the service's own metadata says it, or by the URL of that metadata. One slash behind an empty path does not count, here
    /// alone: tokens and answers are of the issuer that the metadata names.
    ///
    /// # Errors
    /// [`ProtocolFault::ForeignAuthorizationServer`] if it is not: the agent's credentials belong to no other service.
    /// [`ProtocolFault::Other`] if the service does not say that it supports PKCE with S256, which MCP requires.
    pub fn check_authorization_server(&self, site: &Site, service: &ServerMetadata) -> Result<(), Error> {
        let fault = |fault| Error::from(ProtocolError::new(PROTECTED_RESOURCE.name(), 200, fault));
        let metadata_url = site.url(AUTHORIZATION_SERVER).to_string();
        if !self.authorization_servers.iter().any(|own| names(own, service.issuer()) || *own == metadata_url)
        {
            let origin = self.authorization_servers.first().and_then(|url| Origin::parse(url).ok());
            let origin = origin.map_or_else(|| "none".to_owned(), |origin| origin.to_string());
            return Err(fault(ProtocolFault::ForeignAuthorizationServer { origin }));
        }
        if !service.supports_s256() {
            let problem = "the authorization server does not say that it supports PKCE with S256";
            return Err(fault(ProtocolFault::Other(problem)));
        }
        Ok(())
    }
}

/// True if an entry of `authorization_servers` names this issuer. An origin is written with a slash behind it or without, by programs
/// that normalise URLs and by people who do not.
fn names(entry: &str, issuer: &str) -> bool {
    let bare = |url: &'_ str| -> Option<usize> {
        let (scheme, rest) = url.split_once("://")?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let plain = !host.is_empty() && !host.contains(['/', '?', '#']);
        plain.then(|| scheme.len().saturating_add(3).saturating_add(host.len()))
    };
    entry == issuer
        || match (bare(entry), bare(issuer)) {
            (Some(own), Some(other)) => entry.get(..own) == issuer.get(..other),
            _ => false,
        }
}

/// Where a resource's description is looked for, in order (RFC 9728 section 3.1): with the resource's path behind the
/// well-known one, as it is and without a slash at its end, which servers leave out; then at the root of its origin.
///
/// # Errors
/// [`InputError`] if the resource is not an absolute `https` URL (or `http` to this machine) without fragment.
pub fn resource_metadata_urls(resource: &str) -> Result<Vec<Uri>, InputError> {
    let (origin, url) = server_url(resource)?;
    // The slash behind the host alone is no path.
    let tail = url.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    let tail = if tail == "/" { "" } else { tail };
    let mut urls = Vec::with_capacity(3);
    for tail in [tail, tail.trim_end_matches('/'), ""] {
        let url = format!("{origin}/{}{tail}", PROTECTED_RESOURCE.path()).parse();
        let url: Uri = url.map_err(|_| InputError::new("server", "is not a usable URL"))?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(urls)
}

/// The URL of an MCP server that is spoken to.
pub(crate) fn server_url(server: &str) -> Result<(Origin, Uri), InputError> {
    if server.contains('#') {
        return Err(InputError::new("server", "has a fragment (\"#\"), which a resource never has"));
    }
    if !server.contains("://") {
        let problem = "is a name, and requests need the server's Resource URI (https://...); a token alone takes a name";
        return Err(InputError::new("server", problem));
    }
    absolute("server", server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};

    fn urls(resource: &str) -> Vec<String> {
        resource_metadata_urls(resource).unwrap().iter().map(Uri::to_string).collect()
    }

    #[test]
    fn where_descriptions_are() {
        assert_eq!(
            urls("https://h.example/mcp/x?y=1"),
            [
                "https://h.example/.well-known/oauth-protected-resource/mcp/x?y=1",
                "https://h.example/.well-known/oauth-protected-resource",
            ]
        );
        assert_eq!(urls("https://h.example/"), ["https://h.example/.well-known/oauth-protected-resource"]);
        assert_eq!(
            urls("https://h.example/mcp/"),
            [
                "https://h.example/.well-known/oauth-protected-resource/mcp/",
                "https://h.example/.well-known/oauth-protected-resource/mcp",
                "https://h.example/.well-known/oauth-protected-resource",
            ]
        );
        assert_eq!(
            urls("https://h.example:8443")[0],
            "https://h.example:8443/.well-known/oauth-protected-resource"
        );
        for bad in ["files", "urn:mcp:files", "http://h.example/", "https://h/#x", "https://u@h/", ""] {
            assert!(resource_metadata_urls(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_authorization_server_is_named_by_its_issuer_with_or_without_one_slash_behind_an_empty_path() {
        let (bare, path) = ("https://id.example", "https://id.example/t/acme");
        for (entry, issuer) in [
            (bare, bare),
            ("https://id.example/", bare),
            (bare, "https://id.example/"),
            ("https://id.example:8443/", "https://id.example:8443"),
            (path, path),
        ] {
            assert!(names(entry, issuer), "{entry} {issuer}");
        }
        for (entry, issuer) in [
            ("https://id.example//", bare),
            ("https://id.example/", path),
            ("https://id.example/t/acme/", path),
            (path, "https://id.example/t/acme/"),
            ("https://id.example/?", bare),
            ("https://id.example?/", bare),
            ("https://id.example#/", bare),
            ("https://id.example/.", bare),
            ("https://ID.example/", bare),
            ("HTTPS://id.example/", bare),
            ("http://id.example/", bare),
            ("https://id.example:443/", bare),
            ("https://id.example.evil.test/", bare),
            ("https://id.example\\/", bare),
            ("https://", "https:///"),
            ("id.example/", "id.example"),
            ("/", ""),
            ("", bare),
        ] {
            assert!(!names(entry, issuer), "{entry} {issuer}");
        }
    }

    #[test]
    fn an_unbound_token_is_refused() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let check = |server: &str, payload: &str| {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":60}}"#);
            McpToken::new(server).response(&Response::new(StatusCode::OK, HeaderMap::new(), body)).is_ok()
        };
        let uri = "https://files.example/mcp";
        assert!(check(uri, r#"{"aud":"https://files.example/mcp"}"#));
        assert!(check(uri, r#"{"aud":["https://files.example/mcp"]}"#));
        assert!(check("files", r#"{"aud":"mcp_files"}"#));
        for (server, payload) in [
            (uri, "{}"),
            (uri, r#"{"aud":"https://files.example/mcp/"}"#),
            (uri, r#"{"aud":"https://files.example"}"#),
            (uri, r#"{"aud":["x","https://files.example/mcp"]}"#),
            (uri, r#"{"aud":["https://files.example/mcp","another"]}"#),
            (uri, r#"{"aud":["https://files.example/mcp","https://files.example/mcp"]}"#),
            ("files", r#"{"aud":["mcp_files","another"]}"#),
            (uri, r#"{"aud":"https://files.example/mcp","act":5}"#),
            (uri, r#"{"aud":"https://files.example/mcp","aud":"https://files.example/mcp"}"#),
            (uri, r#"{"aud":[]}"#),
            (uri, r#"{"aud":7}"#),
            ("files", "{}"),
            ("files", r#"{"aud":""}"#),
            ("files", r#"{"aud":[]}"#),
            ("files", r#"{"aud":7}"#),
        ] {
            assert!(!check(server, payload), "{server} {payload}");
        }
    }
}
