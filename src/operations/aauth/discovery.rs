//! The documents that tell who is who: the issuer, its keys, agents and resources.

use http::Method;
use serde_json::{Map, Value};

use super::identifier;
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::json::{self, Fields};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::{Base, Route};
use crate::wire::{self, Request, Response};

/// What the issuer says of itself.
pub const ISSUER: Route = Route::get("wellknown.aauth_issuer", ".well-known/aauth-issuer");
/// The tenant's agents.
pub const AGENTS: Route = Route::get("wellknown.aauth_agent", ".well-known/aauth-agent");
/// The tenant's resources.
pub const RESOURCES: Route = Route::get("wellknown.aauth_resource", ".well-known/aauth-resource");
/// The keys that AAuth's tokens are signed with.
pub const KEYS: Route = Route::get("aauth.jwks", "aauth/jwks.json");
pub(super) const ROUTES: &[Route] = &[ISSUER, AGENTS, RESOURCES, KEYS];

const LIMIT: usize = 1024 * 1024;

fn public(route: Route) -> Terms {
    Terms::new(route.name(), Effect::Read, Auth::None).body_limit(LIMIT)
}

/// Reads the issuer's description. `GET .well-known/aauth-issuer`, no parts: behind the tenant's API base, or at the root.
/// Ask for the first, and for the second upon anything but a good document (`docs/wire.md`, aauth-discovery).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetIssuer {
    root: bool,
}

impl GetIssuer {
    /// The tenant's.
    pub const fn scoped() -> Self {
        GetIssuer { root: false }
    }

    /// The one at the root of the host.
    pub const fn at_root() -> Self {
        GetIssuer { root: true }
    }
}

impl Operation for GetIssuer {
    type Output = IssuerMetadata;

    fn terms(&self) -> Terms {
        public(ISSUER)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(if self.root { ISSUER.behind(Base::Root) } else { ISSUER }))
    }

    fn response(&self, response: &Response) -> Result<Answer<IssuerMetadata>, Error> {
        let mut fields = super::read(ISSUER, response)?;
        let issuer = fields.required_text("issuer")?;
        let jwks_uri = fields.text("jwks_uri")?;
        let token_algorithms = fields.texts("token_signing_algs_supported")?;
        let agent_algorithms = fields.texts("agent_signing_algs_supported")?;
        let scopes = fields.texts("scopes_supported")?;
        let field = "authorization_response_iss_parameter_supported";
        let answers_carry_issuer = match fields.value(field) {
            None => false,
            Some(Value::Bool(carries)) => carries,
            Some(other) => return Err(fields.mistyped(field, "true or false", &other)),
        };
        Ok(Answer::Done(IssuerMetadata {
            issuer,
            jwks_uri,
            token_algorithms,
            agent_algorithms,
            scopes,
            answers_carry_issuer,
            extra: fields.rest(),
        }))
    }
}

/// What the issuer says of itself. Endpoints are not taken from here: those are always the site's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IssuerMetadata {
    /// The issuer, to be compared byte for byte.
    pub issuer: String,
    /// Where it says that its keys are. [`GetKeys`] asks the site.
    pub jwks_uri: Option<String>,
    /// What its tokens are signed with.
    pub token_algorithms: Vec<String>,
    /// What agents may sign with.
    pub agent_algorithms: Vec<String>,
    /// The scopes that it knows.
    pub scopes: Vec<String>,
    /// True if answers of the consent flow name the issuer (RFC 9207 section 3).
    pub answers_carry_issuer: bool,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// Reads agents' descriptions: all of the tenant. `GET .well-known/aauth-agent`, no parts. A list, or one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetAgents(());

impl GetAgents {
    /// Of the tenant.
    pub const fn new() -> Self {
        GetAgents(())
    }
}

impl Operation for GetAgents {
    type Output = Vec<AgentEntry>;

    fn terms(&self) -> Terms {
        public(AGENTS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(AGENTS))
    }

    fn response(&self, response: &Response) -> Result<Answer<Vec<AgentEntry>>, Error> {
        entries(AGENTS.name(), response, |fields| {
            Ok(AgentEntry {
                agent: fields.required_text("agent")?,
                jwks_uri: fields.required_text("jwks_uri")?,
                redirect_uris: fields.texts("redirect_uris")?,
                name: fields.text("name")?,
                extra: Map::new(),
            })
        })
        .map(|found| found.into_iter().map(|(entry, extra)| AgentEntry { extra, ..entry }).collect())
        .map(Answer::Done)
    }
}

