//! Who has signed: every way in which a signed request is wrong is refused, at every route that wants a signature.

use std::time::Duration;

use lumoauth::embed::wire::Request;
use lumoauth::http::header::{HeaderName, HeaderValue};
use lumoauth::http::{HeaderMap, Method};
use lumoauth::time::Timestamp;
use serde_json::{Value, json};

use super::world::*;

pub const SIGNED: [&str; 7] = [
    "aauth/agent/token",
    "aauth/agent/issue",
    "aauth/agent/platform-token",
    "aauth/resource/token",
    "aauth/resource/token/verify",
    "aauth/auth/token/verify",
    "aauth/token/revoke",
];

/// A revocation of nothing: the shortest thing that is signed and always works.
pub fn nothing() -> Value {
    json!({"token": "nothing"})
}

pub fn revoke(world: &World) -> Request {
    world.by_agent(1, "aauth/token/revoke", &nothing())
}

pub fn changed(request: &Request, change: impl FnOnce(&mut HeaderMap)) -> Request {
    let mut headers = request.headers().clone();
    change(&mut headers);
    let bare = Request::new(request.method().clone(), request.url().clone());
    let bare = bare.bytes("application/json", request.body());
    let typed = headers.contains_key("content-type");
    assert!(typed, "the content type stays");
    headers.iter().fold(bare, |request, (name, value)| request.header(name.clone(), value.clone()))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap()
}

#[test]
fn nothing_unsigned_gets_anywhere() {
    for prefix in ["/t/acme/api/v1", "/orgs/acme/api/v1", "/api/v1"] {
        let world = World::under(builder().build().unwrap(), prefix);
        for path in SIGNED {
            let request = Request::new(Method::POST, world.url(path).parse().unwrap()).json(&nothing());
            assert_eq!(refusal(&world.send(&request)), code(401, "invalid_signature"), "{path}");
            assert_eq!(world.get(&world.url(path)).status(), 405, "{path}");
        }
        assert_eq!(world.send(&revoke(&world)).status(), 200);
    }
}

#[test]
fn h4_a_signature_is_good_once_and_only_a_right_one_counts() {
    let world = World::new();
    let request = revoke(&world);
    let other = changed(&request, |headers| {
        headers.insert("content-digest", value("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"));
    });
    assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "and uses no nonce up");
    assert_eq!(world.send(&request).status(), 200);
    for _ in 0..2 {
        let again = world.send(&request);
        assert_eq!(refusal(&again), code(401, "invalid_signature"));
        assert!(again.text().contains("nonce"), "{}", again.text());
    }
    // Fresh for a minute more, if it were signed in the future; the nonce is known for longer.
    let early = world.signed_at(
        &key(1),
        Method::POST,
        &world.url("aauth/token/revoke"),
        nothing().to_string().as_bytes(),
        world.emulator.now().saturating_add(Duration::from_secs(60)),
        |message| message.agent_token(world.agent_token(1)).unwrap(),
    );
    assert_eq!(world.send(&early).status(), 200);
    for _ in 0..12 {
        world.emulator.advance(Duration::from_secs(10));
        assert_eq!(refusal(&world.send(&early)), code(401, "invalid_signature"));
    }
}

#[test]
fn h5_created_is_within_a_minute_to_the_second() {
    let world = World::new();
    let now = world.emulator.now().unix();
    for (offset, expected) in [(-61, 401), (-60, 200), (0, 200), (60, 200), (61, 401)] {
        let created = Timestamp::from_unix(now.saturating_add_signed(offset));
        let token = world.agent_token(1);
        let url = world.url("aauth/token/revoke");
        let request = world.signed_at(
            &key(1),
            Method::POST,
            &url,
            nothing().to_string().as_bytes(),
            created,
            |message| message.agent_token(token.clone()).unwrap(),
        );
        assert_eq!(world.send(&request).status(), expected, "{offset}");
    }
}

#[test]
fn h2_what_must_be_covered_is_the_profiles_to_say() {
    let world = World::new();
    let request = revoke(&world);
    let input = request.headers()["signature-input"].to_str().unwrap().to_owned();
    let names = [
        "@method",
        "@authority",
        "@path",
        "signature-key",
        "content-digest",
        "content-type",
        "authorization",
    ];
    let mut refused = 0;
    for subset in 0..(1_u32 << names.len()) - 1 {
        let kept: Vec<String> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| subset & (1 << at) != 0)
            .map(|(_, name)| format!("\"{name}\""))
            .collect();
        let (_, parameters) = input.split_once(')').unwrap();
        let fewer = format!("sig1=({}){parameters}", kept.join(" "));
        let fewer = changed(&request, |headers| drop(headers.insert("signature-input", value(&fewer))));
        assert_eq!(refusal(&world.send(&fewer)), code(401, "invalid_signature"), "{kept:?}");
        refused += 1;
    }
    println!("h2 emulator: {refused} subsets refused");
    assert_eq!(refused, 127);
    for (old, new) in [
        ("\"@path\" ", "\"@path\" \"@query\" "),
        ("\"@method\" \"@authority\"", "\"@authority\" \"@method\""),
        (";created", ";alg=\"ed25519\";created"),
        ("sig1=", "sig2="),
        ("\"authorization\"", "\"authorization\" \"host\""),
    ] {
        let other = changed(&request, |headers| {
            drop(headers.insert("signature-input", value(&input.replace(old, new))))
        });
        assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "{new}");
    }
    assert_eq!(world.send(&request).status(), 200, "none of it used the nonce up");
}

