//! The service's answers to AAuth's operations: nothing panics, and what is granted or asked of a person is checked.
#![no_main]

use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use lumoauth::embed::operation::{Answer, Operation};
use lumoauth::embed::operations::aauth::{
    Authorization, Authorize, Exchange, GetAgents, GetIssuer, GetKeys, GetPlatformToken, GetResourceToken,
    GetResources, IssueDelegate, RedeemCode, Refresh, Revoke, VerifyAuthToken, VerifyResourceToken,
};
use lumoauth::embed::wire::Response;
use serde_json::json;

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
    let response = Response::new(status, HeaderMap::new(), body.to_vec());
    match which & 0x0f {
        0 => {
            if let Some(authorization) = read(&Authorize::new("rt"), &response) {
                assert!(matches!(status.as_u16(), 200 | 401));
                if let Authorization::Granted(_) = authorization {
                    assert_eq!(status, StatusCode::OK);
                }
            }
        }
        1 => {
            assert!(read(&RedeemCode::new("code", "https://a.test/cb"), &response).is_none() || status == 200)
        }
        2 => assert!(read(&Refresh::new("refresh", "rt"), &response).is_none() || status == 200),
        3 => drop(read(&Exchange::new("up", "rt"), &response)),
        4 => drop(read(&IssueDelegate::new("d", json!({"kty": "OKP"})), &response)),
        5 => drop(read(&GetPlatformToken::new("at"), &response)),
        6 => drop(read(&GetResourceToken::new("https://a.test/", "jkt"), &response)),
        7 => drop(read(&VerifyResourceToken::new("rt", "https://a.test/", "jkt"), &response)),
        8 => {
            if let Some(Some(_)) = read(&VerifyAuthToken::new("at"), &response) {
                let told: serde_json::Value = serde_json::from_slice(body).expect("it was read");
                assert_eq!(told["active"], true);
            }
        }
        9 => drop(read(&Revoke::auth_token("jti"), &response)),
        10 => drop(read(&GetIssuer::scoped(), &response)),
        11 => drop(read(&GetAgents::new(), &response)),
        12 => drop(read(&GetResources::of("https://a.test/"), &response)),
        _ => drop(read(&GetKeys::new(), &response)),
    }
});