/// An agent as the directory has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgentEntry {
    /// Its identifier: an HTTPS URL, compared byte for byte.
    pub agent: String,
    /// Where its keys are. Not followed here.
    pub jwks_uri: String,
    /// Where people may come back to after consent.
    pub redirect_uris: Vec<String>,
    /// Its name.
    pub name: Option<String>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// Reads resources' descriptions. `GET .well-known/aauth-resource`: all of the tenant, or that of one resource.
///
/// | part | | |
/// |---|---|---|
/// | resource | OPTIONAL | asked at its own origin, which the client must allow |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetResources {
    resource: Option<String>,
}

impl GetResources {
    /// All of the tenant.
    pub const fn new() -> Self {
        GetResources { resource: None }
    }

    /// What a resource says of itself, at its own place.
    pub fn of(resource: impl Into<String>) -> Self {
        GetResources { resource: Some(resource.into()) }
    }
}

impl Operation for GetResources {
    type Output = Vec<ResourceEntry>;

    fn terms(&self) -> Terms {
        public(RESOURCES)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let Some(resource) = &self.resource else {
            return Ok(context.to(RESOURCES));
        };
        identifier("resource", resource)?;
        if resource.contains('?') {
            return Err(InputError::new("resource", "has a query").into());
        }
        let url = format!("{}/{}", resource.trim_end_matches('/'), RESOURCES.path());
        let url = url.parse().map_err(|_| InputError::new("resource", "is not a URL"))?;
        Ok(Request::new(Method::GET, url))
    }

    fn response(&self, response: &Response) -> Result<Answer<Vec<ResourceEntry>>, Error> {
        let found = entries(RESOURCES.name(), response, |fields| {
            Ok(ResourceEntry {
                resource: fields.required_text("resource")?,
                jwks_uri: fields.required_text("jwks_uri")?,
                resource_token_endpoint: fields.text("resource_token_endpoint")?,
                scopes: fields.texts("supported_scopes")?,
                extra: Map::new(),
            })
        })?;
        let found: Vec<_> =
            found.into_iter().map(|(entry, extra)| ResourceEntry { extra, ..entry }).collect();
        // What answers for a resource has to speak of it, byte for byte.
        if self.resource.as_ref().is_some_and(|own| !found.iter().any(|entry| &entry.resource == own)) {
            let fault = ProtocolFault::Other("the document is about another resource");
            return Err(ProtocolError::new(RESOURCES.name(), response.status().as_u16(), fault).into());
        }
        Ok(Answer::Done(found))
    }
}

/// A resource as the directory has it, or as it says of itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceEntry {
    /// Its identifier: an HTTPS URL, compared byte for byte.
    pub resource: String,
    /// Where its keys are. Not followed here.
    pub jwks_uri: String,
    /// Where it issues resource tokens. Not followed here.
    pub resource_token_endpoint: Option<String>,
    /// The scopes that it knows.
    pub scopes: Vec<String>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// Reads the keys that AAuth tokens are signed with. `GET aauth/jwks.json`, no parts. Not the keys of OAuth tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetKeys(());

impl GetKeys {
    /// Of the tenant.
    pub const fn new() -> Self {
        GetKeys(())
    }
}

impl Operation for GetKeys {
    type Output = Keys;

    fn terms(&self) -> Terms {
        public(KEYS)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(KEYS))
    }

    fn response(&self, response: &Response) -> Result<Answer<Keys>, Error> {
        let mut fields = super::read(KEYS, response)?;
        let keys = match fields.value("keys") {
            None => return Err(fields.missing("keys")),
            Some(Value::Array(keys)) if keys.iter().all(Value::is_object) => keys,
            Some(other) => return Err(fields.mistyped("keys", "a list of objects", &other)),
        };
        Ok(Answer::Done(Keys { keys }))
    }
}

/// A set of public keys as the service wrote it (RFC 7517 section 5). Not checked: verifiers read it for themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    keys: Vec<Value>,
}

impl Keys {
    /// The JWKs, in order.
    pub fn as_slice(&self) -> &[Value] {
        &self.keys
    }

    /// The JWK of this key id.
    pub fn find(&self, key_id: &str) -> Option<&Value> {
        self.keys.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(key_id))
    }
}

/// An object, and what was not read of it.
type Entry<T> = (T, Map<String, Value>);

