//! Signed requests verified: what is taken, and everything that is not.

use lumoauth::aauth::{
    AgentKey, HeaderFault, IncomingMessage, Message, MessageFault, MessagePolicy, RequestError,
};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::http::{HeaderValue, Method, Request, Uri};
use lumoauth::time::Timestamp;
use lumoauth::verify::VerifyError;
use serde_json::json;

use super::support::{RESOURCE, START, World, at};

fn fault(error: RequestError) -> MessageFault {
    match error {
        RequestError::Message(fault) => fault,
        other => panic!("another refusal: {other}"),
    }
}

#[test]
fn a_good_request_says_who_sent_it() {
    let world = World::new();
    for (method, path, body) in [
        (Method::GET, "/v1/data", &b""[..]),
        (Method::GET, "/v1/data?limit=2&sort=asc", b""),
        (Method::POST, "/", b"{\"a\":1}"),
        (Method::GET, "", b""),
        (Method::GET, "/x?", b""),
        (Method::DELETE, "/a%20b/%e4%bd%a0?q=%2F%3F+x&y=~", b""),
    ] {
        let request = world.request(&world.message(method, path, body), body, START);
        let verified = world.verify(&request).unwrap();
        assert_eq!(verified.token().agent(), Some("https://agent.example/"));
        assert_eq!(verified.token().subject(), Some("user:alice"));
        assert_eq!(verified.token().thumbprint(), world.agent.thumbprint());
        assert_eq!(verified.created(), Timestamp::from_unix(START));
        verified.require_scopes(["read"]).unwrap();
        let error = verified.require_scopes(["admin"]).unwrap_err();
        assert_eq!((error.status(), error.to_string().contains("canary")), (403, false));
    }
}

/// Signs a message over other components than the profile's, as a careless or hostile sender would.
fn signed_over(world: &World, names: &[&str], request: &mut Request<Vec<u8>>) {
    let value = |name: &str| match name {
        "@method" => request.method().to_string(),
        "@authority" => "api.example.com".to_owned(),
        "@path" => request.uri().path().to_owned(),
        "@query" => format!("?{}", request.uri().query().unwrap_or_default()),
        name => request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned(),
    };
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let nonce = world.nonce();
    let parameters = format!("({});created={START};nonce=\"{}\"", quoted.join(" "), nonce.as_str());
    let mut base: Vec<String> = names.iter().map(|name| format!("\"{name}\": {}", value(name))).collect();
    base.push(format!("\"@signature-params\": {parameters}"));
    let signature = world.agent.sign(base.join("\n").as_bytes()).unwrap();
    use base64::Engine;
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature);
    let headers = request.headers_mut();
    headers.insert("signature-input", format!("sig1={parameters}").parse().unwrap());
    headers.insert("signature", format!("sig1=:{signature}:").parse().unwrap());
}

/// H2: what must be covered comes from the policy, not from the message.
#[test]
fn h2_every_component_left_out_is_refused() {
    let world = World::new();
    let full = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "signature-key",
        "content-digest",
        "content-type",
        "authorization",
    ];
    let message = world.message(Method::POST, "/v1?a=b", b"{}");
    // The maker of such messages makes good ones too.
    let mut good = world.request(&message, b"{}", START);
    signed_over(&world, &full, &mut good);
    world.verify(&good).unwrap();
    let mut refused = 0;
    for left_out in 1_u32..256 {
        let names: Vec<&str> = full
            .iter()
            .enumerate()
            .filter(|(at, _)| left_out & (1 << at) == 0)
            .map(|(_, name)| *name)
            .collect();
        let mut request = world.request(&message, b"{}", START);
        signed_over(&world, &names, &mut request);
        let fault = fault(world.verify(&request).unwrap_err());
        let empty = names.is_empty();
        assert!(matches!(fault, MessageFault::Coverage { query: true }) || empty, "{names:?}: {fault}");
        refused += 1;
    }
    // Another order, one too many, and a query that is not there.
    for at in 0..full.len() - 1 {
        let mut names = full;
        names.swap(at, at + 1);
        let mut request = world.request(&message, b"{}", START);
        signed_over(&world, &names, &mut request);
        assert!(matches!(fault(world.verify(&request).unwrap_err()), MessageFault::Coverage { .. }));
        refused += 1;
    }
    let mut request = world.request(&world.message(Method::POST, "/v1", b"{}"), b"{}", START);
    signed_over(&world, &full, &mut request);
    assert!(matches!(fault(world.verify(&request).unwrap_err()), MessageFault::Coverage { query: false }));
    println!("h2: {} kinds of incomplete or other coverage, 0 accepted", refused + 1);
}

