//! The arguments of `lumoauth aauth`.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Who signs, and with what.
#[derive(Args, Debug)]
pub struct SignerArgs {
    /// The file of the private key: PEM, or a JWK.
    #[arg(long, visible_alias = "key", global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The key's id, as it is published; key-1 if not set.
    #[arg(long, global = true, value_name = "ID")]
    pub key_id: Option<String>,
    /// Signs as this agent: its identifier.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "as_resource")]
    pub agent: Option<String>,
    /// Signs as this resource: its identifier.
    #[arg(long, global = true, value_name = "URL")]
    pub as_resource: Option<String>,
    /// The file of the agent's own token (agent+jwt).
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "server_key_file")]
    pub agent_token_file: Option<PathBuf>,
    /// The file of the key of the agent's server: the agent's token is then signed here.
    #[arg(long, global = true, value_name = "FILE")]
    pub server_key_file: Option<PathBuf>,
    /// The id of the server's key, as it is published; key-1 if not set.
    #[arg(long, global = true, value_name = "ID")]
    pub server_key_id: Option<String>,
    /// The name of the delegate that a token signed here is for.
    #[arg(long, global = true, value_name = "NAME", default_value = "cli")]
    pub delegate: String,
    /// The issuer that a token signed here is for.
    #[arg(long, global = true, value_name = "ISSUER")]
    pub audience: Option<String>,
}

/// What is to be signed. Values are text, @FILE, or - for standard input.
#[derive(Args)]
pub struct SignArgs {
    /// GET, POST, ...
    pub method: String,
    /// The URL. It is made canonical, and must be sent in that form (`url` with --json).
    pub url: String,
    /// The body, byte for byte.
    #[arg(long, value_name = "TEXT|@FILE|-")]
    pub body: Option<String>,
    /// Its type; application/json if not set, also without a body.
    #[arg(long, value_name = "TYPE|@FILE|-")]
    pub content_type: Option<String>,
    /// The whole value of Authorization.
    #[arg(long, value_name = "VALUE|@FILE|-")]
    pub authorization: Option<String>,
    /// The value of Signature-Key.
    #[arg(long, value_name = "VALUE|@FILE|-")]
    pub signature_key: Option<String>,
    /// The agent's own token (agent+jwt), which travels as Agent-Auth.
    #[arg(long, value_name = "TOKEN|@FILE|-")]
    pub agent_token: Option<String>,
    /// When it is signed, in seconds since 1970; now if not set.
    #[arg(long, value_name = "UNIX")]
    pub created: Option<u64>,
    /// The nonce, in base64url; 16 random bytes if not set. Never use one twice.
    #[arg(long, value_name = "NONCE")]
    pub nonce: Option<String>,
    /// Print the parts as JSON, the signature base among them. It holds the value of Authorization.
    #[arg(long)]
    pub json: bool,
}

impl fmt::Debug for SignArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignArgs {
            method,
            url: _,
            body: _,
            content_type: _,
            authorization: _,
            signature_key: _,
            agent_token: _,
            created,
            nonce: _,
            json,
        } = self;
        f.debug_struct("SignArgs")
            .field("method", method)
            .field("created", created)
            .field("json", json)
            .finish_non_exhaustive()
    }
}

#[derive(Subcommand, Debug)]
pub enum AauthCommand {
    /// Make an Ed25519 key: the private half goes into a new file that only its owner reads, the public half is printed.
    Keygen {
        /// The file, or - for standard output (then nothing else is printed).
        file: PathBuf,
        /// Replaces a file that is there already. What its key signed can be proven no more.
        #[arg(long)]
        force: bool,
    },
    /// Print the public half of a key as the key set to publish.
    Jwks,
    /// Print the thumbprint of a key (RFC 7638).
    Thumbprint,
    /// Sign a request that something else sends, and print its headers.
    Sign(SignArgs),
    /// Call a resource with the token for it, signed, and print the answer's body.
    Request {
        /// GET, POST, ...
        method: String,
        /// The URL, on the origin of the resource that the token is for.
        target: String,
        /// The file of the token.
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// The resource that the token is for, if the token does not say so itself.
        #[arg(long, value_name = "URL")]
        resource: Option<String>,
        /// A JSON body, or @FILE to read it from a file, or @- from standard input.
        #[arg(long, value_name = "JSON|@FILE")]
        data: Option<String>,
    },
    /// Ask for a token for a resource. Exit code 0: granted; 5: a person has to consent at the URL printed.
    Authorize {
        /// The file of the resource's token (resource+jwt).
        #[arg(long, value_name = "FILE")]
        resource_token_file: PathBuf,
        /// Where the person comes back to, as it is registered.
        #[arg(long, value_name = "URL")]
        redirect_uri: Option<String>,
        /// A scope to ask for; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Trade the code that a person's consent gave for a token. Compare the state yourself before.
    Code {
        /// The file of the code.
        #[arg(long, value_name = "FILE")]
        code_file: PathBuf,
        /// Where the person came back to, as in the request.
        #[arg(long, value_name = "URL")]
        redirect_uri: String,
        /// The file of the request token that came with the consent.
        #[arg(long, value_name = "FILE")]
        request_token_file: Option<PathBuf>,
    },
    /// Renew a token.
    Refresh {
        /// The file of the refresh token.
        #[arg(long, value_name = "FILE")]
        refresh_token_file: PathBuf,
        /// The file of a fresh resource token.
        #[arg(long, value_name = "FILE")]
        resource_token_file: PathBuf,
        /// A scope, to have fewer; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Trade a token that was addressed to this agent for one at the next resource.
    Exchange {
        /// The file of the token that arrived.
        #[arg(long, value_name = "FILE")]
        auth_token_file: PathBuf,
        /// The file of the next resource's token.
        #[arg(long, value_name = "FILE")]
        resource_token_file: PathBuf,
        /// For services that read the token under its older name.
        #[arg(long)]
        older: bool,
    },
    /// Make a token invalid.
    Revoke {
        /// The id (jti) of a token.
        #[arg(long, value_name = "JTI", required_unless_present = "refresh_token_file")]
        id: Option<String>,
        /// The file of a refresh token.
        #[arg(long, value_name = "FILE", conflicts_with = "id")]
        refresh_token_file: Option<PathBuf>,
    },
    /// Ask the service whether an agent's token is good. Exit code 0: yes, 3: no.
    Verify {
        /// The file of the token.
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// The resource that it was shown at; the one that signs if not set.
        #[arg(long, value_name = "URL")]
        resource: Option<String>,
    },
}
