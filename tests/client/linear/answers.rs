//! Every document that an operation reads, with each of its members in every shape; as a refusal too. In both mounts.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lumoauth::asynchronous::{Io, Transport};
use lumoauth::embed::Operation;
use lumoauth::embed::operations::{
    Ask, ClientCredentials, DeviceAuthorization, Exchange, GetIdentity, GetInfo, GetMetadata,
    GetResourceMetadata, Introspect, McpToken, PushAuthorization, RedeemCode, Refresh, Register, Revoke,
    aauth,
};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lumoauth::{Agent, Pkce, asynchronous};
use serde_json::{Value, json};

use super::Measure;
use super::shapes;

pub const KIB: usize = 1024;
const OWN: &str = r#"{"access_token":"the-agents-own-access-token","token_type":"Bearer","expires_in":3600}"#;

/// What the service says next.
#[derive(Clone)]
pub struct Says(Arc<Mutex<Response>>);

impl Says {
    fn answer(&self, request: &Request) -> Response {
        let own = request.body().windows(18).any(|part| part == b"client_credentials");
        match own && request.url().path().ends_with("/token") && !self.is_about_tokens() {
            true => Response::new(StatusCode::OK, HeaderMap::new(), OWN),
            false => self.0.lock().unwrap().clone(),
        }
    }

    /// The agent's own token is what is tried.
    fn is_about_tokens(&self) -> bool {
        self.0.lock().unwrap().headers().contains_key("x-own-token")
    }

    fn set(&self, response: Response) {
        *self.0.lock().unwrap() = response;
    }
}

impl Transport for Says {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(std::future::ready(Ok(self.answer(&request))))
    }

    fn sleep<'a>(&'a self, _: Duration) -> Io<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A future that never waits for anything.
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// The same agent in both mounts, and what both are told.
pub struct World {
    says: Says,
    blocking: Agent,
    asynchronous: asynchronous::Agent,
}

impl World {
    pub fn new() -> Self {
        let says = Says(Arc::new(Mutex::new(Response::new(StatusCode::OK, HeaderMap::new(), "{}"))));
        let own = says.clone();
        let answer = move |request: Request| Ok::<_, TransportError>(own.answer(&request));
        let builder =
            Agent::builder().tenant("acme").client_id("agt_1").client_secret("the-clients-own-secret");
        let blocking = builder.build_with(answer).unwrap();
        let builder = asynchronous::Agent::builder().tenant("acme").client_id("agt_1");
        let asynchronous = builder.client_secret("the-clients-own-secret").build_with(says.clone()).unwrap();
        World { says, blocking, asynchronous }
    }
}

type Run = Box<dyn Fn(&World, &Response, bool)>;

/// An operation, the members that it reads, and the largest answer that it reads.
struct Case {
    name: &'static str,
    cap: usize,
    members: &'static [&'static str],
    run: Run,
}

/// Run by the client in either mount.
fn case<O>(name: &'static str, cap: usize, members: &'static [&'static str], operation: O) -> Case
where
    O: Operation + Clone + Send + Sync + 'static,
    O::Output: Send,
{
    let run = move |world: &World, response: &Response, blocking: bool| {
        world.says.set(response.clone());
        match blocking {
            true => drop(world.blocking.run(operation.clone())),
            false => drop(now(world.asynchronous.run(operation.clone()))),
        }
    };
    Case { name, cap, members, run: Box::new(run) }
}

/// Read by hand: its client signs, and reads what came by the same lines.
fn read<O: Operation + 'static>(
    name: &'static str,
    cap: usize,
    members: &'static [&'static str],
    operation: O,
) -> Case {
    let url = "https://app.lumoauth.dev/x";
    let run = move |_: &World, response: &Response, _: bool| {
        drop(operation.response(&response.clone().from_url(url.parse().unwrap())));
    };
    Case { name, cap, members, run: Box::new(run) }
}

