//! `lumoauth emulator`: seed files, the log, and the command that it runs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const LUMOAUTH: &str = env!("CARGO_BIN_EXE_lumoauth");

fn emulator(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(LUMOAUTH);
    command.env_clear().stdin(Stdio::null()).arg("emulator").args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn example() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/emulator.toml").display().to_string()
}

/// A seed file that goes away with the test.
struct Seed(PathBuf);

impl Seed {
    fn new(name: &str, text: &str) -> Self {
        let file = std::env::temp_dir().join(format!("lumoauth-seed-{}-{name}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        Seed(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_command_runs_in_the_world_of_the_seed_and_its_code_is_the_answer() {
    let run = |action: &str| emulator(&["--seed", &example(), "--log", "--", LUMOAUTH, "ask", action]);
    let (code, out, err) = run("read_documents");
    assert!(code == 0 && out.starts_with("{\"allowed\": true"), "{code} {out} {err}");
    let audit = out.split("\"aud_").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let line = err.lines().find(|line| line.contains(" agents.ask ")).unwrap();
    assert!(
        line.contains(" 200 agents.ask agt_research POST allowed \"read_documents\" (The agent has"),
        "{line}"
    );
    assert!(line.ends_with(&format!(" aud_{audit}")), "{line}");
    assert!(err.lines().any(|line| line.contains(" 200 oauth.token agt_research POST")), "{err}");
    assert!(!err.contains("only-for-tests") && !err.contains("eyJ"), "a secret is in the log: {err}");
    let (code, _, err) = run("delete_documents");
    assert_eq!(code, 3);
    assert!(err.contains("denied \"delete_documents\" (insufficient_permissions)"), "{err}");
    // Nothing in an action acts on the terminal, or makes a line of its own.
    let (_, _, err) = run("\u{1b}[31mred\n200 agents.ask forged\u{202e}\"x");
    assert!(err.contains("\\u{1b}[31mred\\n200 agents.ask forged\\u{202e}\\\"x"), "{err}");
    assert!(!err.contains('\u{1b}') && !err.contains('\u{202e}'), "{err}");
    assert!(!err.lines().any(|line| line.starts_with("200 agents.ask forged")), "{err}");
    let (code, _, err) = emulator(&["--seed", &example(), "--", "/no/such/program"]);
    assert!(code == 1 && err.contains("/no/such/program cannot be run"), "{err}");
}

#[test]
fn a_seed_says_who_may_do_what() {
    let check = |arguments: &[&str]| {
        let given = example();
        let mut all = vec!["--seed", &given, "--", LUMOAUTH, "check"];
        all.extend(arguments);
        emulator(&all)
    };
    let (code, out, err) = check(&["policy", "read", "document:1"]);
    assert!(code == 0 && out.contains("Allowed by policy: published"), "{code} {out} {err}");
    assert_eq!(check(&["policy", "read", "document:2"]).0, 3);
    // An agent that may not ask about others is told so: the relation is there, and is not shown to it.
    let (code, _, err) = check(&["relation", "document:1", "viewer", "user:alice"]);
    assert!(code == 3 && err.contains("INSUFFICIENT_PERMISSIONS"), "{code} {err}");
    let text = std::fs::read_to_string(example()).unwrap();
    let wrong = Seed::new("who.toml", &text.replace("relation = \"parent\"", "relationship = \"parent\""));
    let (code, _, err) = emulator(&["--seed", wrong.path()]);
    assert!(code == 2 && err.contains("relationship") && err.contains(", line "), "{code} {err}");
}

#[test]
fn json_says_the_same() {
    let text = r#"{"tenant": [{"slug": "acme", "agent": [{"client_id": "agt_a", "secret": "s", "capabilities": ["do_it"]}]}]}"#;
    let seed = Seed::new("same.json", text);
    assert_eq!(emulator(&["--seed", seed.path(), "--", LUMOAUTH, "ask", "do_it"]).0, 0);
    assert_eq!(emulator(&["--seed", seed.path(), "--", LUMOAUTH, "ask", "do_that"]).0, 3);
}

#[test]
fn what_is_wrong_in_a_seed_is_named_with_its_line() {
    let agent = "[[tenant]]\nslug = \"acme\"\n[[tenant.agent]]\nclient_id = \"agt_a\"\n";
    let cases = [
        ("unknown.toml", format!("{agent}secrt = \"hush-hush\"\n"), 5, "unknown field `secrt`"),
        ("settings.toml", format!("lifetime = 5\n{agent}"), 1, "unknown field `lifetime`"),
        ("type.toml", format!("{agent}public = \"yes\"\n"), 5, "expected a boolean"),
        ("negative.toml", format!("code_lifetime = -1\n{agent}"), 1, "invalid value"),
        ("syntax.toml", format!("{agent}name = \n"), 5, ""),
        (
            "level.toml",
            format!("{agent}[[tenant.aauth_resource]]\nid = \"r\"\nlevel = \"all\"\n"),
            7,
            "unknown variant",
        ),
        ("capability.toml", format!("{agent}capabilities = [\"fine\", \"a b\"]\n"), 5, "capability \"a b\""),
        ("twice.toml", format!("{agent}[[tenant.agent]]\nclient_id = \"agt_a\"\n"), 6, "there twice"),
        ("claim.toml", format!("{agent}[tenant.agent.claims]\n\"sub\" = \"x\"\n"), 6, "claim \"sub\""),
        (
            "unknown.json",
            "{\"tenant\": [\n{\"slug\": \"acme\",\n\"agnet\": []}]}".to_owned(),
            3,
            "unknown field `agnet`",
        ),
        (
            "missing.json",
            "{\"tenant\": [{\"slug\": \"acme\", \"agent\":\n[{\"secret\": \"hush-hush\"}]}]}".to_owned(),
            2,
            "missing field `client_id`",
        ),
        ("syntax.json", "{\n\"tenant\":\n}".to_owned(), 3, ""),
        ("lifetime.toml", format!("access_token_lifetime = 30\ncode_lifetime = 0\n{agent}"), 2, "one second"),
        (
            "lifetime.json",
            "{\"code_lifetime\": 9,\n\"refresh_token_lifetime\": 0,\n\"tenant\": [{\"slug\": \"a\", \"agent\": [{\"client_id\": \"b\"}]}]}".to_owned(),
            2,
            "one second",
        ),
        // A secret that is no text is one all the same.
        ("number.toml", format!("{agent}secret = 20261127\n"), 5, "a secret is a text, in quotes"),
        (
            "number.json",
            "{\"tenant\": [{\"slug\": \"acme\", \"agent\":\n[{\"client_id\": \"a\", \"secret\": 20261127}]}]}".to_owned(),
            2,
            "a secret is a text, in quotes",
        ),
        (
            "key.toml",
            format!("{agent}[[tenant.api_key]]\nuser = \"alice\"\nkey = 20261127\n"),
            7,
            "a secret is a text, in quotes",
        ),
        (
            "value.json",
            "{\"tenant\": [{\"slug\": \"acme\", \"agent\": [\n{\"client_id\": \"a\",\n\"capabilities\": [\"a b\"]}]}]}".to_owned(),
            3,
            "capability \"a b\"",
        ),
        (
            "deep.toml",
            format!("{agent}[tenant.agent.budget]\nmax_tokens_per_day = 5\nmax_token_per_day = 5\n"),
            7,
            "unknown field `max_token_per_day`",
        ),
    ];
    for (name, text, line, problem) in cases {
        let seed = Seed::new(name, &text);
        let (code, out, err) = emulator(&["--seed", seed.path()]);
        assert_eq!((code, out.as_str()), (2, ""), "{name}: {err}");
        assert!(err.contains(&format!("{name}, line {line}: ")) && err.contains(problem), "{name}: {err}");
        assert!(!err.contains("hush-hush") && !err.contains("20261127"), "{name}: {err}");
    }
    let (code, _, err) = emulator(&["--seed", "/no/such/file.toml"]);
    assert!(code != 0 && err.contains("/no/such/file.toml"), "{err}");
}

#[test]
fn options_that_mean_nothing_here_are_refused() {
    for option in ["--url", "--tenant", "--org", "--client-id", "--client-secret-file", "--ca-file"] {
        let (code, _, err) = emulator(&[option, "x"]);
        assert!(code == 2 && err.contains(&format!("{option} means nothing to the emulator")), "{err}");
    }
    assert_eq!(emulator(&["--timeout", "3"]).0, 2);
}

/// As in a shell: the command's own code, whatever it is, and 128 and the number of the signal that ended it.
#[test]
#[cfg(unix)]
fn how_the_command_ended_is_how_the_emulator_ends() {
    let run = |script: &str| emulator(&["--no-console", "--", "sh", "-c", script]).0;
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        assert_eq!(run(script), code, "{script}");
    }
}

/// What the emulator prints before it waits: as many lines of each stream as are asked for.
fn printed(arguments: &[&str], out: usize, err: usize) -> (Vec<String>, Vec<String>) {
    let mut command = Command::new(LUMOAUTH);
    command.env_clear().arg("emulator").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(out).map(Result::unwrap).collect();
    let banner = BufReader::new(child.stderr.take().unwrap()).lines().take(err).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    (lines, banner)
}

#[test]
fn the_environment_is_printed_for_whatever_reads_it() {
    let text = "[[tenant]]\nslug = \"acme\"\n[[tenant.agent]]\nclient_id = \"agt_a\"\nsecret = \"it's a $secret`\\\\\"\n";
    let seed = Seed::new("formats.toml", text);
    let secret = |format: &str| {
        let (lines, _) = printed(&["--seed", seed.path(), "--format", format], 4, 0);
        lines.into_iter().find(|line| line.contains("AGENT_CLIENT_SECRET")).unwrap()
    };
    assert_eq!(secret("sh"), r"export AGENT_CLIENT_SECRET='it'\''s a $secret`\'");
    assert_eq!(secret("powershell"), r"$env:AGENT_CLIENT_SECRET = 'it''s a $secret`\'");
    assert_eq!(secret("fish"), r"set -gx AGENT_CLIENT_SECRET 'it\'s a $secret`\\'");
    assert_eq!(secret("dotenv"), r#"AGENT_CLIENT_SECRET="it's a \$secret\`\\""#);
    let (lines, _) = printed(&["--seed", seed.path(), "--format", "json"], 1, 0);
    let all: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(all["AGENT_CLIENT_SECRET"], r"it's a $secret`\");
    assert_eq!(all["LUMOAUTH_TENANT"], "acme");
    assert!(all["LUMOAUTH_URL"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let (code, _, err) = emulator(&["--format", "xml"]);
    assert!(code == 2 && err.contains("powershell"), "{err}");
    let (code, _, err) = emulator(&["--format", "json", "--", LUMOAUTH, "info"]);
    assert!(code == 2 && err.contains("--format"), "{err}");
}

#[test]
fn the_banner_says_what_there_is_and_no_secret_unless_asked() {
    let (lines, banner) = printed(&[], 4, 13);
    let (secret, banner) = (lines[3].split('\'').nth(1).unwrap().to_owned(), banner.join("\n"));
    for part in [
        "listens on http://127.0.0.1:",
        "tenant acme-corp (Acme Corp)",
        "agent agt_demo (research-bot) may: read:documents, ",
        "denied to all: delete_user (insufficient_permissions)",
        "users: alice, bob",
        "redirect URIs: https://myapp.com/consent",
        "MCP servers: my-mcp-server (https://mcp.acme.test/my-mcp-server)",
        "AAuth agents: https://agent.acme.test",
        "MCP clients of others need --issuers",
        "The console, for you and no agent: http://127.0.0.1:",
    ] {
        assert!(banner.contains(part), "{part}: {banner}");
    }
    assert!(!banner.contains(&secret), "{banner}");
    // A command in it is handed the environment of the agent that is named, and no address of the console.
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--", "/usr/bin/env"]);
        emulator(&all)
    };
    let (code, out, err) = run(&["--agent", "agt_search", "--secrets", "--no-console"]);
    assert!(code == 0 && out.contains("AGENT_CLIENT_ID=agt_search"), "{out} {err}");
    let own = out.lines().find_map(|line| line.strip_prefix("AGENT_CLIENT_SECRET=")).unwrap();
    assert!(err.contains(&format!("secret of agt_search: {own}")), "{err}");
    assert!(err.contains("secret of agt_reader: ") && err.contains("API key: lmk_"), "{err}");
    assert!(!err.contains("The console"), "{err}");
    let (_, out, err) = run(&[]);
    let start = err.split("start=").nth(1).unwrap().trim();
    assert!(!out.contains(start) && !err.contains("secret of"), "{err}");
    let (code, _, err) = run(&["--agent", "agt_none"]);
    assert!(code == 2 && err.contains("--agent") && err.contains("agt_none"), "{err}");
}

#[test]
fn what_clients_of_others_need_is_added_to_any_world() {
    for seed in [None, Some(example())] {
        let mut all: Vec<&str> = seed.iter().flat_map(|seed| ["--seed", seed]).collect();
        all.extend(["--auto-consent", "alice", "--redirect-uri", "http://localhost:9999/cb", "--issuers"]);
        all.extend(["--mcp-resource", "http://127.0.0.1:8000/mcp", "--", LUMOAUTH]);
        all.extend(["request", "GET", "/.well-known/oauth-protected-resource/mcp/resource-1"]);
        let (code, out, err) = emulator(&all);
        assert!(code == 0 && out.contains("\"resource\":\"http://127.0.0.1:8000/mcp\""), "{out} {err}");
        assert!(out.contains("/api/v1\"]") && !out.contains("oauth-authorization-server"), "{out}");
        for part in
            ["http://localhost:9999/cb", "by alice", "resource-1", "issuers, for MCP clients of others"]
        {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    let (code, _, err) = emulator(&["--auto-consent", "mallory"]);
    assert!(code == 2 && err.contains("mallory"), "{err}");
    let (code, _, err) = emulator(&["--redirect-uri", "nowhere"]);
    assert!(code == 2 && err.contains("nowhere"), "{err}");
}

/// A shell that reads the environment runs nothing of the seed's.
#[test]
fn the_environment_is_one_word_a_value() {
    let text = "[[tenant]]\nslug = \"acme\"\n[[tenant.agent]]\nclient_id = \"a';echo;'\"\nsecret = \"it's $HOME `echo` $(echo) \\\\\"\n";
    let seed = Seed::new("quotes.toml", text);
    let mut child = Command::new(LUMOAUTH);
    let child = child.env_clear().args(["emulator", "--seed", seed.path()]).stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(4);
    let exports: Vec<String> = lines.map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let script =
        format!("{}\nprintf '%s|%s' \"$AGENT_CLIENT_ID\" \"$AGENT_CLIENT_SECRET\"", exports.join("\n"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), r"a';echo;'|it's $HOME `echo` $(echo) \");
}

#[test]
fn a_seed_says_how_risky_things_are_and_what_people_answer() {
    let seed = Seed::new(
        "permissions.toml",
        "[jit]\npatience = 60\naccepted = true\n[jit.risk.file_access]\nread = \"high\"\n\"*\" = \"low\"\n[approvals]\ndelivery = \"denied\"\n\
         [[tenant]]\nslug = \"acme\"\n[[tenant.agent]]\nclient_id = \"agt_1\"\nsecret = \"only-for-tests\"\n[[tenant.user]]\nname = \"alice\"\n",
    );
    let run = |arguments: &[&str]| {
        let all: Vec<&str> =
            ["--seed", seed.path(), "--", LUMOAUTH].iter().chain(arguments).copied().collect();
        emulator(&all)
    };
    let jit = |action: &str| {
        let details = format!("{{\"type\":\"file_access\",\"actions\":[\"{action}\"]}}");
        run(&["jit", "request", "--details", &details]).0
    };
    assert_eq!((jit("read"), jit("write"), jit("delete")), (5, 0, 0));
    let (code, out, err) =
        run(&["approve", "request", "--on-behalf-of", "alice", "--tool", "pay", "--arguments", "{}"]);
    assert_eq!(code, 5, "{out} {err}");
    let seed =
        Seed::new("odd.toml", "[jit.risk.file_access]\nread = \"huge\"\n[[tenant]]\nslug = \"acme\"\n");
    let (code, _, err) = emulator(&["--seed", seed.path(), "--", "true"]);
    assert!(code == 2 && err.contains("line 2") && err.contains("huge"), "{code} {err}");
}
