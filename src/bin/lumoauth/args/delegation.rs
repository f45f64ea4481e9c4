//! The arguments of the commands that act for users.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::RequestArgs;

/// `lumoauth exchange`.
#[derive(Args)]
pub struct ExchangeArgs {
    /// A file with the token of the user (or agent) on whose behalf; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub subject_token_file: PathBuf,
    /// A file with the token of who acts; - for standard input. Without it the actor is this agent, with its own token.
    #[arg(long, value_name = "FILE")]
    pub actor_token_file: Option<PathBuf>,
    /// A scope to ask for; may be repeated. None: what the service grants.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// The resource that the token is for: an absolute URI (RFC 8707).
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
    /// How the client authenticates itself on the exchange. post and basic hold for the agent's own token as well.
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub client_auth: ClientAuthArg,
    /// Print the token with its type, scopes and end as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How the client authenticates itself.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ClientAuthArg {
    /// Not on exchanges, as the vendor's SDKs do.
    None,
    /// By id and secret in the body.
    Post,
    /// By an Authorization header (HTTP Basic).
    Basic,
}

/// `lumoauth delegate`.
#[derive(Args)]
pub struct DelegateArgs {
    /// Where sessions are kept, for this user alone. If not given: LUMOAUTH_STATE_DIR, else lumoauth in XDG_STATE_HOME, else
    /// ~/.local/state/lumoauth.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// How the client authenticates itself on exchanges. post and basic hold for the agent's other requests as well.
    #[arg(long, global = true, value_name = "HOW", default_value = "none")]
    pub client_auth: ClientAuthArg,
    #[command(subcommand)]
    pub step: Delegate,
}

/// A session's name.
#[derive(Args)]
pub struct SessionArgs {
    /// The session: one user's delegation, under a name of your choice. It counts for this service and this agent.
    #[arg(long = "session", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
}

/// The steps.
#[derive(Subcommand)]
pub enum Delegate {
    /// Print the URL to send the user to.
    Url {
        #[command(flatten)]
        session: SessionArgs,
        /// Where the user comes back to, exactly as it is registered. It is kept for `callback`.
        #[arg(long, value_name = "URI")]
        redirect_uri: String,
        /// A scope to ask for; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Take the URL that the user's browser came back with, and get the user's tokens.
    Callback {
        #[command(flatten)]
        session: SessionArgs,
        /// The whole URL, or - to read it from standard input: others can read arguments in the list of processes.
        #[arg(value_name = "URL")]
        answer: String,
    },
    /// Print a token with which the agent acts for the user.
    Exchange {
        #[command(flatten)]
        session: SessionArgs,
        /// A scope to ask for; may be repeated. None: what the service grants.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// The resource that the token is for: an absolute URI (RFC 8707).
        #[arg(long, value_name = "URI")]
        resource: Option<String>,
        /// Print the token with its type, scopes and end as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a request in the user's name, and print the answer's body.
    Request {
        #[command(flatten)]
        session: SessionArgs,
        #[command(flatten)]
        request: RequestArgs,
        /// A scope that the token for it must have; may be repeated. None: what the service grants.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// End the delegation: the refresh token is revoked at the service, then the session is forgotten.
    Revoke {
        #[command(flatten)]
        session: SessionArgs,
    },
}
