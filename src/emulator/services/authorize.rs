//! The authorization endpoint (RFC 6749 section 4.1.1): a page for a person, or an answer at once.

use http::{Method, StatusCode};
use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::{browser, client, page};
use crate::emulator::state::State;
use crate::emulator::state::grants::{Asked, Code, Pending, Prompt, Pushed, What};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::lifetime::{PATIENCE, in_seconds};
use crate::emulator::values::redirect::{back, redirect};
use crate::emulator::values::settings::{Mode, Settings};
use crate::operations::routes;
use crate::secret::Secret;
use crate::time::Timestamp;

mod asked;

/// What pushed requests are called (RFC 9126 section 2.2).
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// Why a request gets no code.
pub(crate) enum Refused {
    /// It is not known where the answer should go, or it would be wrong to send it there.
    Here(&'static str),
    /// The client is told (RFC 6749 section 4.1.2.1).
    Back { to: String, state: Option<String>, code: &'static str, description: String },
}

/// `GET`: a request. `POST`: the decision of the page.
fn authorize(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (status, result) = if call.incoming.method == Method::POST {
        (StatusCode::SEE_OTHER, decide(state, call))
    } else {
        (StatusCode::FOUND, begin(state, call))
    };
    match result {
        Ok(Next::Page(answer)) => Ok(answer),
        Ok(Next::Go(location)) => Ok(redirect(status, &location)),
        Ok(Next::SignIn(location, user)) => {
            Ok(browser::sign_in(state, call, &user, redirect(status, &location)))
        }
        Err(Refused::Here(problem)) => Err(html::problem(problem)),
        Err(Refused::Back { to, state, code, description }) => {
            let error = [("error", code), ("error_description", description.as_str())];
            Err(redirect(status, &back(&to, &call.issuer(), state.as_deref(), &error)))
        }
    }
}

enum Next {
    Page(Answer),
    Go(Secret),
    /// And this user is signed in with this browser from now on.
    SignIn(Secret, String),
}

fn begin(state: &mut State, call: &mut Call<'_>) -> Result<Next, Refused> {
    let parameters = Parameters::query(call.incoming).map_err(Refused::Here)?;
    let asked = match parameters.get("request_uri") {
        Some(uri) => {
            let client_id = parameters.get("client_id").unwrap_or_default();
            let grants = &mut state.world.grants;
            grants
                .take_pushed(&Secret::new(uri), client_id, call.tenant, call.now)
                .filter(|_| !parameters.repeats("client_id") && !parameters.repeats("request_uri"))
                .ok_or(Refused::Here("The pushed request is unknown, expired, used or another client's"))?
        }
        None => {
            let tenant = state.world.tenants.get(call.tenant).ok_or(Refused::Here("No such tenant"))?;
            Asked::read(tenant, &parameters, call.settings.pkce_is_optional)?
        }
    };
    call.client_id = Some(asked.client_id.clone());
    let refuse = |asked: Asked, code, description: &str| {
        let description = description.to_owned();
        Err(Refused::Back { to: asked.redirect_uri, state: asked.state, code, description })
    };
    match call.consent() {
        Mode::Deny => refuse(asked, "access_denied", "The user has refused"),
        Mode::Consent(user) => {
            let tenant = state.world.tenants.get(call.tenant);
            let consented = tenant.and_then(|tenant| tenant.consented(user, &asked.client_id));
            let covered =
                consented.is_some_and(|consented| asked.scopes.iter().all(|scope| consented.contains(scope)));
            if asked.prompt == Prompt::None && !covered {
                return refuse(asked, "consent_required", "The user has not agreed to this yet");
            }
            let issuer = call.issuer();
            approve(state, call.settings, call.tenant, &issuer, asked, (user, call.now), call.now)
                .map(Next::Go)
        }
        Mode::Page => {
            // Signed in with this browser, and not too long ago.
            let old = |at: Timestamp| call.now.saturating_since(at).as_secs();
            let browser = browser::signed_in(state, call);
            let browser =
                browser.filter(|own| asked.max_age.is_none_or(|longest| old(own.auth_time) <= longest));
            let tenant = state.world.tenants.get(call.tenant).ok_or(Refused::Here("No such tenant"))?;
            let consented = browser.as_ref().and_then(|own| tenant.consented(&own.user, &asked.client_id));
            let covered =
                consented.is_some_and(|consented| asked.scopes.iter().all(|scope| consented.contains(scope)));
            match browser {
                Some(own) if covered && asked.prompt != Prompt::Page => {
                    let (issuer, user) = (call.issuer(), (own.user.as_str(), own.auth_time));
                    return approve(state, call.settings, call.tenant, &issuer, asked, user, call.now)
                        .map(Next::Go);
                }
                Some(_) if asked.prompt == Prompt::None => {
                    return refuse(asked, "consent_required", "The user has not agreed to this yet");
                }
                None if asked.prompt == Prompt::None => {
                    return refuse(asked, "login_required", "Nobody is signed in");
                }
                _ => {}
            }
            let pending = Pending {
                id: state.ids.next("req_"),
                csrf: state.ids.secret(""),
                tenant: call.tenant,
                issuer: call.issuer(),
                what: What::Client(asked),
                expires_at: in_seconds(call.now, PATIENCE),
            };
            let tenant = state.world.tenants.get(call.tenant).ok_or(Refused::Here("No such tenant"))?;
            let shown = page::consent(tenant, &pending);
            state.world.grants.wait(pending, call.now);
            Ok(Next::Page(shown))
        }
    }
}

/// The form of the page. Its secret shows that the page was seen, and is good for one time.
fn decide(state: &mut State, call: &mut Call<'_>) -> Result<Next, Refused> {
    let parameters = Parameters::read(call.incoming).map_err(Refused::Here)?;
    let field = |name| parameters.get(name).unwrap_or_default();
    let csrf = Secret::new(field("csrf"));
    let pending = state.world.grants.answered(field("request"), &csrf, call.tenant, call.now);
    let stale = Refused::Here("This page is out of date: start again at the application");
    let Some(Pending { issuer, what: What::Client(asked), .. }) = pending else { return Err(stale) };
    call.client_id = Some(asked.client_id.clone());
    match field("decision") {
        "approve" => {
            let user = field("user").to_owned();
            let signed_in = (user.as_str(), call.now);
            let to = approve(state, call.settings, call.tenant, &issuer, asked, signed_in, call.now)?;
            Ok(Next::SignIn(to, user))
        }
        _ => Ok(Next::Go(denied(&issuer, &asked))),
    }
}

/// Where a person who refuses is sent.
pub(crate) fn denied(issuer: &str, asked: &Asked) -> Secret {
    let error = [("error", "access_denied"), ("error_description", "The user has refused")];
    back(&asked.redirect_uri, issuer, asked.state.as_deref(), &error)
}

/// The user, who signed in then, agrees: keeps the consent and a code, and says where to go with it.
pub(crate) fn approve(
    state: &mut State,
    settings: &Settings,
    tenant: usize,
    issuer: &str,
    asked: Asked,
    (user, auth_time): (&str, Timestamp),
    now: Timestamp,
) -> Result<Secret, Refused> {
    let live = state.world.tenants.get_mut(tenant).ok_or(Refused::Here("No such tenant"))?;
    let Some(scopes) = live.granted(&asked.client_id, user, &asked.scopes) else {
        return Err(Refused::Back {
            to: asked.redirect_uri,
            state: asked.state,
            code: "access_denied",
            description: "The user cannot give any of this".to_owned(),
        });
    };
    let text = state.ids.secret("code_");
    let to = back(&asked.redirect_uri, issuer, asked.state.as_deref(), &[("code", text.expose())]);
    let family = state.world.grants.family();
    let code = Code {
        tenant,
        asked,
        user: user.to_owned(),
        scopes,
        auth_time,
        expires_at: in_seconds(now, settings.code_lifetime),
        kept_until: in_seconds(now, settings.code_lifetime.max(settings.refresh_lifetime)),
        family,
        used: false,
    };
    state.world.grants.insert_code(&text, code, now);
    Ok(to)
}

/// `oauth.par` (RFC 9126 section 2): the client hands its request over beforehand.
fn push(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = client::parameters(call)?;
    let client_id = client::identify(state, call, &parameters)?;
    if parameters.get("request_uri").is_some() {
        return Err(Answer::bad_oauth("invalid_request", "request_uri has no place in a pushed request"));
    }
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let asked =
        Asked::read(tenant, &parameters, call.settings.pkce_is_optional).map_err(
            |refused| match refused {
                Refused::Here(problem) => Answer::bad_oauth("invalid_request", problem),
                Refused::Back { code, description, .. } => Answer::bad_oauth(code, &description),
            },
        )?;
    if asked.client_id != client_id {
        return Err(Answer::bad_oauth(
            "invalid_request",
            "client_id differs from the one that authenticated",
        ));
    }
    let uri = state.ids.secret(REQUEST_URI);
    let body = json!({"request_uri": uri.expose(), "expires_in": PATIENCE});
    let expires_at = in_seconds(call.now, PATIENCE);
    state.world.grants.push(Pushed { uri, tenant: call.tenant, asked, expires_at }, call.now);
    let status = if call.settings.pushed_is_ok { StatusCode::OK } else { StatusCode::CREATED };
    Ok(Answer::json(status, &body))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::AUTHORIZE, "GET, POST", authorize).for_people(),
    Service::of(routes::PUSHED_AUTHORIZATION, "POST", push),
];