#[test]
fn h3_what_is_covered_cannot_be_changed() {
    let world = World::new();
    let request = revoke(&world);
    for (name, text) in [
        ("content-type", Some("application/json; charset=utf-8")),
        ("authorization", Some("Bearer x")),
        ("signature-key", Some("x")),
        ("signature", Some("sig1=:AAAA:")),
        ("signature", None),
        ("signature-input", None),
        ("content-digest", None),
    ] {
        let other = changed(&request, |headers| {
            let name = HeaderName::from_static(name);
            match text {
                Some(text) => drop(headers.insert(name, value(text))),
                None => drop(headers.remove(name)),
            }
        });
        assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "{name} {text:?}");
    }
    let elsewhere = |url: String| {
        let other = Request::new(request.method().clone(), url.parse().unwrap())
            .bytes("application/json", request.body());
        let headers = request.headers().iter();
        headers.fold(other, |other, (name, value)| other.header(name.clone(), value.clone()))
    };
    for url in [world.url("aauth/token/revoke?x=1"), world.url("aauth/auth/token/verify")] {
        assert_eq!(refusal(&world.send(&elsewhere(url.clone()))), code(401, "invalid_signature"), "{url}");
    }
    // The body is another one, with the digest of the first or with its own.
    let own = lumoauth::aauth::content_digest(b"{\"token\":\"other\"}");
    for digest in [request.headers()["content-digest"].to_str().unwrap().to_owned(), own] {
        let mut headers = request.headers().clone();
        headers.insert("content-digest", value(&digest));
        let other =
            with_headers(Method::POST, &request.url().to_string(), b"{\"token\":\"other\"}", &headers);
        assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "{digest}");
    }
    assert_eq!(world.send(&request).status(), 200);
}

#[test]
fn a_query_is_covered_or_nothing_is() {
    let world = World::new();
    let body = nothing().to_string();
    let token = world.agent_token(1);
    let with = |url: &str| {
        world.signed(&key(1), Method::POST, url, body.as_bytes(), |message| {
            message.agent_token(token.clone()).unwrap()
        })
    };
    let covered = with(&world.url("aauth/token/revoke?a=1"));
    assert!(covered.headers()["signature-input"].to_str().unwrap().contains("\"@query\""));
    assert_eq!(world.send(&covered).status(), 200);
    let bare = with(&world.url("aauth/token/revoke"));
    let url = world.url("aauth/token/revoke?a=1");
    let uncovered = with_headers(Method::POST, &url, body.as_bytes(), bare.headers());
    assert_eq!(refusal(&world.send(&uncovered)), code(401, "invalid_signature"));
}

#[test]
fn the_authority_is_the_servers_own() {
    let world = World::new();
    let elsewhere = World::of(builder().base_url("https://other.test"));
    let request = world.signed(&key(1), Method::POST, &world.url("aauth/token/revoke"), b"{}", |message| {
        message.agent_token(elsewhere.agent_token(1)).unwrap()
    });
    // The same path at another host: signed for the first, so the second does not take it, whatever Host says.
    let url = elsewhere.url("aauth/token/revoke");
    let forwarded = with_headers(Method::POST, &url, b"{}", request.headers());
    let forwarded = forwarded.header(lumoauth::http::header::HOST, value("lumoauth.test"));
    assert_eq!(refusal(&elsewhere.send(&forwarded)), code(401, "invalid_signature"));
}

#[test]
fn limits_are_counted_and_faults_come_in_order() {
    let world = World::of(builder().rate_limit_per_minute(2));
    let first = world.send(&revoke(&world));
    assert_eq!(first.headers()["x-ratelimit-remaining"], "1");
    assert_eq!(world.send(&revoke(&world)).status(), 200);
    let third = world.send(&revoke(&world));
    assert_eq!((third.status().as_u16(), third.headers().contains_key("retry-after")), (429, true));
    assert_eq!(world.emulator.count("aauth.token.revoke").unwrap(), 3);
    assert_eq!(world.emulator.log()[0].client_id.as_deref(), Some("aag_1"));
}

#[test]
fn h4_sixty_four_threads_with_one_signature_get_one_answer() {
    let world = World::new();
    let request = revoke(&world);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..64).map(|_| scope.spawn(|| world.send(&request).status().as_u16())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status: u16| statuses.iter().filter(|own| **own == status).count();
    println!("h4 emulator: {} accepted, {} refused", count(200), count(401));
    assert_eq!((count(200), count(401)), (1, 63));
}
