//! The one place that attaches credentials, and that refuses to let them travel where nobody allowed.

use std::time::Duration;

use http::header::USER_AGENT;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Session;
use crate::credentials::{Bearer, ClientAuth, Credentials, Key};
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::operation::{AttemptId, Auth, Callers, Context, Operation, Terms};
use crate::origin::{Origin, absolute};
use crate::secret::Secret;
use crate::token::{AccessToken, TokenType};
use crate::wire::{Form, Limits, Request};

/// What an attempt may carry.
#[derive(Clone, Copy, Default)]
pub(super) struct Carried<'a> {
    /// The agent's own token.
    pub(super) token: Option<&'a AccessToken>,
    /// What is sent in its place.
    pub(super) key: Option<&'a Key>,
    /// What the driver's surroundings gave.
    pub(super) given: Option<&'a Secret>,
    /// The client's credentials, if they are not the session's of the moment.
    pub(super) credentials: Option<&'a Credentials>,
    /// An attempt before this one may have taken effect.
    pub(super) blind: bool,
}

/// Makes the request of one attempt: built anew, with its credential and its limits.
pub(super) fn prepare<O: Operation>(
    session: &Session,
    operation: &O,
    terms: &Terms,
    carried: Carried<'_>,
    attempt_id: Option<AttemptId>,
    time: Duration,
) -> Result<Request, Error> {
    let settings = session.settings();
    let request = unattached(session, operation, terms, carried, attempt_id)?;
    let Carried { token, key, given, credentials, blind: _ } = carried;
    let request = match terms.auth.credential() {
        // Nothing is signed twice.
        Auth::None | Auth::Signed(_) => request,
        Auth::Workload => given.into_iter().fold(request, |request, given| request.carries(given)),
        Auth::Client => match credentials {
            Some(credentials) => client(request, settings.client_auth, credentials)?,
            None => client(request, settings.client_auth, &*session.credentials()?)?,
        },
        Auth::ClientBy(how) => client(request, *how, &*session.credentials()?)?,
        Auth::ClientAs(own, how) => client(request, *how, own)?,
        Auth::Bearer => match key {
            Some(key) => keyed(request, key)?,
            None => bearer(request, terms.name, token)?,
        },
        Auth::Token(own) => bearer(request, terms.name, Some(own))?,
        Auth::InBody => carrying(request, token),
        Auth::InBodyBy(how) => client(carrying(request, token), *how, &*session.credentials()?)?,
    };
    let limits = Limits {
        connect: settings.connect.min(time),
        total: time,
        body: terms.body_limit,
        until_closed: terms.until_closed,
        fresh_connection: terms.effect == crate::operation::Effect::Once,
        ..Limits::default()
    };
    Ok(request.header(USER_AGENT, settings.user_agent.clone()).limits(limits))
}

