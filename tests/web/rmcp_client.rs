//! The MCP server of the example, called by the client of rmcp.
#![cfg(target_os = "linux")] // sockets without a file

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use axum::Router;
use lumoauth::asynchronous::Agent;
use lumoauth::challenge::Challenge;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::tower::ServerAuth;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};

use super::mcp_example;
use super::support::{get, text};

const SERVER: &str = "http://127.0.0.1/mcp";

/// A caller with the capability for one tool, one without, and the server.
fn world() -> Emulator {
    let agent = |id: &str| AgentSeed::new(id).secret("only-for-tests");
    let tenant = Tenant::new("acme")
        .agent(agent("agt_caller").capabilities(["tool:search_web"]))
        .agent(agent("agt_plain"))
        .mcp_server(McpServerSeed::new("documents").resource_uri(SERVER));
    Emulator::builder().tenant(tenant).build().unwrap()
}

/// Serves the example's app on a socket of this name.
fn serve(name: &str, app: Router) {
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    listener.set_nonblocking(true).unwrap();
    tokio::spawn(axum::serve(tokio::net::UnixListener::from_std(listener).unwrap(), app).into_future());
}

async fn connect(
    socket: &str,
    token: Option<&str>,
    mode: ClientLifecycleMode,
) -> Result<RunningService<RoleClient, ()>, ClientInitializeError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(SERVER);
    config.auth_header = token.map(str::to_owned);
    let transport =
        StreamableHttpClientTransport::from_unix_socket_with_config(&format!("@{socket}"), config);
    ().serve_with_lifecycle(transport, mode).await
}

async fn token_of(agent: &Agent) -> String {
    agent.token_for(SERVER).await.unwrap().secret().expose().to_owned()
}

/// With sessions, and without.
fn modes() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}

#[test]
fn its_client_sees_and_calls_what_the_caller_may() {
    let emulator = world();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (caller, plain) =
            (emulator.async_agent_of("agt_caller").unwrap(), emulator.async_agent_of("agt_plain").unwrap());
        let socket = format!("lumoauth-rmcp-{}", std::process::id());
        let auth = ServerAuth::of(&caller, SERVER).unwrap();
        let app = mcp_example::app(auth);
        serve(&socket, app.clone());
        for mode in modes() {
            for (agent, sees) in
                [(&caller, &["list_documents", "search_web"][..]), (&plain, &["list_documents"][..])]
            {
                let token = token_of(agent).await;
                let client = connect(&socket, Some(&token), mode.clone()).await.unwrap();
                let mut tools: Vec<String> =
                    client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into()).collect();
                tools.sort();
                assert_eq!(tools, sees, "{mode:?}");
                for tool in ["list_documents", "search_web", "delete_all"] {
                    let called = client.call_tool(CallToolRequestParams::new(tool)).await;
                    assert_eq!(called.is_ok(), sees.contains(&tool), "{mode:?} {tool}: {called:?}");
                    if let Err(refused) = called {
                        let refused = format!("{refused:?}");
                        let capability = refused.contains("scope=\\\"tool:search_web\\\"");
                        assert!(
                            if tool == "search_web" { capability } else { refused.contains("403") },
                            "{refused}"
                        );
                    }
                }
                client.cancel().await.unwrap();
            }

            // Without a token it is told where to find out how to get one, and it can.
            let refused = format!("{:?}", connect(&socket, None, mode.clone()).await.unwrap_err());
            assert!(refused.contains("AuthRequired"), "{refused}");
            let document = "http://127.0.0.1/.well-known/oauth-protected-resource/mcp";
            assert!(refused.contains(document), "{refused}");
            let described = text(get(&app, document, None).await).await;
            let described: serde_json::Value = serde_json::from_str(&described).unwrap();
            assert_eq!(described["resource"], SERVER);
            assert_eq!(described["authorization_servers"][0], emulator.site().api_base());
        }
    });
}

#[test]
fn a_challenge_that_its_client_received_is_answered() {
    let emulator = world();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let agent = emulator.async_agent_of("agt_caller").unwrap();
        let socket = format!("lumoauth-rmcp-answer-{}", std::process::id());
        serve(&socket, mcp_example::app(ServerAuth::of(&agent, SERVER).unwrap()));
        let server = agent.resource(SERVER).unwrap();
        let [mode, _] = modes();
        // A token that the server takes no longer.
        let stale = format!("{}x", token_of(&agent).await);
        let refused = format!("{:?}", connect(&socket, Some(&stale), mode.clone()).await.unwrap_err());
        let (_, header) = refused.split_once("www_authenticate_header: \"").unwrap();
        let header = header.split("\" }").next().unwrap().replace("\\\"", "\"");
        let challenge = Challenge::parse(&header).unwrap().remove(0);
        assert_eq!(challenge.error(), Some("invalid_token"), "{header}");
        let token = server.answer(&challenge).await.unwrap().expect("another token");
        let client = connect(&socket, Some(token.secret().expose()), mode).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), 2);
        client.cancel().await.unwrap();
    });
}
