//! The service's answers to every other operation: nothing panics, nothing is allowed or granted that the answer does not say.
#![no_main]

#[path = "work.rs"]
mod work;

use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use lumoauth::embed::operation::{Answer, Operation};
use lumoauth::embed::operations::{
    Ask, ClientCredentials, DeviceAuthorization, Exchange, GetIdentity, GetInfo, GetMetadata,
    GetResourceMetadata, Introspect, McpToken, PushAuthorization, RedeemCode, Refresh, Register, Revoke,
};
use lumoauth::embed::wire::Response;
use lumoauth::{Pkce, Scopes};

fn read<O: Operation>(operation: &O, response: &Response) -> Option<O::Output> {
    match operation.response(response) {
        Ok(Answer::Done(output)) => Some(output),
        Ok(Answer::Again(_)) => None,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 4096 && !text.contains(|c: char| c.is_control()), "{text:?}");
            None
        }
    }
}

// The first byte says which operation and which status, the rest is the body.
fuzz_target!(|data: &[u8]| {
    let Some((&which, body)) = data.split_first() else { return };
    let status = [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST, StatusCode::CREATED];
    let status = status[usize::from(which >> 6)];
    let response = Response::new(status, HeaderMap::new(), body);
    let response = response.from_url("https://app.lumoauth.dev/x".parse().expect("a URL"));
    let asked = Scopes::from("a b");
    let about_users = Scopes::from("a b openid profile email address phone");
    let within = |own: &Scopes, all: &Scopes| own.iter().all(|scope| all.contains(scope));
    work::bounded(body.len(), || match which & 0x0f {
        0 => {
            if let Some(decision) = read(&Ask::new("read"), &response) {
                let said: serde_json::Value = serde_json::from_slice(body).expect("it was read");
                assert_eq!(said["allowed"], decision.allowed());
                assert!(!decision.allowed() || status == StatusCode::OK);
            }
        }
        1 => assert!(read(&ClientCredentials::new(&asked), &response).is_none() || status == 200),
        2 => {
            let exchange = Exchange::new("u").actor("a").scopes(&asked).resource("https://a.test/x");
            if let Some(tokens) = read(&exchange, &response) {
                assert!(status == 200 && within(tokens.access.scopes(), &asked));
                assert_eq!(tokens.access.resource(), Some("https://a.test/x"));
            }
        }
        3 => {
            if let Some(token) = read(&McpToken::new("https://a.test/x").scopes(&asked), &response) {
                assert!(status == 200 && within(token.scopes(), &asked));
            }
        }
        4 => {
            let pkce = Pkce::from_verifier("v".repeat(43)).expect("a verifier");
            if let Some(tokens) =
                read(&RedeemCode::new("c", "https://a.test/", pkce).scopes(&asked), &response)
            {
                assert!(status == 200 && within(tokens.access.scopes(), &about_users));
            }
        }
        5 => {
            if let Some(tokens) = read(&Refresh::new("r").granted(&asked), &response) {
                assert!(status == 200 && within(tokens.access.scopes(), &about_users));
            }
        }
        6 => {
            if let Some(code) = read(&DeviceAuthorization::new("a"), &response) {
                assert!(
                    code.verification_uri.starts_with("https://app.lumoauth.dev"),
                    "{}",
                    code.verification_uri
                );
                let _ = read(&code.poll(), &response);
            }
        }
        7 => {
            if let Some(metadata) = read(&GetMetadata::default(), &response) {
                assert!(!metadata.issuer().is_empty());
            }
        }
        8 => {
            if let Some(told) = read(&Introspect::new("t"), &response)
                && told.active().is_some()
            {
                let said: serde_json::Value = serde_json::from_slice(body).expect("it was read");
                assert_eq!(said["active"], true);
            }
        }
        9 => {
            let url = "https://a.test/x";
            let operation = GetResourceMetadata::new(url, url.parse().expect("a URL"));
            if let Some(metadata) = read(&operation, &response) {
                assert!(
                    metadata.resource().eq_ignore_ascii_case(url) || metadata.resource().contains(":443")
                );
            }
        }
        10 => drop(read(&GetInfo, &response)),
        11 => drop(read(&GetIdentity, &response)),
        12 => drop(read(&Register::new("bot"), &response)),
        13 => drop(read(&PushAuthorization::new([("a", "b")]), &response)),
        _ => drop(read(&Revoke::new("t"), &response)),
    });
});
