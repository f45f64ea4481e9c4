//! `lumoauth aauth`: the commands that talk to the service or to a resource. What needs no network is in `aauth/local.rs`.

mod local;

use std::path::Path;
use std::time::Duration;

use lumoauth::aauth::{AgentKey, AgentServer, AuthToken, Authorization, Client, Delegate};
use lumoauth::embed::operations::aauth::{Authorize, Exchange, RedeemCode, Refresh, Revoke, VerifyAuthToken};
use lumoauth::http::Method;
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, ApiRequest, Scopes, Secret, TokenType};
use serde_json::{Value, json};

use super::request::{answered, json_text};
use super::text::{json_line, read_secret as secret, read_text, usage};
use super::timeout;
use crate::args::SettingsArgs;
use crate::args::aauth::{AauthCommand, SignerArgs};
use crate::exit::{self, Ended, Failure};

pub fn run(settings: &SettingsArgs, signer: &SignerArgs, command: &AauthCommand) -> Result<Ended, Failure> {
    let client = || client(settings, signer);
    let own_key = || {
        let file = signer.key_file.as_deref().ok_or_else(|| usage("--key is missing"))?;
        key(file, signer.key_id.as_deref())
    };
    match command {
        AauthCommand::Keygen { file, force } => local::keygen(file, signer.key_id.as_deref(), *force),
        AauthCommand::Jwks => Ok(Ended::line(own_key()?.jwks())),
        AauthCommand::Thumbprint => Ok(Ended::line(own_key()?.thumbprint())),
        AauthCommand::Sign(arguments) => local::sign(&own_key()?, arguments),
        AauthCommand::Request { method, target, token_file, resource, data } => {
            let method: Method =
                method.to_ascii_uppercase().parse().map_err(|_| usage("that is not an HTTP method"))?;
            let mut request = ApiRequest::new(method, target.as_str());
            if let Some(data) = data {
                request = request.body("application/json", json_text(data)?);
            }
            Ok(answered(&client()?.send(&kept(&secret(token_file)?, resource.as_deref())?, request)?))
        }
        AauthCommand::Authorize { resource_token_file, redirect_uri, scopes } => {
            let mut authorize = Authorize::new(secret(resource_token_file)?).scopes(scopes);
            if let Some(redirect_uri) = redirect_uri {
                authorize = authorize.redirect_uri(redirect_uri.as_str());
            }
            let client = client()?;
            authorized(&client, client.request_authorization(authorize)?)
        }
        AauthCommand::Code { code_file, redirect_uri, request_token_file } => {
            let mut code = RedeemCode::new(secret(code_file)?, redirect_uri.as_str());
            if let Some(file) = request_token_file {
                code = code.request_token(secret(file)?);
            }
            Ok(granted(&client()?.redeem(code)?))
        }
        AauthCommand::Refresh { refresh_token_file, resource_token_file, scopes } => {
            let refresh = Refresh::new(secret(refresh_token_file)?, secret(resource_token_file)?);
            Ok(granted(&client()?.run(refresh.scopes(scopes))?))
        }
        AauthCommand::Exchange { auth_token_file, resource_token_file, older } => {
            let exchange = Exchange::new(secret(auth_token_file)?, secret(resource_token_file)?);
            let client = client()?;
            authorized(&client, client.exchange(if *older { exchange.older() } else { exchange })?)
        }
        AauthCommand::Revoke { id, refresh_token_file } => {
            let revoke = match (id, refresh_token_file) {
                (_, Some(file)) => Revoke::refresh_token(secret(file)?),
                (id, None) => Revoke::auth_token(id.clone().unwrap_or_default()),
            };
            client()?.revoke(revoke)?;
            Ok(Ended::line("revoked"))
        }
        AauthCommand::Verify { token_file, resource } => {
            let mut verify = VerifyAuthToken::new(secret(token_file)?);
            if let Some(resource) = resource {
                verify = verify.resource(resource.as_str());
            }
            let Some(claims) = client()?.verify_auth_token(verify)? else {
                return Ok(json_line(&json!({"active": false})).with(exit::DENIED));
            };
            Ok(json_line(&json!({
                "active": true, "agent": claims.agent, "agent_delegate": claims.delegate, "resource": claims.resource,
                "sub": claims.subject, "scope": claims.scopes.map(|own| own.to_string()), "cnf_jkt": claims.thumbprint,
            })))
        }
    }
}

