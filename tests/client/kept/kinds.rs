//! The rows of the table: every kind that is kept, for both mounts. Whoever adds a kind adds its row here.

use std::time::Duration;

use lumoauth::aauth::AuthToken;
use lumoauth::embed::operations::aauth::Revoke;
use lumoauth::http::Method;
use lumoauth::{AccessToken, ApiRequest, Scopes, TokenType};

use super::super::service::{EXCHANGE, Hit, mint, reply, usual};
use super::super::table::{Kind, Late, Promise, Used};
use super::*;

type Clients = super::Clients;

/// The token of another agent.
const SUB_AGENT: &str = "sub-agent";
/// Too little time for any answer.
const SHORT: Duration = Duration::from_millis(150);

/// What tells one key from another, in every answer too.
fn k(key: u32) -> String {
    format!("k{key}")
}

fn at(host: &str, key: u32) -> String {
    format!("https://{host}.test/k{key}")
}

const ONE: &str = "each client has one: there is no other key";
const UNREFUSED: &str = "it is no credential: nobody refuses it";
const LIFELESS: &str = "what is published names no lifetime: it is read again after a fixed time";

pub fn kinds() -> Vec<Kind<Mounted>> {
    vec![
        own(),
        mcp(),
        user(),
        delegated(),
        delegated_for_resource(),
        record(),
        service(),
        description(),
        issuer(),
        keys(),
        agent_token(),
        renewal(),
        permission(),
    ]
}