/// A small generator of numbers, so that a failing case can be made again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

const COVERED: [&str; 6] =
    ["signature-input", "signature", "content-digest", "content-type", "authorization", "signature-key"];

/// Changes one thing of a request; false if the change came to nothing.
fn tamper(request: &mut Request<Vec<u8>>, numbers: &mut Numbers) -> bool {
    let flip = |bytes: &[u8], numbers: &mut Numbers| {
        let mut bytes = bytes.to_vec();
        let at = numbers.below(bytes.len());
        bytes[at] ^= 1 << numbers.below(8);
        bytes
    };
    match numbers.below(10) {
        0..=3 => {
            // A bit of a covered header.
            let name = COVERED[numbers.below(COVERED.len())];
            let Some(value) = request.headers().get(name) else { return false };
            let Ok(value) = HeaderValue::from_bytes(&flip(value.as_bytes(), numbers)) else { return false };
            request.headers_mut().insert(name, value);
            true
        }
        4 => {
            if request.body().is_empty() {
                return false;
            }
            let body = flip(request.body(), numbers);
            *request.body_mut() = body;
            true
        }
        5 => {
            // A bit of path or query.
            let path = request.uri().path_and_query().unwrap().as_str().to_owned();
            let changed = flip(&path.as_bytes()[1..], numbers);
            let Ok(changed) = String::from_utf8(changed) else { return false };
            let Ok(uri) = format!("{RESOURCE}/{changed}").parse::<Uri>() else { return false };
            // A fragment is never sent, and a bare question mark is no query.
            let other = uri.path_and_query().map(|own| own.as_str().trim_end_matches('?').to_owned());
            if other.as_deref() == Some(path.trim_end_matches('?')) {
                return false;
            }
            *request.uri_mut() = uri;
            true
        }
        6 => {
            let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD];
            let other = methods[numbers.below(methods.len())].clone();
            let changed = other != *request.method();
            *request.method_mut() = other;
            changed
        }
        7 => {
            let name = COVERED[numbers.below(COVERED.len())];
            request.headers_mut().remove(name).is_some()
        }
        8 => {
            // Twice the same field, or one with blanks, or with another case.
            let name = COVERED[numbers.below(COVERED.len())];
            let Some(value) = request.headers().get(name).cloned() else { return false };
            match numbers.below(3) {
                0 => request.headers_mut().append(name, value).then_some(()).is_some(),
                1 => {
                    let text = format!("{} ", value.to_str().unwrap());
                    request.headers_mut().insert(name, HeaderValue::from_str(&text).unwrap());
                    true
                }
                _ => {
                    let text = value.to_str().unwrap().to_ascii_uppercase();
                    let changed = text != value.to_str().unwrap();
                    request.headers_mut().insert(name, HeaderValue::from_str(&text).unwrap());
                    changed
                }
            }
        }
        _ => {
            // Part of one header in the place of another.
            let (from, to) = (COVERED[numbers.below(COVERED.len())], COVERED[numbers.below(COVERED.len())]);
            let Some(value) = request.headers().get(from).cloned() else { return false };
            let changed = request.headers().get(to) != Some(&value);
            request.headers_mut().insert(to, value);
            changed
        }
    }
}

