//! What a resource's refusal asks for, and what is done about it: the rule is to answer a challenge once.

use http::Uri;

use super::mcp::ResourceMetadata;
use crate::challenge::Challenge;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::origin::{Origin, absolute};
use crate::scopes::Scopes;
use crate::site::Site;
use crate::wire::Response;

/// What the path of every description of a resource has (RFC 9728 section 3.1).
const DESCRIPTIONS: &str = "/.well-known/oauth-protected-resource";

/// What a server's refusal asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Demand {
    /// Another answer than a challenge that a token could meet.
    Nothing,
    /// A token, or another one: 401, with what it says about it if it does.
    Token(Option<Challenge>),
    /// A token with more scopes: 403 `insufficient_scope` (RFC 6750 section 3.1).
    MoreScopes(Scopes),
}

impl Demand {
    pub(crate) fn of(response: &Response) -> Self {
        let challenges = Challenge::read(response.headers()).unwrap_or_default();
        let bearer = challenges.into_iter().find(|challenge| challenge.is("Bearer"));
        match (response.status().as_u16(), bearer) {
            (401, challenge) => Demand::Token(challenge),
            (403, Some(challenge)) if challenge.error() == Some("insufficient_scope") => {
                Demand::MoreScopes(challenge.scope())
            }
            _ => Demand::Nothing,
        }
    }
}

/// Which scopes to ask for: those so far and those of the challenge; if neither names any, all that the resource supports,
/// else none (MCP, authorization, "Scope Selection Strategy"). Scopes that the caller has chosen are not widened by what a
/// resource merely supports.
pub(crate) fn choose_scopes(have: &Scopes, challenge: &Challenge, metadata: &ResourceMetadata) -> Scopes {
    let both = union(have, &challenge.scope());
    if both.is_empty() { metadata.scopes_supported().clone() } else { both }
}

/// All scopes of both, none twice.
pub(crate) fn union(have: &Scopes, more: &Scopes) -> Scopes {
    let new = more.iter().filter(|scope| !have.contains(scope));
    Scopes::from(have.iter().chain(new).map(str::to_owned).collect::<Vec<_>>())
}

/// The URL that a challenge names, if a request may go there: to the server's own origin, or to the service's descriptions
/// of resources.
pub(crate) fn challenged_url(
    challenge: &Challenge,
    server: &Origin,
    site: &Site,
) -> Result<Option<Uri>, Error> {
    let Some(text) = challenge.resource_metadata() else { return Ok(None) };
    match absolute("resource_metadata", text) {
        Ok((origin, url)) if origin == *server && origin != *site.origin() => Ok(Some(url)),
        Ok((origin, url)) if origin == *site.origin() && url.path().contains(DESCRIPTIONS) => Ok(Some(url)),
        _ => {
            let problem =
                "the challenge points to a document that is neither the server's nor one of the service's";
            Err(ProtocolError::new("mcp.challenge", 401, ProtocolFault::Other(problem)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};

    fn answer(status: u16, challenge: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", challenge.parse().unwrap());
        Response::new(StatusCode::from_u16(status).unwrap(), headers, "")
    }

    #[test]
    fn what_a_refusal_asks_for() {
        let more = r#"Bearer error="insufficient_scope", scope="a b""#;
        assert_eq!(Demand::of(&answer(403, more)), Demand::MoreScopes(Scopes::from("a b")));
        assert!(matches!(Demand::of(&answer(401, more)), Demand::Token(Some(_))));
        for other in ["Basic realm=x", "Bearer a=\"unclosed"] {
            assert_eq!(Demand::of(&answer(401, other)), Demand::Token(None), "{other}");
        }
        for (status, challenge) in
            [(403, r#"Bearer error="invalid_token""#), (403, "Basic realm=x"), (400, more), (200, more)]
        {
            assert_eq!(Demand::of(&answer(status, challenge)), Demand::Nothing, "{status} {challenge}");
        }
    }

    #[test]
    fn scopes_of_both_none_twice() {
        let both = union(&Scopes::from("a b"), &Scopes::from("b c"));
        assert_eq!(both.to_string(), "a b c");
    }
}