/// Reads a list of objects, or one object.
fn entries<T>(
    name: &'static str,
    response: &Response,
    read: impl Fn(&mut Fields) -> Result<T, Error>,
) -> Result<Vec<Entry<T>>, Error> {
    wire::succeeded(name, response)?;
    let status = response.status().as_u16();
    let fault = |fault| Error::Protocol(ProtocolError::new(name, status, fault));
    if status != 200 {
        return Err(fault(ProtocolFault::UnexpectedStatus));
    }
    let mistyped = |value: &Value| ProtocolFault::Mistyped {
        field: json::BODY,
        expected: "an object or a list of objects",
        found: json::kind(value),
    };
    let items = match json::parse(response.body()).map_err(fault)? {
        Value::Array(items) => items,
        object @ Value::Object(_) => vec![object],
        other => return Err(fault(mistyped(&other))),
    };
    let item = |item| match item {
        Value::Object(map) => {
            let mut fields = Fields::new(name, status, map);
            let entry = read(&mut fields)?;
            Ok((entry, fields.rest()))
        }
        other => Err(fault(mistyped(&other))),
    };
    items.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::reads;
    use super::*;
    use crate::site::Site;

    fn url(operation: &impl Operation) -> Result<String, Error> {
        let site = Site::tenant("acme").unwrap();
        Ok(operation.request(&Context::new(&site))?.url().to_string())
    }

    #[test]
    fn the_places() {
        let base = "https://app.lumoauth.dev/t/acme/api/v1";
        assert_eq!(url(&GetIssuer::scoped()).unwrap(), format!("{base}/.well-known/aauth-issuer"));
        assert_eq!(url(&GetIssuer::at_root()).unwrap(), "https://app.lumoauth.dev/.well-known/aauth-issuer");
        assert_eq!(url(&GetAgents::new()).unwrap(), format!("{base}/.well-known/aauth-agent"));
        assert_eq!(url(&GetResources::new()).unwrap(), format!("{base}/.well-known/aauth-resource"));
        assert_eq!(url(&GetKeys::new()).unwrap(), format!("{base}/aauth/jwks.json"));
        let own = url(&GetResources::of("https://api.example.com/")).unwrap();
        assert_eq!(own, "https://api.example.com/.well-known/aauth-resource");
        for bad in
            ["", "api", "http://api.example.com", "https://a@b", "https://api.example.com?x", "https://a/#b"]
        {
            assert!(matches!(url(&GetResources::of(bad)), Err(Error::Input(_))), "{bad}");
        }
    }

    #[test]
    fn the_issuer() {
        let good = r#"{"aauth_version":"1.0","issuer":"https://i","jwks_uri":"https://i/aauth/jwks.json",
            "token_signing_algs_supported":["RS256"],"agent_signing_algs_supported":["ed25519"]}"#;
        let metadata = reads(&GetIssuer::scoped(), 200, good).unwrap();
        assert_eq!((metadata.issuer.as_str(), metadata.answers_carry_issuer), ("https://i", false));
        assert_eq!(
            (&*metadata.token_algorithms, &metadata.extra["aauth_version"]),
            (&["RS256".into()][..], &"1.0".into())
        );
        for body in ["{}", r#"{"issuer":5}"#, "[]", r#"{"issuer":"https://i","scopes_supported":"x"}"#] {
            assert!(matches!(reads(&GetIssuer::scoped(), 200, body), Err(Error::Protocol(_))), "{body}");
        }
        assert!(reads(&GetIssuer::scoped(), 404, "{}").unwrap_err().is_not_found());
    }

    #[test]
    fn a_list_or_one() {
        let one = r#"{"agent":"https://agent.example","jwks_uri":"https://agent.example/jwks","x":1}"#;
        let agents = reads(&GetAgents::new(), 200, one).unwrap();
        assert_eq!((agents.len(), &agents[0].extra["x"]), (1, &1.into()));
        assert_eq!(reads(&GetAgents::new(), 200, &format!("[{one},{one}]")).unwrap().len(), 2);
        assert_eq!(reads(&GetAgents::new(), 200, "[]").unwrap(), []);
        for body in ["5", "[5]", "[{}]", &one.replace("\"https://agent.example\"", "5"), ""] {
            assert!(matches!(reads(&GetAgents::new(), 200, body), Err(Error::Protocol(_))), "{body}");
        }
        let api = r#"{"resource":"https://api.example.com","jwks_uri":"https://api.example.com/jwks"}"#;
        assert!(reads(&GetResources::of("https://api.example.com"), 200, api).is_ok());
        let other = reads(&GetResources::of("https://api.example.com/"), 200, api);
        assert!(matches!(other, Err(Error::Protocol(_))), "byte for byte");
        assert_eq!(
            reads(&GetKeys::new(), 200, r#"{"keys":[{"kid":"a"}]}"#).unwrap().find("a").unwrap()["kid"],
            "a"
        );
        assert!(matches!(reads(&GetKeys::new(), 200, r#"{"keys":{}}"#), Err(Error::Protocol(_))));
    }
}
