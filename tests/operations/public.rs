//! What browsers are sent to, the keys of tokens, and what resources say of themselves.

use std::time::Duration;

use lumoauth::embed::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use lumoauth::embed::operations::{
    AuthorizationRequest, Callback, EndSession, GetResourceMetadata, PushAuthorization, routes,
};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{ProtocolError, ProtocolFault};
use lumoauth::http::Method;
use lumoauth::verify::IssuerKeys;
use lumoauth::{Error, Pkce, Secret};
use serde_json::json;

use super::harness::{Folder, Input};

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::AUTHORIZE.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let state = Secret::new(input.text("state"));
                Ok(Consent { issuer: input.optional("issuer"), request: consent(input, &state)?, state })
            };
            vector.replay(build, |_| json!("a code"))
        },
    },
    Folder {
        name: routes::LOGOUT.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let end = EndSession::new(input.text("client_id"));
                let end = input.optional("id_token").into_iter().fold(end, EndSession::id_token);
                Ok(SignOut(input.optional("back_to").into_iter().try_fold(end, EndSession::back_to)?))
            };
            vector.replay(build, |()| json!("sent"))
        },
    },
    Folder {
        name: routes::PUSHED_AUTHORIZATION.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let state = Secret::new(input.text("state"));
                Ok(PushAuthorization::new(consent(input, &state)?.parameters()))
            };
            vector.replay(build, |pushed| {
                let site = lumoauth::Site::tenant("acme-corp").unwrap();
                json!({"expires_in_s": pushed.expires_in.as_secs(), "url": pushed.url(&site, "agt_1")})
            })
        },
    },
    Folder {
        name: routes::PROTECTED_RESOURCE.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let url = input.text("url").parse().unwrap();
                Ok(GetResourceMetadata::new(input.text("resource"), url))
            };
            vector.replay(build, |said| {
                json!({
                    "resource": said.resource(), "servers": said.authorization_servers(),
                    "scopes": said.scopes_supported().to_string(), "extra": said.extra(),
                })
            })
        },
    },
    Folder {
        name: routes::JWKS.name(),
        replay: |vector| {
            vector.replay(
                |_| Ok(Keys),
                |keys| {
                    let used: Vec<_> = keys.keys().iter().map(|key| key.key_id()).collect();
                    let refused: Vec<_> =
                        keys.refused().map(|(id, why)| json!({"kid": id, "why": why.to_string()})).collect();
                    json!({"used": used, "refused": refused})
                },
            )
        },
    },
];

fn consent(input: &mut Input, state: &Secret) -> Result<AuthorizationRequest, Error> {
    let pkce = Pkce::from_verifier(input.text("verifier"))?;
    let (client, redirect) = (input.text("client_id"), input.text("redirect_uri"));
    let scope = lumoauth::Scopes::from(input.optional("scope").unwrap_or_default().as_str());
    let request = AuthorizationRequest::new(&client, &redirect, scope, state.expose(), &pkce)?;
    let request = input.optional("nonce").into_iter().fold(request, AuthorizationRequest::nonce);
    Ok(input.optional("resource").into_iter().fold(request, AuthorizationRequest::resource))
}

/// Where a browser is sent. Its answer is the URL that the browser was sent to afterwards, as a text.
struct Consent {
    request: AuthorizationRequest,
    state: Secret,
    issuer: Option<String>,
}

impl std::fmt::Debug for Consent {
    /// The request travels through browsers: what is in it is no secret of the agent, but for the state.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consent").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Operation for Consent {
    type Output = Secret;

    fn terms(&self) -> Terms {
        Terms::new(routes::AUTHORIZE.name(), Effect::Read, Auth::None)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(Request::new(Method::GET, self.request.url(context.site()).parse().unwrap()))
    }

    fn response(&self, response: &Response) -> Result<Answer<Secret>, Error> {
        sound(routes::AUTHORIZE.name(), response)?;
        let callback = Callback::read(std::str::from_utf8(response.body()).unwrap())?;
        Ok(Answer::Done(callback.accept(&self.state, self.issuer.as_deref(), self.issuer.is_some())?))
    }
}

/// Where a browser is sent to sign out. What the service answers is for the browser alone.
#[derive(Debug)]
struct SignOut(EndSession);

impl Operation for SignOut {
    type Output = ();

    fn terms(&self) -> Terms {
        Terms::new(routes::LOGOUT.name(), Effect::Read, Auth::None)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(Request::new(Method::GET, self.0.url(context.site()).parse().unwrap()))
    }

    fn response(&self, response: &Response) -> Result<Answer<()>, Error> {
        sound(routes::LOGOUT.name(), response)?;
        Ok(Answer::Done(()))
    }
}

/// The keys of the tenant's tokens, as the verifier reads them.
#[derive(Debug)]
struct Keys;

impl Operation for Keys {
    type Output = Named;

    fn terms(&self) -> Terms {
        Terms::new(routes::JWKS.name(), Effect::Read, Auth::None).total(Duration::from_secs(5))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(routes::JWKS))
    }

    fn response(&self, response: &Response) -> Result<Answer<Named>, Error> {
        sound(routes::JWKS.name(), response)?;
        let fault = |fault| ProtocolError::new(routes::JWKS.name(), response.status().as_u16(), fault);
        Ok(Answer::Done(Named(IssuerKeys::parse(response.body()).map_err(fault)?)))
    }
}

struct Named(IssuerKeys);

impl std::ops::Deref for Named {
    type Target = IssuerKeys;

    fn deref(&self) -> &IssuerKeys {
        &self.0
    }
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Only 200 is an answer here.
fn sound(name: &'static str, response: &Response) -> Result<(), Error> {
    if response.status() == 200 {
        return Ok(());
    }
    Err(ProtocolError::new(name, response.status().as_u16(), ProtocolFault::UnexpectedStatus).into())
}
