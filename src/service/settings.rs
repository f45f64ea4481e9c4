//! The settings of a service as the environment has them. Pure: the process environment is read elsewhere.

use crate::credentials::Variables;
use crate::error::{ConfigError, Error};
use crate::route::Route;
use crate::verify::VerifierConfig;

/// What LumoAuth says of an MCP server that is registered there, without any credential.
const REGISTERED: Route = Route::get(
    "wellknown.oauth_protected_resource.mcp",
    ".well-known/oauth-protected-resource/mcp/{server_id}",
);

/// The verifier's settings that the environment holds (`docs/wire.md`, S-environment): tokens of the tenant
/// (`LUMOAUTH_URL`, `LUMOAUTH_TENANT` or `LUMOAUTH_ORG_ID`) for this server (`LUMOAUTH_RESOURCE`; without it the Resource URI that the
/// service knows for `LUMOAUTH_MCP_SERVER_ID`, which is read before the first token is judged). An empty value counts as not set.
///
/// ```
/// use lumoauth::service::verifier_config;
///
/// let config = verifier_config(|name| match name {
///     "LUMOAUTH_TENANT" => Some("acme-corp".to_owned()),
///     "LUMOAUTH_RESOURCE" => Some("https://api.acme.test".to_owned()),
///     _ => None,
/// })?;
/// let refused = verifier_config(|name| (name == "LUMOAUTH_TENANT").then(|| "acme-corp".to_owned())).unwrap_err();
/// assert!(refused.to_string().contains("LUMOAUTH_RESOURCE"));
/// # let _ = config;
/// # Ok::<(), lumoauth::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] naming what is missing: there is no audience by default. [`Error::Input`] for a server's id that cannot be sent.
pub fn verifier_config(var: impl Fn(&str) -> Option<String>) -> Result<VerifierConfig, Error> {
    let site = Variables::read(&var).site()?;
    let get = |name: &str| var(name).filter(|value| !value.trim().is_empty());
    if let Some(resource) = get("LUMOAUTH_RESOURCE") {
        return Ok(VerifierConfig::new(site.api_base(), resource));
    }
    match get("LUMOAUTH_MCP_SERVER_ID") {
        Some(id) => Ok(VerifierConfig::described_at(site.api_base(), site.url_with(REGISTERED, &[&id])?)),
        None => Err(ConfigError::Missing {
            setting: "the audience",
            hint: "set LUMOAUTH_RESOURCE to this server's own Resource URI, as tokens have it in \"aud\" (or LUMOAUTH_MCP_SERVER_ID for an MCP server that is registered with LumoAuth)",
        }
        .into()),
    }
}
