//! Devices without a browser (RFC 8628): the codes, the page for a person, the polls.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::issue::{self, Grant, Refresh};
use crate::emulator::services::{client, page};
use crate::emulator::state::grants::{Device, Outcome, Pending, What};
use crate::emulator::state::tokens::Principal;
use crate::emulator::state::{State, World};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::lifetime::{PATIENCE, in_seconds};
use crate::emulator::values::scope::{refused, scope};
use crate::emulator::values::seed::is_standard;
use crate::operations::routes;
use crate::route::Route;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Seconds between two polls, at first and more for each that comes too early (RFC 8628 section 3.5).
const INTERVAL: u64 = 5;
/// Twenty letters that are no vowels and not taken for digits (RFC 8628 section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// `oauth.device_authorization`.
fn begin(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = client::parameters(call)?;
    let client_id = client::identify(state, call, &parameters)?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(&client_id).ok_or_else(|| issue::server_error("The agent is gone"))?;
    let scopes = match scope(&parameters)? {
        None => agent.seed.capabilities.clone(),
        Some(scopes) => {
            let may_ask = |scope: &str| is_standard(scope) || agent.may_have(scope);
            match refused(&scopes, may_ask, "is not allowed to the client") {
                Some(refusal) => return Err(refusal),
                None => scopes,
            }
        }
    };
    let code = state.ids.secret("dc_");
    let user_code = user_code(&state.ids.bytes());
    let page = format!("{}/oauth/device", call.issuer());
    let body = json!({
        "device_code": code.expose(),
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": PATIENCE,
        "interval": INTERVAL,
    });
    let device = Device {
        code,
        user_code,
        tenant: call.tenant,
        client_id,
        scopes,
        expires_at: in_seconds(call.now, PATIENCE),
        interval: INTERVAL,
        polled_at: None,
        outcome: Outcome::Open,
    };
    state.world.grants.insert_device(device, call.now);
    Ok(Answer::ok(&body).no_cache())
}

fn user_code(bytes: &[u8]) -> String {
    let letter = |byte: u8| LETTERS.get(usize::from(byte).checked_rem(LETTERS.len())?).copied();
    // Bytes from 240 on would favour some letters.
    let letters = bytes.iter().filter(|byte| **byte < 240).filter_map(|byte| letter(*byte));
    let letters: String = letters.chain(std::iter::repeat(b'B')).take(8).map(char::from).collect();
    let (front, back) = letters.split_at_checked(4).unwrap_or_default();
    format!("{front}-{back}")
}

