//! The arguments of `lumoauth approve`.

use clap::{Args, Subcommand};

/// Asking a person.
#[derive(Subcommand)]
pub enum ApproveCommand {
    /// Ask a person to approve. Prints the text to wait with, which is a secret. Exit code 5: the person is asked, 1: nobody was reached.
    Request(RequestArgs),
    /// Wait for the person's decision. Exit code 0: approved, 3: denied, 5: not decided yet, 1: over.
    Wait {
        /// What `approve request` printed; `-` reads it from standard input.
        text: String,
        /// For so many seconds at most; until the request is over if not given.
        #[arg(long, value_name = "SECONDS")]
        within: Option<u64>,
    },
}

/// What the person is asked.
#[derive(Args)]
pub struct RequestArgs {
    /// Who is asked: an address or a user id.
    #[arg(long, value_name = "PERSON")]
    pub on_behalf_of: String,
    /// The tool that is to be called; the person is shown it with its arguments.
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "reason",
        requires = "arguments",
        required_unless_present = "reason"
    )]
    pub tool: Option<String>,
    /// Its arguments as JSON; `-` reads them from standard input.
    #[arg(long, value_name = "JSON", requires = "tool")]
    pub arguments: Option<String>,
    /// What the person reads, in place of a tool.
    #[arg(long, value_name = "TEXT", requires = "task")]
    pub reason: Option<String>,
    /// Names the task; the tool's name if not given.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// How much is at stake: low, medium, high or critical.
    #[arg(long, value_name = "IMPACT", default_value = "medium")]
    pub impact: String,
}
