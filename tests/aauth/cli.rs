//! `aauth keygen|jwks|thumbprint|sign` as a script sees them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lumoauth::aauth::{AgentKey, parse_signature};
use lumoauth::crypto::VerifyingKey;
use serde_json::{Value, json};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("lumoauth-sign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.0.join(name), bytes).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lumoauth"));
    command.env_clear().arg("aauth").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever does not read it may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_vectors_from_the_command_line() {
    let folder = Folder::new("vectors");
    let vectors: Value = serde_json::from_str(include_str!("../vectors/aauth.json")).unwrap();
    let key = folder.put("key.pem", vectors["key"]["pkcs8_v1_pem"].as_str().unwrap().as_bytes());
    let (code, out, _) = run(&["thumbprint", "--key", &key], "");
    assert_eq!((code, out.trim()), (0, vectors["key"]["thumbprint"].as_str().unwrap()));
    let (code, out, _) = run(&["jwks", "--key", &key, "--key-id", "second"], "");
    let set: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &set["keys"][0]["x"]), (0, &vectors["key"]["public_x"]));
    assert_eq!(set["keys"][0]["kid"], "second");
    let rows = vectors["vectors"].as_array().unwrap();
    for row in rows {
        let mut arguments: Vec<String> =
            ["sign", row["method"].as_str().unwrap(), row["url"].as_str().unwrap(), "--key", &key, "--json"]
                .map(str::to_owned)
                .into();
        arguments.extend(["--created".to_owned(), row["created"].to_string()]);
        arguments.extend(["--nonce".to_owned(), row["nonce"].as_str().unwrap().to_owned()]);
        for (name, option) in [
            ("content_type", "--content-type"),
            ("authorization", "--authorization"),
            ("signature_key", "--signature-key"),
        ] {
            if let Some(value) = row[name].as_str() {
                arguments.extend([option.to_owned(), value.to_owned()]);
            }
        }
        if let Some(body) = row["body"].as_str() {
            let file = folder.put("body", body.as_bytes());
            arguments.extend(["--body".to_owned(), format!("@{file}")]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, out, err) = run(&arguments, "");
        assert_eq!((code, err.as_str()), (0, ""), "{}", row["name"]);
        let mut out: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(out["url"], row["wire_url"]);
        assert_eq!(out["agent_auth"], Value::Null);
        for (name, expected) in row["expected"].as_object().unwrap() {
            assert_eq!(out[name].take(), *expected, "{}: {name}", row["name"]);
        }
    }
    println!("signing vectors from the command line: {} of {}", rows.len(), rows.len());
}

#[test]
fn a_key_is_made_once_for_its_owner_alone() {
    let folder = Folder::new("keygen");
    let file = folder.path("agent.pem");
    let (code, out, err) = run(&["keygen", &file, "--key-id", "key-7"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    let pem = std::fs::read(&file).unwrap();
    let key = AgentKey::from_pem(&pem).unwrap().with_key_id("key-7").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), key.jwks());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (code, out, err) = run(&["keygen", &file], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("--force"), "{err}");
    assert_eq!(std::fs::read(&file).unwrap(), pem, "it was left alone");
    assert_eq!(run(&["keygen", &file, "--force"], "").0, 0);
    assert_ne!(std::fs::read(&file).unwrap(), pem);
    let (code, out, _) = run(&["keygen", "-"], "");
    assert_eq!(code, 0);
    AgentKey::from_pem(out.as_bytes()).unwrap();
}

#[test]
fn headers_are_printed_and_values_come_from_anywhere() {
    let folder = Folder::new("headers");
    let key = AgentKey::from_seed(&[4; 32]).unwrap();
    let file = folder.put("key.pem", key.to_pkcs8_pem().unwrap().expose().as_bytes());
    let token = format!("@{}", folder.put("token", b"aaa.bbb.ccc\n"));
    let sign = [
        "sign",
        "post",
        "https://API.example.com:443",
        "--key",
        &file,
        "--body",
        "-",
        "--agent-token",
        &token,
    ];
    let (code, first, err) = run(&sign, "{}");
    assert_eq!((code, err.as_str()), (0, ""));
    let names: Vec<&str> = first.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(names, ["Content-Digest", "Content-Type", "Signature-Input", "Signature", "Agent-Auth"]);
    assert!(first.ends_with("\nAgent-Auth: agent_token=aaa.bbb.ccc\n"), "{first}");
    assert_ne!(first, run(&sign, "{}").1, "each has a nonce of its own");
    let (_, out, _) = run(&[&sign[..], &["--json", "--authorization", "Bearer t"]].concat(), "{}");
    let out: Value = serde_json::from_str(&out).unwrap();
    let public = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
    let signature = parse_signature(out["signature"].as_str().unwrap()).unwrap();
    let base = out["signature_base"].as_str().unwrap();
    public.verify_message(base.as_bytes(), &signature).unwrap();
    assert!(base.starts_with("\"@method\": POST\n\"@authority\": api.example.com\n\"@path\": /\n"), "{base}");
    assert_eq!(
        (&out["url"], &out["agent_auth"]),
        (&json!("https://api.example.com/"), &json!("agent_token=aaa.bbb.ccc"))
    );
}

#[test]
fn what_is_wrong_is_said_and_no_key_is_shown() {
    let folder = Folder::new("wrong");
    let key = AgentKey::from_seed(&[4; 32]).unwrap();
    let file = folder.put("key.pem", key.to_pkcs8_pem().unwrap().expose().as_bytes());
    let good = ["sign", "GET", "https://api.example.com/"];
    for (arguments, expected) in [
        (vec!["sign", "GET", "https://u@api.example.com/", "--key", &file], "user name"),
        (vec!["sign", "G T", "https://api.example.com/", "--key", &file], "HTTP method"),
        ([&good[..], &["--key", &file, "--nonce", "short"]].concat(), "nonce"),
        ([&good[..], &["--key", &file, "--authorization", " x"]].concat(), "authorization"),
        ([&good[..], &["--key", &file, "--body", "@/nowhere/at/all"]].concat(), "/nowhere/at/all"),
        ([&good[..], &["--key", "/nowhere/at/all"]].concat(), "/nowhere/at/all"),
        (good.to_vec(), "--key is missing"),
    ] {
        let (code, out, err) = run(&arguments, "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{err}");
        assert!(!err.contains("BAQEBAQ"), "{err}");
    }
}
