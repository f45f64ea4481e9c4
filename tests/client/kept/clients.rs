//! The clients of one world, for both mounts.

use super::*;

/// Everything that keeps something.
#[derive(Clone)]
pub struct Clients {
    pub wire: Wire,
    pub agent: Agent,
    pub chain: DelegationChain,
    pub verifier: TokenVerifier,
    pub aauth: aauth::Client,
    /// An agent whose own token is asked for elsewhere.
    pub keyed: aauth::Client,
    /// A token that the verifier is to check.
    pub signed: lumoauth::Secret,
}

impl Clients {
    pub fn new(wire: Wire, world: &Arc<World>, setup: &Setup) -> Self {
        let mut builder = Agent::builder().tenant("acme").client_id("agt_1").client_secret("a-long-secret");
        if let Some(most) = setup.most_kept {
            builder = builder.most_kept(most);
        }
        if let Some(patience) = setup.patience {
            builder = builder.timeout(patience).attempt_timeout(patience / 2);
        }
        let agent = builder.build_with(wire.clone()).unwrap();
        let chain = DelegationChain::new(&agent, "https://app.test/back").unwrap();
        let chain = chain.store(slow(Arc::clone(world)));
        let verifier = TokenVerifier::build_with(VerifierConfig::new(API, AUDIENCE), wire.clone()).unwrap();
        let client = aauth::Client::builder().tenant("acme").agent("https://agent.test").agent_token("a.b.c");
        let aauth = client.key(AgentKey::generate().unwrap()).build_with(wire.clone()).unwrap();
        let mut builder = aauth::Client::builder().tenant("acme").agent("https://agent.test");
        if let Some(patience) = setup.patience {
            builder = builder.timeout(patience).attempt_timeout(patience / 2);
        }
        let builder = builder.agent_token_from(agent_tokens(wire.clone()));
        let keyed = builder.key(AgentKey::generate().unwrap()).build_with(wire.clone()).unwrap();
        Clients { wire, agent, chain, verifier, aauth, keyed, signed: signed() }
    }
}
