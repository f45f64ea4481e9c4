//! A person's consent: asked for at the token endpoint, given or refused on a page, and come back from with a code.

use http::{Method, StatusCode};
use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::invalid_request;
use crate::emulator::services::page;
use crate::emulator::state::State;
use crate::emulator::state::aauth::{Asked, Asking, Code, Consent};
use crate::emulator::state::grants::{Pending, What};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::lifetime::{PATIENCE, in_seconds};
use crate::emulator::values::redirect::{back, redirect};
use crate::emulator::values::seed::AuthLevel;
use crate::emulator::values::settings::{AAuthWire, Mode, Settings};
use crate::operations::routes;
use crate::route::{Base, Route};
use crate::secret::Secret;
use crate::time::Timestamp;

/// Where people consent, behind `/orgs/{slug}/`.
const PORTAL: Route = Route::get("aauth.portal", "portal/aauth/authorize").behind(Base::Tenant);

/// The answer that sends the agent to a person.
pub(crate) fn ask(state: &mut State, call: &Call<'_>, asked: Asked) -> Result<Answer, Answer> {
    if asked.redirect_uri.is_none() {
        return Err(invalid_request("redirect_uri is missing: a person has to consent"));
    }
    let token = state.ids.secret("aauth_request_");
    let url = format!("{}/{}?request_token={}", asked.issuer, routes::aauth::CONSENT.path(), token.expose());
    let kind = asked.kind;
    state.world.aauth.wait(&token, asked, in_seconds(call.now, PATIENCE), call.now);
    Ok(match call.settings.aauth_wire {
        AAuthWire::Current => Answer::ok(&json!({
            "request_type": kind, "request_token": token.expose(), "authorization_uri": url,
            "expires_in": PATIENCE,
        })),
        AAuthWire::Older => Answer::json(
            StatusCode::UNAUTHORIZED,
            &json!({"error": "authorization_required", "auth_url": url, "request_token": token.expose()}),
        ),
    })
}

/// `aauth.agent.auth`: to the page, with the query as it is.
fn begin(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    read(state, call).map_err(html::problem)?;
    let query = call.incoming.query.unwrap_or_default();
    let to = format!("{}/orgs/{}/{}?{query}", call.incoming.base, call.slug, PORTAL.path());
    Ok(redirect(StatusCode::FOUND, &Secret::new(to)))
}

/// Whether a URL that a browser is sent to is that of the page.
pub(crate) fn is_page(url: &str) -> bool {
    url.split('?').next().is_some_and(|before| before.ends_with(&format!("/{}", PORTAL.path())))
}

