//! A scripted service: it counts, mints tokens that it can tell apart, and answers what the test says.

use std::collections::HashMap;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use lumoauth::embed::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use lumoauth::embed::session::Arrived;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{Error, TransportError, TransportFault};

/// What came in.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Counted per endpoint, from 1.
    pub count: usize,
    /// When, by the service's own clock, which never errs.
    pub at: Duration,
    /// The fields of a form.
    pub form: HashMap<String, String>,
    /// What travelled behind `Bearer`.
    pub bearer: Option<String>,
    /// `X-Attempt`, which the operations of these tests send along.
    pub attempt_id: String,
}

/// What goes back, and how long it takes.
pub struct Reply {
    pub after: Duration,
    pub arrived: Arrived,
}

impl Reply {
    pub fn after(mut self, millis: u64) -> Self {
        self.after = Duration::from_millis(millis);
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Arrived::Response(response) = &self.arrived {
            let mut headers = response.headers().clone();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            self.arrived =
                Arrived::Response(Response::new(response.status(), headers, response.body().to_vec()));
        }
        self
    }
}

pub fn reply(status: u16, body: &str) -> Reply {
    let response = Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes());
    Reply { after: Duration::from_millis(5), arrived: Arrived::Response(response) }
}

pub fn broken(error: TransportError) -> Reply {
    Reply { after: Duration::from_millis(5), arrived: Arrived::Failed(error) }
}

/// No answer for ever: the attempt's own limit ends it.
pub fn hang() -> Reply {
    let error = TransportError::unknown(TransportFault::Timeout, "time ran out");
    Reply { after: Duration::MAX, arrived: Arrived::Failed(error) }
}

/// A token that is told apart from all others and names whom it is for.
pub fn mint(hit: &Hit, expires_in: &str) -> Reply {
    let text = |name: &str| hit.form.get(name).map_or("", String::as_str);
    let secret = format!("{}|{}|{}", text("client_id"), text("scope").replace(' ', ","), hit.count);
    reply(200, &format!(r#"{{"access_token":"{secret}","token_type":"Bearer","expires_in":{expires_in}}}"#))
}

type Script = Box<dyn FnMut(&Hit) -> Reply + Send>;

pub struct Server {
    pub tokens: usize,
    pub calls: usize,
    pub token_hits: Vec<Hit>,
    pub call_hits: Vec<Hit>,
    pub keep_hits: bool,
    on_token: Script,
    on_call: Script,
}

impl Server {
    /// Tokens of an hour, calls that succeed.
    pub fn new() -> Self {
        Server {
            tokens: 0,
            calls: 0,
            token_hits: Vec::new(),
            call_hits: Vec::new(),
            keep_hits: true,
            on_token: Box::new(|hit| mint(hit, "3600")),
            on_call: Box::new(|_| reply(200, "{}")),
        }
    }

    pub fn on_token(&mut self, script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        self.on_token = Box::new(script);
    }

    pub fn on_call(&mut self, script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        self.on_call = Box::new(script);
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        (self.tokens, self.calls) = (0, 0);
        self.token_hits.clear();
        self.call_hits.clear();
    }

    pub fn answer(&mut self, request: &Request, at: Duration) -> Reply {
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        assert!(request.url().query().is_none(), "nothing of ours has a query");
        let is_token = request.url().path().ends_with("/oauth/token");
        let limit = request.attempt_limits().total;
        assert!(!limit.is_zero(), "an attempt without time");
        let form = if is_token { request.body() } else { b"" };
        let mut hit = Hit {
            count: 0,
            at,
            form: form_urlencoded::parse(form).into_owned().collect(),
            bearer: header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned),
            attempt_id: header(HeaderName::from_static("x-attempt")).unwrap_or_default().to_owned(),
        };
        let (count, hits, script) = if is_token {
            (&mut self.tokens, &mut self.token_hits, &mut self.on_token)
        } else {
            (&mut self.calls, &mut self.call_hits, &mut self.on_call)
        };
        *count += 1;
        hit.count = *count;
        let reply = script(&hit);
        if self.keep_hits {
            hits.push(hit);
        }
        if reply.after > limit { Reply { after: limit, ..hang() } } else { reply }
    }
}

/// An operation of the tests' own, with any terms. Its answer is the body.
#[derive(Clone)]
pub struct Probe {
    pub effect: Effect,
    pub auth: Auth,
    pub total: Duration,
    pub url: Option<Uri>,
    /// Polls while the answer is `202`, this often.
    pub poll: Duration,
    /// The request itself cannot be made.
    pub bad: bool,
}

pub fn probe(effect: Effect) -> Probe {
    let (total, poll) = (Duration::from_secs(15), Duration::from_secs(5));
    Probe { effect, auth: Auth::Bearer, total, url: None, poll, bad: false }
}

pub fn read() -> Probe {
    probe(Effect::Read)
}

impl Probe {
    pub fn total(self, millis: u64) -> Self {
        Probe { total: Duration::from_millis(millis), ..self }
    }

    pub fn auth(self, auth: Auth) -> Self {
        Probe { auth, ..self }
    }
}

impl Operation for Probe {
    type Output = String;

    fn terms(&self) -> Terms {
        Terms::new("test.probe", self.effect, self.auth.clone()).total(self.total)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.bad {
            return Err(lumoauth::error::InputError::new("id", "is bad").into());
        }
        let own = || context.site().join("probe").unwrap();
        let url = self.url.clone().unwrap_or_else(own);
        let attempt =
            HeaderValue::from_str(&context.attempt_id().expect("a session names its calls").to_string())
                .unwrap();
        let method = if self.effect == Effect::Read { Method::GET } else { Method::POST };
        Ok(Request::new(method, url).header(HeaderName::from_static("x-attempt"), attempt))
    }

    fn response(&self, response: &Response) -> Result<Answer<String>, Error> {
        if response.status() == 202 {
            return Ok(Answer::Again(self.poll));
        }
        let response = response.clone().error_for_status()?;
        Ok(Answer::Done(response.text()))
    }
}