const TOKENS: &[&str] = &[
    "access_token",
    "token_type",
    "expires_in",
    "scope",
    "refresh_token",
    "id_token",
    "issued_token_type",
    "authorization_details",
];

fn cases() -> Vec<Case> {
    let (small, large) = (64 * KIB, 1024 * KIB);
    let resource = "https://mcp.acme.test/x";
    let pkce = Pkce::from_verifier("v".repeat(43)).unwrap();
    let many: Vec<String> = (0..50).map(|scope| format!("{scope:06}")).collect();
    let info = &[
        "id",
        "agent_id",
        "sub",
        "identity",
        "name",
        "identity_type",
        "capabilities",
        "workload_identity",
        "tenant",
        "budget_policy",
    ];
    let about = &["active", "scope", "client_id", "token_type", "iss", "sub", "aud", "exp", "act", "cnf"];
    vec![
        case("own token", small, TOKENS, ClientCredentials::new(["a"])),
        case("code", small, TOKENS, RedeemCode::new("c", "https://a.test/cb", pkce).scopes(&many)),
        case("renewal", small, TOKENS, Refresh::new("r").granted(&many)),
        case(
            "exchange",
            small,
            TOKENS,
            Exchange::new("user").actor("agent").resource(resource).at_most(&many),
        ),
        case("token for an MCP server", small, TOKENS, McpToken::new(resource).scopes(&many)),
        case(
            "ask",
            small,
            &[
                "allowed",
                "action",
                "reason",
                "context",
                "audit_id",
                "required_scopes",
                "explanation",
                "success",
            ],
            Ask::new("read"),
        ),
        case("info", small, info, GetInfo),
        case(
            "identity",
            small,
            &["sub", "client_id", "workspace", "organization", "scopes", "type"],
            GetIdentity,
        ),
        case(
            "registration",
            small,
            &["client_id", "status", "success", "capabilities", "api_base"],
            Register::new("bot"),
        ),
        case("revocation", small, &["revoked"], Revoke::new("t")),
        case("introspection", small, about, Introspect::new("t")),
        case(
            "device",
            small,
            &[
                "device_code",
                "user_code",
                "verification_uri",
                "verification_uri_complete",
                "interval",
                "expires_in",
            ],
            DeviceAuthorization::new(["a"]),
        ),
        case("pushed request", small, &["request_uri", "expires_in"], PushAuthorization::new([("a", "b")])),
        case(
            "metadata",
            large,
            &["issuer", "code_challenge_methods_supported", "token_endpoint"],
            GetMetadata::default(),
        ),
        case(
            "description of a resource",
            large,
            &["resource", "resources", "authorization_servers", "scopes_supported"],
            GetResourceMetadata::new(resource, resource.parse().unwrap()),
        ),
        read(
            "authorization (AAuth)",
            small,
            &[
                "auth_token",
                "access_token",
                "expires_in",
                "scope",
                "auth_url",
                "authorization_uri",
                "request_token",
            ],
            aauth::Authorize::new("rt"),
        ),
        read(
            "renewal (AAuth)",
            small,
            &["auth_token", "refresh_token", "scope"],
            aauth::Refresh::new("r", "rt"),
        ),
        read("exchange (AAuth)", small, &["auth_token", "scope"], aauth::Exchange::new("up", "rt")),
        read(
            "delegate (AAuth)",
            small,
            &["agent_token", "access_token", "expires_in"],
            aauth::IssueDelegate::new("d", json!({"kty": "OKP"})),
        ),
        read(
            "resource token (AAuth)",
            small,
            &["resource_token"],
            aauth::GetResourceToken::new("https://a.test/", "jkt"),
        ),
        read(
            "check of a token (AAuth)",
            small,
            &["active", "act", "scope", "resource", "cnf_jkt", "aud", "iss"],
            aauth::VerifyAuthToken::new("t").resource(resource),
        ),
        read(
            "check of a resource token (AAuth)",
            small,
            &["active", "scope", "resource"],
            aauth::VerifyResourceToken::new("rt", "https://a.test/", "jkt"),
        ),
        read(
            "issuer (AAuth)",
            large,
            &["issuer", "jwks_uri", "scopes_supported", "token_signing_algs_supported"],
            aauth::GetIssuer::scoped(),
        ),
        read(
            "agents (AAuth)",
            large,
            &["agents", "agent", "redirect_uris", "jwks_uri"],
            aauth::GetAgents::new(),
        ),
        read(
            "resources (AAuth)",
            large,
            &["resources", "resource", "supported_scopes"],
            aauth::GetResources::of(resource),
        ),
        read("keys (AAuth)", large, &["keys"], aauth::GetKeys::new()),
    ]
}

