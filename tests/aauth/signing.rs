//! Messages signed: byte for byte by the vectors, and what cannot be signed.

use lumoauth::aauth::{
    AgentKey, Message, Nonce, SignatureInput, SignedHeaders, Target, parse_agent_auth, parse_content_digest,
    parse_signature,
};
use lumoauth::http::{Method, Request};
use lumoauth::time::Timestamp;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/aauth.json")).unwrap()
}

fn key() -> AgentKey {
    AgentKey::from_pem(vectors()["key"]["pkcs8_v1_pem"].as_str().unwrap().as_bytes()).unwrap()
}

fn nonce() -> Nonce {
    Nonce::parse("AAECAwQFBgcICQoLDA0ODw").unwrap()
}

const CREATED: Timestamp = Timestamp::from_unix(1_750_000_000);

#[test]
fn byte_exact_on_every_vector() {
    let (vectors, key) = (vectors(), key());
    assert_eq!(key.thumbprint(), vectors["key"]["thumbprint"]);
    assert_eq!(key.public_jwk()["x"], vectors["key"]["public_x"]);
    assert_eq!(key.to_pkcs8_pem().unwrap().expose(), vectors["key"]["pkcs8_v1_pem"]);
    let rows = vectors["vectors"].as_array().unwrap();
    for row in rows {
        let text = |name: &str| row[name].as_str();
        let method: Method = text("method").unwrap().parse().unwrap();
        let mut message = Message::new(method, text("url").unwrap()).unwrap();
        if let Some(body) = text("body") {
            message = message.body(body.as_bytes());
        }
        if let Some(value) = text("content_type") {
            message = message.content_type(value).unwrap();
        }
        if let Some(value) = text("authorization") {
            message = message.authorization(value).unwrap();
        }
        if let Some(value) = text("signature_key") {
            message = message.signature_key(value).unwrap();
        }
        let created = Timestamp::from_unix(row["created"].as_u64().unwrap());
        let nonce = Nonce::parse(text("nonce").unwrap()).unwrap();
        let prepared = message.prepare(created, &nonce);
        let expected = &row["expected"];
        assert_eq!(
            prepared.base(),
            expected["signature_base"].as_str().unwrap().as_bytes(),
            "{}",
            row["name"]
        );
        let signature = key.sign(prepared.base()).unwrap();
        let headers = prepared.finish(&signature);
        assert_eq!(headers.content_digest(), expected["content_digest"], "{}", row["name"]);
        assert_eq!(headers.signature_input(), expected["signature_input"], "{}", row["name"]);
        assert_eq!(headers.signature(), expected["signature"], "{}", row["name"]);
        assert_eq!(message.url().to_string(), row["wire_url"].as_str().unwrap(), "{}", row["name"]);
        assert_eq!(Target::parse(text("url").unwrap()).unwrap().uri(), message.url());
        // What was written is read.
        let input = SignatureInput::parse(headers.signature_input()).unwrap();
        assert_eq!((input.created(), input.nonce()), (created.unix(), nonce.as_str()));
        assert_eq!(parse_signature(headers.signature()).unwrap(), signature);
        parse_content_digest(headers.content_digest()).unwrap();
    }
    println!("signing vectors: {} of {} byte-exact", rows.len(), rows.len());
}

