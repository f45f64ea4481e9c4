//! The shapes that a stranger's text can have, each of any length.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// What it is, and how one of this length is made.
pub type Shape<T> = (&'static str, fn(usize) -> T);

/// Different words.
pub fn words(size: usize, between: char) -> String {
    (0..size / 7)
        .map(|word| format!("{word:06}{between}"))
        .collect::<String>()
        .trim_end_matches(between)
        .to_owned()
}

fn again(piece: &str, size: usize) -> String {
    piece.repeat(size / piece.len())
}

/// Texts, by what they are.
pub fn texts() -> Vec<Shape<String>> {
    vec![
        ("one letter", |size| again("a", size)),
        ("words", |size| words(size, ' ')),
        ("the same word", |size| again("a ", size)),
        ("blanks", |size| again(" ", size)),
        ("digits", |size| again("7", size)),
        ("escapes in escapes", |size| format!("{}{}", "https://x/%", again("25", size))),
        ("percent signs", |size| format!("{}{}", "https://x/", again("%", size))),
        ("dot segments", |size| format!("{}{}", "https://x/", again("../", size))),
        ("encoded dot segments", |size| format!("{}{}", "https://x/", again("%2e%2e/", size))),
        ("slashes", |size| format!("{}{}", "https://x/", again("/", size))),
        ("labels", |size| format!("{}{}", "https://x", again(".x", size))),
        ("at signs", |size| format!("{}{}", "https://x", again("@", size))),
        ("colons", |size| format!("{}{}", "https://[", again(":", size))),
        ("question marks", |size| format!("{}{}", "https://x/", again("?", size))),
        ("pairs", |size| format!("{}{}", "https://x/?a=b", again("&a=b", size))),
        ("back slashes", |size| again("\\", size)),
        ("quotes", |size| again("\"", size)),
        ("commas", |size| again(",", size)),
        ("equal signs", |size| again("=", size)),
        ("what turns texts around", |size| again("\u{202e}", size)),
        ("a letter of two bytes", |size| again("\u{e4}", size)),
        ("hexadecimal", |size| again("0123456789abcdef", size)),
        ("dots", |size| again(".", size)),
        ("dashes", |size| again("-", size)),
        ("PEM", |size| again("-----BEGIN CERTIFICATE-----\n", size)),
        ("base64", |size| again("QUFB", size)),
        ("a token with many claims", |size| token(&claims(size))),
        ("a token for many", |size| token(&json!({"aud": list(&words(size, ' ')), "sub": "s"}))),
        ("a token for the same over and over", |size| {
            token(&json!({"aud": vec!["https://a.test"; size / 17]}))
        }),
        ("a token with many scopes", |size| token(&json!({"scope": words(size, ' ')}))),
        ("a token with actors", |size| token(&actors(size))),
    ]
}

fn list(words: &str) -> Vec<&str> {
    words.split(' ').collect()
}

/// A JWT that nobody signed, of two thirds of the length.
pub fn token(claims: &Value) -> String {
    let claims = claims.to_string();
    format!("eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn claims(size: usize) -> Value {
    let mut claims: Map<String, Value> = (0..size / 12).map(|at| (format!("{at:07}"), json!(1))).collect();
    claims.insert("sub".into(), json!("s"));
    Value::Object(claims)
}

fn actors(size: usize) -> Value {
    // No deeper than JSON may be; beside it another chain, and another.
    let chain = (0..50).fold(json!({"sub": "a"}), |inner, at| json!({"sub": at.to_string(), "act": inner}));
    let length = chain.to_string().len();
    json!({"act": chain.clone(), "others": vec![chain; size / length]})
}

/// Values of JSON, by what they are.
fn values() -> Vec<Shape<Value>> {
    vec![
        ("a list of words", |size| json!(list(&words(size, ' ')))),
        ("a list of one word", |size| json!(vec!["a"; size / 4])),
        ("a list of URLs", |size| {
            json!((0..size / 25).map(|at| format!("https://x{at:05}.test/")).collect::<Vec<_>>())
        }),
        ("a list of one URL", |size| json!(vec!["https://x.test/"; size / 18])),
        ("a list of long texts", |size| json!(vec!["a".repeat(1000); size / 1000])),
        ("a list of numbers", |size| json!(vec![1; size / 2])),
        ("a list of nothing", |size| json!(vec![Value::Null; size / 5])),
        ("a list of lists", |size| json!(vec![json!([]); size / 3])),
        ("a list of objects", |size| {
            json!(vec![json!({"resource": "https://x.test/", "sub": "a", "kid": "k"}); size / 50])
        }),
        ("many members", |size| claims(size)),
        ("members with long names", |size| json!({(again("n", size / 2)): 1, (again("m", size / 2)): 1})),
        ("nested", |size| json!([(0..20).fold(claims(size), |inner, _| json!({"act": inner}))])),
        ("keys of one id", |size| {
            json!(vec![
                json!({"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB", "alg": "RS256"});
                size / 65
            ])
        }),
        ("keys of many ids", |size| {
            json!(
                (0..size / 60)
                    .map(|at| json!({"kty": "OKP", "crv": "Ed25519", "kid": at.to_string(), "x": "AA"}))
                    .collect::<Vec<_>>()
            )
        }),
        (
            "a key with certificates",
            |size| json!([{"kty": "EC", "crv": "P-256", "kid": "k", "x": "AA", "y": "AA", "x5c": vec!["QUFB"; size / 7]}]),
        ),
        (
            "a key with a long number",
            |size| json!([{"kty": "RSA", "kid": "k", "n": again("QUFB", size), "e": "AQAB"}]),
        ),
        (
            "a key with operations",
            |size| json!([{"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB", "key_ops": vec!["verify"; size / 9]}]),
        ),
    ]
}

/// All of this length: texts first.
pub fn all_values(size: usize) -> Vec<(&'static str, Value)> {
    let texts = texts().into_iter().map(|(name, text)| (name, Value::String(text(size))));
    texts.chain(values().into_iter().map(|(name, value)| (name, value(size)))).collect()
}

/// Bodies that are no good JSON, or no JSON.
pub fn bodies() -> Vec<Shape<Vec<u8>>> {
    vec![
        ("open lists", |size| again("[", size).into()),
        ("open objects", |size| again("{\"a\":", size).into()),
        ("a key twice at the end", |size| {
            format!(
                "{{{}\"000001\":1}}",
                (0..size / 11).map(|at| format!("\"{at:06}\":1,")).collect::<String>()
            )
            .into()
        }),
        ("escapes", |size| format!("{{\"a\":\"{}\"}}", again("\\u0061", size)).into()),
        ("an escaped name", |size| format!("{{\"{}\":1}}", again("\\u0061", size)).into()),
        ("a long number", |size| format!("{{\"expires_in\":{}}}", again("9", size)).into()),
        ("a long fraction", |size| format!("{{\"expires_in\":0.{}1}}", again("0", size)).into()),
        ("blanks", |size| again(" ", size).into()),
        ("line breaks", |size| format!("{}{{", again("\n", size)).into()),
        ("a page", |size| format!("<html>{}", again("<p>a", size)).into()),
        ("no UTF-8", |size| vec![0xff; size]),
        ("bytes of zero", |size| vec![0; size]),
        ("a cut text", |size| format!("{{\"a\":\"{}", again("a", size)).into()),
        ("a text alone", |size| format!("\"{}\"", again("a", size)).into()),
    ]
}

/// Values of headers, by what they are: visible ASCII.
pub fn headers() -> Vec<Shape<String>> {
    let fits = |(_, text): &Shape<String>| text(64).bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let mut headers: Vec<Shape<String>> = texts().into_iter().filter(fits).collect();
    let more: [Shape<String>; 20] = [
        ("many challenges", |size| again("Bearer a=b, ", size)),
        ("many parameters", |size| format!("Bearer a=b{}", again(", a=b", size))),
        ("different parameters", |size| {
            format!("Bearer a=b{}", (0..size / 12).map(|at| format!(", p{at:06}=b")).collect::<String>())
        }),
        ("schemes", |size| again("Bearer ", size)),
        ("schemes with commas", |size| again("Bearer,", size)),
        ("an open quote", |size| format!("Bearer a=\"{}", again("b", size))),
        ("quoted pairs", |size| format!("Bearer a=\"{}\"", again("\\\"", size))),
        ("many open quotes", |size| again("Bearer a=\"", size)),
        ("token68", |size| format!("Bearer {}", again("=", size))),
        ("many scopes", |size| {
            format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", words(size, ' '))
        }),
        ("a long place", |size| format!("Bearer resource_metadata=\"https://x/%{}\"", again("25", size))),
        ("many places", |size| again("Bearer resource_metadata=\"https://mcp.acme.test/a\", ", size)),
        ("inner lists", |size| format!("sig1=({})", again("\"@method\" ", size))),
        ("parameters of a signature", |size| format!("sig1=(\"@method\"){}", again(";created=1", size))),
        ("members of a dictionary", |size| again("sig1=:QUFB:, ", size)),
        ("a long signature", |size| format!("sig1=:{}:", again("QUFB", size))),
        ("a long digest", |size| format!("sha-256=:{}:", again("QUFB", size))),
        ("a date", |size| format!("Sun, 06 Nov 1994 08:49:37 GMT{}", again(" ", size))),
        ("decimals", |size| format!("0.{}", again("1", size))),
        ("an agent token", |size| format!("agent_token={}", again("a.", size))),
    ];
    headers.extend(more);
    headers
}
