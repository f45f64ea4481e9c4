//! A protected API to try tokens on: it says who acts for whom.

use http::StatusCode;
use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::bearer;
use crate::emulator::services::issue;
use crate::emulator::state::State;
use crate::emulator::state::tokens::Actor;
use crate::emulator::values::answer::Answer;
use crate::route::Route;

/// What it wants of a token.
const SCOPE: &str = "read:documents";

/// `GET documents`. A token for another resource, such as an MCP server, does not fit here (RFC 8707 section 2).
fn documents(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = bearer(state, call)?;
    let here = [token.client_id.clone(), call.incoming.base.to_owned(), call.issuer()];
    if !token.audience.iter().any(|audience| here.contains(audience)) {
        let problem = "The token is for another audience";
        return Err(Answer::plain(StatusCode::UNAUTHORIZED, "invalid_token", problem)
            .challenge(&format!("Bearer realm=\"{}\", error=\"invalid_token\"", call.slug)));
    }
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    if !tenant.covers(&token.scopes, SCOPE) {
        let challenge =
            format!("Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{SCOPE}\"", call.slug);
        return Err(Answer::missing_scope(SCOPE, &token.scopes).challenge(&challenge));
    }
    let chain: Vec<&str> = token.actors.iter().map(|Actor { subject, .. }| subject.as_str()).collect();
    Ok(Answer::ok(&json!({
        "documents": [{"id": "doc_1", "title": "Quarterly report"}, {"id": "doc_2", "title": "Travel policy"}],
        "sub": token.subject,
        "act": issue::act(&token.actors, call.settings.rfc_actor_order),
        "principal": {"subject": token.subject, "actor_chain": chain},
        "client_id": token.client_id,
        "scope": token.scopes.join(" "),
    })))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] =
    &[Service::of(Route::get("documents.list", "documents"), "GET, HEAD", documents)];
