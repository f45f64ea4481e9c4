//! Tokens that come from elsewhere: traded, verified, or only looked at.

use lumoauth::claims::UnverifiedClaims;
use lumoauth::embed::operations::{Exchange, McpToken};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::verify::{TrustedIssuer, VerifierConfig, VerifyError};
use lumoauth::{ClientAuth, TokenVerifier};
use serde_json::{Value, json};

use super::text::{json_line, read_secret, read_text, secret_of, shown};
use super::{agent, builder, timeout};
use crate::args::{ClientAuthArg, ExchangeArgs, SettingsArgs};
use crate::exit::{self, Ended, Failure};

pub(super) fn token(
    settings: &SettingsArgs,
    scopes: &[String],
    fresh: bool,
    json: bool,
) -> Result<Ended, Failure> {
    let agent = agent(settings)?.with_scopes(scopes);
    let token = if fresh { agent.authenticate(scopes)? } else { agent.access_token()? };
    Ok(shown(&token, json))
}

pub(super) fn mcp_token(
    settings: &SettingsArgs,
    server: &str,
    scopes: &[String],
    how: ClientAuthArg,
    json: bool,
) -> Result<Ended, Failure> {
    let how = client_auth(how);
    let agent = builder(settings)?.client_auth(how.unwrap_or_default()).build()?;
    let mut wanted = McpToken::new(server).scopes(scopes);
    if let Some(how) = how {
        wanted = wanted.client_auth(how);
    }
    Ok(shown(&agent.mcp_token(wanted)?, json))
}

/// The library's word for the option.
pub(super) fn client_auth(how: ClientAuthArg) -> Option<ClientAuth> {
    match how {
        ClientAuthArg::None => None,
        ClientAuthArg::Post => Some(ClientAuth::Post),
        ClientAuthArg::Basic => Some(ClientAuth::Basic),
    }
}

pub(super) fn exchange(settings: &SettingsArgs, arguments: &ExchangeArgs) -> Result<Ended, Failure> {
    let how = client_auth(arguments.client_auth);
    let agent = builder(settings)?.client_auth(how.unwrap_or_default()).build()?;
    let subject = read_secret(&arguments.subject_token_file)?;
    let actor = match &arguments.actor_token_file {
        Some(file) => read_secret(file)?,
        None => agent.access_token()?.secret().clone(),
    };
    let mut exchange = Exchange::new(subject).actor(actor).scopes(&arguments.scopes);
    if let Some(resource) = &arguments.resource {
        exchange = exchange.resource(resource);
    }
    if let Some(how) = how {
        exchange = exchange.client_auth(how);
    }
    Ok(shown(&agent.run(exchange)?.access, arguments.json))
}

pub(super) fn verify(
    settings: &SettingsArgs,
    token: &str,
    issuer: &str,
    audience: &str,
) -> Result<Ended, Failure> {
    let mut options = TransportOptions::new().proxy_from_environment().root_certificates_from_environment();
    if let Some(file) = &settings.ca_file {
        options = options.root_certificates(read_text(file)?);
    }
    let mut issuer = TrustedIssuer::new(issuer);
    if let Some(timeout) = timeout(settings)? {
        issuer = issuer.timeout(timeout);
    }
    let config = VerifierConfig::new(issuer, audience);
    let verifier = TokenVerifier::build_with(config, UreqTransport::new(&options)?)?;
    let token = secret_of(token)?;
    if let Err(error) = verifier.verify(&token) {
        return Err(Failure::Token { code: code(&error), error });
    }
    // The same token, which is verified by now: all its claims, as they stand in it.
    let claims = UnverifiedClaims::read(&token).map_err(lumoauth::Error::from)?;
    Ok(json_line(&Value::from(claims.unverified_claims().clone())))
}

fn code(error: &VerifyError) -> u8 {
    match error.status() {
        403 => exit::DENIED,
        503 => exit::TEMPORARY,
        _ => exit::UNAUTHENTICATED,
    }
}

pub(super) fn decode(token: &str) -> Result<Ended, Failure> {
    let claims = UnverifiedClaims::read(&secret_of(token)?).map_err(lumoauth::Error::from)?;
    let warning = "NOT VERIFIED: anybody may have written this token; see `lumoauth verify`";
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{warning}\n"));
    Ok(json_line(&json!({ "verified": false, "unverified_claims": claims.unverified_claims() })))
}
