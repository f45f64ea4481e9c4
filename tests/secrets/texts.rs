//! No secret in any text, and nothing in a text of the service that acts on a terminal.
#![cfg(feature = "ureq")]

use crate::canary::{Canaries, Log, texts};
use crate::hostile::{Recorded, Reply, Server, agent, answer, script};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use lumoauth::credentials::Variables;
use lumoauth::embed::operation::{Auth, Context, Effect, Terms};
use lumoauth::embed::session::{Arrived, Machine as _, Settings};
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::time::{Now, Timestamp};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{
    AccessToken, Agent, ApiRequest, Ask, ClientAuth, Credentials, Error, Layout, Secret, Site, TokenType,
    embed::Session,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &str = "scr+Q7/x2=Zv&9K%Lm4B81_TnYc~Wd";
const TOKEN: &str = "tok_R7hQx3Pz0VbK5sWdLm92EgJfUi";
const PASSWORD: &str = "pxy_Hb6Tn2Lw8Vr4Kc0Zs5Jd7Mq";

fn canaries() -> Canaries {
    Canaries::new(&[SECRET, TOKEN, PASSWORD])
}

type Coat = (&'static str, fn(&[u8]) -> String);
type Envelope = (&'static str, fn(&str) -> Reply);

/// The ways in which a service, or a proxy before it, may give a request back.
const COATS: [Coat; 8] = [
    ("raw", |text| String::from_utf8_lossy(text).into_owned()),
    ("base64", |text| STANDARD.encode(text)),
    ("base64url", |text| URL_SAFE_NO_PAD.encode(text)),
    ("percent", |text| form_urlencoded::byte_serialize(text).collect()),
    ("percent, lower case", |text| {
        let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let encode =
            |byte: &u8| if keep(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") };
        text.iter().map(encode).collect()
    }),
    ("hex", |text| text.iter().map(|byte| format!("{byte:02x}")).collect()),
    ("HEX", |text| text.iter().map(|byte| format!("{byte:02X}")).collect()),
    ("reversed", |text| String::from_utf8_lossy(text).chars().rev().collect()),
];

/// The envelopes in which an echo may come.
const ENVELOPES: [Envelope; 15] = [
    ("error_description", |echo| json(400, "error_description", echo)),
    ("message", |echo| json(403, "message", echo)),
    ("detail", |echo| json(404, "detail", echo)),
    ("error", |echo| json(401, "error", echo)),
    ("code", |echo| json(409, "code", echo)),
    ("error_uri", |echo| json(422, "error_uri", echo)),
    ("details", |echo| {
        Reply::json(500, serde_json::json!({"details": {"echo": [echo], echo: 1}}).to_string())
    }),
    ("scopes", |echo| {
        let scopes = serde_json::json!({"required_scopes": [echo], "granted_scopes": [echo]});
        Reply::json(403, serde_json::json!({"error": "insufficient_scope", "details": scopes}).to_string())
    }),
    ("a JSON text", |echo| Reply::json(503, serde_json::json!(echo).to_string())),
    ("text", |echo| Reply::text(502, echo)),
    ("html", |echo| Reply::html(400, format!("<html><body><pre>{echo}</pre></body></html>"))),
    ("html as 200", |echo| Reply::html(200, format!("<html>{echo}</html>"))),
    ("a key twice", |echo| {
        let key = serde_json::json!(echo);
        Reply::json(200, format!("{{{key}:1,{key}:2}}"))
    }),
    ("wrong types", |echo| {
        let body = serde_json::json!({"allowed": echo, "access_token": [echo], "sub": [echo], "identity": echo, "agent_id": [echo]});
        Reply::json(200, body.to_string())
    }),
    ("a header", |echo| {
        let echo: String = echo.chars().filter(|c| c.is_ascii_graphic()).collect();
        Reply::json(302, "{}").header("Location", format!("/x?{echo}")).header("X-Echo", echo)
    }),
];

fn json(status: u16, key: &str, echo: &str) -> Reply {
    Reply::json(status, serde_json::json!({ key: echo }).to_string())
}

type Operation = (&'static str, fn(&Agent) -> Result<String, Error>);

fn shown<T: std::fmt::Debug>(output: T) -> String {
    format!("{output:?}\n{output:#?}")
}

/// Raw requests are last: their answers come back whole, and become errors only if the caller says so.
const OPERATIONS: [Operation; 6] = [
    ("ask", |agent| agent.ask("read").map(shown)),
    ("info", |agent| agent.info().map(shown)),
    ("identity", |agent| agent.identity().map(shown)),
    ("register", |agent| agent.register("bot").map(shown)),
    ("get", |agent| agent.request(Method::GET, "x")?.error_for_status().map(shown)),
    ("post", |agent| agent.run(ApiRequest::post("x").body("text/plain", "y"))?.error_for_status().map(shown)),
];

/// What the server gives back: part of the request, in one coat, in one envelope.
type Echo = Arc<Mutex<Option<(usize, usize, bool)>>>;

fn echo(request: &Recorded, (coat, envelope, whole): (usize, usize, bool)) -> Reply {
    let mut text = Vec::new();
    if whole {
        text.extend_from_slice(&request.raw);
    } else {
        text.extend_from_slice(request.header("authorization").unwrap_or_default().as_bytes());
        text.extend_from_slice(&request.body);
    }
    (ENVELOPES[envelope].1)(&(COATS[coat].1)(&text))
}

/// One hit of each kind.
fn kinds(hits: &[String]) -> Vec<&String> {
    let mut seen = std::collections::HashSet::new();
    hits.iter().filter(|hit| seen.insert(hit.split(" in ").next().unwrap_or_default().to_owned())).collect()
}

#[test]
fn s1_no_error_shows_a_secret_that_the_service_echoes() {
    let (log, canaries) = (Log::install(), canaries());
    let (mut errors, mut hits) = (0, Vec::new());
    for client_auth in [ClientAuth::Post, ClientAuth::Basic] {
        let spoil = Echo::default();
        let read = Arc::clone(&spoil);
        let server = Server::start(script(move |request| {
            let token = request.path().ends_with("/oauth/token");
            match *read.lock().unwrap() {
                // Without a token nothing but the token request is ever sent.
                Some(how) if !token || request.form_value("scope").as_deref() == Some("echo") => {
                    echo(request, how)
                }
                _ => answer(request, TOKEN),
            }
        }));
        for (coat, (coat_name, _)) in COATS.iter().enumerate() {
            let agent = agent(server.url())
                .client_secret(SECRET)
                .client_auth(client_auth)
                .timeout(Duration::from_secs(3))
                .build()
                .unwrap();
            for (envelope, (envelope_name, _)) in ENVELOPES.iter().enumerate() {
                for whole in [false, true] {
                    let name = |operation: &str| {
                        format!("{operation}, {coat_name} in {envelope_name} (whole: {whole})")
                    };
                    let mut check = |operation: &str, result: Result<String, Error>| {
                        let text = match result {
                            Ok(text) => text,
                            Err(error) => {
                                errors += 1;
                                texts(&error)
                            }
                        };
                        hits.extend(canaries.find(&text).map(|hit| format!("{}: {hit}", name(operation))));
                    };
                    *spoil.lock().unwrap() = None;
                    agent.set_credentials(Credentials::new("agt_1", SECRET).unwrap());
                    agent.ensure_authenticated().unwrap();
                    *spoil.lock().unwrap() = Some((coat, envelope, whole));
                    for (operation, run) in OPERATIONS {
                        check(operation, run(&agent));
                    }
                    let other = agent.with_scopes([]);
                    check("token", other.authenticate(["echo"]).map(shown));
                    *spoil.lock().unwrap() = None;
                }
            }
        }
    }
    let counts = log.find(&canaries);
    println!(
        "s1: {errors} errors, {} hits; {} log records of ours and {} of others but ureq, {} hits; \
         ureq itself: {} records, {} with a secret (TRACE and DEBUG)",
        hits.len(),
        counts.ours,
        counts.others,
        counts.hits.len(),
        counts.ureq,
        counts.ureq_hits
    );
    assert!(hits.is_empty(), "{} hits: {:#?}", hits.len(), kinds(&hits));
    assert!(counts.hits.is_empty(), "{:?}", counts.hits);
    assert!(errors > 1000 && counts.ours > 1000);
}

#[test]
fn s1_no_public_type_shows_a_secret() {
    let (log, canaries) = (Log::install(), canaries());
    let server = Server::start(script(|request| answer(request, TOKEN)));
    let mut shown_texts: Vec<(&str, String)> = Vec::new();
    let mut show = |name: &'static str, text: String| shown_texts.push((name, text));
    let secret = Secret::new(SECRET);
    show("Secret", format!("{} {}", shown(&secret), secret));
    let credentials = Credentials::new("agt_1", SECRET).unwrap();
    show("Credentials", shown(&credentials));
    let variables = Variables::read(|name| match name {
        "AGENT_CLIENT_SECRET" => Some(SECRET.to_owned()),
        other => Some(format!("value-of-{other}")),
    });
    show("Variables", shown(&variables));
    let builder = agent(server.url())
        .client_secret(SECRET)
        .proxy(format!("http://user:{PASSWORD}@127.0.0.1:9"))
        .client_auth(ClientAuth::Basic);
    show("AgentBuilder", shown(&builder));
    let options = TransportOptions::new().proxy(format!("http://user:{PASSWORD}@127.0.0.1:9"));
    show("TransportOptions", shown(&options));
    show("UreqTransport", shown(UreqTransport::new(&options).unwrap()));
    for bad in ["socks5", "ftp", "", "http//"] {
        let options = TransportOptions::new().proxy(format!("{bad}://user:{PASSWORD}@127.0.0.1:9"));
        if let Err(error) = UreqTransport::new(&options) {
            show("ConfigError", texts(&Error::from(error)));
        }
    }
    for bad in [format!("{SECRET}\n"), format!("{SECRET}\u{e9}"), format!("{SECRET}\0")] {
        show("ConfigError", texts(&Error::from(Credentials::new("agt_1", bad.as_str()).unwrap_err())));
        let error = agent(server.url()).client_secret(bad).build().unwrap_err();
        show("ConfigError", texts(&error));
    }
    for bad in [
        format!("https://agt:{SECRET}@app.lumoauth.dev"),
        format!("https://app.lumoauth.dev?secret={SECRET}"),
    ] {
        show("ConfigError", texts(&agent(&bad).build().unwrap_err()));
        show("ConfigError", texts(&agent(server.url()).proxy(bad).allow_origin("x").build().unwrap_err()));
    }

    let agent = builder.build().unwrap();
    let token = agent.authenticate(["a"]).unwrap();
    assert_eq!(token.secret().expose(), TOKEN);
    show("AccessToken", shown(&token));
    show("Agent", shown(&agent));
    show("Session", shown(agent.session()));
    show("Scopes", shown(agent.token_scopes()));
    show("Auth", shown(Auth::Token(token.clone())));
    show("Terms", shown(Terms::new("x", Effect::Read, Auth::Token(token.clone()))));
    let site = Site::tenant("acme").unwrap();
    show("Context", shown(Context::new(&site).with_token(&token)));
    let request = Request::new(Method::POST, format!("https://a.example/?token={TOKEN}").parse().unwrap())
        .form(Form::new().field("a", SECRET).secret("client_secret", &secret))
        .authorization("Bearer", token.secret())
        .unwrap();
    show("Form", shown(Form::new().secret("client_secret", &secret)));
    show("Request", shown(&request));
    show("HeaderMap", shown(request.headers()));
    let response = Response::new(http::StatusCode::OK, request.headers().clone(), TOKEN);
    show("Response", shown(&response));
    show("Arrived", shown(Arrived::Response(response)));

    // A machine turned by hand, every action shown.
    let settings = Settings::new(Site::new(server.url(), Layout::Tenant("acme".into())).unwrap())
        .credentials(credentials.clone());
    show("Settings", shown(&settings));
    let session = Session::new(settings);
    let mut call = session.call(Ask::new("read"));
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [7; 32]);
    let token_reply = format!(r#"{{"access_token":"{TOKEN}","expires_in":3600}}"#);
    let replies = [token_reply, r#"{"allowed":false,"reason":"no"}"#.to_owned()];
    let mut arrived = None;
    for reply in replies {
        show("Action", shown(call.step(&now, arrived.take()).unwrap()));
        let response = Response::new(http::StatusCode::OK, http::HeaderMap::new(), reply);
        show("Response", shown(&response));
        arrived = Some(Arrived::Response(response));
    }
    let last = call.step(&now, arrived.take()).unwrap();
    show("Action", shown(&last));
    let lumoauth::embed::session::Step::Done(decision) = last else { panic!("{last:?}") };
    show("Decision", format!("{decision} {}", serde_json::to_string(&decision).unwrap()));
    show("Denied", texts(&decision.require().unwrap_err()));
    show("Session", shown(&session));
    show("TokenCall", shown(call.step(&now, None).map(|_| ())));

    let outputs = [
        serde_json::to_string(&agent.ask("read").unwrap()),
        serde_json::to_string(&agent.info().unwrap()),
        serde_json::to_string(&agent.identity().unwrap()),
        serde_json::to_string(&agent.register("bot").unwrap()),
    ];
    outputs.into_iter().for_each(|output| show("serde", output.unwrap()));
    let raw = ApiRequest::post("x").header("X-Secret", SECRET).query("q", SECRET).body("text/plain", TOKEN);
    show("ApiRequest", shown(&raw));
    show("ApiRequest", shown(ApiRequest::get(format!("/x?key={SECRET}"))));
    show("Response", shown(agent.run(raw).unwrap()));
    let typed = AccessToken::new(secret, TokenType::Dpop, "a".into(), Timestamp::default(), Duration::MAX);
    show("AccessToken", shown(typed));

    // What a panic of the caller's says.
    let panic = std::panic::catch_unwind(|| {
        let response = Response::new(http::StatusCode::OK, http::HeaderMap::new(), TOKEN);
        let credentials = Credentials::new("agt_1", SECRET).unwrap();
        panic!("{response:?} {credentials:?} {:?}", response.json::<u8>().unwrap_err());
    });
    show("panic", panic.unwrap_err().downcast_ref::<String>().unwrap().clone());

    let hits: Vec<String> = shown_texts
        .iter()
        .filter_map(|(name, text)| canaries.find(text).map(|hit| format!("{name}: {hit}")))
        .collect();
    let counts = log.find(&canaries);
    println!(
        "s1: {} texts of public types, {} hits; logs: {} hits",
        shown_texts.len(),
        hits.len(),
        counts.hits.len()
    );
    assert!(hits.is_empty(), "{hits:#?}");
    assert!(counts.hits.is_empty(), "{:?}", counts.hits);
}

#[test]
fn s5_the_words_of_the_service_are_inert() {
    let hostile = [
        "\x1b[31mred\x1b[0m\x1b]0;title\x07",
        "a\r\nSet-Cookie: x=1\n[2026] fake log line",
        "nul\0bell\x07backspace\x08delete\x7f",
        "\u{202e}gnp.exe\u{202c}\u{2066}x\u{2069}\u{200f}\u{061c}",
        "zero\u{200b}width\u{feff}soft\u{ad}hyphen\u{2060}",
        "line\u{2028}paragraph\u{2029}next\u{85}\u{9b}31m",
        "tags\u{e0041}\u{e007f} annotation\u{fff9}\u{fffb}",
    ];
    let current: Arc<Mutex<Reply>> = Arc::new(Mutex::new(Reply::new(200)));
    let served = Arc::clone(&current);
    let server = Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
        true => answer(request, TOKEN),
        false => served.lock().unwrap().clone(),
    }));
    let agent = agent(server.url()).timeout(Duration::from_secs(3)).build().unwrap();
    agent.ensure_authenticated().unwrap();
    let acts = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut cases = 0;
    let mut check = |name: &str, text: &str, line: bool| {
        let bad: Vec<char> = text.chars().filter(|c| acts(*c) || (line && *c == '\n')).collect();
        assert!(bad.is_empty(), "{name}: {bad:?} in {text}");
        cases += 1;
    };
    let all = hostile.concat();
    let long = "x".repeat(15_000);
    for words in hostile.iter().copied().chain([all.as_str(), long.as_str()]) {
        for (name, envelope) in &ENVELOPES[..14] {
            *current.lock().unwrap() = envelope(words);
            for (_, run) in OPERATIONS {
                if let Err(error) = run(&agent) {
                    check(name, &error.to_string(), true);
                    // The advice is ours, on a line of its own.
                    let told = format!("{error:?}");
                    let told = told.strip_suffix(&format!("\nhelp: {}", error.advice())).unwrap();
                    check(name, told, true);
                    check(name, &format!("{error:#?}"), false);
                    let length = error.to_string().chars().count();
                    // 256 characters of each of two texts, each character escaped to at most 10.
                    assert!(length <= 60 + 2 * 257 * 10, "{name}: {length} characters");
                    if words.starts_with('x') {
                        assert!(length <= 60 + 2 * 257, "{name}: {length} characters");
                    }
                }
            }
        }
        let denial = serde_json::json!({"allowed": false, "reason": words, "audit_id": words});
        *current.lock().unwrap() = Reply::json(200, denial.to_string());
        let decision = agent.ask("read").unwrap();
        check("Decision", &decision.to_string(), true);
        check("Decision", &format!("{decision:?}"), true);
        let error = decision.require().unwrap_err();
        check("Denied", &error.to_string(), true);
        check("Denied", format!("{error:?}").split("\nhelp: ").next().unwrap(), true);
        let record =
            serde_json::json!({"sub": "agt_1", "name": words, "capabilities": [words], words: words});
        *current.lock().unwrap() = Reply::json(200, record.to_string());
        check("AgentInfo", &format!("{:?}", agent.info().unwrap()), true);
    }
    // A million characters are more than an answer may have, except where the caller says so.
    let million = format!(r#"{{"error_description":"{}"}}"#, "\\u001b[31m".repeat(110_000));
    *current.lock().unwrap() = Reply::json(400, million);
    let error = agent.request(Method::GET, "x").unwrap().error_for_status().unwrap_err();
    check("a million characters", &error.to_string(), true);
    assert!(error.to_string().ends_with('…') && error.to_string().chars().count() < 3000, "{error}");
    println!("s5: {cases} texts, none of them acts");
}
