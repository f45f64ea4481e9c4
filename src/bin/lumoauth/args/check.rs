//! The arguments of checks, and of the token vault.

use clap::Subcommand;

/// What is checked.
#[derive(Subcommand)]
pub enum CheckCommand {
    /// Is there a permission? The agent's own, unless somebody is named.
    Permission {
        /// The permission, such as document.read.
        permission: String,
        /// Ask about this user.
        #[arg(long, value_name = "ID", conflicts_with = "agent")]
        user: Option<String>,
        /// Ask about this agent.
        #[arg(long, value_name = "ID")]
        agent: Option<String>,
        /// A value that the decision may depend on; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        context: Vec<String>,
        /// Print the whole decision as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Does a subject have a relation to an object, itself or by inheritance?
    Relation {
        /// The object, such as document:42.
        object: String,
        /// The relation, such as viewer.
        relation: String,
        /// The subject, such as user:alice, or group:eng#member.
        subject: String,
        /// Print the whole decision as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Do the policies allow the agent to do something?
    Policy {
        /// The action, such as read.
        action: String,
        /// A kind of thing, or one thing: document, document:42.
        resource: String,
        /// A value of what surrounds the question; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        environment: Vec<String>,
        /// Print the whole decision as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What is wanted of the vault.
#[derive(Subcommand)]
pub enum VaultCommand {
    /// Print a token for a connection. It is good at somebody else's service, and nowhere here.
    Token {
        /// The connection's id.
        connection: String,
        /// The user whose account it is, by id or address.
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Print the token with its type, scopes and end as JSON.
        #[arg(long)]
        json: bool,
    },
}
