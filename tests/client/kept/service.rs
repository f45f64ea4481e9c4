//! A scripted service with everything that a kind needs; a test writes the answers of one kind itself.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::Secret;
use lumoauth::aauth::AgentToken;
use lumoauth::crypto::KeyPair;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{ConfigError, TransportError, TransportFault};
use lumoauth::http::header::AUTHORIZATION;
use lumoauth::http::{HeaderMap, StatusCode};
use serde_json::json;

pub const API: &str = "https://app.lumoauth.dev/t/acme/api/v1";
pub const AUDIENCE: &str = "https://api.test/mcp";
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Longer than any test of these lasts.
const DAY: &str = "86400";

/// What came in.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Among those that the test answers, from 1.
    pub count: usize,
    /// Among all.
    pub number: usize,
    pub host: String,
    pub path: String,
    pub form: HashMap<String, String>,
    pub bearer: String,
    /// What an agent with a key shows.
    pub agent_auth: String,
    pub json: serde_json::Value,
}

impl Hit {
    pub fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    pub fn is_grant(&self, grant: &str) -> bool {
        self.path.ends_with("/oauth/token") && self.field("grant_type") == grant
    }

    /// An exchange with an actor: in a user's name.
    pub fn is_delegated(&self) -> bool {
        self.is_grant(EXCHANGE) && self.form.contains_key("actor_token")
    }
}

/// What goes back, and after how long. With nothing, whoever sent the request is lost at that time.
pub struct Reply {
    pub after: Duration,
    pub result: Option<Result<Response, TransportError>>,
}

impl Reply {
    pub fn after(self, millis: u64) -> Self {
        Reply { after: Duration::from_millis(millis), ..self }
    }
}

pub fn reply(status: u16, body: &str) -> Reply {
    let response = Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes());
    Reply { after: Duration::from_millis(5), result: Some(Ok(response)) }
}

pub fn broken(error: TransportError) -> Reply {
    Reply { after: Duration::from_millis(5), result: Some(Err(error)) }
}

/// No answer for ever: the attempt's own limit ends it.
pub fn hang() -> Reply {
    let error = TransportError::unknown(TransportFault::Timeout, "time ran out");
    Reply { after: Duration::MAX, ..broken(error) }
}

/// Whoever asks is lost while it waits.
pub fn lost() -> Reply {
    Reply { after: Duration::from_millis(200), result: None }
}

