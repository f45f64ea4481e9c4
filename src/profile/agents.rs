//! The checks of whoever serves agents: an agent's own token (`agent+jwt`), and a request that is signed with its key.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::agent_token::{ProvenAgentRequest, VerifiedAgentToken};
use super::received::{IncomingMessage, MessagePolicy, ReceivedMessage};
use super::refusal::RequestError;
use super::verify::ALGORITHMS;
use crate::error::{ConfigError, Error};
use crate::secret::Secret;
use crate::session::{Arrived, Machine, Step};
use crate::time::Now;
use crate::verify::{Core, Flow, Leeway, TrustedIssuer, Types, VerifyError, end};

/// The longest token that is looked at: it has to fit into a header.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Settings of an [`AgentVerifier`]: whom the agents' tokens must be for, and which agents are known.
///
/// The directory of agents is the caller's own. A token, a `Signature-Key`, or a key set that says itself whose it is, never
/// adds to it: an agent's keys are looked for in one place, the one that its entry names, and a key counts for that agent only.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a verifier is made of them"]
pub struct AgentVerifierConfig {
    audience: String,
    url: Option<String>,
    agents: Vec<TrustedIssuer>,
    window: Leeway,
    longest_body: Option<usize>,
}

impl AgentVerifierConfig {
    /// Tokens for this service: its issuer's name, exactly as tokens have it in `aud`. Its host and port are the authority that
    /// requests must be signed for.
    pub fn new(audience: impl Into<String>) -> Self {
        AgentVerifierConfig {
            audience: audience.into(),
            url: None,
            agents: Vec::new(),
            window: Leeway::default(),
            longest_body: None,
        }
    }

    /// An agent that is known: its identifier, and where its keys are (`{agent}/jwks.json` if nothing else is said).
    pub fn agent(mut self, agent: impl Into<TrustedIssuer>) -> Self {
        self.agents.push(agent.into());
        self
    }

    /// Where callers send their requests, if its host and port are not those of the audience.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// How far the time of a signature may be from yours, before or after; 60 s if not set.
    pub fn window(mut self, window: Leeway) -> Self {
        self.window = window;
        self
    }

    /// The longest body that is looked at, 1 MiB if not set.
    pub fn longest_body(mut self, bytes: usize) -> Self {
        self.longest_body = Some(bytes);
        self
    }
}

/// Verifies the requests that agents sign, with their own tokens: for services that agents come to without a token of an
/// authorization server, such as one. Pure, as [`super::RequestVerifier`] is. Cheap to clone; clones share the directory and
/// the keys.
#[derive(Clone)]
pub struct AgentVerifier(Arc<Inner>);

struct Inner {
    audience: String,
    policy: MessagePolicy,
    directory: RwLock<Vec<Arc<Core>>>,
}

impl AgentVerifier {
    /// With these settings and no keys yet.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work: a name that is not an https URL (or http to this machine), an agent twice.
    pub fn new(config: AgentVerifierConfig) -> Result<Self, ConfigError> {
        let AgentVerifierConfig { audience, url, agents, window, longest_body } = config;
        let mut policy = MessagePolicy::new(url.as_deref().unwrap_or(&audience))?.window(window);
        if let Some(bytes) = longest_body {
            policy = policy.longest_body(bytes);
        }
        let verifier = AgentVerifier(Arc::new(Inner { audience, policy, directory: RwLock::default() }));
        for agent in agents {
            verifier.register(agent)?;
        }
        Ok(verifier)
    }

    /// One more agent. To change where the keys of a known one are, [`AgentVerifier::forget`] it first.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot work, or the agent is known already.
    pub fn register(&self, agent: impl Into<TrustedIssuer>) -> Result<(), ConfigError> {
        let agent = agent.into();
        // If the directory says nothing else, in the key set beside the agent's name.
        let keys = format!("{}/jwks.json", agent.name().trim_end_matches('/'));
        let issuer = agent.or_algorithms(&ALGORITHMS).or_jwks_url(keys).settle()?;
        let core = Core::new(issuer, Types::Exactly("agent+jwt"), LONGEST_TOKEN).named();
        let mut directory = self.0.directory.write().unwrap_or_else(PoisonError::into_inner);
        if directory.iter().any(|own| own.issuer_name() == core.issuer_name()) {
            return Err(ConfigError::BadUrl { setting: "agent", problem: "it is known already" });
        }
        directory.push(Arc::new(core));
        Ok(())
    }