/// H3: whatever is changed, nothing is taken.
#[test]
fn h3_one_hundred_thousand_changes() {
    let world = World::new();
    let bodies: [&[u8]; 3] = [b"", b"{\"amount\": 10}", &[0xff; 300]];
    let paths = ["/v1/data", "/v1/data?a=b&c=d", "/a%20b/%E4?q=%2f"];
    let mut originals = Vec::new();
    for body in bodies {
        for path in paths {
            let plain = world.message(Method::POST, path, body);
            let keyed = plain.clone().signature_key("https://agent.example/#key-1").unwrap();
            originals.extend([plain, keyed].map(|message| world.request(&message, body, START)));
        }
    }
    let seed = 0x5eed_0000_1111_2222;
    println!("h3: seed {seed:#x}");
    let (world, originals) = (&world, &originals);
    let run = move |seed: u64| {
        let mut numbers = Numbers(seed);
        let (mut tried, mut accepted) = (0, 0);
        while tried < crate::rounds::of(25_000) {
            let mut request = originals[numbers.below(originals.len())].clone();
            if !tamper(&mut request, &mut numbers) {
                continue;
            }
            tried += 1;
            if world.verify(&request).is_ok() {
                accepted += 1;
                println!("accepted: {request:?}");
            }
        }
        (tried, accepted)
    };
    let (tried, accepted) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || run(seed + number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    assert_eq!(accepted, 0);
    // And the originals are good.
    for original in originals {
        world.verify(original).unwrap();
    }
    println!("h3: {tried} changed requests, {accepted} accepted");
}

/// H5: to the second.
#[test]
fn h5_only_fresh_signatures() {
    let world = World::new();
    let (mut taken, mut refused) = (0, 0);
    for created in START - 70..=START + 70 {
        let request = world.request(&world.message(Method::GET, "/", b""), b"", created);
        let outcome = world.verify(&request);
        if created.abs_diff(START) <= 60 {
            outcome.unwrap();
            taken += 1;
        } else {
            assert!(matches!(fault(outcome.unwrap_err()), MessageFault::NotFresh { .. }));
            refused += 1;
        }
    }
    let narrow = World::with(|config| config.window(lumoauth::verify::Leeway::seconds(5).unwrap()));
    let old = narrow.request(&narrow.message(Method::GET, "/", b""), b"", START - 6);
    assert!(matches!(fault(narrow.verify(&old).unwrap_err()), MessageFault::NotFresh { .. }));
    println!("h5: {taken} within 60 s taken, {refused} beyond refused");
}

/// H6: a key is the agent's because the token of a trusted issuer says so, and for nothing else.
#[test]
fn h6_the_key_is_the_tokens() {
    let world = World::new();
    let other = AgentKey::from_seed(&[9; 32]).unwrap();
    let message = world.message(Method::GET, "/", b"");
    let headers = message.sign(&other, Timestamp::from_unix(START), &world.nonce()).unwrap();
    let mut request = Request::new(Vec::new());
    headers.apply(&mut request).unwrap();
    assert_eq!(fault(world.verify(&request).unwrap_err()), MessageFault::Signature);
    // A Signature-Key of the sender's own choice changes nothing.
    let keyed = message.clone().signature_key("https://agent.example/#key-1").unwrap();
    let headers = keyed.sign(&other, Timestamp::from_unix(START), &world.nonce()).unwrap();
    let mut request = Request::new(Vec::new());
    headers.apply(&mut request).unwrap();
    assert_eq!(fault(world.verify(&request).unwrap_err()), MessageFault::Signature);
    // A token that the agent's key signed itself, with any issuer's name.
    let mut refused = 2;
    for issuer in [super::support::ISSUER, "https://agent.example/", "https://evil.test"] {
        let mut claims = world.claims();
        claims["iss"] = json!(issuer);
        let own = other.sign_token("auth+jwt", &claims).unwrap();
        let message = Message::new(Method::GET, RESOURCE).unwrap();
        let message = message.authorization(format!("Bearer {}", own.expose())).unwrap();
        let headers = message.sign(&other, Timestamp::from_unix(START), &world.nonce()).unwrap();
        let mut request = Request::new(Vec::new());
        headers.apply(&mut request).unwrap();
        let error = world.verify(&request).unwrap_err();
        assert!(
            matches!(error, RequestError::Token(VerifyError::Issuer { .. } | VerifyError::UnknownKey)),
            "{issuer}: {error}"
        );
        refused += 1;
    }
    println!("h6: {refused} foreign keys, 0 accepted");
}

#[test]
fn the_host_header_is_never_looked_at() {
    let world = World::new();
    let mut request = world.request(&world.message(Method::GET, "/", b""), b"", START);
    request.headers_mut().insert("host", "evil.test".parse().unwrap());
    world.verify(&request).unwrap();
    // A signature for another authority is for another resource.
    let message = Message::new(Method::GET, "https://other.example.com/").unwrap();
    let message = message.authorization(format!("Bearer {}", world.token(&world.claims()))).unwrap();
    let mut request = world.request(&message, b"", START);
    request.headers_mut().insert("host", "other.example.com".parse().unwrap());
    assert_eq!(fault(world.verify(&request).unwrap_err()), MessageFault::Signature);
    // Known by one name, called at another.
    let world = World::with(|config| config.called_at("https://GW.example.com:8443/api"));
    let message = Message::new(Method::GET, "https://gw.example.com:8443/x").unwrap();
    let message = message.authorization(format!("Bearer {}", world.token(&world.claims()))).unwrap();
    world.verify(&world.request(&message, b"", START)).unwrap();
}

#[test]
fn refusals_say_what_and_how_to_answer() {
    let world = World::with(|config| config.require_scopes(["admin"]).longest_body(8));
    let good = world.request(&world.message(Method::GET, "/", b""), b"", START);
    let error = world.verify(&good).unwrap_err();
    let challenge = error.challenge().unwrap().to_string();
    assert_eq!((error.status(), challenge.contains("scope=\"admin\"")), (403, true), "{challenge}");
    let long = world.request(&world.message(Method::POST, "/", b"123456789"), b"123456789", START);
    assert_eq!(world.verify(&long).unwrap_err().status(), 413);
    let mut unsigned = good.clone();
    unsigned.headers_mut().remove("signature-input");
    let error = world.verify(&unsigned).unwrap_err();
    let header: HeaderFault = match fault(error) {
        MessageFault::Header(header) => header,
        other => panic!("{other}"),
    };
    assert_eq!((header.header(), header.problem()), ("Signature-Input", "is missing"));
    let mut without = world.request(&Message::new(Method::GET, RESOURCE).unwrap(), b"", START);
    let error = world.verify(&without).unwrap_err();
    assert!(matches!(error, RequestError::Token(VerifyError::MissingToken)));
    assert_eq!((error.status(), error.challenge().unwrap().to_string()), (401, "Bearer".to_owned()));
    *without.body_mut() = b"x".to_vec();
    assert_eq!(fault(world.verify(&without).unwrap_err()), MessageFault::Digest);
}

#[test]
fn what_stands_on_the_request_line_must_be_a_path() {
    let world = World::new();
    let request = world.request(&world.message(Method::GET, "/data", b""), b"", START);
    world.verify(&request).unwrap();
    for target in [
        "/data?",
        "*",
        "",
        "data",
        "https://api.example.com/data",
        "/da ta",
        "/data\n\"@query\": ?x",
        "/d\u{e4}ta",
    ] {
        let message = IncomingMessage { path_and_query: target, ..IncomingMessage::new(&request, b"") };
        let Step::Done(result) = world.verifier.check(message).step(&at(START), None).unwrap() else {
            panic!("the keys are at hand")
        };
        assert_eq!(fault(result.unwrap_err()), MessageFault::Target, "{target:?}");
    }
    let mut long = world.request(&world.message(Method::GET, "/data", b""), b"", START);
    long.headers_mut().insert("x-other", "x".repeat(70_000).parse().unwrap());
    let error = world.verify(&long).unwrap_err();
    assert_eq!(error.status(), 413);
    assert_eq!(fault(error), MessageFault::TooLong { what: "its headers are" });
    // The target has a bound of its own, whatever is signed: 8 KiB are read, and not one byte more.
    for (length, read) in [(8 * 1024, true), (8 * 1024 + 1, false), (1024 * 1024, false)] {
        for target in [format!("/{}", "a".repeat(length - 1)), format!("/?{}", "a".repeat(length - 2))] {
            let message = IncomingMessage { path_and_query: &target, ..IncomingMessage::new(&request, b"") };
            let Step::Done(result) = world.verifier.check(message).step(&at(START), None).unwrap() else {
                panic!("the keys are at hand")
            };
            let found = fault(result.unwrap_err());
            assert_eq!(found != MessageFault::TooLong { what: "its URL is" }, read, "{length}: {found}");
        }
    }
    // So have the headers, names and values together.
    let length =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    for (bound, read) in [(length, true), (length - 1, false)] {
        let policy = MessagePolicy::new("https://api.test").unwrap().longest_headers(bound);
        let found = policy.read(&IncomingMessage::new(&request, b""), &at(START)).err();
        assert_eq!(found != Some(MessageFault::TooLong { what: "its headers are" }), read, "{bound}");
    }
    // So has the body.
    let small = World::with(|config| config.longest_body(10));
    for (length, read) in [(10, true), (11, false)] {
        let body = vec![b'x'; length];
        let request = small.request(&small.message(Method::POST, "/", &body), &body, START);
        assert_eq!(small.verify(&request).is_ok(), read, "{length}");
    }
}