/// A good answer to every one of them.
fn good() -> Value {
    let resource = "https://mcp.acme.test/x";
    json!({
        "access_token": "t", "token_type": "Bearer", "expires_in": 60, "scope": "000001", "refresh_token": "r", "allowed": true, "action": "read",
        "sub": "agent:a", "name": "a", "client_id": "c", "status": "active", "success": true, "revoked": true, "active": true, "iss": "https://i.test",
        "aud": "a", "device_code": "d", "user_code": "u", "verification_uri": "https://app.lumoauth.dev/d", "request_uri": "urn:x",
        "issuer": "https://app.lumoauth.dev/t/acme/api/v1", "resource": resource, "auth_token": "t", "agent_token": "t", "resource_token": "t",
        "pop_required": true, "agent": "https://a.test/", "jwks_uri": "https://a.test/jwks", "keys": [],
    })
}

pub fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    Response::new(StatusCode::from_u16(status).unwrap(), map, body)
}

#[test]
fn f17_every_member_of_every_answer() {
    let Some(measure) = Measure::new("members of answers", 11, 5) else { return };
    let world = World::new();
    for cap in [64 * KIB, 1024 * KIB] {
        // Whoever answers says more than asked for: the members of a list are short, and the text of one is long.
        let shapes: Vec<_> = shapes::all_values(cap - KIB);
        let small: Vec<_> = shapes::all_values((cap - KIB) / 8);
        for case in cases().iter().filter(|case| case.cap == cap) {
            for member in case.members.iter().chain(&["unknown"]) {
                for (index, (shape, _)) in shapes.iter().enumerate() {
                    for blocking in [true, false] {
                        let make = |size: usize| {
                            let mut body = good();
                            body[*member] = if size == cap { &shapes } else { &small }[index].1.clone();
                            let own: &[_] =
                                if case.name == "own token" { &[("x-own-token", "1")] } else { &[] };
                            response(200, own, body.to_string())
                        };
                        let mount = if blocking { "blocking" } else { "async" };
                        let what = format!("{}, {member}: {shape} ({mount})", case.name);
                        measure.feed(&what, cap, make, |response| (case.run)(&world, response, blocking));
                    }
                }
            }
        }
    }
    measure.end();
}

