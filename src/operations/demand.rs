//! What a resource's refusal asks for, and what is done about it: the rule is to answer a challenge once.

use http::Uri;

use super::mcp::PROTECTED_RESOURCE;
use crate::challenge::Challenge;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::origin::{Origin, absolute};
use crate::scopes::Scopes;
use crate::site::Site;
use crate::token::AccessToken;
use crate::wire::Response;

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
        let challenges = Challenge::read(response.headers());
        let bearers = challenges.iter().filter(|challenge| challenge.is("Bearer"));
        match response.status().as_u16() {
            401 => Demand::Token(together(bearers)),
            403 => {
                together(bearers.filter(|challenge| wants_more(challenge))).map_or(
                    Demand::Nothing,
                    |challenge| {
                        let named = challenge.scope();
                        // None is a demand too, for what the server says that it supports; too many are none.
                        if named.are_modest(1) {
                            Demand::MoreScopes(named.if_modest())
                        } else {
                            Demand::Nothing
                        }
                    },
                )
            }
            _ => Demand::Nothing,
        }
    }
}

/// True of a challenge that says that the token's scopes are too few (RFC 6750 section 3.1), in whatever case.
pub(crate) fn wants_more(challenge: &Challenge) -> bool {
    challenge.error().is_some_and(|error| error.eq_ignore_ascii_case("insufficient_scope"))
}

/// What several challenges say together: of each parameter that counts the first one, and the scopes of all. A gateway's challenge
/// may stand before that of the server behind it.
fn together<'c>(challenges: impl Iterator<Item = &'c Challenge>) -> Option<Challenge> {
    let all: Vec<&Challenge> = challenges.collect();
    let mut together = (*all.first()?).clone();
    for name in ["error", "resource_metadata"] {
        if let Some(value) = all.iter().find_map(|challenge| challenge.get(name)) {
            together = together.parameter(name, value);
        }
    }
    let scopes: Vec<&str> = all.iter().filter_map(|challenge| challenge.get("scope")).collect();
    Some(if scopes.is_empty() { together } else { together.parameter("scope", scopes.join(" ")) })
}

/// Which scopes to ask for: those so far and those that a challenge names; if neither names any, all that the resource
/// supports, else none (MCP, authorization, "Scope Selection Strategy"). Scopes that the caller has chosen are not widened by
/// what a resource merely supports. What is named beyond all measure is not named ([`Scopes::if_modest`]).
pub(crate) fn choose_scopes(have: &Scopes, named: &Scopes, supported: &Scopes) -> Scopes {
    let both = union(have, named);
    if both.is_empty() { supported.clone().if_modest() } else { both }
}

/// What was granted of what was asked for; all of it if the answer does not say.
pub(crate) fn granted(asked: &Scopes, token: &AccessToken) -> Scopes {
    if token.scopes().is_empty() { asked.clone() } else { token.scopes().clone() }
}

/// All scopes of both, none twice; only the first, which are the caller's, if the second or both together are beyond all measure.
pub(crate) fn union(have: &Scopes, more: &Scopes) -> Scopes {
    let more = more.clone().if_modest();
    if more.is_empty() {
        return have.clone();
    }
    let both = Scopes::from(have.iter().chain(more.iter()).collect::<Vec<_>>());
    // Nor do they grow without end, call by call.
    if both.are_modest(2) { both } else { have.clone() }
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
        Ok((origin, url)) if origin == *site.origin() && is_description(&url, site) => Ok(Some(url)),
        _ => {
            let problem =
                "the challenge points to a document that is neither the server's nor one of the service's";
            Err(ProtocolError::new("mcp.challenge", 401, ProtocolFault::Other(problem)).into())
        }
    }
}

