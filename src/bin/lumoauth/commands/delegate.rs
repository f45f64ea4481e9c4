//! `lumoauth delegate`: the walk of a delegation, one step a run.

use lumoauth::DelegationChain;
use lumoauth::store::{FileStore, Shelf, StoreKey};

use super::text::{secret_of, shown, usage};
use super::{alone, builder, request, shared, state, tokens};
use crate::args::{Delegate, DelegateArgs, SessionArgs, SettingsArgs};
use crate::exit::{self, Ended, Failure};

pub(super) fn run(settings: &SettingsArgs, arguments: &DelegateArgs) -> Result<Ended, Failure> {
    let how = tokens::client_auth(arguments.client_auth);
    // What needs no token of the agent's leaves no trace of one.
    let builder = match &arguments.step {
        Delegate::Exchange { .. } | Delegate::Request { .. } => builder(settings)?,
        Delegate::Url { .. } | Delegate::Callback { .. } | Delegate::Revoke { .. } => alone(settings)?,
    };
    let agent = builder.client_auth(how.unwrap_or_default()).build()?;
    // The redirect URI is remembered in the session until the user is back.
    let chain = match &arguments.step {
        Delegate::Url { redirect_uri, .. } => DelegationChain::new(&agent, redirect_uri)?,
        _ => DelegationChain::without_consent(&agent),
    };
    let service = agent.session().site().api_base();
    let client_id = agent.session().client_id().unwrap_or_default();
    // A session of another agent or at another service is never found under the same name.
    let own = |session: &SessionArgs| {
        let segments = [service.as_str(), client_id.as_ref(), session.name.as_str()];
        StoreKey::new(Shelf::Sessions, segments).as_str().to_owned()
    };
    let chain = match (shared::named(settings)?, &arguments.state_dir) {
        // A folder that is given for this run counts more than what the environment says.
        (Some(named), None) => chain.store(named.store),
        (_, given) => {
            let folder = state::folder(given.as_deref())?;
            chain.store(FileStore::open(&folder).map_err(|error| usage(&error.to_string()))?)
        }
    };
    let chain = match how {
        Some(how) => chain.client_auth(how),
        None => chain,
    };
    match &arguments.step {
        Delegate::Url { session, scopes, .. } => Ok(Ended::line(chain.consent_url(&own(session), scopes)?)),
        Delegate::Callback { session, answer } => {
            chain.handle_callback_url(&own(session), secret_of(answer)?.expose())?;
            Ok(nothing())
        }
        Delegate::Exchange { session, scopes, resource, json } => {
            let delegation = match resource {
                Some(resource) => chain.exchange_for(&own(session), scopes, resource)?,
                None => chain.exchange(&own(session), scopes)?,
            };
            Ok(shown(delegation.token(), *json))
        }
        Delegate::Request { session, request, scopes } => {
            let request = request::read(request)?;
            Ok(request::answered(&chain.send(&own(session), request, scopes)?))
        }
        Delegate::Revoke { session } => {
            if !chain.revoke(&own(session))?.told_service() {
                let said = "the service was told nothing: there was no refresh token; what it issued is good until it ends";
                let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{said}\n"));
            }
            Ok(nothing())
        }
    }
}

/// Done, and nothing to say.
fn nothing() -> Ended {
    Ended { answer: Vec::new(), code: exit::OK }
}
