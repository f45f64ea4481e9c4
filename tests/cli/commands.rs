//! The command line as a script sees it: standard output, standard error, exit codes.
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use lumoauth::emulator::{Emulator, FaultRule, Served};
use serde_json::Value;

pub struct Service {
    pub emulator: Emulator,
    served: Served,
}

pub fn service() -> Service {
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    Service { emulator, served }
}

fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lumoauth"));
    command.env_clear().stdin(Stdio::null());
    command
}

impl Service {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare();
        command.envs(self.emulator.environment(&self.served)).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        ended(&self.command(arguments).output().unwrap())
    }
}

fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn ask_says_it_by_exit_code_and_on_standard_output_alone() {
    let service = service();
    let (code, out, err) = service.run(&["ask", "read_document", "--context", "document_id=doc-123"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with("{\"allowed\": true, \"action\": \"read_document\"") && out.ends_with("}\n"),
        "{out}"
    );
    let (code, out, err) =
        service.run(&["ask", "delete_user", "--json", "--context-json", r#"{"user_id":"u-456"}"#]);
    assert_eq!((code, err.as_str()), (3, ""));
    let decision: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(decision["allowed"], false);
    assert_eq!(decision["reason"], "insufficient_permissions");
    assert_eq!(decision["context"]["user_id"], "u-456");
    // The service repeats the context; nothing in it acts on the terminal.
    let odd = "{\"note\":\"\u{202e}\u{9b}2J\u{7f}\"}";
    let (_, out, _) = service.run(&["ask", "delete_user", "--json", "--context-json", odd]);
    assert!(out.trim_end().chars().all(|own| !lumoauth::error::acts_on_text(own)), "{out:?}");
    let decision_of_odd: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(decision_of_odd["context"]["note"], "\u{202e}\u{9b}2J\u{7f}");
    assert!(decision["audit_id"].as_str().unwrap().starts_with("aud_"));
}

#[test]
fn checks_say_it_by_exit_code_and_the_vault_gives_a_token() {
    let service = service();
    for (arguments, expected) in [
        (&["check", "permission", "document.read"][..], 0),
        (&["check", "permission", "user.delete", "--context", "a=b"], 3),
        (&["check", "relation", "document:doc-123", "viewer", "agent:research-bot"], 0),
        (&["check", "relation", "document:doc-123", "owner", "agent:research-bot"], 3),
        (&["check", "policy", "read", "document:doc-123"], 0),
        (&["check", "policy", "delete", "document", "--environment", "a=b"], 3),
        // Without the right to, nobody else is asked about.
        (&["check", "permission", "document.read", "--user", "alice"], 3),
        (&["check", "relation", "document", "viewer", "user:alice"], 2),
    ] {
        let (code, out, err) = service.run(arguments);
        assert_eq!(code, expected, "{arguments:?}: {out} {err}");
    }
    let (code, out, _) = service.run(&["check", "policy", "read", "document:doc-123", "--json"]);
    let decision: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &decision["matchedPolicies"][0]["name"]), (0, &Value::from("published documents")));
    let (code, out, _) = service.run(&["vault", "token", "conn_github", "--user", "alice", "--json"]);
    let token: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &token["scope"]), (0, &Value::from("repo")), "{out}");
    let (code, out, err) = service.run(&["vault", "token", "conn_github"]);
    assert!(code == 1 && out.is_empty() && err.contains("grant_not_found"), "{code}: {err}");
    for (refusal, expected) in [
        ("connection_disabled", 3),
        ("agent_not_allowed", 3),
        ("delegation_not_permitted", 3),
        ("grant_revoked", 1),
        ("invalid_user_id", 1),
    ] {
        service.emulator.refuse_connection("conn_github", refusal);
        let (code, out, err) = service.run(&["vault", "token", "conn_github", "--user", "alice"]);
        assert!(
            code == expected && out.is_empty() && err.contains(refusal),
            "{refusal}: {code}: {out} {err}"
        );
    }
}

