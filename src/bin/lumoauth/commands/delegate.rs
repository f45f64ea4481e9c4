//! `lumoauth delegate`: the walk of a delegation, one step a run.

use lumoauth::DelegationChain;

use super::store::Sessions;
use super::text::{secret_of, shown, usage};
use super::{builder, request, state, tokens};
use crate::args::{Delegate, DelegateArgs, SettingsArgs};
use crate::exit::{self, Ended, Failure};

pub(super) fn run(settings: &SettingsArgs, arguments: &DelegateArgs) -> Result<Ended, Failure> {
    let how = tokens::client_auth(arguments.client_auth);
    let agent = builder(settings)?.client_auth(how.unwrap_or_default()).build()?;
    // The redirect URI is remembered in the session until the user is back.
    let chain = match &arguments.step {
        Delegate::Url { redirect_uri, .. } => DelegationChain::new(&agent, redirect_uri)?,
        _ => DelegationChain::without_consent(&agent),
    };
    let service = agent.session().site().api_base();
    let client_id = agent.session().client_id().unwrap_or_default();
    let folder = state::folder(arguments.state_dir.as_deref())?;
    let sessions = Sessions::open(&folder, &service, &client_id);
    let chain = chain.store(sessions.map_err(|error| usage(&error.to_string()))?);
    let chain = match how {
        Some(how) => chain.client_auth(how),
        None => chain,
    };
    match &arguments.step {
        Delegate::Url { session, scopes, .. } => Ok(Ended::line(chain.consent_url(&session.name, scopes)?)),
        Delegate::Callback { session, answer } => {
            chain.handle_callback_url(&session.name, secret_of(answer)?.expose())?;
            Ok(nothing())
        }
        Delegate::Exchange { session, scopes, resource, json } => {
            let delegation = match resource {
                Some(resource) => chain.exchange_for(&session.name, scopes, resource)?,
                None => chain.exchange(&session.name, scopes)?,
            };
            Ok(shown(delegation.token(), *json))
        }
        Delegate::Request { session, request, scopes } => {
            let request = request::read(request)?;
            Ok(request::answered(&chain.send(&session.name, request, scopes)?))
        }
        Delegate::Revoke { session } => {
            chain.revoke(&session.name)?;
            Ok(nothing())
        }
    }
}

/// Done, and nothing to say.
fn nothing() -> Ended {
    Ended { answer: Vec::new(), code: exit::OK }
}
