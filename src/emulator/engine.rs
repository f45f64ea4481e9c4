//! One request in, one reply out: service, fault rules, rate limit, log. No clock, no socket.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CONTENT_LENGTH, DATE, HeaderName, HeaderValue,
};
use http::{HeaderMap, Method, StatusCode};

use super::call::{Call, Service};
use super::state::State;
use super::state::log::LogEntry;
use super::state::quota::{Quota, Window};
use super::values::answer::{Answer, Reply};
use super::values::faults::{self, Order};
use super::values::incoming::Incoming;
use super::values::settings::Settings;
use crate::crypto::KeyPair;
use crate::operations::routes;
use crate::time::Timestamp;
use crate::wire::Response;

pub(crate) mod route;

use route::Target;

/// The last second of the year 9999, which is as far as HTTP dates go.
const LAST_DATE: u64 = 253_402_300_799;

/// Answers one request. `path` is the request's path behind the base URL's own; none if it is not below it.
pub(crate) fn reply(
    state: &mut State,
    incoming: &Incoming<'_>,
    path: Option<&str>,
    aauth_keys: &[KeyPair],
    settings: &Settings,
    now: Timestamp,
) -> Reply {
    let target = path.and_then(|path| route::find(path, incoming.method));
    let service = target.as_ref().and_then(|target| target.service);
    let name = service.map_or(route::UNKNOWN, |service| service.route.name());
    let order = faults::due(&mut state.world.rules, name);
    if let Some(order) = order.as_ref().filter(|order| order.is_not_sent()) {
        let response = Response::new(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Vec::new());
        return Reply { response, fault: order.fault(0) };
    }
    let tenant = target.as_ref().and_then(|target| find_tenant(state, target));
    let quota = tenant.as_ref().and_then(|(index, _)| limit(state, *index, service, settings, now));
    let (mut client_id, mut decision) = (None, None);
    let mut answer = if quota.as_ref().is_some_and(|quota| quota.refused) {
        Answer::too_many_requests()
    } else if let Some(answer) = order.as_ref().and_then(Order::stand_in) {
        answer
    } else {
        match (target, tenant) {
            (None, _) => not_found(),
            (Some(_), None) => Answer::invalid_tenant(),
            (Some(target), Some((index, slug))) => match target.service {
                None => not_found(),
                Some(service) => {
                    let key = &*state.keys.signing();
                    let mut call = Call {
                        incoming,
                        now,
                        id: target.id,
                        prefix: target.prefix,
                        tenant: index,
                        slug: &slug,
                        key,
                        aauth_key: aauth_keys.get(index).unwrap_or(key),
                        settings,
                        client_id: None,
                        decision: None,
                    };
                    let answer = dispatch(state, &mut call, service);
                    (client_id, decision) = (call.client_id, call.decision);
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
        // As long as it would be for GET (RFC 9110 section 8.6).
        let length = HeaderValue::from(std::mem::take(&mut answer.body).len());
        answer = answer.with(CONTENT_LENGTH, length);
    }
    let entry = state.world.log.request(LogEntry {
        route: name,
        method: incoming.method.to_string(),
        path: incoming.path.to_owned(),
        status: answer.status.as_u16(),
        client_id,
        time: now,
    });
    if let Some(entry) = entry {
        state.followers.iter_mut().for_each(|follower| follower(entry, decision.as_ref()));
    }
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

fn dispatch(state: &mut State, call: &mut Call<'_>, service: &Service) -> Answer {
    if call.settings.cors && service.is_document && call.incoming.method == Method::OPTIONS {
        return preflight();
    }
    if !service.allow.split(", ").any(|method| method == call.incoming.method.as_str()) {
        return Answer::method_not_allowed(service.allow);
    }
    if call.incoming.is_from_elsewhere() && !may_come_from_elsewhere(call, service) {
        return Answer::plain(StatusCode::FORBIDDEN, "access_denied", "Another site cannot do this");
    }
    if call.incoming.body.is_none() {
        return Answer::plain(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "The body is too large");
    }
    let answer = (service.handler)(state, call).unwrap_or_else(|refusal| refusal);
    if call.settings.cors && service.is_document { for_every_page(answer) } else { answer }
}

/// Lets the page of every site read an answer that is the same for everybody.
fn for_every_page(answer: Answer) -> Answer {
    answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
}

/// What a browser asks before it reads a document with headers of the page's own.
fn preflight() -> Answer {
    for_every_page(Answer::empty(StatusCode::NO_CONTENT))
        .with(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"))
        .with(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"))
        .with(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"))
}

/// What the page of another site may have a browser send: what only reads, and a person's window to a page, where the person
/// decides. Nothing else, since browsers reach this machine for every page that is open in them.
fn may_come_from_elsewhere(call: &Call<'_>, service: &Service) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(call.incoming.method);
    reads && (!service.is_for_people || call.incoming.is_navigation())
}

/// Counts the request. The token endpoint has a window of its own.
fn limit(
    state: &mut State,
    tenant: usize,
    service: Option<&Service>,
    settings: &Settings,
    now: Timestamp,
) -> Option<Quota> {
    let is_token = service.is_some_and(|service| service.route == routes::TOKEN);
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
