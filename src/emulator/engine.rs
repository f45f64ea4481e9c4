//! One request in, one reply out: route, fault rules, rate limit, handler, log. No clock, no socket.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use http::header::{DATE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use crate::crypto::KeyPair;
use crate::emulator::log::LogEntry;
use crate::emulator::route::{self, Entry, Place, Target};
use crate::emulator::state::{Quota, State, Window};
use crate::emulator::values::answer::{Answer, Reply};
use crate::emulator::values::faults::{self, Order};
use crate::emulator::values::incoming::Incoming;
use crate::emulator::values::layout;
use crate::emulator::values::layout::Prefix;
use crate::emulator::values::settings::Settings;
use crate::emulator::{aauth, agents, ask, authorize, device, discovery, documents, inspect, mcp, token};
use crate::operations::routes;
use crate::time::Timestamp;
use crate::wire::Response;

/// The last second of the year 9999, which is as far as HTTP dates go.
const LAST_DATE: u64 = 253_402_300_799;

/// One request on its way to a handler.
pub(super) struct Call<'a> {
    pub incoming: &'a Incoming<'a>,
    pub now: Timestamp,
    pub place: Place,
    /// The id in the path, where the route has one.
    pub id: &'a str,
    pub prefix: Prefix,
    /// The tenant, as its place in the list.
    pub tenant: usize,
    pub slug: &'a str,
    pub key: &'a KeyPair,
    /// The key of the tenant's AAuth tokens.
    pub aauth_key: &'a KeyPair,
    pub settings: &'a Settings,
    /// The agent, as soon as it is known. For the log.
    pub client_id: Option<String>,
}

impl Call<'_> {
    /// The API base as a path on the host.
    pub(super) fn api_base(&self) -> String {
        layout::api_base(self.prefix, self.slug)
    }

    /// The issuer, by the layout that the request used.
    pub(super) fn issuer(&self) -> String {
        format!("{}{}", self.incoming.base, self.api_base())
    }

    /// The names of this one server that a token may be addressed to: its issuer by the layout in use, and those of the
    /// layouts that name the tenant. They are as good as each other, since the documents at the root know only one.
    pub(super) fn names(&self) -> [String; 3] {
        let layout = |prefix| format!("{}{}", self.incoming.base, layout::api_base(prefix, self.slug));
        [self.issuer(), layout(Prefix::Tenant), layout(Prefix::Organization)]
    }
}

/// Answers one request. `path` is the request's path behind the base URL's own; none if it is not below it.
pub(super) fn reply(
    state: &mut State,
    incoming: &Incoming<'_>,
    path: Option<&str>,
    (key, aauth_keys): (&KeyPair, &[KeyPair]),
    settings: &Settings,
    now: Timestamp,
) -> Reply {
    let target = path.and_then(route::find);
    let entry = target.as_ref().and_then(|target| target.entry);
    let name = entry.map_or(route::UNKNOWN, |entry| entry.name);
    let order = faults::due(&mut state.world.rules, name);
    if let Some(order) = order.as_ref().filter(|order| order.is_not_sent()) {
        let response = Response::new(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Vec::new());
        return Reply { response, fault: order.fault(0) };
    }
    let tenant = target.as_ref().and_then(|target| find_tenant(state, target));
    let quota = tenant.as_ref().and_then(|(index, _)| limit(state, *index, entry, settings, now));
    let mut client_id = None;
    let mut answer = if quota.as_ref().is_some_and(|quota| quota.refused) {
        Answer::too_many_requests()
    } else if let Some(answer) = order.as_ref().and_then(Order::stand_in) {
        answer
    } else {
        match (target, tenant) {
            (None, _) => not_found(),
            (Some(_), None) => Answer::invalid_tenant(),
            (Some(target), Some((index, slug))) => match target.entry {
                None => not_found(),
                Some(entry) => {
                    let mut call = Call {
                        incoming,
                        now,
                        place: entry.place,
                        id: target.id,
                        prefix: target.prefix,
                        tenant: index,
                        slug: &slug,
                        key,
                        aauth_key: aauth_keys.get(index).unwrap_or(key),
                        settings,
                        client_id: None,
                    };
                    let answer = dispatch(state, &mut call, entry);
                    client_id = call.client_id;
                    answer
                }
            },
        }
    };
    answer = with_quota(answer, quota.as_ref());
    if let Some(date) = date(now) {
        answer = answer.with(DATE, date);
    }
    if let Some(order) = &order {
        answer = order.dress(answer);
    }
    if incoming.method == Method::HEAD {
        answer.body.clear();
    }
    state.world.log.request(LogEntry {
        route: name,
        method: incoming.method.to_string(),
        path: incoming.path.to_owned(),
        status: answer.status.as_u16(),
        client_id,
        time: now,
    });
    let fault = order.and_then(|order| order.fault(answer.body.len()));
    Reply { response: answer.into_response(), fault }
}