/// True for the service's descriptions of resources: behind the tenant's API base, or at the root of its origin, where RFC 9728
/// section 3.1 puts the path of the resource behind the well-known one.
fn is_description(url: &Uri, site: &Site) -> bool {
    let root = format!("/{}", PROTECTED_RESOURCE.path());
    [site.url(PROTECTED_RESOURCE).path(), &root].into_iter().any(|place| {
        url.path().strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
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

    /// Each of these stands in a field of its own, and all of them in one.
    fn ways(challenges: &[&str], status: u16) -> [Demand; 2] {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append("www-authenticate", challenge.parse().unwrap());
        }
        let apart = Response::new(StatusCode::from_u16(status).unwrap(), headers, "");
        [Demand::of(&apart), Demand::of(&answer(status, &challenges.join(", ")))]
    }

    #[test]
    fn every_bearer_challenge_counts_and_a_broken_one_hides_none() {
        let gateway = r#"Bearer realm="gateway""#;
        let demand = r#"Bearer error="insufficient_scope", scope="w""#;
        let scopes = |text: &str| Demand::MoreScopes(Scopes::from(text));
        for challenges in [
            &[gateway, demand][..],
            &[demand, gateway],
            &["Basic realm=\"x\"", gateway, demand],
            &[r#"Bearer error="invalid_token", scope="other""#, demand],
            &[r#"Bearer resource_metadata="https://a", resource_metadata="https://b""#, demand],
            &["Bearer abc==, realm=x", demand],
        ] {
            assert_eq!(ways(challenges, 403), [scopes("w"), scopes("w")], "{challenges:?}");
        }
        let two = [demand, r#"bearer scope="w v", ERROR=insufficient_scope"#];
        assert_eq!(ways(&two, 403), [scopes("w v"), scopes("w v")]);
        assert_eq!(ways(&[gateway, r#"Bearer error="insufficient_scope""#], 403), [scopes(""), scopes("")]);
        assert_eq!(
            ways(&[gateway, r#"Bearer error="invalid_token""#], 403),
            [Demand::Nothing, Demand::Nothing]
        );

        let server = r#"Bearer resource_metadata="https://h/m", error="invalid_token", scope="a""#;
        let more = r#"Bearer realm="inner", scope="b a""#;
        for demand in ways(&[gateway, server, more], 401) {
            let Demand::Token(Some(challenge)) = demand else { panic!("a challenge") };
            assert_eq!(challenge.resource_metadata(), Some("https://h/m"));
            assert_eq!((challenge.get("realm"), challenge.error()), (Some("gateway"), Some("invalid_token")));
            assert_eq!(challenge.scope(), Scopes::from("a b"));
        }
        let broken = r#"Bearer resource_metadata="https://a", resource_metadata="https://b""#;
        assert_eq!(ways(&[broken], 401), [Demand::Token(None), Demand::Token(None)]);
    }

    #[test]
    fn a_challenge_sends_nobody_anywhere_else() {
        let site = Site::tenant("acme").unwrap();
        let server = Origin::parse("https://files.example").unwrap();
        let goes = |url: &str| {
            let challenge = Challenge::bearer().parameter("resource_metadata", url);
            challenged_url(&challenge, &server, &site).map(|url| url.is_some()).unwrap_or(false)
        };
        let service = "https://app.lumoauth.dev";
        let name = ".well-known/oauth-protected-resource";
        for good in [
            "https://files.example/anything".to_owned(),
            format!("{service}/{name}"),
            format!("{service}/{name}/t/acme/api/v1/mcp"),
            format!("{service}/t/acme/api/v1/{name}"),
            format!("{service}/t/acme/api/v1/{name}/files"),
        ] {
            assert!(goes(&good), "{good}");
        }
        for bad in [
            format!("{service}/"),
            format!("{service}/t/acme/api/v1/oauth/userinfo"),
            format!("{service}/t/acme/api/v1/agents/me"),
            format!("{service}/t/acme/api/v1/mcp/{name}"),
            format!("{service}/t/other/api/v1/{name}"),
            format!("{service}/x/{name}"),
            format!("{service}/{name}s"),
            format!("{service}/{name}.json"),
            format!("{service}/?/{name}"),
            format!("{service}/{name}/../../oauth/token"),
            format!("{service}/{name}/%2e%2e/oauth/token"),
            "https://elsewhere.example/".to_owned(),
            format!("https://elsewhere.example/{name}"),
            format!("https://app.lumoauth.dev.evil.test/{name}"),
            format!("http://app.lumoauth.dev/{name}"),
            format!("https://app.lumoauth.dev:8443/{name}"),
            "http://files.example/".to_owned(),
            "https://files.example.evil.test/".to_owned(),
            "https://files.example:444/".to_owned(),
            "https://files.example@evil.test/".to_owned(),
            "//files.example/".to_owned(),
            "/relative".to_owned(),
        ] {
            assert!(!goes(&bad), "{bad}");
        }
        // A server on the service's own origin is held to the same places.
        let own = Origin::parse(service).unwrap();
        let challenge = |url: &str| Challenge::bearer().parameter("resource_metadata", url);
        assert!(challenged_url(&challenge(&format!("{service}/x")), &own, &site).is_err());
        assert!(challenged_url(&challenge(&format!("{service}/{name}/x")), &own, &site).is_ok());
    }

    #[test]
    fn scopes_of_both_none_twice() {
        let both = union(&Scopes::from("a b"), &Scopes::from("b c"));
        assert_eq!(both.to_string(), "a b c");
    }

    #[test]
    fn a_server_cannot_make_an_agent_send_scopes_without_end() {
        let many = (0..500).map(|at| format!("s{at}")).collect::<Vec<_>>();
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{}""#, many.join(" "));
        assert_eq!(Demand::of(&answer(403, &challenge)), Demand::Nothing);
        let (own, many) = (Scopes::from("own"), Scopes::from(&many));
        assert_eq!(choose_scopes(&own, &many, &Scopes::none()), own);
        assert_eq!(choose_scopes(&Scopes::none(), &many, &many), Scopes::none());
        assert_eq!(choose_scopes(&Scopes::none(), &many, &own), own);
        // Nor bit by bit.
        let grown = many.iter().fold(own, |have, more| union(&have, &Scopes::from(more)));
        assert!(grown.len() <= 200 && grown.contains("own"), "{}", grown.len());
    }
}
