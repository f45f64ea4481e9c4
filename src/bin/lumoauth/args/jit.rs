//! The arguments of `lumoauth jit`.

use clap::{Args, Subcommand};

/// What can be done about permissions just in time.
#[derive(Subcommand)]
pub enum JitCommand {
    /// Ask for a permission, in a task that is begun for it unless one is named.
    Request {
        #[command(flatten)]
        details: DetailsArgs,
        /// The task that it is for; without, one of the name below is begun. It ends by itself.
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        /// The name of a task that is begun.
        #[arg(long, value_name = "TEXT", conflicts_with = "task", default_value = "lumoauth jit request")]
        name: String,
        /// A user's email address, for whom the task is begun.
        #[arg(long, value_name = "EMAIL", conflicts_with = "task")]
        on_behalf_of: Option<String>,
        /// Why: whoever decides reads it.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// For how long, in seconds, 900 at most.
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u64>,
    },
    /// Print what was decided.
    Status {
        /// The request's id.
        request: String,
    },
    /// Wait for a decision, and print it. The request's own end ends it too.
    Wait {
        /// The request's id.
        request: String,
        #[command(flatten)]
        details: DetailsArgs,
        /// The longest time, in seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 300)]
        within: u64,
    },
    /// Print the token of an approved request. It is given out once.
    Token {
        /// The request's id.
        request: String,
        #[command(flatten)]
        details: DetailsArgs,
        /// Print the token with its type and end as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What exactly is asked for, or was.
#[derive(Args)]
pub struct DetailsArgs {
    /// The authorization details (RFC 9396): one JSON object with a "type", or @FILE to read it from a file, or @- from standard input.
    #[arg(long, value_name = "JSON|@FILE")]
    pub details: String,
}
