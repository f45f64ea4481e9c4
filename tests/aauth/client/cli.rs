//! The same from the command line: answers on standard output, exit codes, secrets from files.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::world::{AGENT, key};
use crate::hostile::{Recorded, Reply, Server};

/// Files of one test, gone with it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("lumoauth-aauth-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = Files(folder);
        files.put("key", key().to_pkcs8_pem().unwrap().expose());
        files.put("agent", "agent.token.canary\n");
        files
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, server: &Server, arguments: &[&str], input: &str) -> (i32, String, String) {
        let path = |name: &str| self.0.join(name).to_str().unwrap().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lumoauth"));
        command.env_clear().args(["--url", server.url(), "--tenant", "acme", "aauth", "--agent", AGENT]);
        command.args(["--key-file", &path("key"), "--agent-token-file", &path("agent")]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn service(request: &Recorded) -> Reply {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let base = format!("http://{}", request.header("host").unwrap());
    if request.header("signature").is_none() {
        return Reply::json(401, r#"{"error":"invalid_signature"}"#);
    }
    let answer = match (request.path().rsplit("/api/v1/").next().unwrap(), body["request_type"].as_str()) {
        ("aauth/agent/token", Some("auth")) => {
            json!({"request_token": "rq", "authorization_uri": format!("{base}/consent?request_token=rq")})
        }
        ("aauth/agent/token", Some("exchange")) => {
            return Reply::json(401, r#"{"error":"invalid_signature"}"#);
        }
        ("aauth/agent/token", Some("refresh")) => json!({"auth_token": "second", "expires_in": 300}),
        ("aauth/agent/token", _) => json!({"auth_token": "first", "expires_in": 300, "refresh_token": "rf"}),
        ("aauth/auth/token/verify", _) => json!({"active": body["auth_token"] == "first"}),
        ("aauth/token/revoke", _) => json!({"revoked": true}),
        _ => json!({"authorization": request.header("authorization")}),
    };
    Reply::json(200, answer.to_string())
}

#[test]
fn the_walk_from_the_command_line() {
    let (files, server) = (Files::new("walk"), Server::start(service));
    let resource_token = files.put("resource", "r.s.t\n");
    let run = |arguments: &[&str], input: &str| files.run(&server, arguments, input);

    let redirect = ["--redirect-uri", "https://agent.example/cb"];
    let authorize = [&["authorize", "--resource-token-file", &resource_token], &redirect[..]].concat();
    let (code, out, err) = run(&authorize, "");
    assert_eq!((code, err.as_str()), (5, ""), "{out}");
    let consent: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(consent["request_token"], "rq");
    let url = format!("{}/consent?request_token=rq&state=", server.url());
    assert!(consent["consent_url"].as_str().unwrap().starts_with(&url), "{out}");

    let (code, out, _) = run(&[&["code", "--code-file", "-"], &redirect[..]].concat(), "c-1\n");
    let token: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &token["auth_token"], &token["refresh_token"]), (0, &json!("first"), &json!("rf")));

    let refresh = ["refresh", "--refresh-token-file", "-", "--resource-token-file", &resource_token];
    let (code, out, _) = run(&refresh, "rf\n");
    let token: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &token["auth_token"], &token["refresh_token"]), (0, &json!("second"), &json!("rf")));

    let target = format!("{}/v1/data?a=1", server.url());
    let request = ["request", "get", &target, "--token-file", "-", "--resource", server.url()];
    let (code, out, err) = run(&request, "first");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "{\"authorization\":\"Bearer first\"}\n", ""));
    let elsewhere = ["request", "get", &target, "--token-file", "-", "--resource", "https://api.example.com"];
    let (code, out, err) = run(&elsewhere, "first");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("not on the origin of the resource"), "{err}");

    assert_eq!(run(&["verify", "--token-file", "-"], "first").0, 0);
    let (code, out, _) = run(&["verify", "--token-file", "-"], "other");
    assert_eq!((code, out.as_str()), (3, "{\"active\":false}\n"));
    assert_eq!(run(&["revoke", "--id", "jti-1"], ""), (0, "revoked\n".to_owned(), String::new()));

    let exchange = ["exchange", "--auth-token-file", "-", "--resource-token-file", &resource_token];
    let (code, out, err) = run(&exchange, "up.stream.x");
    assert_eq!((code, out.as_str()), (4, ""), "a 401 that asks for no consent is an error");
    assert!(err.contains("invalid_signature") && !err.contains("canary"), "{err}");
    assert!(server.requests().iter().all(|request| !request.target.contains("canary")));
}

#[test]
fn what_is_missing_is_said() {
    let (files, server) = (Files::new("missing"), Server::start(service));
    let nowhere = files.0.join("nowhere").to_str().unwrap().to_owned();
    let (code, _, err) = files.run(&server, &["verify", "--token-file", &nowhere], "");
    assert!(code == 2 && err.contains("nowhere"), "{err}");
    let no_key = files.put("key", "not a key");
    let (code, _, err) = files.run(&server, &["verify", "--token-file", "-"], "t");
    assert!(code == 2 && err.contains(&no_key) && err.contains("no private key"), "{err}");
    assert_eq!(server.connections(), 0);
}