    /// An agent less. True if it was known.
    pub fn forget(&self, agent: &str) -> bool {
        let mut directory = self.0.directory.write().unwrap_or_else(PoisonError::into_inner);
        let before = directory.len();
        directory.retain(|own| own.issuer_name() != agent);
        directory.len() < before
    }

    /// The machine that checks one agent token. It says nothing about who sent the token.
    pub fn check_token(&self, token: &Secret) -> AgentTokenCheck {
        AgentTokenCheck { verifier: self.clone(), flow: self.flow(token) }
    }

    /// The machine that checks one signed request with the agent's token in `Agent-Auth`. What it gives is proven, and not
    /// accepted before its nonce is used up.
    pub fn check<'a>(&self, message: IncomingMessage<'a>) -> AgentCheck<'a> {
        AgentCheck { verifier: self.clone(), message, begun: None }
    }

    fn flow(&self, token: &Secret) -> Result<(Flow, Arc<Core>), VerifyError> {
        Flow::among(token, LONGEST_TOKEN, |agent| {
            let directory = self.0.directory.read().unwrap_or_else(PoisonError::into_inner);
            let found = directory.iter().find(|own| own.issuer_name() == agent).map(Arc::clone);
            found.ok_or_else(|| "the agents in the directory".to_owned())
        })
    }
}

impl fmt::Debug for AgentVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { audience, policy, directory: _ } = &*self.0;
        f.debug_struct("AgentVerifier")
            .field("audience", audience)
            .field("policy", policy)
            .finish_non_exhaustive()
    }
}

/// The check of one agent token: a machine without I/O.
pub struct AgentTokenCheck {
    verifier: AgentVerifier,
    flow: Result<(Flow, Arc<Core>), VerifyError>,
}

impl Machine for AgentTokenCheck {
    type Output = Result<VerifiedAgentToken, VerifyError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        let Inner { audience, policy, .. } = &*self.verifier.0;
        Ok(match &mut self.flow {
            Err(error) => Step::Done(Err(error.clone())),
            Ok((flow, core)) => {
                let step = flow.step(now, arrived);
                end(step, |claims| {
                    VerifiedAgentToken::check(claims, core, flow.used(), audience, policy.allowed(), now)
                })
            }
        })
    }
}

/// The check of one request that an agent signed, in the same way.
pub struct AgentCheck<'a> {
    verifier: AgentVerifier,
    message: IncomingMessage<'a>,
    begun: Option<(ReceivedMessage<'a>, AgentTokenCheck)>,
}

impl<'a> AgentCheck<'a> {
    fn begin(&self, now: &Now) -> Result<(ReceivedMessage<'a>, AgentTokenCheck), RequestError> {
        let received = self.verifier.0.policy.read(&self.message, now)?;
        let token = received.agent_token().ok_or(VerifyError::MissingToken)?;
        Ok((received, self.verifier.check_token(&Secret::new(token))))
    }
}

impl Machine for AgentCheck<'_> {
    type Output = Result<ProvenAgentRequest, RequestError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => match self.begin(now) {
                Ok(begun) => begun,
                Err(error) => return Ok(Step::Done(Err(error))),
            },
        };
        let window = self.verifier.0.policy.allowed();
        let (received, token) = self.begun.insert(begun);
        Ok(match token.step(now, arrived)? {
            Step::Do(action) => Step::Do(action),
            Step::Done(Err(error)) => Step::Done(Err(error.into())),
            Step::Done(Ok(token)) => Step::Done(ProvenAgentRequest::of(received, token, window)),
        })
    }
}