/// H2, the signer's half: whatever the message, all of it is covered, and each part changes what is signed.
#[test]
fn h2_everything_is_covered() {
    let message = |method: Method, url: &str, body: &[u8], kind: &str| {
        Message::new(method, url).unwrap().body(body).content_type(kind).unwrap()
    };
    let (url, kind) = ("https://api.example.com/v1/data?a=1&b=2", "text/plain");
    let whole = || message(Method::PUT, url, b"body", kind);
    let full = || whole().signature_key("key-1").unwrap().authorization("Bearer t").unwrap();
    let base = |message: &Message| message.prepare(CREATED, &nonce()).base().to_vec();
    let mut bases = vec![base(&full())];
    for changed in [
        message(Method::POST, url, b"body", kind)
            .signature_key("key-1")
            .unwrap()
            .authorization("Bearer t")
            .unwrap(),
        message(Method::PUT, "https://api.example.com:8443/v1/data?a=1&b=2", b"body", kind),
        message(Method::PUT, "https://api.example.org/v1/data?a=1&b=2", b"body", kind),
        message(Method::PUT, "https://api.example.com/v1/data/?a=1&b=2", b"body", kind),
        message(Method::PUT, "https://api.example.com/v1/data?b=2&a=1", b"body", kind),
        message(Method::PUT, "https://api.example.com/v1/data", b"body", kind),
        message(Method::PUT, url, b"bode", kind),
        message(Method::PUT, url, b"body", "text/html"),
        whole(),
        whole().signature_key("key-1").unwrap(),
        whole().authorization("Bearer t").unwrap(),
    ] {
        bases.push(base(&changed));
    }
    bases.push(full().prepare(Timestamp::from_unix(1), &nonce()).base().to_vec());
    bases.push(full().prepare(CREATED, &Nonce::from_random(&[1; 16])).base().to_vec());
    let count = bases.len();
    bases.sort();
    bases.dedup();
    assert_eq!(bases.len(), count, "two messages have the same base");
    // With the query and without, in this order, nothing but the two parameters.
    for (url, query) in [(url, true), ("https://api.example.com/v1/data", false)] {
        let headers = message(Method::GET, url, b"", kind).sign(&key(), CREATED, &nonce()).unwrap();
        let input = SignatureInput::parse(headers.signature_input()).unwrap();
        let all = [
            "@method",
            "@authority",
            "@path",
            "@query",
            "signature-key",
            "content-digest",
            "content-type",
            "authorization",
        ];
        let must: Vec<_> = all.into_iter().filter(|name| query || *name != "@query").collect();
        assert_eq!(input.components(), must);
        let end = headers.signature_input().split(')').nth(1).unwrap();
        assert_eq!(end, ";created=1750000000;nonce=\"AAECAwQFBgcICQoLDA0ODw\"");
    }
    println!("h2: {count} messages that differ in one part, {count} different bases");
}

#[test]
fn the_headers_are_put_on_anybodys_request() {
    let message = Message::new(Method::POST, "https://AUTH.example.com:443/token#x").unwrap();
    let message = message.body(b"{}").agent_token("aaa.bbb.ccc").unwrap();
    let headers = message.sign(&key(), CREATED, &nonce()).unwrap();
    let mut request = Request::new(b"{}".to_vec());
    // What the signature says is absent must not travel.
    request.headers_mut().insert("authorization", "Bearer stale".parse().unwrap());
    request.headers_mut().insert("signature", "stale".parse().unwrap());
    headers.apply(&mut request).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://auth.example.com/token");
    assert_eq!(request.headers()["agent-auth"], "agent_token=aaa.bbb.ccc");
    assert!(request.headers()["agent-auth"].is_sensitive());
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["signature"], headers.signature());
    assert!(!request.headers().contains_key("authorization"));
    assert!(!request.headers().contains_key("signature-key"));
    assert_eq!(request.headers().len(), 5);
}

#[test]
fn what_a_receiver_would_read_otherwise_is_not_signed() {
    let message = || Message::new(Method::GET, "https://api.example.com/").unwrap();
    for bad in ["", " a", "a ", "a\r\nb", "a\tb", "é", "a\0"] {
        assert_eq!(message().content_type(bad).unwrap_err().argument(), "content_type", "{bad:?}");
        assert_eq!(message().authorization(bad).unwrap_err().argument(), "authorization", "{bad:?}");
        assert_eq!(message().signature_key(bad).unwrap_err().argument(), "signature_key", "{bad:?}");
        assert_eq!(message().agent_token(bad).unwrap_err().argument(), "agent_token", "{bad:?}");
    }
    for bad in ["", "AAECAwQFBgcICQo", "AAECAwQFBgcICQoLDA0OD=", "AAECAwQFBgcICQoLDA0OD+", &"A".repeat(129)] {
        assert_eq!(Nonce::parse(bad).unwrap_err().argument(), "nonce", "{bad:?}");
    }
}

