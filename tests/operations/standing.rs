//! The token vault, attestation, cards, and tools of MCP servers.

use lumoauth::embed::operations::{
    AgentCard, Attest, AuthorizeTool, GetAgentCard, GetVaultToken, ListConnections, VerifyAgentCard, routes,
};
use serde_json::json;

use super::harness::Folder;

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::CONNECTIONS.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let page = input.number("page").map(|page| page.try_into().unwrap());
                    Ok(page.map_or(ListConnections::new(), |page| ListConnections::new().page(page)))
                },
                |page| json!(page),
            )
        },
    },
    Folder {
        name: routes::CONNECTION_TOKEN.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let wanted = GetVaultToken::new(input.text("connection"));
                    Ok(match input.optional("user") {
                        Some(user) => wanted.user(user),
                        None => wanted,
                    })
                },
                |token| {
                    json!({
                        "type": token.token_type(), "scopes": token.scopes().to_string(),
                        "expires_at": token.expires_at().map(|end| end.unix()),
                    })
                },
            )
        },
    },
    Folder {
        name: routes::ATTEST.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(Attest::new(input.text("agent"), input.text("attestation"))),
                |attested| {
                    json!({
                        "scope": attested.token.scopes().to_string(), "identity": attested.identity,
                        "lifetime": attested.token.lifetime().as_secs(),
                    })
                },
            )
        },
    },
    Folder {
        name: routes::AGENT_CARD.name(),
        replay: |vector| {
            vector.replay(|input| Ok(GetAgentCard::new(input.text("agent"))), |card| json!(card))
        },
    },
    Folder {
        name: routes::AGENT_CARD_VERIFY.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(VerifyAgentCard::new(AgentCard::new(input.value("card"))?)),
                |verdict| json!(verdict),
            )
        },
    },
    Folder {
        name: routes::MCP_AUTHORIZE.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(AuthorizeTool::new(input.text("server"), input.text("tool"))),
                |decision| json!(decision),
            )
        },
    },
];
