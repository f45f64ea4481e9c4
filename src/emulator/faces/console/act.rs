//! What the forms of the console do.

use http::StatusCode;
use http::header::{HeaderValue, LOCATION};

use super::snapshot::{WHOLE, find};
use super::views::Kind;
use crate::emulator::faces::control::DecisionError;
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::html;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::redirect::redirect;
use crate::emulator::values::scope::is_scope;
use crate::secret::Secret;

/// The most capabilities that an agent has from here.
const MOST: usize = 1024;
/// The reason that a permission's denial has.
const REASON: &str = "denied at the console";

/// Does what the form says, and goes back to the page, or where a consent leads.
pub(super) fn act(emulator: &Emulator, key: &[u8; 32], form: &Parameters, place: &str) -> Answer {
    let field = |name| form.get(name).unwrap_or_default();
    let outcome = match field("do") {
        "approve" => decide(emulator, key, form, true),
        "deny" => decide(emulator, key, form, false),
        "give" => give(emulator, field("client_id"), field("capability")),
        "take" => emulator
            .revoke_capability(field("client_id"), field("capability"))
            .map(|()| None)
            .map_err(|_| "There is no such agent"),
        _ => Err("The form says nothing that can be done"),
    };
    match outcome {
        Ok(Some(to)) => redirect(StatusCode::SEE_OTHER, &to),
        Ok(None) => match HeaderValue::from_str(place) {
            Ok(place) => Answer::empty(StatusCode::SEE_OTHER).with(LOCATION, place),
            Err(_) => html::problem("The page is gone"),
        },
        Err(problem) => html::problem(problem),
    }
}

fn give(emulator: &Emulator, client_id: &str, capability: &str) -> Result<Option<Secret>, &'static str> {
    if !is_scope(capability) || capability.len() > WHOLE {
        return Err("A capability is one word of at most 256 characters, as document.read");
    }
    let has_many = |state: &crate::emulator::state::State| {
        let mut tenants = state.world.tenants.iter();
        let agent = tenants.find_map(|tenant| tenant.agent(client_id));
        agent.is_some_and(|agent| agent.seed.capabilities.len() >= MOST)
    };
    if has_many(&emulator.state()) {
        return Err("The agent has too many capabilities");
    }
    emulator.grant_capability(client_id, capability).map(|()| None).map_err(|_| "There is no such agent")
}

/// Decides for a person. Gives back where the browser goes on, with the code for whoever asked.
fn decide(
    emulator: &Emulator,
    key: &[u8; 32],
    form: &Parameters,
    approve: bool,
) -> Result<Option<Secret>, &'static str> {
    let field = |name| form.get(name).unwrap_or_default();
    let stale = "Nothing waits here any more: it is decided or expired";
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == field("kind")).ok_or(stale)?;
    let id = find(&emulator.state(), key, kind, field("it")).ok_or(stale)?;
    let user = field("user");
    let nothing = |outcome: Result<(), DecisionError>| outcome.map(|()| None);
    let outcome = match (kind, approve) {
        (Kind::Consent, true) => emulator.approve_consent(&id, user).map(Some),
        (Kind::Consent, false) => emulator.deny_consent(&id).map(Some),
        (Kind::Device, true) => nothing(emulator.approve_device(&id, user)),
        (Kind::Device, false) => nothing(emulator.deny_device(&id)),
        (Kind::Approval, true) => nothing(emulator.person_approves(&Secret::new(id))),
        (Kind::Approval, false) => nothing(emulator.person_denies(&Secret::new(id))),
        (Kind::Permission, true) => nothing(emulator.approve_permission(&id)),
        (Kind::Permission, false) => nothing(emulator.deny_permission(&id, REASON)),
    };
    outcome.map_err(|error| match error {
        DecisionError::UnknownUser(_) => "There is no such user",
        _ => stale,
    })
}
