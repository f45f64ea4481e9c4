//! Reads vectors and replays them on operations, through what embedders have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use lumoauth::embed::operation::{Answer, AttemptId, Auth, Callers, Context, Effect, Operation, Terms};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::http::{HeaderMap, HeaderName, StatusCode};
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Error, Layout, Scopes, Secret, Site, TokenType};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What begins like this in a vector must be in no text that is shown.
const SECRET: &str = "SECRET";

/// When every answer arrives, in seconds since 1970.
pub const RECEIVED: u64 = 1_750_000_000;

/// A folder of vectors and how they are replayed.
pub struct Folder {
    /// The route's name, which is the folder's.
    pub name: &'static str,
    pub replay: fn(&Vector) -> Counted,
}

/// How much a vector showed.
#[derive(Default)]
pub struct Counted {
    pub answers: usize,
    /// Answers that were made from its own: cut, under another status.
    pub more: usize,
}

/// One file: a question and the answers to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    #[serde(skip)]
    name: String,
    /// Where what it says was found, and how sure it is.
    source: String,
    /// What the operation is made of.
    #[serde(default)]
    input: Map<String, Value>,
    /// How it is to be run.
    terms: Value,
    /// What the session knows when it asks.
    #[serde(default)]
    context: Knows,
    /// What is sent; or `refused`.
    request: Option<Value>,
    /// What is sent in the organization layout, where it is not the same behind another base.
    organization: Option<Value>,
    /// The error that the operation is before anything is sent.
    refused: Option<Value>,
    #[serde(default)]
    answers: Vec<Answered>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Knows {
    token: Option<String>,
    given: Option<String>,
    /// An attempt before it may have taken effect.
    #[serde(default)]
    blind: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    /// What kind of answer it is.
    about: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// JSON; a text is sent as it is.
    body: Option<Value>,
    /// `{"output": ..}`, `{"again_ms": ..}` or `{"error": {..}}`.
    expect: Value,
    /// The status alone says it: a body that is cut changes nothing.
    #[serde(default)]
    body_does_not_count: bool,
}

/// What a vector's operation is made of; every member must be taken.
pub struct Input {
    map: Map<String, Value>,
    from: String,
}

impl Input {
    /// Takes any member; null if it is not there.
    pub fn value(&mut self, name: &str) -> Value {
        self.map.remove(name).unwrap_or_default()
    }

    /// Takes a text that must be there.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| panic!("{}: no {name}", self.from))
    }

    /// Takes a text if there is one.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        match self.value(name) {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => panic!("{}: {name} is {other}", self.from),
        }
    }

    /// Takes a number if there is one.
    pub fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.map.remove(name)?;
        Some(value.as_u64().unwrap_or_else(|| panic!("{}: {name} is {value}", self.from)))
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The folders that are there.
pub fn on_disk() -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