#[test]
fn no_secret_is_shown() {
    let message = Message::new(Method::GET, "https://api.example.com/?code=canary-q").unwrap();
    let message = message.authorization("Bearer canary-a").unwrap().agent_token("canary-t").unwrap();
    let prepared = message.prepare(CREATED, &nonce());
    let mut shown = format!("{message:?}{message:#?}{prepared:?}");
    let signature = key().sign(prepared.base()).unwrap();
    let headers: SignedHeaders = prepared.finish(&signature);
    shown += &format!("{headers:?} {:?} {:?}", headers.agent_auth(), headers.authorization());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn headers_in_another_than_their_one_form_are_refused() {
    let good = "sig1=(\"@method\" \"@path\");created=1750000000;nonce=\"AAECAwQFBgcICQoLDA0ODw\"";
    assert_eq!(SignatureInput::parse(good).unwrap().components(), ["@method", "@path"]);
    for (from, to, expected) in [
        ("sig1", "sig2", "label"),
        ("sig1=", "sig1 =", "label"),
        ("(", "", "list"),
        (")", "", "without end"),
        ("\"@method\" ", "\"@method\"  ", "single blanks"),
        ("\"@method\" ", "@method ", "single blanks"),
        ("\"@method\" ", "\"@method\";req ", "single blanks"),
        ("\"@method\"", "\"@METHOD\"", "does not know"),
        ("\"@method\"", "\"date\"", "does not know"),
        ("\"@method\"", "\"@path\"", "twice"),
        (";created", "; created", "parameters"),
        (";nonce", ";alg=\"ed25519\";nonce", "parameters"),
        ("created=1750000000;nonce", "nonce", "parameters"),
        (";nonce=\"AAECAwQFBgcICQoLDA0ODw\"", "", "parameters"),
        ("ODw\"", "ODw\";keyid=\"a\"", "nonce"),
        ("ODw\"", "ODw\", sig2=()", "parameters"),
        ("1750000000", "01750000000", "whole number"),
        ("1750000000", "-1750000000", "whole number"),
        ("1750000000", "1750000000.0", "whole number"),
        ("1750000000", "", "whole number"),
        ("1750000000", "99999999999999999999", "whole number"),
        ("AAECAwQFBgcICQoLDA0ODw", "AAECAwQF", "nonce"),
        ("AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0OD\\\"w", "nonce"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        let fault = SignatureInput::parse(&changed).unwrap_err();
        assert_eq!(fault.header(), "Signature-Input");
        assert!(fault.problem().contains(expected), "{changed}: {fault}");
    }
    for bad in [
        "",
        "sig1",
        "sig1=",
        "sig1=:",
        "sig1=::",
        "sig2=:AAAA:",
        "sig1=:AAAA",
        "sig1=:AAAA:;x",
        "sig1=:A:",
        "sig1=:AA==: ",
        "sig1=:AB==:",
        "sig1=:_w==:",
        "sig1=:AAAA:, sig2=:AAAA:",
        "sig1=: AAAA:",
    ] {
        assert_eq!(parse_signature(bad).unwrap_err().header(), "Signature", "{bad}");
    }
    assert_eq!(parse_signature("sig1=:_-8:").unwrap(), [0xff, 0xef]);
    assert_eq!(parse_signature("sig1=:/+8=:").unwrap(), [0xff, 0xef]);
    let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    parse_content_digest(digest).unwrap();
    for (from, to) in [
        ("sha-256", "sha-512"),
        ("sha-256", "SHA-256"),
        ("=:4", ":4"),
        ("U=:", "U:"),
        ("U=:", "U=:, sha-512=:AA==:"),
        ("+/", "-_"),
        ("47DE", ""),
        ("U=:", "V=:"),
    ] {
        assert_eq!(
            parse_content_digest(&digest.replacen(from, to, 1)).unwrap_err().header(),
            "Content-Digest"
        );
    }
    assert_eq!(parse_agent_auth("agent_token=a.b.c").unwrap(), "a.b.c");
    for bad in
        ["", "agent_token=", "agent_token=a.b.c, x=y", "agent_token=\"a.b.c\"", "Agent_token=a.b.c", "a.b.c"]
    {
        assert_eq!(parse_agent_auth(bad).unwrap_err().header(), "Agent-Auth", "{bad}");
    }
}