/// A token of whatever is asked for, which says what it is and is told apart from all others by a number.
pub fn mint(hit: &Hit, expires_in: &str) -> Reply {
    let number = hit.number;
    let scope = hit.field("scope").replace(' ', ",");
    let (name, refresh) = match hit.field("grant_type") {
        "client_credentials" => ("own".to_owned(), String::new()),
        "authorization_code" => {
            let code = hit.field("code");
            let refresh = if code.ends_with("once") { String::new() } else { format!("r-{code}") };
            (format!("user-of-{code}"), refresh)
        }
        "refresh_token" => {
            let whose = hit.field("refresh_token").split('!').next().unwrap_or_default();
            (format!("user{}", whose.replacen("r-", "-of-", 1)), format!("{whose}!{number}"))
        }
        _ if hit.is_delegated() => {
            (format!("for({})@{}", hit.field("subject_token"), hit.field("resource")), String::new())
        }
        _ => (format!("mcp@{}", hit.field("resource")), String::new()),
    };
    let mut answer = json!({
        "access_token": format!("{name}|{scope}|{number}"), "token_type": "Bearer",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    if !refresh.is_empty() {
        answer["refresh_token"] = json!(refresh);
    }
    let body = answer.to_string().replacen('{', &format!(r#"{{"expires_in":{expires_in},"#), 1);
    reply(200, &body)
}

type Script = Box<dyn FnMut(&Hit) -> Reply + Send>;
type Which = fn(&Hit) -> bool;

/// The service. What it is asked and a test answers itself is counted.
pub struct Service {
    hits: usize,
    scripts: Vec<(Which, Script, Vec<Hit>)>,
}

impl Service {
    pub fn new() -> Self {
        Service { hits: 0, scripts: Vec::new() }
    }

    /// Answers those requests, from now on and counted from here.
    pub fn on(&mut self, which: Which, script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        self.scripts.retain(|(own, ..)| !std::ptr::fn_addr_eq(*own, which));
        self.scripts.insert(0, (which, Box::new(script), Vec::new()));
    }

    /// Those requests since they were given an answer.
    pub fn hits(&self, which: Which) -> &[Hit] {
        self.scripts.iter().find(|(own, ..)| std::ptr::fn_addr_eq(*own, which)).map_or(&[], |(.., hits)| hits)
    }

    pub fn answer(&mut self, request: &Request) -> Reply {
        let url = request.url();
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let agent_auth = request.headers().get("agent-auth").and_then(|value| value.to_str().ok());
        self.hits += 1;
        let mut hit = Hit {
            count: 0,
            number: self.hits,
            host: url.host().unwrap_or_default().to_owned(),
            path: url.path().to_owned(),
            form: form_urlencoded::parse(request.body()).into_owned().collect(),
            bearer: header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned(),
            agent_auth: agent_auth.unwrap_or_default().to_owned(),
            json: serde_json::from_slice(request.body()).unwrap_or_default(),
        };
        let limit = request.attempt_limits().total;
        assert!(!limit.is_zero(), "an attempt without time");
        let script = self.scripts.iter_mut().find(|(which, ..)| which(&hit));
        let answer = match script {
            Some((_, script, hits)) => {
                hit.count = hits.len() + 1;
                hits.push(hit.clone());
                script(&hit)
            }
            None => usual(&hit),
        };
        if answer.after > limit { Reply { after: limit, ..hang() } } else { answer }
    }
}

/// What is answered if a test does not say otherwise.
pub fn usual(hit: &Hit) -> Reply {
    if hit.path.ends_with("/oauth/token") {
        let is_short = ["short", "once"].iter().any(|end| hit.field("code").ends_with(end));
        return mint(hit, if is_short { "3600" } else { DAY });
    }
    document(hit)
}

/// Everything but tokens: what the service, resources and issuers say, and what an API answers.
fn document(hit: &Hit) -> Reply {
    let described = "/.well-known/oauth-protected-resource";
    match hit.path.as_str() {
        path if path.ends_with("/.well-known/oauth-authorization-server") => {
            reply(200, &json!({"issuer": API, "code_challenge_methods_supported": ["S256"]}).to_string())
        }
        path if path.starts_with(described) && hit.host == "described.test" => {
            let resource = format!("https://described.test{}", path.trim_start_matches(described));
            let says =
                json!({"resource": resource, "authorization_servers": [API], "scopes_supported": ["wide"]});
            reply(200, &says.to_string())
        }
        path if path.contains(described) => reply(404, "{}"),
        path if path.ends_with("/.well-known/aauth-issuer") => {
            reply(200, &json!({ "issuer": API }).to_string())
        }
        path if path.ends_with("/.well-known/openid-configuration") => {
            let keys = format!("{API}/.well-known/jwks.json");
            reply(200, &json!({"issuer": API, "jwks_uri": keys}).to_string())
        }
        path if path.ends_with("/.well-known/jwks.json") => {
            reply(200, &json!({"keys": [key().public_jwk().to_json()]}).to_string())
        }
        path if path.ends_with("/oauth/userinfo") => {
            let scope = hit.bearer.split('|').nth(1).unwrap_or_default();
            reply(200, &json!({"sub": "agt_1", "capabilities": [format!("can-{scope}")]}).to_string())
        }
        path if path.ends_with("/aauth/token/revoke") => reply(200, r#"{"revoked":true}"#),
        _ if hit.host == "agents.test" => agent_token(hit, DAY),
        _ if hit.host == "described.test" && !hit.bearer.contains("wide") => reply(401, "{}"),
        _ => reply(200, &hit.bearer),
    }
}

/// What a source of agents' tokens says.
pub fn agent_token(hit: &Hit, expires_in: &str) -> Reply {
    reply(200, &format!(r#"{{"agent_token":"agent.token.{}","expires_in":{expires_in}}}"#, hit.number))
}

/// A token for a resource that was renewed.
pub fn renewed(hit: &Hit, expires_in: &str) -> Reply {
    let whose = hit.json["refresh_token"].as_str().unwrap_or_default();
    reply(200, &format!(r#"{{"auth_token":"new-{whose}-{}","expires_in":{expires_in}}}"#, hit.number))
}

/// Where agents' tokens are.
pub fn agents_source() -> Request {
    Request::new(lumoauth::http::Method::GET, "https://agents.test/token".parse().unwrap())
}

/// What a source of agents' tokens reads in an answer, with any lifetime there is.
pub fn read_agent_token(
    answer: Result<Response, TransportError>,
    now: &lumoauth::time::Now,
) -> Result<AgentToken, lumoauth::Error> {
    let unavailable = || ConfigError::Unavailable("the source of agents' tokens says nothing of use");
    let answer = answer.map_err(lumoauth::Error::Transport)?;
    let said: serde_json::Value = serde_json::from_slice(answer.body()).map_err(|_| unavailable())?;
    let token = said["agent_token"].as_str().filter(|_| answer.status() == 200).ok_or_else(unavailable)?;
    let seconds = said["expires_in"].as_f64().unwrap_or_default().max(0.0);
    let lifetime = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Ok(AgentToken::new(token, now.wall, lifetime))
}

fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_p256().unwrap())
}

/// A token of the issuer, good for long.
pub fn signed() -> Secret {
    let start = 1_750_000_000;
    let header = json!({"typ": "at+jwt", "alg": key().algorithm().name(), "kid": key().key_id()});
    let payload = json!({
        "iss": API, "aud": AUDIENCE, "sub": "agent:bot", "client_id": "agt_1", "scope": "read",
        "iat": start - 10_000_000, "exp": start + 1_000_000, "jti": "jti_1",
    });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let input =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    Secret::new(format!("{input}.{}", encode(&key().sign(input.as_bytes()).unwrap())))
}
