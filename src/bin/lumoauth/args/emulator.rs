//! The arguments of `lumoauth emulator`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What the local LumoAuth is like, and how it tells of itself.
#[derive(Args)]
pub struct EmulatorArgs {
    /// A file that says what the emulator starts with: TOML, or JSON if its name ends so. See examples/emulator.toml.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Write one line a request to standard error: time, status, route, agent, what was decided and why.
    #[arg(long)]
    pub log: bool,
    /// An address of this machine; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The agent whose environment is printed, or handed to the command, by its client id. None: the first one.
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// How the environment is printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "sh", conflicts_with = "command")]
    pub format: Format,
    /// Write the client secrets of all agents, and the first API key, to standard error. Without it no secret is written there.
    #[arg(long)]
    pub secrets: bool,
    /// Start without the console, the page that shows what happens and lets a person decide.
    #[arg(long)]
    pub no_console: bool,
    /// Also write the demo AAuth agent's private key to this new file (PEM), readable for you only.
    #[arg(long, value_name = "FILE")]
    pub aauth_key_file: Option<PathBuf>,
    /// For clients of others: answer consent at once, as this user who agrees to everything.
    #[arg(long, value_name = "USER")]
    pub auto_consent: Option<String>,
    /// For clients of others: one more redirect URI of the first agent; may be repeated.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub redirect_uris: Vec<String>,
    /// For clients of others: one more MCP server, by its Resource URI; may be repeated.
    #[arg(long = "mcp-resource", value_name = "URI")]
    pub mcp_resources: Vec<String>,
    /// For MCP clients of others: list issuers in `authorization_servers`, as RFC 9728 has it.
    #[arg(long)]
    pub issuers: bool,
    /// For clients of others: let those with a secret ask for consent without PKCE.
    #[arg(long)]
    pub pkce_optional: bool,
    /// A command with its arguments.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What reads the environment.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `export NAME='value'`, for sh, bash and zsh.
    Sh,
    /// `$env:NAME = 'value'`.
    #[value(name = "powershell")]
    PowerShell,
    /// `set -gx NAME 'value'`.
    Fish,
    /// `NAME=value`, for files that are named .env.
    Dotenv,
    /// One object.
    Json,
}