fn client(settings: &SettingsArgs, signer: &SignerArgs) -> Result<Client, Failure> {
    let mut builder = Client::builder();
    if let Some(url) = &settings.url {
        builder = builder.base_url(url);
    }
    if let Some(tenant) = &settings.tenant {
        builder = builder.tenant(tenant);
    }
    if let Some(org) = &settings.org {
        builder = builder.organization(org);
    }
    if let Some(file) = &settings.ca_file {
        builder = builder.root_certificates(read_text(file)?);
    }
    if let Some(timeout) = timeout(settings)? {
        builder = builder.timeout(timeout);
    }
    let file = signer.key_file.as_deref().ok_or_else(|| usage("--key-file (or --key) is missing"))?;
    let key = key(file, signer.key_id.as_deref())?;
    let thumbprint = key.thumbprint().to_owned();
    builder = builder.environment().key(key);
    if let Some(resource) = &signer.as_resource {
        return Ok(builder.resource(resource).build()?);
    }
    let agent = signer.agent.as_deref().ok_or_else(|| usage("--agent or --as-resource is missing"))?;
    builder = builder.agent(agent);
    builder = match (&signer.agent_token_file, &signer.server_key_file) {
        (Some(file), _) => builder.agent_token(secret(file)?),
        (None, Some(file)) => {
            let server = AgentServer::new(agent, self::key(file, signer.server_key_id.as_deref())?);
            let server = server.map_err(lumoauth::Error::from)?;
            let audience = signer.audience.as_deref().ok_or_else(|| usage("--audience is missing"))?;
            let delegate = Delegate::by_thumbprint(&signer.delegate, &thumbprint);
            builder.agent_server(server.audience(audience), delegate.map_err(lumoauth::Error::from)?)
        }
        (None, None) => return Err(usage("--agent-token-file or --server-key-file is missing")),
    };
    Ok(builder.build()?)
}

fn key(file: &Path, key_id: Option<&str>) -> Result<AgentKey, Failure> {
    let text = secret(file)?;
    let text = text.expose().as_bytes();
    let key = if text.starts_with(b"{") { AgentKey::from_jwk(text) } else { AgentKey::from_pem(text) };
    let key = key.map_err(|error| usage(&format!("{}: {error}", file.display())))?;
    match key_id {
        Some(key_id) => key.with_key_id(key_id).map_err(|error| usage(&error.to_string())),
        None => Ok(key),
    }
}

/// A token that came from a file: when it ends is for the resource to say.
fn kept(token: &Secret, resource: Option<&str>) -> Result<AuthToken, Failure> {
    let kind = TokenType::Other("auth+jwt".to_owned());
    let access =
        AccessToken::new(token.clone(), kind, Scopes::none(), Timestamp::default(), Duration::from_secs(300));
    let token = AuthToken::new(access);
    match resource {
        Some(resource) => Ok(token.bound_to(resource).map_err(lumoauth::Error::from)?),
        None => Ok(token),
    }
}

fn granted(token: &AuthToken) -> Ended {
    let mut answer = json!({
        "auth_token": token.auth_token().expose(),
        "token_type": token.token_type().to_string(),
        "scope": token.scopes().to_string(),
        "expires_at": token.expires_at().unix(),
        "resource": token.resource(),
    });
    if let (Some(refresh), Some(members)) = (token.refresh_token(), answer.as_object_mut()) {
        members.insert("refresh_token".to_owned(), refresh.expose().into());
    }
    json_line(&answer)
}

fn authorized(client: &Client, authorization: Authorization) -> Result<Ended, Failure> {
    let consent = match authorization {
        Authorization::Granted(token) => return Ok(granted(&token)),
        Authorization::Consent(consent) => consent,
    };
    let text = |secret: Option<&Secret>| secret.map_or(Value::Null, |secret| secret.expose().into());
    let answer = json!({
        "consent_url": client.consent_url(&consent)?,
        "request_token": text(consent.request_token()),
        "state": text(consent.state()),
        "expires_at": consent.expires_at().map(Timestamp::unix),
    });
    Ok(json_line(&answer).with(exit::PENDING))
}