#[test]
fn a_service_checks_with_its_key_and_never_with_an_agents_token_beside_it() {
    let service = service();
    let key = service.emulator.api_key().unwrap().expose().to_owned();
    let tokens = || service.emulator.count("oauth.token").unwrap();
    let checked = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = bare();
        command
            .envs([("LUMOAUTH_URL", service.served.url()), ("LUMOAUTH_TENANT", service.emulator.tenant())]);
        ended(&command.envs(environment.iter().copied()).arg("check").args(arguments).output().unwrap())
    };
    let own = [("LUMOAUTH_API_KEY", key.as_str())];
    for (arguments, expected) in [
        (&["permission", "document.read", "--user", "alice"][..], 0),
        (&["permission", "user.delete", "--agent", "agt_demo"], 3),
        (&["relation", "document:doc-123", "viewer", "agent:research-bot"], 0),
        // Policies are not for keys, which is said before anything is sent.
        (&["policy", "read", "document:doc-123"], 2),
    ] {
        let (code, out, err) = checked(&own, arguments);
        assert_eq!(code, expected, "{arguments:?}: {out} {err}");
    }
    // The key alone: a bearer beside it would be refused, and no token was had for one.
    assert_eq!((tokens(), service.emulator.count_all()), (0, 3));

    // From a file, which wins over an agent of the environment.
    let file = std::env::temp_dir().join(format!("lumoauth-cli-key-{}", std::process::id()));
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let path = file.to_str().unwrap();
    let asked = ["permission", "document.read", "--user", "alice", "--api-key-file", path];
    let agent = [("AGENT_CLIENT_ID", "agt_demo"), ("AGENT_CLIENT_SECRET", "nonsense")];
    assert_eq!(checked(&agent, &asked).0, 0);
    assert_eq!(tokens(), 0);
    let (code, _, err) = checked(&[], &[&asked[..], &["--client-id", "agt_demo"]].concat());
    assert!(code == 2 && err.contains("leave out"), "{code} {err}");
    // An agent of the environment asks for itself, whatever key lies beside it.
    let mut both = service.command(&["--no-cache", "check", "permission", "document.read"]);
    assert_eq!(ended(&both.env("LUMOAUTH_API_KEY", &key).output().unwrap()).0, 0);
    assert_eq!(tokens(), 1);
    std::fs::remove_file(&file).unwrap();
    // And nothing at all says what is missing.
    let (code, _, err) = checked(&[], &["permission", "document.read"]);
    assert!(code == 2 && err.contains("AGENT_CLIENT_ID"), "{code} {err}");
}

#[test]
fn the_agent_about_itself() {
    let service = service();
    let (code, out, _) = service.run(&["info", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["id"].clone()), (0, "agt_demo".into()));
    let (code, out, _) = service.run(&["info"]);
    assert!(code == 0 && out.contains("capabilities") && out.contains("tool:search_web"), "{out}");
    let (code, out, _) = service.run(&["identity", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["type"].clone()), (0, "agent".into()));
    assert_eq!(service.run(&["capability", "read:documents"]), (0, "yes\n".into(), String::new()));
    assert_eq!(service.run(&["capability", "fly"]), (3, "no\n".into(), String::new()));
    let (code, out, _) = service.run(&["budget"]);
    assert!(code == 0 && out.contains("1250 of 100000"), "{out}");
    service.emulator.set_budget_usage("agt_demo", 100_000).unwrap();
    let (code, out, _) = service.run(&["budget", "--json"]);
    assert_eq!(
        (code, serde_json::from_str::<Value>(&out).unwrap()["exhausted"].clone()),
        (3, "tokens_per_day".into())
    );
}

