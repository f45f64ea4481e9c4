//! The agent about itself, tokens, and what the service says of itself.

use lumoauth::Scopes;
use lumoauth::embed::operations::{
    ClientCredentials, DeviceAuthorization, Exchange, GetIdentity, GetInfo, GetMetadata, Introspect,
    Introspection, RedeemCode, Refresh, Register, Revoke, TokenHint, TokenSet, routes,
};
use lumoauth::{Error, Pkce};
use serde_json::{Value, json};

use super::harness::{Folder, Input};

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::USERINFO.name(),
        replay: |vector| vector.replay(|_| Ok(GetInfo), |info| json!(info)),
    },
    Folder {
        name: routes::ME.name(),
        replay: |vector| vector.replay(|_| Ok(GetIdentity), |identity| json!(identity)),
    },
    Folder {
        name: routes::REGISTER.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let mut register = Register::new(input.text("name"));
                    register = input.optional("client_id").into_iter().fold(register, Register::client_id);
                    register =
                        input.optional("description").into_iter().fold(register, Register::description);
                    register = input.optional("jwks_uri").into_iter().fold(register, Register::jwks_uri);
                    Ok(match input.optional("capabilities") {
                        Some(words) => register.capabilities(words.split(' ')),
                        None => register,
                    })
                },
                |registered| json!(registered),
            )
        },
    },
    Folder {
        name: routes::TOKEN.name(),
        replay: |vector| match vector.member("grant") {
            "client_credentials" => vector.replay(
                |input| {
                    input.text("grant");
                    Ok(ClientCredentials::new(scopes(input)))
                },
                |token| {
                    json!({"token_type": token.token_type().to_string(), "scope": token.scopes().to_string(),
                        "lifetime_s": token.lifetime().as_secs()})
                },
            ),
            "authorization_code" => vector.replay(
                |input| {
                    input.text("grant");
                    let pkce = Pkce::from_verifier(input.text("verifier"))?;
                    let code = RedeemCode::new(input.text("code"), input.text("redirect_uri"), pkce);
                    let code = input.optional("resource").into_iter().fold(code, RedeemCode::resource);
                    Ok(code.scopes(scopes(input)))
                },
                tokens,
            ),
            "refresh_token" => vector.replay(
                |input| {
                    input.text("grant");
                    let refresh = Refresh::new(input.text("token"));
                    let refresh = match input.optional("granted") {
                        Some(granted) => refresh.granted(Scopes::from(granted)),
                        None => refresh,
                    };
                    Ok(match input.optional("scope") {
                        Some(scope) => refresh.scopes(Scopes::from(scope)),
                        None => refresh,
                    })
                },
                tokens,
            ),
            "exchange" => vector.replay(
                |input| {
                    input.text("grant");
                    let exchange = Exchange::new(input.text("subject"));
                    let exchange = match input.optional("actor") {
                        Some(actor) => exchange.actor(actor),
                        None => exchange,
                    };
                    let exchange = input.optional("audience").into_iter().fold(exchange, Exchange::audience);
                    let exchange = input.optional("resource").into_iter().fold(exchange, Exchange::resource);
                    Ok(exchange.scopes(scopes(input)))
                },
                tokens,
            ),
            other => panic!("{other} is no grant of these vectors"),
        },
    },
    Folder {
        name: routes::REVOKE.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let revoke = Revoke::new(input.text("token"));
                    Ok(hint(input)?.into_iter().fold(revoke, Revoke::hint))
                },
                |()| json!("done"),
            )
        },
    },
    Folder {
        name: routes::INTROSPECT.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let introspect = Introspect::new(input.text("token"));
                    Ok(hint(input)?.into_iter().fold(introspect, Introspect::hint))
                },
                |said| match said {
                    Introspection::Inactive => json!("inactive"),
                    Introspection::Active(token) => json!({
                        "token": token, "scope": token.scopes.to_string(),
                        "exp": token.expires_at.map(|end| end.unix()),
                    }),
                },
            )
        },
    },
    Folder {
        name: routes::DEVICE_AUTHORIZATION.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(DeviceAuthorization::new(scopes(input))),
                |code| {
                    json!({
                        "user_code": code.user_code, "verification_uri": code.verification_uri,
                        "complete": code.verification_uri_complete,
                        "expires_in_s": code.expires_in.as_secs(), "interval_s": code.interval.as_secs(),
                    })
                },
            )
        },
    },
    Folder {
        name: routes::AUTHORIZATION_SERVER.name(),
        replay: |vector| vector.replay(|_| Ok(GetMetadata::new()), metadata),
    },
    Folder {
        name: routes::OPENID_CONFIGURATION.name(),
        replay: |vector| vector.replay(|_| Ok(GetMetadata::openid()), metadata),
    },
];

fn scopes(input: &mut Input) -> Scopes {
    input.optional("scope").map(Scopes::from).unwrap_or_default()
}

fn hint(input: &mut Input) -> Result<Option<TokenHint>, Error> {
    Ok(input.optional("hint").map(|hint| match hint.as_str() {
        "access_token" => TokenHint::AccessToken,
        "refresh_token" => TokenHint::RefreshToken,
        other => panic!("{other}"),
    }))
}

fn tokens(set: &TokenSet) -> Value {
    json!({
        "scope": set.access.scopes().to_string(), "lifetime_s": set.access.lifetime().as_secs(),
        "refresh": set.refresh.is_some().then_some(true), "id": set.id.is_some().then_some(true),
        "added": (!set.added.is_empty()).then(|| set.added.to_string()),
        "issued_token_type": set.issued_token_type,
    })
}

fn metadata(said: &lumoauth::embed::operations::ServerMetadata) -> Value {
    json!({"issuer": said.issuer(), "iss": said.answers_carry_issuer(), "s256": said.supports_s256()})
}