fn read(state: &State, call: &Call<'_>) -> Result<Asking, &'static str> {
    let parameters = Parameters::query(call.incoming)?;
    if parameters.repeats_any() {
        return Err("A parameter is repeated");
    }
    let token = parameters.get("request_token").ok_or("request_token is missing")?;
    let waiting = state.world.aauth.waiting(token, call.tenant, call.now);
    let (request, asked) = waiting.ok_or("The request is unknown, expired or decided")?;
    let (asked, state) = (asked.clone(), parameters.get("state").map(str::to_owned));
    Ok(Asking { request, asked, state })
}

/// The page. `GET` shows it, `POST` is the decision.
fn portal(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (status, to) = if call.incoming.method == Method::POST {
        (StatusCode::SEE_OTHER, decided(state, call))
    } else {
        (StatusCode::FOUND, shown(state, call))
    };
    match to {
        Ok(Next::Page(page)) => Ok(page),
        Ok(Next::Go(to)) => Ok(redirect(status, &to)),
        Err(problem) => Err(html::problem(problem)),
    }
}

enum Next {
    Page(Answer),
    Go(Secret),
}

fn shown(state: &mut State, call: &Call<'_>) -> Result<Next, &'static str> {
    let asking = read(state, call)?;
    match call.consent() {
        Mode::Deny => deny(state, &asking, call.now).map(Next::Go),
        Mode::Consent(user) => approve(state, call.settings, &asking, user, call.now).map(Next::Go),
        Mode::Page => {
            let pending = Pending {
                id: state.ids.next("req_"),
                csrf: state.ids.secret(""),
                tenant: call.tenant,
                issuer: asking.asked.issuer.clone(),
                what: What::Agent(asking),
                expires_at: in_seconds(call.now, PATIENCE),
            };
            let tenant = state.world.tenants.get(call.tenant).ok_or("No such tenant")?;
            let shown = page::consent(tenant, &pending);
            state.world.grants.wait(pending, call.now);
            Ok(Next::Page(shown))
        }
    }
}

fn decided(state: &mut State, call: &mut Call<'_>) -> Result<Next, &'static str> {
    let parameters = Parameters::read(call.incoming)?;
    let field = |name| parameters.get(name).unwrap_or_default();
    let csrf = Secret::new(field("csrf"));
    let pending = state.world.grants.answered(field("request"), &csrf, call.tenant, call.now);
    let Some(Pending { what: What::Agent(asking), .. }) = pending else {
        return Err("This page is out of date: start again at the agent");
    };
    match field("decision") {
        "approve" => approve(state, call.settings, &asking, field("user"), call.now).map(Next::Go),
        _ => deny(state, &asking, call.now).map(Next::Go),
    }
}

const DECIDED: &str = "The request is expired or decided already";

/// The user agrees: keeps the consent and a code, and says where to go with it.
pub(crate) fn approve(
    state: &mut State,
    settings: &Settings,
    asking: &Asking,
    user: &str,
    now: Timestamp,
) -> Result<Secret, &'static str> {
    let mut asked = state.world.aauth.decide(&asking.request, now).ok_or(DECIDED)?;
    let tenant = state.world.tenants.get(asked.tenant).ok_or("No such tenant")?;
    // In a chain the user is the one of the token before.
    let other = asked.user.as_ref().is_some_and(|own| own != user);
    let seed = tenant.user(user).filter(|_| !other);
    let given: Option<Vec<String>> = seed
        .map(|seed| asked.scopes.iter().filter(|scope| seed.may_grant(scope)).cloned().collect())
        .filter(|given: &Vec<String>| !given.is_empty() || asked.scopes.is_empty());
    let Some(given) = given else {
        return Ok(refused(&asked, asking.state.as_deref(), "The user cannot give any of this"));
    };
    asked.scopes = given;
    if asked.level != AuthLevel::User {
        state.world.aauth.consent(Consent {
            tenant: asked.tenant,
            user: user.to_owned(),
            agent: asked.agent.clone(),
            resource: asked.resource.clone(),
            scopes: asked.scopes.clone(),
        });
    }
    let text = state.ids.secret("aauth_code_");
    let to = asked.redirect_uri.as_deref().unwrap_or_default();
    let to = back(to, &asked.issuer, asking.state.as_deref(), &[("code", text.expose())]);
    let code = Code {
        user: user.to_owned(),
        request: asking.request,
        family: state.world.aauth.family(),
        ends: in_seconds(now, settings.code_lifetime),
        kept_until: in_seconds(now, settings.code_lifetime.max(settings.refresh_lifetime)),
        used: false,
        asked,
    };
    state.world.aauth.insert_code(&text, code, now);
    Ok(to)
}

/// The user refuses.
pub(crate) fn deny(state: &mut State, asking: &Asking, now: Timestamp) -> Result<Secret, &'static str> {
    let asked = state.world.aauth.decide(&asking.request, now).ok_or(DECIDED)?;
    Ok(refused(&asked, asking.state.as_deref(), "The user has refused"))
}

fn refused(asked: &Asked, state: Option<&str>, problem: &str) -> Secret {
    let error = [("error", "access_denied"), ("error_description", problem)];
    back(asked.redirect_uri.as_deref().unwrap_or_default(), &asked.issuer, state, &error)
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::aauth::CONSENT, "GET", begin).for_people(),
    Service::of(PORTAL, "GET, POST", portal).for_people(),
];
