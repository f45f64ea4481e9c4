//! Any operation, signed: each attempt afresh, and only to where its tokens may go.

use std::fmt;

use super::key::AgentKey;
use super::nonce::Nonce;
use super::sign::Message;
use crate::error::{ConfigError, Error, InputError};
use crate::operation::{Answer, Auth, Context, Operation, Terms};
use crate::pkce::derive_bytes;
use crate::secret::Secret;
use crate::site::Origin;
use crate::wire::{Request, Response};

/// An operation around another one, signed with an agent's or a resource's key. Every attempt has a time and a nonce of its
/// own, so no signature is sent twice.
///
/// | part | | on the wire |
/// |---|---|---|
/// | operation and key | REQUIRED | the operation's request with the signature's headers; its own credential is not attached |
/// | agent token | REQUIRED for agents at the authorization server | `Agent-Auth`; goes to the service only |
/// | token for a resource | REQUIRED at resources | `Authorization`; goes to that resource's origin only |
/// | name of the key | OPTIONAL | `Signature-Key` |
#[derive(Clone)]
pub struct Signed<O> {
    operation: O,
    key: AgentKey,
    agent_token: Option<Secret>,
    auth_token: Option<(Secret, Origin)>,
    signature_key: Option<String>,
}

impl<O: Operation> Signed<O> {
    /// This operation, signed with this key.
    pub fn new(operation: O, key: AgentKey) -> Self {
        Signed { operation, key, agent_token: None, auth_token: None, signature_key: None }
    }

    /// With the agent's own token (`agent+jwt`), for the authorization server.
    pub fn agent_token(mut self, token: impl Into<Secret>) -> Self {
        self.agent_token = Some(token.into());
        self
    }

    /// With the token for a resource (`auth+jwt`), and the only origin that it may go to.
    pub fn auth_token(mut self, token: impl Into<Secret>, origin: Origin) -> Self {
        self.auth_token = Some((token.into(), origin));
        self
    }

    /// Says which key signs, in words of the receiver.
    pub fn signature_key(mut self, name: impl Into<String>) -> Self {
        self.signature_key = Some(name.into());
        self
    }

    /// Tokens stay home, whatever the operation's URL.
    fn check(&self, url: &http::Uri, context: &Context<'_>) -> Result<(), InputError> {
        let origin = Origin::of(url);
        if self.agent_token.is_some() && origin.as_ref() != Some(context.site().origin()) {
            return Err(InputError::new(
                "url",
                "is not the service's, and the agent's token goes nowhere else",
            ));
        }
        match &self.auth_token {
            Some((_, own)) if origin.as_ref() != Some(own) => {
                Err(InputError::new("url", "is not on the origin of the resource that the token is for"))
            }
            _ => Ok(()),
        }
    }
}

impl<O: Operation> Operation for Signed<O> {
    type Output = O::Output;

    fn terms(&self) -> Terms {
        let terms = Terms { auth: Auth::None, ..self.operation.terms() };
        match &self.auth_token {
            Some((_, origin)) => terms.named_origin(Some(origin.clone())),
            None => terms,
        }
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let request = self.operation.request(context)?;
        self.check(request.url(), context)?;
        let missing = || InputError::new("context", "has no time: signatures need one (Context::with_now)");
        let now = context.now().ok_or_else(missing)?;
        let mut message = Message::new(request.method().clone(), &request.url().to_string())?;
        message = message.body(request.body());
        if let Some(value) = request.headers().get(http::header::CONTENT_TYPE) {
            let odd = |_| InputError::new("content_type", "has a character beyond ASCII");
            message = message.content_type(value.to_str().map_err(odd)?)?;
        }
        if let Some(name) = &self.signature_key {
            message = message.signature_key(name.clone())?;
        }
        let mut secrets = Vec::new();
        if let Some(token) = &self.agent_token {
            message = message.agent_token(token.clone())?;
            secrets.push(token);
        }
        if let Some((token, _)) = &self.auth_token {
            message = message.authorization(format!("Bearer {}", token.expose()))?;
            secrets.push(token);
        }
        let nonce = Nonce::from_random(&derive_bytes("aauth nonce", now));
        let signed = message.sign(&self.key, now.wall, &nonce);
        let signed = signed.map_err(|_| ConfigError::Unavailable("the signature could not be made"))?;
        let request = request.changed(message.url().clone(), |headers| signed.apply_to(headers))?;
        Ok(secrets.into_iter().fold(request, |request, secret| request.carries(secret)))
    }

    fn response(&self, response: &Response) -> Result<Answer<O::Output>, Error> {
        self.operation.response(response)
    }
}

impl<O: fmt::Debug> fmt::Debug for Signed<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { operation, key, agent_token, auth_token, signature_key } = self;
        f.debug_struct("Signed")
            .field("operation", operation)
            .field("key", key)
            .field("agent_token", agent_token)
            .field("auth_token", auth_token)
            .field("signature_key", signature_key)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ApiRequest;
    use crate::site::Site;
    use crate::time::{Now, Timestamp};
    use std::time::Duration;

    fn key() -> AgentKey {
        AgentKey::from_seed(&std::array::from_fn(|at| at as u8)).unwrap()
    }

    fn request<O: Operation>(signed: &Signed<O>, random: u8) -> Result<Request, Error> {
        let site = Site::tenant("acme").unwrap();
        let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::ZERO, [random; 32]);
        signed.request(&Context::new(&site).with_now(&now))
    }

    #[test]
    fn every_attempt_has_a_signature_of_its_own() {
        let signed = Signed::new(ApiRequest::get("/x?b=1&a=2"), key()).agent_token("a.b.c");
        let (one, two) = (request(&signed, 1).unwrap(), request(&signed, 2).unwrap());
        let header = |request: &Request, name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_ne!(header(&one, "signature"), header(&two, "signature"));
        assert!(header(&one, "signature-input").contains("\"@query\""));
        assert_eq!(header(&one, "agent-auth"), "agent_token=a.b.c");
        assert_eq!(header(&one, "content-type"), "application/json");
        assert!(one.headers()["agent-auth"].is_sensitive());
        let site = Site::tenant("acme").unwrap();
        let untimed = signed.request(&Context::new(&site)).unwrap_err();
        assert!(matches!(untimed, Error::Input(_)), "{untimed}");
    }

    #[test]
    fn tokens_stay_home() {
        let api = Origin::parse("https://api.example.com").unwrap();
        let to = |url: &str| Signed::new(ApiRequest::get(url), key()).auth_token("t", api.clone());
        let sent = request(&to("https://API.example.com:443/v1"), 1).unwrap();
        assert_eq!(sent.url(), "https://api.example.com/v1");
        assert_eq!(sent.headers()["authorization"], "Bearer t");
        assert!(sent.headers().get("agent-auth").is_none());
        for url in [
            "/x",
            "https://app.lumoauth.dev/x",
            "https://api.example.com:444/",
            "https://api.example.com.evil.test/",
            "http://127.0.0.1/",
        ] {
            assert!(matches!(request(&to(url), 1), Err(Error::Input(_))), "{url}");
        }
        let agent = Signed::new(ApiRequest::get("https://api.example.com/v1"), key()).agent_token("a.b.c");
        assert!(matches!(request(&agent, 1), Err(Error::Input(_))));
        assert!(!format!("{:?}", to("/canary")).contains("\"t\""));
    }
}
