//! Starts the example's service: for good with the environment's settings, else on a local LumoAuth, and calls it once for each route.

use axum::Router;
use lumoauth::asynchronous::Agent;
use lumoauth::credentials::Variables;
use lumoauth::emulator::Emulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[allow(clippy::disallowed_methods)] // a program may read its environment
pub async fn run(app: fn(&Agent) -> Router) -> Outcome {
    if Variables::read(|name| std::env::var(name).ok()) != Variables::default() {
        let listener = TcpListener::bind("127.0.0.1:8000").await?;
        println!("Serving on http://{}", listener.local_addr()?);
        return Ok(axum::serve(listener, app(&Agent::from_env()?)).await?);
    }
    let emulator = Emulator::demo()?;
    let service = emulator.serve("127.0.0.1:0")?;
    println!("No configuration found: a local LumoAuth listens on {}", service.url());
    let builder = Agent::builder().base_url(service.url()).layout(emulator.site().layout().clone());
    let agent = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone()).build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(axum::serve(listener, app(&agent)).into_future());
    for (method, path) in [("GET", "/api/documents"), ("DELETE", "/api/documents/doc-1")] {
        let mut connection = TcpStream::connect(address).await?;
        let request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let status = answer.lines().next().unwrap_or_default();
        println!("\n{method} {path}\n  {status}\n  {}", answer.rsplit("\r\n\r\n").next().unwrap_or_default());
    }
    serving.abort();
    Ok(())
}