/// The device's grant at the token endpoint (RFC 8628 section 3.4).
pub(crate) fn poll(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<Answer, Answer> {
    let client_id = client::identify(state, call, parameters)?;
    let missing = || Answer::bad_oauth("invalid_request", "Missing parameter: device_code");
    let code = Secret::new(parameters.get("device_code").ok_or_else(missing)?);
    let grants = &mut state.world.grants;
    let ours = |own: &Device| own.tenant == call.tenant && own.client_id == client_id && own.code == code;
    let unknown = || Answer::bad_oauth("invalid_grant", "The device code is unknown or used");
    let at = grants.devices.iter().position(ours).ok_or_else(unknown)?;
    let device = grants.devices.get_mut(at).ok_or_else(unknown)?;
    if call.now >= device.expires_at {
        return Err(Answer::bad_oauth("expired_token", "The device code has expired"));
    }
    let before = device.polled_at.replace(call.now);
    let early = before.is_some_and(|before| {
        before.saturating_add(Duration::from_secs(device.interval)) > call.now && before <= call.now
    });
    if early {
        device.interval = device.interval.saturating_add(INTERVAL);
        return Err(Answer::bad_oauth("slow_down", "The device polls too often"));
    }
    let Outcome::Approved { user, scopes, at: auth_time } = &device.outcome else {
        let (code, problem) = match device.outcome {
            Outcome::Denied => ("access_denied", "The user has refused"),
            _ => ("authorization_pending", "The user has not decided yet"),
        };
        return Err(Answer::bad_oauth(code, problem));
    };
    let refresh = scopes.iter().any(|scope| scope == "offline_access");
    let grant = Grant {
        client_id,
        principal: Principal::User(user.clone()),
        subject: format!("user:{user}"),
        scopes: scopes.clone(),
        audience: Vec::new(),
        actors: Vec::new(),
        family: None,
        auth_time: *auth_time,
        until: None,
        exchanged: false,
        refresh: refresh.then(|| Refresh { scopes: scopes.clone(), resources: Vec::new() }),
        id_token: Some(None),
    };
    grants.devices.remove(at);
    let family = Some(grants.family());
    issue::tokens(state, call, Grant { family, ..grant })
}

/// Why a decision cannot be made.
pub(crate) enum Undecided {
    NoCode,
    NoUser,
}

/// The person decides: a user agrees, or nobody.
pub(crate) fn decide(
    world: &mut World,
    tenant: Option<usize>,
    user_code: &str,
    user: Option<&str>,
    now: Timestamp,
) -> Result<(), Undecided> {
    let World { tenants, grants, .. } = world;
    let device = grants.device_mut(user_code, now).ok_or(Undecided::NoCode)?;
    if tenant.is_some_and(|tenant| tenant != device.tenant) {
        return Err(Undecided::NoCode);
    }
    let Some(user) = user else {
        device.outcome = Outcome::Denied;
        return Ok(());
    };
    let live = tenants.get_mut(device.tenant).ok_or(Undecided::NoCode)?;
    live.user(user).ok_or(Undecided::NoUser)?;
    device.outcome = match live.granted(&device.client_id, user, &device.scopes) {
        Some(scopes) => Outcome::Approved { user: user.to_owned(), scopes, at: now },
        None => Outcome::Denied,
    };
    Ok(())
}

/// The page where a person enters the code.
fn shown(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    if call.incoming.method == Method::POST {
        return decided(state, call);
    }
    let user_code = Parameters::query(call.incoming)
        .ok()
        .filter(|parameters| !parameters.repeats_any())
        .and_then(|parameters| parameters.get("user_code").map(str::to_owned));
    let pending = Pending {
        id: state.ids.next("dev_"),
        csrf: state.ids.secret(""),
        tenant: call.tenant,
        issuer: call.issuer(),
        what: What::Device,
        expires_at: in_seconds(call.now, PATIENCE),
    };
    let Some(tenant) = state.world.tenants.get(call.tenant) else { return Err(Answer::invalid_tenant()) };
    let page = page::device(tenant, &pending, &user_code.unwrap_or_default());
    state.world.grants.wait(pending, call.now);
    Ok(page)
}

fn decided(state: &mut State, call: &Call<'_>) -> Result<Answer, Answer> {
    let parameters = Parameters::read(call.incoming).map_err(html::problem)?;
    let field = |name| parameters.get(name).unwrap_or_default();
    let csrf = Secret::new(field("csrf"));
    let pending = state.world.grants.answered(field("request"), &csrf, call.tenant, call.now);
    if !matches!(pending, Some(Pending { what: What::Device, .. })) {
        return Err(html::problem("This page is out of date: open it again"));
    }
    let user = (field("decision") == "approve").then(|| field("user"));
    match decide(&mut state.world, Some(call.tenant), field("user_code"), user, call.now) {
        Ok(()) if user.is_some() => Ok(html::message("Done", "The device goes on by itself.")),
        Ok(()) => Ok(html::message("Refused", "The device was not connected.")),
        Err(Undecided::NoCode) => Err(html::problem("The code is unknown, expired or used")),
        Err(Undecided::NoUser) => Err(html::problem("There is no such user")),
    }
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::DEVICE_AUTHORIZATION, "POST", begin),
    Service::of(Route::get("oauth.device", "oauth/device"), "GET, POST", shown).for_people(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_codes_have_eight_letters() {
        assert_eq!(user_code(&[0, 1, 2, 3, 255, 19, 20, 239, 5, 6]), "BCDF-ZBZH");
        assert_eq!(user_code(&[255; 32]), "BBBB-BBBB");
    }
}