/// Gives every request a token, and hands over what was sent with the exchange.
fn exchange_of(arguments: &[&str]) -> String {
    const TOKEN: &str = r#"{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":60}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut reader = BufReader::new(connection.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let from = head.len();
                assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
                let line = head[from..].to_ascii_lowercase();
                length =
                    line.strip_prefix("content-length:").map_or(length, |own| own.trim().parse().unwrap());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{TOKEN}",
                TOKEN.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            let body = String::from_utf8(body).unwrap();
            if body.contains("token-exchange") {
                return head.to_ascii_lowercase() + &body;
            }
        }
        String::new()
    });
    let own = [("LUMOAUTH_URL", url.as_str()), ("LUMOAUTH_TENANT", "acme")];
    let mut command = bare();
    command.envs(own).envs([("AGENT_CLIENT_ID", "agt_1"), ("AGENT_CLIENT_SECRET", "a-secret")]);
    let (code, out, err) = ended(&command.args(arguments).output().unwrap());
    assert_eq!((code, out.as_str(), err.as_str()), (0, "t\n", ""), "{arguments:?}");
    server.join().unwrap()
}

#[test]
fn a_strict_server_is_told_the_client_on_the_exchange_for_an_mcp_server() {
    for (how, in_the_head, in_the_body) in
        [("none", false, false), ("post", false, true), ("basic", true, false)]
    {
        let sent = exchange_of(&["mcp-token", "files", "--no-cache", "--client-auth", how]);
        assert!(sent.contains("subject_token=t"), "{sent}");
        assert_eq!(sent.contains("\r\nauthorization: basic "), in_the_head, "{how}: {sent}");
        assert_eq!(sent.contains("client_secret="), in_the_body, "{how}: {sent}");
    }
    assert_eq!(ended(&bare().args(["mcp-token", "files", "--client-auth", "mtls"]).output().unwrap()).0, 2);
}

