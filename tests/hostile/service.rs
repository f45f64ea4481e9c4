//! A service that answers as LumoAuth does, to be spoiled by the scripts over it.

use super::reply::Reply;
use super::request::Recorded;
use super::script::{Script, script};
use lumoauth::AgentBuilder;

/// The secret of the agent that [`agent`] makes.
pub const SECRET: &str = "scr_4f9Kq2ZxWv7LmB81TnYc";
/// An allow.
pub const ASK_ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"policy","audit_id":"aud_1"}"#;
/// A denial.
pub const ASK_DENY: &str = r#"{"allowed":false,"reason":"insufficient_permissions","audit_id":"aud_2"}"#;
/// An agent's own record.
pub const INFO: &str = r#"{"sub":"agt_1","id":"agt_1","name":"bot","capabilities":["read:documents"]}"#;
/// An agent's identity.
pub const ME: &str = r#"{"identity":{"id":"agt_1","type":"agent"},"capabilities":["ROLE_AGENT"]}"#;
/// The answer to a registration.
pub const REGISTERED: &str = r#"{"success":true,"agent_id":"agt_1","name":"bot","status":"active"}"#;

/// A token answer with this token in it.
pub fn token(token: &str) -> Reply {
    Reply::json(
        200,
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"a"}}"#),
    )
}

/// The good answer to any request; actions that begin with `deny` are denied.
pub fn answer(request: &Recorded, access_token: &str) -> Reply {
    let path = request.path();
    let asked_to_deny = || request.text().contains(r#""action":"deny"#);
    match path.rsplit("/api/v1/").next().unwrap_or_default() {
        "oauth/token" => token(access_token),
        "oauth/userinfo" => Reply::json(200, INFO),
        "agents/ask" if asked_to_deny() => Reply::json(200, ASK_DENY),
        "agents/ask" => {
            let action = serde_json::from_slice::<serde_json::Value>(&request.body);
            let action = action.map(|body| body["action"].clone()).unwrap_or_default();
            Reply::json(200, ASK_ALLOW.replace(r#""read""#, &action.to_string()))
        }
        "agents/me" => Reply::json(200, ME),
        "agents/register" => Reply::json(200, REGISTERED),
        _ => Reply::json(200, r#"{"items":[1,2,3],"next":null,"total":3}"#),
    }
}

/// A script that always gives the good answer.
pub fn service(access_token: &'static str) -> Script {
    script(move |request| answer(request, access_token))
}

/// An agent of tenant `acme` for a server at this URL.
pub fn agent(url: &str) -> AgentBuilder {
    lumoauth::Agent::builder().base_url(url).tenant("acme").client_id("agt_1").client_secret(SECRET)
}
