//! Signing out of the service (OpenID Connect RP-Initiated Logout 1.0).

use http::{Method, StatusCode};

use crate::crypto::VerifyingKey;
use crate::emulator::call::{Call, Service};
use crate::emulator::services::browser;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html::{self, escape};
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::jwt::Jws;
use crate::emulator::values::redirect::{fits, redirect};
use crate::operations::routes;
use crate::secret::Secret;

/// What is asked for, checked.
struct Asked {
    /// Whom the ID token names, if one came.
    subject: Option<String>,
    /// Where the browser goes then.
    back: Option<Secret>,
}

fn logout(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = match *call.incoming.method {
        Method::POST => Parameters::read(call.incoming),
        _ => Parameters::query(call.incoming),
    };
    let parameters = parameters.map_err(html::problem)?;
    if parameters.repeats_any() {
        return Err(html::problem("A parameter is repeated"));
    }
    let asked = read(state, call, &parameters).map_err(html::problem)?;
    let browser = browser::signed_in(state, call);
    if let Some(browser) = &browser {
        let is_theirs = asked.subject.as_deref() == Some(&format!("user:{}", browser.user));
        let is_confirmed = parameters.get("csrf").is_some_and(|csrf| Secret::new(csrf) == browser.csrf);
        // Without the person's own ID token anybody's link would sign people out (section 2 of the specification).
        if !is_theirs && !is_confirmed {
            return Ok(confirm(&browser.csrf, &parameters));
        }
    }
    let answer = match &asked.back {
        Some(back) => redirect(StatusCode::SEE_OTHER, back),
        None => html::message("Signed out", "You are signed out."),
    };
    Ok(browser::sign_out(state, call, answer))
}

fn read(state: &State, call: &mut Call<'_>, parameters: &Parameters) -> Result<Asked, &'static str> {
    let claims = match parameters.get("id_token_hint") {
        None => None,
        Some(token) => Some(id_token(state, call, token)?),
    };
    let named = parameters.get("client_id");
    let client_id = match (&claims, named) {
        (Some((_, audience)), Some(named)) if named != audience => {
            return Err("client_id is not the one of the ID token");
        }
        (Some((_, audience)), _) => Some(audience.as_str()),
        (None, named) => named,
    };
    let tenant = state.world.tenants.get(call.tenant).ok_or("No such tenant")?;
    let client = client_id.map(|id| tenant.agent(id).ok_or("The client is unknown")).transpose()?;
    call.client_id = client.map(|client| client.seed.client_id.clone());
    let back = match parameters.get("post_logout_redirect_uri") {
        None => None,
        Some(uri) => {
            let registered = client.map(|client| client.seed.post_logout_redirect_uris.as_slice());
            let registered = registered.ok_or("post_logout_redirect_uri needs an ID token or a client_id")?;
            if !registered.iter().any(|own| fits(own, uri)) {
                return Err("post_logout_redirect_uri is not registered for the client");
            }
            Some(with_state(uri, parameters.get("state")))
        }
    };
    Ok(Asked { subject: claims.map(|(subject, _)| subject), back })
}

/// The subject and the client of an ID token that was issued here; it may be over.
fn id_token(state: &State, call: &Call<'_>, token: &str) -> Result<(String, String), &'static str> {
    const BAD: &str = "id_token_hint is no ID token of this service";
    let jws = Jws::read(token).ok_or(BAD)?;
    if !call.names().iter().any(|name| jws.issuer() == Some(name)) {
        return Err(BAD);
    }
    let keys = state.keys.public().to_json();
    let key_of = |kid: &str| {
        let mut keys = keys.get("keys")?.as_array()?.iter();
        let jwk = keys.find(|key| key.get("kid").and_then(|own| own.as_str()) == Some(kid))?;
        VerifyingKey::from_jwk(jwk).ok()
    };
    let claims = jws.verified("JWT", key_of).map_err(|_| BAD)?;
    let audience = claims.required("aud").map_err(|_| BAD)?.to_owned();
    Ok((claims.required("sub").map_err(|_| BAD)?.to_owned(), audience))
}

fn with_state(uri: &str, state: Option<&str>) -> Secret {
    let Some(state) = state else { return Secret::new(uri) };
    let mut query = form_urlencoded::Serializer::new(String::new());
    let separator = if uri.contains('?') { '&' } else { '?' };
    Secret::new(format!("{uri}{separator}{}", query.append_pair("state", state).finish()))
}

/// Asks the person.
fn confirm(csrf: &Secret, parameters: &Parameters) -> Answer {
    let mut fields = format!("<input type=\"hidden\" name=\"csrf\" value=\"{}\">\n", escape(csrf.expose()));
    for name in ["client_id", "post_logout_redirect_uri", "state"] {
        if let Some(value) = parameters.get(name) {
            fields
                .push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value)));
        }
    }
    let body =
        format!("<form method=\"post\" action=\"?\">\n{fields}<p><button>Sign out</button></p>\n</form>\n");
    html::html(StatusCode::OK, "Sign out?", &body)
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[Service::of(routes::LOGOUT, "GET, POST", logout).for_people()];