impl Vector {
    /// All vectors of one folder, in the order of their names.
    pub fn all_of(name: &str) -> Vec<Vector> {
        let mut files: Vec<_> = fs::read_dir(folder().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|file| {
                let text = fs::read(file).unwrap();
                let mut vector: Vector = serde_json::from_slice(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                vector.name = format!("{name}/{}", file.file_stem().unwrap().to_str().unwrap());
                assert!(!vector.source.trim().is_empty(), "{}: no source", vector.name);
                vector
            })
            .collect()
    }

    /// A text of its input, by which the operation is chosen where several share a route.
    pub fn member(&self, name: &str) -> &str {
        self.input.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Replays it on the operation that `build` makes of its input; `show` writes an output as JSON. Members that are null or
    /// not there are the same.
    pub fn replay<O>(
        &self,
        build: impl Fn(&mut Input) -> Result<O, Error>,
        show: impl Fn(&O::Output) -> Value,
    ) -> Counted
    where
        O: Operation + Debug,
        O::Output: Debug,
    {
        let mut input = Input { map: self.input.clone(), from: self.name.clone() };
        let made = build(&mut input);
        assert!(input.map.is_empty(), "{}: nobody took {:?}", self.name, input.map);
        let asked = made.and_then(|operation| {
            let request = self.ask(&operation, &Site::tenant("acme-corp").unwrap());
            request.map(|request| (operation, request))
        });
        let (operation, request) = match (asked, &self.refused) {
            (Ok(asked), None) => asked,
            (Err(error), Some(expected)) => {
                assert_eq!(&without_nulls(shown(&error)), expected, "{}: refused", self.name);
                self.hides(&[format!("{error:?} {error}")]);
                assert!(self.request.is_none() && self.answers.is_empty(), "{}: it is refused", self.name);
                return Counted::default();
            }
            (Ok(_), Some(_)) => panic!("{}: it is sent", self.name),
            (Err(error), None) => panic!("{}: {error}", self.name),
        };
        assert_eq!(terms(&operation.terms()), self.terms, "{}: terms", self.name);
        let expected = self.request.as_ref().unwrap_or_else(|| panic!("{}: no request", self.name));
        assert_eq!(&written(&request), expected, "{}: request", self.name);
        self.hides(&[format!("{operation:?} {request:?}")]);
        self.asks_alike_elsewhere(&operation, &request);
        let mut counted = Counted::default();
        for answered in &self.answers {
            counted.answers += 1;
            let came = operation.response(&answered.response(&request));
            let shown = match &came {
                Ok(Answer::Done(output)) => {
                    self.hides(&[format!("{output:?} {output:#?}")]);
                    json!({"output": show(output)})
                }
                Ok(Answer::Again(pause)) => json!({"again_ms": pause.as_millis() as u64}),
                Err(error) => {
                    self.hides(&[format!("{error:?} {error}")]);
                    json!({"error": shown(error)})
                }
            };
            let expected = without_nulls(answered.expect.clone());
            assert_eq!(without_nulls(shown), expected, "{}: {}", self.name, answered.about);
            if came.is_ok() {
                counted.more += self.nothing_like_it_succeeds(&operation, &request, answered);
            }
        }
        counted
    }

    fn ask<O: Operation>(&self, operation: &O, site: &Site) -> Result<Request, Error> {
        let secret = |text: &Option<String>| text.clone().map(Secret::new);
        let token = secret(&self.context.token).map(|secret| {
            let lifetime = std::time::Duration::from_secs(3600);
            AccessToken::new(
                secret,
                TokenType::Bearer,
                Scopes::none(),
                Timestamp::from_unix(RECEIVED),
                lifetime,
            )
        });
        let given = secret(&self.context.given);
        let mut context = Context::new(site).with_attempt_id(AttemptId::from_bytes([0xa7; 16]));
        context = context.blind(self.context.blind);
        if let Some(token) = &token {
            context = context.with_token(token);
        }
        if let Some(given) = &given {
            context = context.with_given(given);
        }
        operation.request(&context)
    }

    /// Under another base and layout it is the same question at the same place.
    fn asks_alike_elsewhere<O: Operation>(&self, operation: &O, request: &Request) {
        let tail = |request: &Request, api: &str| {
            let url = request.url().to_string();
            url.strip_prefix(api).unwrap_or_else(|| panic!("{}: {url}", self.name)).to_owned()
        };
        let organization = Layout::Organization("a/b?c".into());
        let there = Site::new("https://auth.acme.test:8443", organization).unwrap();
        let asked = self.ask(operation, &there).unwrap();
        if let Some(expected) = &self.organization {
            assert_eq!(&written(&asked), expected, "{}: in the organization layout", self.name);
            return;
        }
        let here = tail(request, "https://app.lumoauth.dev/t/acme-corp");
        assert_eq!(tail(&asked, "https://auth.acme.test:8443/orgs/a%2Fb%3Fc"), here, "{}", self.name);
        assert_eq!(asked.body(), request.body(), "{}", self.name);
    }

    /// The answer of success under statuses that mean none, and cut at every byte.
    fn nothing_like_it_succeeds<O: Operation>(
        &self,
        operation: &O,
        request: &Request,
        answered: &Answered,
    ) -> usize {
        let whole = answered.response(request);
        let answer = |status: u16, body: &[u8]| {
            let response =
                Response::new(StatusCode::from_u16(status).unwrap(), whole.headers().clone(), body);
            let response = response.received_at(Timestamp::from_unix(RECEIVED));
            operation.response(&response.from_url(request.url().clone()))
        };
        let mut tried = 0;
        for status in [103, 301, 302, 307, 401, 500, 503] {
            tried += 1;
            assert!(answer(status, whole.body()).is_err(), "{}: {status}", self.name);
        }
        if !answered.body_does_not_count {
            for end in 0..whole.body().len() {
                tried += 1;
                let cut = &whole.body()[..end];
                assert!(answer(answered.status, cut).is_err(), "{}: cut at {end}", self.name);
            }
        }
        tried
    }

    /// None of its secrets is in these texts.
    fn hides(&self, texts: &[String]) {
        for text in texts {
            assert!(!text.contains(SECRET), "{}: a secret is shown: {text}", self.name);
        }
    }
}

impl Answered {
    fn response(&self, request: &Request) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let body = match &self.body {
            None => Vec::new(),
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(json) => json.to_string().into_bytes(),
        };
        let response = Response::new(StatusCode::from_u16(self.status).unwrap(), headers, body);
        response.received_at(Timestamp::from_unix(RECEIVED)).from_url(request.url().clone())
    }
}

fn terms(terms: &Terms) -> Value {
    let effect = match terms.effect {
        Effect::Read => "read",
        Effect::Repeatable => "repeatable",
        Effect::Once => "once",
    };
    let auth = match &terms.auth {
        Auth::None => "none",
        Auth::Client => "client",
        Auth::ClientBy(_) => "client, in one way",
        Auth::ClientAs(..) => "another client",
        Auth::Bearer => "bearer",
        Auth::Token(_) => "token",
        Auth::InBody => "in body",
        Auth::Workload => "workload",
        Auth::Signed(_) => "signed",
        _ => "other",
    };
    let mut shown = json!({"effect": effect, "auth": auth, "total_s": terms.total.as_secs()});
    match terms.callers {
        Callers::ALL => shown["callers"] = json!("agents, users, API keys"),
        Callers::PRINCIPALS => shown["callers"] = json!("agents, users"),
        _ => {}
    }
    if let Some(pause) = terms.waits {
        shown["waits_ms"] = json!(pause.as_millis() as u64);
    }
    shown
}

/// A request as vectors have it. What every request accepts is left out.
fn written(request: &Request) -> Value {
    let usual = |name: &str, value: &str| {
        matches!((name, value), ("accept", "application/json") | ("accept-encoding", "identity"))
    };
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, value)| !usual(name, value))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut shown = json!({"method": request.method().as_str(), "url": request.url().to_string()});
    if !headers.is_empty() {
        shown["headers"] = Value::Object(headers);
    }
    let body = request.body();
    if !body.is_empty() {
        shown["body"] = match request.headers().get("content-type").map(|value| value.as_bytes()) {
            Some(b"application/json") => serde_json::from_slice(body).unwrap(),
            _ => json!(String::from_utf8(body.to_vec()).unwrap()),
        };
    }
    shown
}

/// An error as vectors have it: whose fault, and what tells it apart from others of its kind.
fn shown(error: &Error) -> Value {
    match error {
        Error::Api(api) => {
            let wait = api.retry_after().map(|wait| wait.as_millis() as u64);
            json!({"kind": "api", "status": api.status(), "code": api.code(), "retry_after_ms": wait})
        }
        Error::Protocol(error) => json!({"kind": "protocol", "says": error.fault().to_string()}),
        Error::Input(error) => json!({"kind": "input", "says": error.to_string()}),
        Error::Permission(error) => json!({"kind": "permission", "says": error.to_string()}),
        Error::Config(error) => json!({"kind": "config", "says": error.to_string()}),
        Error::Consent(error) => json!({"kind": "consent", "says": error.to_string()}),
        other => json!({"kind": "other", "says": other.to_string()}),
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
