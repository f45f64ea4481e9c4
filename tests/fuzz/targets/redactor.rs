//! A refusal that echoes a secret of its request, in any coat and anywhere: nothing that is made of it shows a piece of the secret.
#![no_main]

#[path = "work.rs"]
mod work;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use lumoauth::embed::operations::ClientCredentials;
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::Response;
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Credentials, Site};

const SECRET: &str = "S3cret/with+odd=chars&more-of-it";

// The first byte says which coat; the rest is what stands before and behind, with a zero byte between, and what it stands in.
fuzz_target!(|data: &[u8]| {
    let Some((&which, rest)) = data.split_first() else { return };
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let coat: String = match which % 7 {
        0 => SECRET.to_owned(),
        1 => SECRET.chars().rev().collect(),
        2 => hex,
        3 => hex.to_ascii_uppercase(),
        4 => STANDARD.encode(SECRET),
        5 => URL_SAFE_NO_PAD.encode(format!("agt_1:{SECRET}")),
        _ => "S3cret%2Fwith%2Bodd%3Dchars%26more-of-it".to_owned(),
    };
    let text = String::from_utf8_lossy(rest);
    let (before, behind) = text.split_once('\0').unwrap_or((&text, ""));
    let echo = format!("{before}{coat}{behind}");
    let body = match which >> 6 {
        0 => serde_json::json!({"error": "x", "error_description": echo}),
        1 => serde_json::json!({"code": echo, "details": [echo, {"a": echo}]}),
        2 => serde_json::json!({"error": "x", "details": {"required_scopes": [echo], (echo.as_str()): 1}}),
        _ => serde_json::Value::String(echo.clone()),
    };
    work::bounded(data.len(), || {
        let credentials = Credentials::new("agt_1", SECRET).expect("credentials");
        let session =
            Session::new(Settings::new(Site::tenant("acme").expect("a site")).credentials(credentials));
        let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [7; 32]);
        let mut call = session.call(ClientCredentials::new("a"));
        let Ok(Step::Do(Action::Send(_))) = call.step(&now, None) else { panic!("it is sent") };
        let answer = Response::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body.to_string());
        let Err(error) = call.step(&now, Some(Arrived::Response(answer))) else { panic!("it is refused") };
        let api = error.as_api().expect("a refusal");
        let shown = format!("{error} {error:?} {:?} {:?} {:?}", api.code(), api.description(), api.details());
        for piece in SECRET.as_bytes().windows(12) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            assert!(!shown.contains(piece), "{piece} in {shown}");
        }
        // What the coat itself is, unless something before or behind made another text of it.
        for piece in coat.as_bytes().windows(16) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            assert!(which % 7 == 5 || !shown.contains(piece), "{piece} in {shown}");
        }
    });
});
