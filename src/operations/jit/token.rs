//! The token of a permission: for what was asked for, and nothing else.

use serde_json::Value;

use super::super::token::{access_token, bearer_of};
use super::REQUEST_TOKEN;
use super::auth;
use super::details::AuthorizationDetails;
use super::permission::Approved;
use crate::error::{Error, PermissionError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::scopes::Scopes;
use crate::token::AccessToken;
use crate::wire::{self, Request, Response};

/// Takes the token of an approved request. `POST jit/request/{request_id}/token`, without a body.
///
/// It counts as good for one use: it is never sent again unless nothing of it was sent. A token whose `authorization_details` are not
/// those asked for is [`PermissionError::OtherDetails`]; where the answer has none, they are as asked for.
#[derive(Clone, Debug)]
pub struct TakePermissionToken {
    approved: Approved,
    token: Option<AccessToken>,
}

impl TakePermissionToken {
    /// Of this request.
    pub fn new(approved: &Approved) -> Self {
        TakePermissionToken { approved: approved.clone(), token: None }
    }

    /// Travels with this token, such as one for acting for a user, in place of the agent's own.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Whether the answer is about this request and task, and for what was asked.
    fn check(&self, fields: &mut Fields) -> Result<(), Error> {
        let own =
            [("task_id", self.approved.task_id()), ("jit_request_id", Some(self.approved.request_id()))];
        for (name, own) in own {
            if let (Some(said), Some(own)) = (fields.text(name)?, own)
                && said != own
            {
                return Err(
                    fields.fault(ProtocolFault::Other("the token belongs to another task or request"))
                );
            }
        }
        let Some(granted) = fields.value("authorization_details") else { return Ok(()) };
        let granted = match granted {
            Value::Array(items) => items,
            one @ Value::Object(_) => vec![one],
            other => return Err(fields.mistyped("authorization_details", "a list", &other)),
        };
        let Some(asked) = self.approved.details() else { return Ok(()) };
        let is_same = match granted.as_slice() {
            [one] => AuthorizationDetails::raw(one.clone()).is_ok_and(|granted| granted.is_same(asked)),
            _ => false,
        };
        let request_id = self.approved.request_id().to_owned();
        if is_same { Ok(()) } else { Err(PermissionError::OtherDetails { request_id }.into()) }
    }
}

impl Operation for TakePermissionToken {
    type Output = AccessToken;

    fn terms(&self) -> Terms {
        Terms::new(REQUEST_TOKEN.name(), Effect::Once, auth(self.token.as_ref()))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        context.to_with(REQUEST_TOKEN, &[self.approved.request_id()])
    }

    fn response(&self, response: &Response) -> Result<Answer<AccessToken>, Error> {
        let mut fields = wire::read(REQUEST_TOKEN.name(), response)?;
        let token = access_token(&mut fields, response, &Scopes::none())?;
        let token = bearer_of(REQUEST_TOKEN, token)?;
        self.check(&mut fields)?;
        Ok(Answer::Done(token))
    }
}