/// The tenant that the path names; the first one where it names none.
fn find_tenant(state: &State, target: &Target<'_>) -> Option<(usize, String)> {
    let mut tenants = state.world.tenants.iter().enumerate();
    tenants
        .find(|(_, tenant)| target.slug.is_none_or(|slug| slug == tenant.seed.slug))
        .map(|(index, tenant)| (index, tenant.seed.slug.clone()))
}

fn not_found() -> Answer {
    Answer::plain(StatusCode::NOT_FOUND, "resource_not_found", "There is no such route")
}

fn dispatch(state: &mut State, call: &mut Call<'_>, entry: &Entry) -> Answer {
    if !entry.allow.split(", ").any(|method| method == call.incoming.method.as_str()) {
        return Answer::method_not_allowed(entry.allow);
    }
    if call.incoming.body.is_none() {
        return Answer::plain(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "The body is too large");
    }
    let either = |result: Result<Answer, Answer>| result.unwrap_or_else(|refusal| refusal);
    let route = match entry.place {
        Place::Known(route) => route,
        Place::DevicePage => return device::shown(state, call),
        Place::Documents => return either(documents::documents(state, call)),
        Place::McpServers => return either(mcp::list(state, call)),
        Place::McpServer => return either(mcp::get(state, call)),
        Place::McpChallenge => return either(mcp::challenged(state, call)),
        Place::McpMetadata => return either(mcp::metadata(state, call)),
        Place::AAuthPortal => return aauth::portal(state, call),
        Place::AAuthAgentKeys => return either(aauth::agent_keys(state, call)),
        Place::AAuthAgentDocument => return either(aauth::agent_document(state, call)),
        Place::AAuthResourceKeys => return either(aauth::resource_keys(state, call)),
        Place::AAuthResourceDocument => return either(aauth::resource_document(state, call)),
        Place::AAuthDemo(demo) => return aauth::demo(state, call, demo),
    };
    match route {
        routes::TOKEN => token::token(state, call),
        routes::AUTHORIZE => authorize::authorize(state, call),
        routes::PUSHED_AUTHORIZATION => either(authorize::push(state, call)),
        routes::DEVICE_AUTHORIZATION => either(device::begin(state, call)),
        routes::REVOKE => either(inspect::revoke(state, call)),
        routes::INTROSPECT => either(inspect::introspect(state, call)),
        routes::USERINFO => either(agents::userinfo(state, call)),
        routes::ASK => either(ask::ask(state, call)),
        routes::ME => either(agents::me(state, call)),
        routes::REGISTER => either(agents::register(state, call)),
        routes::OPENID_CONFIGURATION => discovery::openid_configuration(call),
        routes::AUTHORIZATION_SERVER => discovery::authorization_server(call),
        routes::JWKS => discovery::jwks(call),
        routes::PROTECTED_RESOURCE => either(mcp::root(state, call)),
        _ => aauth::answer(state, call, route).unwrap_or_else(not_found),
    }
}

/// Counts the request. The token endpoint has a window of its own.
fn limit(
    state: &mut State,
    tenant: usize,
    entry: Option<&'static Entry>,
    settings: &Settings,
    now: Timestamp,
) -> Option<Quota> {
    let is_token = entry.is_some_and(|entry| entry.place == Place::Known(routes::TOKEN));
    let limit = if is_token { settings.token_rate_limit } else { settings.rate_limit }?;
    let window = state.world.windows.entry((tenant, is_token)).or_insert_with(|| Window::new(now));
    Some(window.take(limit, now))
}

fn with_quota(answer: Answer, quota: Option<&Quota>) -> Answer {
    let Some(quota) = quota else { return answer };
    let name = HeaderName::from_static;
    let answer = answer
        .with(name("x-ratelimit-limit"), HeaderValue::from(quota.limit))
        .with(name("x-ratelimit-remaining"), HeaderValue::from(quota.remaining))
        .with(name("x-ratelimit-reset"), HeaderValue::from(quota.reset));
    if quota.refused {
        let (name, value) = faults::retry_after(quota.wait);
        answer.with(name, value)
    } else {
        answer
    }
}

/// `Date` by the emulator's clock, so that dates in other headers have something to be compared with.
fn date(now: Timestamp) -> Option<HeaderValue> {
    let seconds = now.unix();
    let at = UNIX_EPOCH.checked_add(Duration::from_secs((seconds <= LAST_DATE).then_some(seconds)?))?;
    HeaderValue::from_str(&httpdate::fmt_http_date(at)).ok()
}