fn own() -> Kind<Mounted> {
    Kind {
        name: "the agent's own token",
        source: "src/session/call/own.rs",
        fetches: |hit| hit.is_grant("client_credentials"),
        good: mint,
        before: |_, _| vec![],
        age: 0,
        get: |c, key| {
            job!(c, c.agent.with_scopes(k(key)).access_token(), |token| token.secret().expose().to_owned())
        },
        again: None,
        ends: false,
        soft: 3400,
        pause: 10,
        late: Late::Short(|c: &Clients| {
            job!(c, c.agent.with_scopes(k(0)).with_timeout(SHORT).access_token(), |token| format!(
                "{token:?}"
            ))
        }),
        used: vec![
            Used {
                hold: None,
                call: |c, key, _| {
                    job!(c, c.agent.with_scopes(k(key)).request(Method::GET, "things"), |got| got.text())
                },
                uses: |hit| hit.path.ends_with("/things"),
                token: |hit| hit.bearer.clone(),
                refuse: || reply(401, r#"{"error":"invalid_token"}"#),
                most: 2,
            },
            // It travels as the subject of an exchange too.
            Used {
                hold: None,
                call: |c, key, n| {
                    job!(c, c.agent.with_scopes(k(key)).mcp_token(at("mcp", n)), |token| format!("{token:?}"))
                },
                uses: |hit| hit.is_grant(EXCHANGE),
                token: |hit| hit.field("subject_token").to_owned(),
                refuse: || reply(400, r#"{"error":"invalid_grant"}"#),
                most: 2,
            },
        ],
        partly: &[],
        not: &[],
    }
}

fn mcp() -> Kind<Mounted> {
    Kind {
        name: "a token for an MCP server",
        source: "src/session/kinds/mcp.rs",
        fetches: |hit| hit.is_grant(EXCHANGE) && !hit.is_delegated(),
        good: mint,
        before: |c, _| vec![job!(c, c.agent.access_token(), |token| format!("{token:?}"))],
        age: 0,
        get: |c, key| job!(c, c.agent.mcp_token(at("mcp", key)), |token| token.secret().expose().to_owned()),
        again: None,
        ends: false,
        soft: 3400,
        pause: 10,
        late: Late::Short(|c: &Clients| {
            job!(c, c.agent.with_timeout(SHORT).mcp_token(at("mcp", 0)), |token| format!("{token:?}"))
        }),
        used: vec![Used {
            hold: None,
            call: |c, key, _| {
                job!(c, c.agent.mcp(at("mcp", key)).unwrap().request(ApiRequest::get("")), |got| got.text())
            },
            uses: |hit| hit.host == "mcp.test" && hit.path.starts_with("/k"),
            token: |hit| hit.bearer.clone(),
            refuse: || reply(401, r#"{"error":"invalid_token"}"#),
            most: 2,
        }],
        partly: &[],
        not: &[],
    }
}

/// A session whose user's token lives an hour, or longer than any test.
fn consented(c: &Clients, session: &str, code: &'static str) -> Vec<Job> {
    let (session, code) = (session.to_owned(), format!("{session}-{code}"));
    let scopes = || (0..9).flat_map(|n| [format!("k{n}"), format!("n{n}")]).collect::<Vec<_>>();
    let begun = session.clone();
    vec![
        job!(c, c.agent.access_token(), |token| format!("{token:?}")),
        job!(c, c.chain.consent_url(&begun, scopes()), |url| url),
        job!(c, c.chain.handle_consent_callback(&session, code), |()| String::new()),
    ]
}

fn user() -> Kind<Mounted> {
    Kind {
        name: "a user's token",
        source: "src/session/users/user.rs",
        fetches: |hit| hit.is_grant("refresh_token"),
        good: mint,
        before: |c, key| consented(c, &k(key), "short"),
        age: 4000,
        get: |c, key| {
            job!(c, c.chain.exchange(&k(key), Scopes::none()), |got| got.token().secret().expose().to_owned())
        },
        again: None,
        ends: false,
        soft: 3400,
        pause: 10,
        // Once a refresh token may have been sent it is never sent again: whoever leads is lost before that.
        late: Late::Saving(|c: &Clients| {
            let hurried = ApiRequest::get("/api/v1/things").timeout(SHORT);
            job!(c, c.chain.send(&k(0), hurried, Scopes::none()), |got| got.text())
        }),
        used: vec![Used {
            hold: None,
            call: |c, key, n| {
                job!(c, c.chain.exchange(&k(key), format!("n{n}")), |got| got
                    .token()
                    .secret()
                    .expose()
                    .to_owned())
            },
            uses: Hit::is_delegated,
            token: |hit| hit.field("subject_token").to_owned(),
            refuse: || reply(400, r#"{"error":"invalid_grant"}"#),
            most: 3,
        }],
        partly: &[
            (
                Promise::T5,
                "after an outage that may have spent the refresh token, 3 of 7, the user consents anew",
            ),
            (
                Promise::T11,
                "whoever is lost with the refresh token handed out has lost it: the leaders end before that",
            ),
        ],
        not: &[],
    }
}

/// A user's token without a refresh token: no row, since nothing fetches another.
pub fn ending() -> Kind<Mounted> {
    Kind {
        name: "a user's token that cannot be renewed",
        before: |c, key| consented(c, &k(key), "once"),
        age: 0,
        ends: true,
        ..user()
    }
}

fn delegated() -> Kind<Mounted> {
    Kind {
        name: "a token for a user",
        source: "src/session/users/delegated.rs",
        fetches: |hit| hit.is_delegated() && hit.field("actor_token") != SUB_AGENT,
        good: mint,
        before: |c, key| {
            ["s", &k(key)].into_iter().flat_map(|session| consented(c, session, "long")).collect()
        },
        age: 0,
        get: |c, key| job!(c, c.chain.exchange("s", k(key)), |got| got.token().secret().expose().to_owned()),
        again: None,
        ends: false,
        soft: 3400,
        pause: 10,
        late: Late::Short(|c: &Clients| {
            let hurried = ApiRequest::get("/api/v1/things").timeout(SHORT);
            job!(c, c.chain.send("s", hurried, k(0)), |got| got.text())
        }),
        used: vec![
            Used {
                hold: None,
                call: |c, key, _| {
                    job!(c, c.chain.send("s", ApiRequest::get("/api/v1/things"), k(key)), |got| got.text())
                },
                uses: |hit| hit.path.ends_with("/things"),
                token: |hit| hit.bearer.clone(),
                refuse: || reply(401, r#"{"error":"invalid_token"}"#),
                most: 2,
            },
            // It is handed on to another agent, as the subject of an exchange.
            Used {
                hold: Some(|c, key| {
                    job!(c, c.chain.exchange(&k(key), Scopes::none()), |got| format!("{got:?}"))
                }),
                call: |c, key, _| {
                    let sub_agent = lumoauth::Secret::new(SUB_AGENT);
                    job!(c, c.chain.delegate_to_sub_agent(&k(key), sub_agent, Scopes::none()), |got| format!(
                        "{got:?}"
                    ))
                },
                uses: |hit| hit.is_delegated() && hit.field("actor_token") == SUB_AGENT,
                token: |hit| hit.field("subject_token").to_owned(),
                refuse: || reply(400, r#"{"error":"invalid_grant"}"#),
                most: 2,
            },
        ],
        partly: &[],
        not: &[],
    }
}

fn delegated_for_resource() -> Kind<Mounted> {
    Kind {
        name: "a token for a user at a resource",
        get: |c, key| {
            job!(c, c.chain.exchange_for("s", Scopes::none(), &at("things", key)), |got| {
                got.token().secret().expose().to_owned()
            })
        },
        late: Late::Short(|c: &Clients| {
            let hurried = ApiRequest::get(at("things", 0)).timeout(SHORT);
            job!(c, c.chain.send_for("s", hurried, Scopes::none(), &at("things", 0)), |got| got.text())
        }),
        used: vec![Used {
            hold: None,
            call: |c, key, _| {
                let request = ApiRequest::get(at("things", key));
                job!(c, c.chain.send_for("s", request, Scopes::none(), &at("things", key)), |got| got.text())
            },
            uses: |hit| hit.host == "things.test",
            token: |hit| hit.bearer.clone(),
            refuse: || reply(401, r#"{"error":"invalid_token"}"#),
            most: 2,
        }],
        ..delegated()
    }
}

fn record() -> Kind<Mounted> {
    Kind {
        name: "the agent's record",
        source: "src/session/kinds/record.rs",
        fetches: |hit| hit.path.ends_with("/oauth/userinfo"),
        good: |hit, _| usual(hit),
        before: |c, key| {
            vec![job!(c, c.agent.with_scopes(k(key)).access_token(), |token| format!("{token:?}"))]
        },
        age: 0,
        get: |c, key| {
            job!(c, c.agent.with_scopes(k(key)).has_capability(&format!("can-k{key}")), |has| {
                if has { k(key) } else { "another's".to_owned() }
            })
        },
        again: None,
        ends: false,
        soft: 0,
        pause: 0,
        late: Late::Short(|c: &Clients| {
            job!(c, c.agent.with_scopes(k(0)).with_timeout(SHORT).has_capability("any"), |has| has
                .to_string())
        }),
        used: vec![],
        partly: &[],
        not: &[
            (
                Promise::T4,
                "it is used for a minute and not after it: there is no time at which it is good and due",
            ),
            (Promise::T6, LIFELESS),
            (Promise::T8, UNREFUSED),
            (Promise::T9, UNREFUSED),
        ],
    }
}

fn service() -> Kind<Mounted> {
    Kind {
        name: "what the service says of itself",
        source: "src/session/kinds/service.rs",
        fetches: |hit| {
            hit.path.ends_with("/.well-known/oauth-authorization-server")
                || hit.path.ends_with("/.well-known/openid-configuration")
        },
        good: |hit, _| usual(hit),
        before: |_, _| vec![],
        age: 0,
        get: |c, key| {
            job!(c, c.agent.mcp(at("described", key)).unwrap().discover(), |found| found
                .resource()
                .to_owned())
        },
        again: None,
        ends: false,
        soft: 3700,
        pause: 30,
        late: Late::Short(|c: &Clients| {
            job!(c, c.agent.with_timeout(SHORT).mcp(at("described", 0)).unwrap().discover(), |found| {
                found.resource().to_owned()
            })
        }),
        used: vec![],
        partly: &[],
        not: &[
            (Promise::T3, ONE),
            (Promise::T6, LIFELESS),
            (Promise::T8, UNREFUSED),
            (Promise::T9, UNREFUSED),
            (Promise::T10, ONE),
        ],
    }
}

fn description() -> Kind<Mounted> {
    Kind {
        name: "what a resource says of itself",
        source: "src/session/kinds/description.rs",
        fetches: |hit| hit.path.contains("/.well-known/oauth-protected-resource"),
        // `discover` reads it anew, whatever is held; a request that is refused looks into what is held.
        again: Some(|c, key| {
            job!(c, c.agent.mcp(at("described", key)).unwrap().request(ApiRequest::get("")), |got| got.text())
        }),
        not: &[(Promise::T6, LIFELESS), (Promise::T8, UNREFUSED), (Promise::T9, UNREFUSED)],
        ..service()
    }
}

fn issuer() -> Kind<Mounted> {
    Kind {
        name: "what the issuer of AAuth tokens says of itself",
        source: "src/session/kinds/issuer.rs",
        fetches: |hit| hit.path.ends_with("/.well-known/aauth-issuer"),
        get: |c, _| job!(c, c.aauth.metadata(), |found| found.issuer.clone()),
        late: Late::Short(|c: &Clients| {
            let machine = c.aauth.session().with_total(SHORT).issuer_metadata();
            job!(c, c.wire.turn(machine), |found| found.issuer.clone())
        }),
        ..service()
    }
}

fn keys() -> Kind<Mounted> {
    Kind {
        name: "the keys of an issuer",
        source: "src/verify/kept.rs",
        fetches: |hit| hit.path.ends_with("/.well-known/jwks.json"),
        get: |c, _| job!(c, c.verifier.verify(&c.signed), |token| token.subject().to_owned()),
        ends: false,
        soft: 700,
        // All checks of one verifier have the same time: the leader's is spent on the metadata.
        late: Late::Behind(|hit| {
            hit.path.contains("openid-configuration") || hit.path.contains("authorization-server")
        }),
        ..service()
    }
}

fn agent_token() -> Kind<Mounted> {
    Kind {
        name: "the own token of an agent with a key",
        source: "src/session/holder/agent_token.rs",
        fetches: |hit| hit.host == "agents.test",
        good: super::super::service::agent_token,
        before: |_, _| vec![],
        age: 0,
        get: |c, _| job!(c, c.keyed.agent_token(), |token| token.expose().to_owned()),
        again: None,
        ends: false,
        soft: 3400,
        pause: 10,
        late: Late::Asking(|c: &Clients| {
            job!(c, c.keyed.with_timeout(SHORT).agent_token(), |token| token.expose().to_owned())
        }),
        used: vec![Used {
            hold: None,
            call: |c, _, _| job!(c, c.keyed.revoke(Revoke::auth_token("id")), |()| String::new()),
            uses: |hit| hit.path.ends_with("/aauth/token/revoke"),
            token: |hit| hit.agent_auth.clone(),
            refuse: || reply(401, r#"{"error":"authentication_required"}"#),
            most: 2,
        }],
        partly: &[],
        not: &[(Promise::T3, ONE), (Promise::T10, ONE)],
    }
}

fn renewal() -> Kind<Mounted> {
    Kind {
        name: "the renewal of a token for a resource",
        source: "src/session/holder/renewal.rs",
        fetches: |hit| hit.json["request_type"] == "refresh",
        good: super::super::service::renewed,
        before: |c, _| vec![job!(c, c.keyed.agent_token(), |token| format!("{token:?}"))],
        age: 0,
        get: renew,
        // What came of it is for those who were there: each call by itself is a renewal.
        again: Some(renew),
        late: Late::Asking(|_| unreachable!("it does not take part")),
        used: vec![],
        partly: &[],
        not: &[
            (Promise::T4, "what comes of it is for those who wait: nothing is held that could be due"),
            (Promise::T6, "each call is a renewal with a resource token of its own: the callers pace them"),
            (Promise::T7, "nothing is held that could age"),
            (Promise::T8, "who shows a refresh token that is refused has to ask for authorization anew"),
            (Promise::T9, "nothing is held that could be dropped"),
            (
                Promise::T11,
                "a refresh token that may have been sent is not sent again: who waits is told that nobody knows",
            ),
        ],
        ..agent_token()
    }
}

fn renew(c: &Clients, key: u32) -> Job {
    let (wall, lifetime) = (lumoauth::time::Timestamp::from_unix(1_750_000_000), Duration::from_secs(1));
    let access = AccessToken::new("old".into(), TokenType::Bearer, Scopes::none(), wall, lifetime);
    let token = AuthToken::new(access).refresh(k(key));
    job!(c, c.keyed.refresh(&token, "r.s.t"), |token| token.auth_token().expose().to_owned())
}

/// The token of a request that was approved.
fn permission() -> Kind<Mounted> {
    const ONCE: &str = "it is taken once, used until it is over, and never asked for again";
    Kind {
        name: "the token of a permission",
        source: "src/session/kinds/permission.rs",
        fetches: |hit| hit.path.contains("/jit/request/") && hit.path.ends_with("/token"),
        good: |hit, lifetime| {
            let id = hit.path.split('/').rev().nth(1).unwrap_or_default();
            reply(200, &format!(r#"{{"access_token":"for-{id}-{}","expires_in":{lifetime}}}"#, hit.number))
        },
        before: |c, _| vec![job!(c, c.agent.access_token(), |token| format!("{token:?}"))],
        age: 0,
        get: |c, key| {
            job!(c, c.agent.jit().token(&approved(&k(key))), |token| token.secret().expose().to_owned())
        },
        again: None,
        ends: true,
        soft: 0,
        pause: 0,
        late: Late::Short(|c: &Clients| {
            job!(c, c.agent.with_timeout(SHORT).jit().token(&approved(&k(0))), |token| format!("{token:?}"))
        }),
        used: vec![],
        partly: &[],
        not: &[
            (Promise::T4, "it is not renewed early, because there is no other token"),
            (Promise::T5, "whatever may have taken effect is not asked for again, however long ago that was"),
            (Promise::T8, ONCE),
            (Promise::T9, ONCE),
            (Promise::T10, "one that was pushed out is not asked for again"),
            (Promise::T11, "a request that a lost leader had sent is not sent again"),
        ],
    }
}

fn approved(id: &str) -> lumoauth::jit::Approved {
    use lumoauth::embed::{
        operation::{Answer, Operation},
        operations::GetPermission,
        wire::Response,
    };
    let body = r#"{"status":"approved"}"#;
    let answer = Response::new(lumoauth::http::StatusCode::OK, lumoauth::http::HeaderMap::new(), body);
    match GetPermission::new(id).response(&answer).unwrap() {
        Answer::Done(permission) => permission.require().unwrap(),
        Answer::Again(_) => unreachable!("one question has one answer"),
    }
}
