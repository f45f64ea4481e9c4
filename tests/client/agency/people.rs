//! Addresses for people are data: checked, handed out, and opened by nobody here.

use std::path::Path;

use lumoauth::embed::operations::DeviceAuthorization;
use lumoauth::emulator::Emulator;
use lumoauth::error::ProtocolFault;
use lumoauth::{DelegationChain, Error, Origin};
use serde_json::json;

use super::support::*;

#[test]
fn s13_addresses_for_people_are_https_and_of_the_services_origin() {
    const OWN: &str = "https://app.lumoauth.dev";
    let odd = [
        "http://app.lumoauth.dev/device",
        "https://app.lumoauth.dev.evil.test/device",
        "https://app.lumoauth.dev:444/device",
        "https://app.lumoauth.dev@evil.test/device",
        "https://user@app.lumoauth.dev/device",
        "https://evil.test/app.lumoauth.dev",
        "http://127.0.0.1/device",
        "//app.lumoauth.dev/device",
        "/device",
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https:app.lumoauth.dev/device",
        "https://app.lumoauth.dev\\@evil.test/",
        "https://app.lumoauth.dev/de\u{1b}[31mvice",
        "https://app.lumoauth.dev/de\nvice",
        "https://app.lumoauth.dev/de vice",
        "https://app.lumoauth.dev/\u{202e}ecived",
        "https://app.lumoauth.dev/\u{0}",
        "https://xn--app-lumoauth.dev/device",
    ];
    let code = |first: &str, complete: Option<&str>| {
        let body = json!({
            "device_code": "dev-code-1", "user_code": "WDJB-MJHT", "verification_uri": first,
            "verification_uri_complete": complete, "expires_in": 600, "interval": 5,
        });
        let (_, agent) = agent_and(move |_| (200, body.to_string()));
        agent.run(DeviceAuthorization::new("a"))
    };
    let good = format!("{OWN}/t/acme/api/v1/oauth/device");
    assert_eq!(code(&good, None).unwrap().verification_uri, good);
    code(&good, Some(&format!("{good}?user_code=WDJB-MJHT"))).unwrap();
    let mut refused = 0;
    for address in odd {
        for result in [code(address, None), code(&good, Some(address)), code(address, Some(&good))] {
            let Err(Error::Protocol(error)) = result else { panic!("{address}: {result:?}") };
            let expected = matches!(error.fault(), ProtocolFault::Other(_) | ProtocolFault::Missing { .. });
            assert!(expected || address.is_empty(), "{address}: {error:?}");
            assert!(!error.to_string().contains("evil"), "{error}");
            refused += 1;
        }
    }
    // The consent URL is the site's, whatever is asked for and whatever the metadata says.
    let own = Origin::parse(OWN).unwrap();
    let (seen, agent) =
        agent_and(|_| (200, r#"{"authorization_endpoint":"https://evil.test/x"}"#.to_owned()));
    let mut urls = 0;
    for redirect in [REDIRECT, "com.example.app:/back", "http://127.0.0.1:9/x?y=%0a"] {
        let chain = DelegationChain::new(&agent, redirect).unwrap();
        for session in ["s1", "s\u{1b}[2J\r\n", "https://evil.test/"] {
            for scopes in [&[][..], &["a"], &["https://evil.test/x", "b&state=x", "c#d", "e%0af"]] {
                let url = chain.consent_url(session, scopes).unwrap();
                assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
                assert_eq!(Origin::of(&url.parse().unwrap()).unwrap(), own, "{url}");
                let query = url.split_once('?').unwrap().1;
                let states = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
                assert!(states.count() == 1 && !url.contains('#'), "{url}");
                urls += 1;
            }
        }
    }
    assert!(seen.lock().unwrap().is_empty(), "a consent URL is made without a request");
    println!("S13: {refused} odd addresses of devices refused, {urls} consent URLs on the service's origin");
}

#[test]
fn s13_the_emulators_own_addresses_pass() {
    let emulator = Emulator::demo().unwrap();
    let code = emulator.agent().unwrap().run(DeviceAuthorization::new("openid")).unwrap();
    assert!(code.verification_uri.starts_with(&emulator.site().base_url()));
}

#[test]
fn s13_nothing_in_the_library_starts_a_program() {
    fn walk(folder: &Path, found: &mut Vec<String>, files: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, files);
                continue;
            }
            *files += 1;
            // `lumoauth emulator -- CMD` runs the command that its user has typed, and nothing else here runs anything.
            if path.ends_with("bin/lumoauth/commands/emulator.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for needle in ["process::Command", "Command::new(", "webbrowser", "open::that", "xdg-open"] {
                if text.contains(needle) {
                    found.push(format!("{}: {needle}", path.display()));
                }
            }
        }
    }
    let (mut found, mut files) = (Vec::new(), 0);
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found, &mut files);
    assert!(files > 100, "the sources were not found");
    assert!(found.is_empty(), "{found:?}");
    println!("S13: {files} source files, none starts a program");
}