#[test]
fn f17_every_refusal_and_every_body_that_is_none() {
    let Some(measure) = Measure::new("refusals, and bodies that are no answers", 97, 19) else { return };
    let world = World::new();
    let cap = 64 * KIB;
    let cases = cases();
    let operations = ["own token", "ask", "exchange", "token for an MCP server", "check of a token (AAuth)"];
    let cases: Vec<_> = cases.iter().filter(|case| operations.contains(&case.name)).collect();
    // What is known to be in the request, in pieces: what errors show is searched for it.
    let pieces = |size: usize| -> Vec<String> {
        let secret = format!("the-clients-own-secret {OWN}");
        let windows: Vec<&str> = (0..secret.len() - 13).map(|from| &secret[from..from + 13]).collect();
        (0..size / 16).map(|at| windows[at % windows.len()].to_owned()).collect()
    };
    let (whole, small) = (shapes::all_values(cap - KIB), shapes::all_values((cap - KIB) / 8));
    let feed = |what: String, case: &Case, make: &dyn Fn(usize) -> Response| {
        for blocking in [true, false] {
            measure.feed(&what, cap, make, |response| (case.run)(&world, response, blocking));
        }
    };
    for case in cases {
        let own: &[(&str, &str)] = if case.name == "own token" { &[("x-own-token", "1")] } else { &[] };
        for status in [400, 401, 403] {
            for member in ["error", "error_description", "message", "code", "details", "error_uri"] {
                for (index, (shape, _)) in whole.iter().enumerate() {
                    let make = |size: usize| {
                        let value = if size == cap { &whole } else { &small }[index].1.clone();
                        response(status, own, json!({ member: value }).to_string())
                    };
                    if status == 400 || index % 5 == 0 {
                        feed(format!("{}, {status}, {member}: {shape}", case.name), case, &make);
                    }
                }
                let echo = |size: usize| response(status, own, json!({ member: pieces(size) }).to_string());
                feed(format!("{}, {status}, {member}: pieces of secrets", case.name), case, &echo);
                let echo =
                    |size: usize| response(status, own, json!({ member: pieces(size).concat() }).to_string());
                feed(
                    format!("{}, {status}, {member}: pieces of secrets in one text", case.name),
                    case,
                    &echo,
                );
                let scopes = |size: usize| {
                    let (required, granted) = (pieces(size / 2), pieces(size / 2));
                    let details = json!({"required_scopes": required, "granted_scopes": granted});
                    response(status, own, json!({ "error": "x", "details": details }).to_string())
                };
                feed(format!("{}, {status}: pieces of secrets as scopes", case.name), case, &scopes);
            }
        }
        for status in [200, 400] {
            for (shape, body) in shapes::bodies() {
                let make = |size: usize| response(status, own, body(size));
                feed(format!("{}, {status}: {shape}", case.name), case, &make);
            }
        }
    }
    measure.end();
}

#[test]
fn f17_every_header_that_is_read() {
    let Some(measure) = Measure::new("headers of answers", 17, 1) else { return };
    let world = World::new();
    let cap = 16 * KIB;
    let headers = [
        "www-authenticate",
        "retry-after",
        "date",
        "location",
        "age",
        "content-type",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "link",
        "set-cookie",
        "insufficient-authorization-details",
        "signature",
        "signature-input",
        "content-digest",
        "accept-signature",
    ];
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "ask").unwrap();
    let server = world.blocking.mcp("https://mcp.acme.test/x").unwrap();
    let talk = |response: &Response| {
        world.says.set(response.clone());
        drop(server.request(lumoauth::ApiRequest::get("")));
    };
    for name in headers {
        for (shape, value) in shapes::headers() {
            // At once and over as many lines as a head may have; sixteen times, since a head is short.
            for lines in [1, 90] {
                let make = |status: u16| {
                    move |size: usize| {
                        let values: Vec<String> = (0..lines).map(|_| value(size / lines)).collect();
                        response(
                            status,
                            &values.iter().map(|value| (name, value.as_str())).collect::<Vec<_>>(),
                            "{}",
                        )
                    }
                };
                for status in [200, 302, 401, 403] {
                    let what = format!("{name} over {lines} lines, {status}: {shape}");
                    measure.feed(&what, cap, make(status), |response| {
                        (0..16).for_each(|round| (case.run)(&world, response, round % 2 == 0));
                    });
                }
                if name == "www-authenticate" {
                    for status in [401, 403] {
                        let what =
                            format!("challenge of an MCP server over {lines} lines, {status}: {shape}");
                        measure
                            .feed(&what, cap, make(status), |response| (0..16).for_each(|_| talk(response)));
                    }
                }
            }
        }
    }
    measure.end();
}
