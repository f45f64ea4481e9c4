//! No credential in a request's target (path and query): looked for in every request that a server receives.

use super::request::{Recorded, decode};
use super::service::SECRET;
use std::collections::BTreeSet;

/// Parameters that carry a credential, by the names that standards and vendors give them.
const NAMES: [&str; 20] = [
    "access_token",
    "actor_token",
    "api_key",
    "apikey",
    "assertion",
    "auth_req_id",
    "authorization",
    "bearer",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "password",
    "refresh_token",
    "secret",
    "state",
    "subject_token",
    "token",
];
/// Shorter ones are found in harmless texts by chance.
const SHORTEST: usize = 8;

/// The credentials that one server has been shown, where they may be: in `Authorization` and in forms.
#[derive(Default)]
pub(super) struct Credentials(BTreeSet<String>);

impl Credentials {
    /// Learns what this request carries.
    pub(super) fn learn(&mut self, request: &Recorded) {
        if !request.complete {
            return;
        }
        let authorization = request.header("authorization").and_then(|value| value.split_once(' '));
        self.keep(authorization.map_or("", |(_, credential)| credential));
        let form = "application/x-www-form-urlencoded";
        if request.header("content-type").is_some_and(|kind| kind.starts_with(form)) {
            for (name, value) in request.form() {
                if NAMES.contains(&name.as_str()) {
                    self.keep(&value);
                }
            }
        }
    }

    fn keep(&mut self, credential: &str) {
        if credential.len() >= SHORTEST {
            self.0.insert(credential.to_owned());
        }
    }

    /// What is wrong with the target of a request. The credential itself is not repeated.
    pub(super) fn in_target(&self, request: &Recorded) -> Option<String> {
        let named = request.query().into_iter().map(|(name, _)| name.to_ascii_lowercase());
        if let Some(name) = named.into_iter().find(|name| NAMES.contains(&name.as_str())) {
            return Some(format!("request {}: the query has {name}", request.index));
        }
        let plain = decode(&request.target);
        let holds = |credential: &str| request.target.contains(credential) || plain.contains(credential);
        let found = holds(SECRET) || self.0.iter().any(|credential| holds(credential));
        found.then(|| format!("request {}: a credential is in the target", request.index))
    }
}