#[test]
fn token_and_request() {
    let service = service();
    let (code, out, err) = service.run(&["token", "--scope", "read:documents"]);
    assert_eq!((code, err.as_str(), out.trim().split('.').count()), (0, "", 3));
    let (code, out, _) = service.run(&["token", "--json", "--scope", "read:documents"]);
    let token: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, token["scope"].as_str(), token["token_type"].as_str()),
        (0, Some("read:documents"), Some("Bearer"))
    );
    let (code, out, err) = service.run(&["mcp-token", "my-mcp-server"]);
    assert_eq!((code, err.as_str(), out.trim().split('.').count()), (0, "", 3));
    let (code, out, _) = service.run(&["mcp-token", "mcp_0001", "--scope", "read:documents", "--json"]);
    let token: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, token["scope"].as_str()), (0, Some("read:documents")));
    let (code, out, err) = service.run(&["mcp-token", "nothing"]);
    assert!(code == 1 && out.is_empty() && err.contains("invalid_target"), "{code} {err}");
    let (code, out, _) = service.run(&["request", "get", "agents/me"]);
    assert_eq!(
        (code, serde_json::from_str::<Value>(&out).unwrap()["identity"]["id"].clone()),
        (0, "agt_demo".into())
    );
    let (code, out, _) =
        service.run(&["request", "POST", "agents/ask", "--data", r#"{"action":"read_document"}"#]);
    assert!(code == 0 && out.contains("\"allowed\":true"), "{out}");
    let mut child = service
        .command(&["request", "POST", "agents/ask", "--data", "@-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(br#"{"action":"delete_user"}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("\"allowed\":false"));
    let (code, _, err) = service.run(&["request", "GET", "/nowhere"]);
    assert_eq!((code, err.as_str()), (1, "HTTP 404 Not Found\n"));
}

#[test]
fn exit_codes_say_what_kind_of_trouble_it_is() {
    let service = service();
    for usage in [
        &["ask"][..],
        &["nothing"],
        &["ask", "x", "--context", "novalue"],
        &["ask", "x", "--context-json", "{"],
        &["request", "GET", "//evil.test/x"],
        &["request", "GET", "https://evil.test/x"],
        &["request", "POST", "x", "--data", "{broken"],
        &["request", "POST", "x", "--data", "@/does/not/exist"],
        &["info", "--timeout", "-1"],
        &["info", "--url", "http://example.com"],
        &["emulator", "--listen", "0.0.0.0:0"],
    ] {
        let (code, out, err) = service.run(usage);
        assert_eq!((code, out.as_str()), (2, ""), "{usage:?}: {err}");
        assert!(!err.is_empty());
    }
    let (code, out, err) = ended(&bare().args(["info"]).output().unwrap());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("LUMOAUTH_TENANT"), "{err}");

    let wrong =
        service.command(&["info"]).env("AGENT_CLIENT_SECRET", "canary-canary-canary").output().unwrap();
    let (code, out, err) = ended(&wrong);
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    assert!(err.contains("invalid_client") && !err.contains("canary"), "{err}");

    service.emulator.fault(FaultRule::on("agents.me").times(9).status(503)).unwrap();
    let (code, _, err) = service.run(&["identity"]);
    assert_eq!(code, 75, "{err}");
    let gone = service
        .command(&["info", "--timeout", "2"])
        .env("LUMOAUTH_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    assert_eq!(ended(&gone).0, 75);
}

#[test]
fn the_secret_may_come_from_a_file() {
    let service = service();
    let file = std::env::temp_dir().join(format!("lumoauth-cli-secret-{}", std::process::id()));
    std::fs::write(&file, format!("{}\n", service.emulator.secret().expose())).unwrap();
    let mut command = service.command(&["capability", "read:documents", "--client-secret-file"]);
    let output = command.arg(&file).env_remove("AGENT_CLIENT_SECRET").output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ended(&output), (0, "yes\n".into(), String::new()));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let service = service();
    let mut child = service.command(&["info"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(ended(&output).2, "");
    assert!(output.status.success());
}

/// Ends the child, whatever happens in the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_emulator_prints_an_environment_that_works() {
    let mut child =
        Running(bare().arg("emulator").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let environment: Vec<(String, String)> = lines
        .take(4)
        .map(|line| {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect();
    let output = bare().envs(environment).args(["ask", "read_document"]).output().unwrap();
    assert_eq!(ended(&output).0, 0);
}

#[test]
fn a_person_is_asked_and_exit_codes_say_what_came_of_it() {
    use lumoauth::emulator::Delivery;

    let service = service();
    let request = [
        "approve",
        "request",
        "--on-behalf-of",
        "alice",
        "--tool",
        "pay",
        "--arguments",
        r#"{"amount":100}"#,
    ];
    for (yes, code) in [(true, 0), (false, 3)] {
        let (asked, text, err) = service.run(&request);
        assert_eq!((asked, err.as_str()), (5, ""));
        let people = service.emulator.asked_people();
        assert_eq!(people[0].reason, r#"pay {"amount":100}"#);
        let (waits, out, _) = service.run(&["approve", "wait", text.trim(), "--within", "0"]);
        assert_eq!(waits, 5, "{out}");
        match yes {
            true => service.emulator.person_approves(&people[0].token).unwrap(),
            false => service.emulator.person_denies(&people[0].token).unwrap(),
        }
        let (ended, out, err) = service.run(&["approve", "wait", text.trim()]);
        assert_eq!((ended, err.as_str()), (code, ""), "{out}");
        let said: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(said["status"], if yes { "approved" } else { "denied" });
        assert!(said["call_sha256"].is_string());
        assert!(!out.contains(people[0].token.expose()));
    }
    service.emulator.decide_approvals(Delivery::Mailed);
    let (code, out, err) = service.run(&request);
    assert!(code == 1 && out.is_empty() && err.contains("nobody was asked"), "{code} {out} {err}");
    // What programs do not agree on, and half of a question, are mistakes of the caller.
    for bad in [
        vec!["--tool", "pay", "--arguments", r#"{"a":1,"a":2}"#],
        vec!["--tool", "pay"],
        vec!["--reason", "x"],
        vec![],
    ] {
        let arguments = [&["approve", "request", "--on-behalf-of", "alice"][..], &bad].concat();
        assert_eq!(service.run(&arguments).0, 2, "{bad:?}");
    }
    // Nothing here approves.
    for word in ["approve", "yes", "deny"] {
        assert_eq!(service.run(&["approve", word]).0, 2);
    }
}