/// The request without its credential, and only if it goes where that may go.
pub(super) fn unattached<O: Operation>(
    session: &Session,
    operation: &O,
    terms: &Terms,
    carried: Carried<'_>,
    attempt_id: Option<AttemptId>,
) -> Result<Request, Error> {
    let settings = session.settings();
    let Carried { token, key, given, credentials: _, blind } = carried;
    if let (Auth::Bearer, Some(key)) = (terms.auth.credential(), key) {
        takes(terms.callers, key)?;
    }
    let mut context = Context::new(&settings.site).blind(blind);
    if let Some(attempt_id) = attempt_id {
        context = context.with_attempt_id(attempt_id);
    }
    if let Some(token) = token {
        context = context.with_token(token);
    }
    if let Some(given) = given {
        context = context.with_given(given);
    }
    let request = operation.request(&context)?;
    let is_own = settings.site.origin().is_of(request.url());
    if let Auth::Signed(signing) = &terms.auth {
        signing.check(request.url(), is_own)?;
        if signing.home().is_some() {
            return Ok(request);
        }
    }
    // A token that is bound to a resource goes there, and nowhere else but to the service (RFC 8707).
    let bound_to = match terms.auth.credential() {
        Auth::Token(own) => own.resource().map(resource_origin),
        _ => None,
    };
    let is_allowed = match bound_to {
        Some(bound_to) => bound_to.is_some_and(|origin| origin.is_of(request.url())),
        None => settings.allowed_origins.iter().any(|origin| origin.is_of(request.url())),
    };
    let problem = match terms.auth.credential() {
        _ if is_own => return Ok(request),
        Auth::Bearer if key.is_some() => {
            "is on another origin than the service's, and a key or a user's token goes nowhere else"
        }
        Auth::None | Auth::Token(_)
            if terms.named_origin.as_ref().is_some_and(|named| named.is_of(request.url())) =>
        {
            return Ok(request);
        }
        Auth::Client | Auth::ClientBy(_) | Auth::ClientAs(..) | Auth::InBodyBy(_) | Auth::Workload => {
            "is on another origin than the service's, and the client's secret goes nowhere else"
        }
        _ if is_allowed => return Ok(request),
        Auth::Token(own) if own.resource().is_some() => {
            "is on another origin than the resource that the token is for"
        }
        _ => {
            "is on an origin that the token may not go to: name it with allow_origin when the client is built, if it may"
        }
    };
    Err(InputError::new("path", problem).into())
}

/// Some calls cannot be made with every credential (`docs/wire.md`, S-keys).
fn takes(callers: Callers, key: &Key) -> Result<(), InputError> {
    if callers.include(key.bearer()) {
        return Ok(());
    }
    let problem = match key.bearer() {
        Bearer::ApiKey => {
            "is an API key, with which the service does not take this call: use an agent or a user's token"
        }
        Bearer::User => "is a user's token, with which the service does not take this call: use an agent",
        Bearer::Agent => "is an agent's, with which the service does not take this call",
    };
    Err(InputError::new("credential", problem))
}

/// With a key, or a user's token: the one or the other header, never both.
fn keyed(request: Request, key: &Key) -> Result<Request, Error> {
    match key.bearer() {
        Bearer::ApiKey => Ok(request.api_key(key.secret())?),
        Bearer::Agent | Bearer::User => Ok(request.authorization("Bearer", key.secret())?),
    }
}

/// The operation has put the agent's token into the body.
fn carrying(request: Request, token: Option<&AccessToken>) -> Request {
    token.into_iter().fold(request, |request, token| request.carries(token.secret()))
}

fn resource_origin(resource: &str) -> Option<Origin> {
    absolute("resource", resource).ok().map(|(origin, _)| origin)
}

fn bearer(request: Request, operation: &'static str, token: Option<&AccessToken>) -> Result<Request, Error> {
    let unusable = |problem| {
        Error::Protocol(ProtocolError::new(operation, 200, ProtocolFault::UnusableToken { problem }))
    };
    let token = token.ok_or_else(|| unusable("there is none"))?;
    if token.token_type() != &TokenType::Bearer {
        return Err(unusable("its type is not Bearer, so it is never sent as one"));
    }
    Ok(request.authorization("Bearer", token.secret())?)
}

fn client(request: Request, how: ClientAuth, credentials: &Credentials) -> Result<Request, Error> {
    let (id, secret) = (credentials.client_id(), credentials.client_secret());
    match how {
        // RFC 6749 section 3.2.1: it names itself.
        _ if credentials.is_public() => Ok(request.append_form(&Form::new().field("client_id", id))),
        ClientAuth::Post => {
            Ok(request.append_form(&Form::new().field("client_id", id).secret("client_secret", secret)))
        }
        ClientAuth::Basic => {
            // RFC 6749 section 2.3.1: each part form-encoded, then joined, then base64.
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret.expose())));
            let value = Secret::new(STANDARD.encode(pair.as_bytes()));
            // Some grants need the client id in the body as well (`docs/wire.md`, T-client-id); it may be there for all.
            let request = request.append_form(&Form::new().field("client_id", id));
            Ok(request.authorization("Basic", &value)?.carries(secret))
        }
    }
}
