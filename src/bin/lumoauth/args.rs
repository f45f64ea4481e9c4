//! The arguments. No `Debug`: tokens may be among them.

pub mod aauth;
pub mod approve;
pub mod check;
mod delegation;
pub mod emulator;
pub mod jit;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use delegation::{ClientAuthArg, Delegate, DelegateArgs, ExchangeArgs, SessionArgs};

/// An agent's identity for scripts.
///
/// Settings come from LUMOAUTH_URL, LUMOAUTH_TENANT (or LUMOAUTH_ORG_ID), AGENT_CLIENT_ID and AGENT_CLIENT_SECRET; the
/// options below win over them.
///
/// Tokens and users' sessions are kept on this machine, or where LUMOAUTH_STORE says (redis://, rediss:// or file:///), sealed
/// with LUMOAUTH_STORE_KEY or the key in LUMOAUTH_STORE_KEY_FILE.
///
/// Exit codes: 0 ok, 1 error, 2 usage, 3 denied, 4 not authenticated, 5 still pending, 75 temporary.
#[derive(Parser)]
#[command(name = "lumoauth", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the service is and who the agent is.
#[derive(Args)]
pub struct SettingsArgs {
    /// The service's base URL.
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// The tenant's slug.
    #[arg(long, global = true, value_name = "SLUG", conflicts_with = "org")]
    pub tenant: Option<String>,
    /// The organization's id, for services that use the newer paths.
    #[arg(long, global = true, value_name = "ID")]
    pub org: Option<String>,
    /// The agent's client id.
    #[arg(long, global = true, value_name = "ID")]
    pub client_id: Option<String>,
    /// A file that holds the client secret. There is no option for the secret itself: others could read it in the
    /// list of processes.
    #[arg(long, global = true, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// A file with more root certificates to trust (PEM).
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The longest time for the call, in seconds.
    #[arg(long, global = true, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// A file with the platform's token of this workload, in place of a client secret.
    #[arg(long, global = true, value_name = "FILE", requires = "workload_provider")]
    pub workload_token_file: Option<PathBuf>,
    /// The platform: kubernetes, aws, gcp, azure or oidc.
    #[arg(long, global = true, value_name = "NAME", requires = "workload_token_file")]
    pub workload_provider: Option<String>,
    /// Neither use the tokens of other runs nor keep any for them.
    #[arg(long, global = true)]
    pub no_cache: bool,
    /// Say on standard error where tokens are kept, and how.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one
pub enum Command {
    /// Print an access token: one of an earlier run while it is good.
    Token {
        /// A new one, whatever there is.
        #[arg(long)]
        fresh: bool,
        /// A scope to ask for; may be repeated. None: what the agent is registered for.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Print the token with its type, scopes and end as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask whether the agent may do something. Exit code 0: allowed, 3: denied.
    Ask {
        /// The action, such as document.read.
        action: String,
        /// A value that the decision may depend on; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        context: Vec<String>,
        /// The same as one JSON object.
        #[arg(long, value_name = "JSON")]
        context_json: Option<String>,
        /// Print the whole decision as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask a person to approve what the agent is about to do, and wait for the decision.
    Approve {
        #[command(subcommand)]
        command: approve::ApproveCommand,
    },
    /// Check a permission, a relation or a policy. Exit code 0: allowed, 3: denied.
    ///
    /// The agent asks, or a service with an organization's API key: the one in --api-key-file, or in LUMOAUTH_API_KEY where no
    /// agent is set.
    Check {
        /// A file that holds the API key of the service that asks, in place of an agent.
        #[arg(long, global = true, value_name = "FILE")]
        api_key_file: Option<PathBuf>,
        #[command(subcommand)]
        command: check::CheckCommand,
    },
    /// Tokens out of the vault, for the services of others.
    Vault {
        #[command(subcommand)]
        command: check::VaultCommand,
    },
    /// Print the agent's own record.
    Info {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the agent's identity, roles and workspace.
    Identity {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print whether the agent has a capability. Exit code 0: yes, 3: no.
    Capability {
        /// The capability, such as read:documents.
        name: String,
    },
    /// Print what the agent may spend and has spent. Exit code 0: it may go on, 3: a limit is reached.
    Budget {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a request of your own with the agent's token, and print the answer's body.
    Request {
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Print a token that is bound to one MCP server.
    McpToken {
        /// Its id, name, URN or Resource URI.
        server: String,
        /// A scope to ask for; may be repeated. None: what the service grants.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// How the client authenticates itself on the exchange. post and basic hold for the agent's own token as well.
        #[arg(long, value_name = "HOW", default_value = "none")]
        client_auth: ClientAuthArg,
        /// Print the token with its type, scopes and end as JSON.
        #[arg(long)]
        json: bool,
    },
    /// The tokens that runs of this command share.
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Trade a user's token for one with which the agent acts for that user, and print it (RFC 8693).
    ///
    /// The actor is the agent itself, with a token of its own, unless --actor-token-file names another one.
    Exchange(ExchangeArgs),
    /// Act for users who agreed to it. Sessions are kept in private files.
    Delegate(DelegateArgs),
    /// Verify an access token by its issuer's keys, and print its claims as JSON.
    ///
    /// Exit code 0: valid, 4: not valid, 3: valid but not accepted here (its actors), 75: the keys cannot be had, so nothing is
    /// known. Nothing is printed on standard output unless it is valid. What was revoked is not seen.
    Verify {
        /// The token, or - to read it from standard input: others can read arguments in the list of processes.
        token: String,
        /// Who must have issued it: the text in "iss", exactly. The keys are fetched from there.
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// Whom it must be for: one of the texts in "aud".
        #[arg(long, value_name = "TEXT")]
        audience: String,
    },
    /// Print what a token says of itself, NOT VERIFIED: anybody may have written it. Never decide anything by it.
    Decode {
        /// The token, or - to read it from standard input: others can read arguments in the list of processes.
        token: String,
    },
    /// Act as an agent (or resource) with a key of its own (AAuth). Secrets are read from files; - is standard input.
    Aauth {
        #[command(flatten)]
        signer: aauth::SignerArgs,
        #[command(subcommand)]
        command: aauth::AauthCommand,
    },
    /// Ask for permissions just in time. Exit code 0: approved, 3: denied, 5: a person has to decide.
    ///
    /// There is no command that decides: an agent that can run programs must not be able to approve itself.
    Jit {
        #[command(subcommand)]
        command: jit::JitCommand,
    },
    /// Run a local LumoAuth, and print the environment that points at it.
    ///
    /// Without a seed it has a demo tenant. Behind `--` stands a command to run: it gets the environment, secret included, and
    /// the emulator ends with it.
    Emulator(emulator::EmulatorArgs),
}

/// What can be done with the tokens that runs share.
#[derive(Subcommand)]
pub enum CacheCommand {
    /// Remove them all, whoever they are for. Sessions of users stay.
    Clear {
        /// Before that, revoke those of this agent at the service.
        #[arg(long)]
        revoke: bool,
    },
}

/// A request of the caller's own.
#[derive(Args)]
pub struct RequestArgs {
    /// GET, POST, ...
    pub method: String,
    /// /x is joined to the base URL, x to the tenant's API base.
    pub path: String,
    /// A JSON body, or @FILE to read it from a file, or @- from standard input.
    #[arg(long, value_name = "JSON|@FILE")]
    pub data: Option<String>,
    /// A pair for the query; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub query: Vec<String>,
}
