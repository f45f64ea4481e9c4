//! Runs of the command line share their tokens: one token request for all, whoever dies, and nothing to read in the files.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::time::Duration;

use lumoauth::Secret;
use lumoauth::emulator::{AgentSeed, Emulator, FaultRule, McpServerSeed, Tenant, UserSeed};
use lumoauth::store::{FileStore, NameKey, Prefix, SealedStore, SealingKey, Shelf, Store, StoreKey};
use serde_json::Value;

use super::delegation::support::*;
use super::delegation::walk::expire as expire_user;

const PURPOSE: &str = "tokens of the command line";
const WITHIN: Duration = Duration::from_secs(5);
const EXCHANGE: [&str; 6] = ["delegate", "exchange", "--session", "s1", "--scope", "read:documents"];

/// A service with its documented limit of token requests, and a folder for what runs leave behind.
fn limited() -> World {
    let seed = AgentSeed::new("agt_1").secret(SECRET).capabilities(["read:documents", "delegate:on_behalf"]);
    let files = McpServerSeed::new("files").resource_uri("https://files.test/mcp").scopes(["read:documents"]);
    let pod = AgentSeed::new("agt_pod").capability("read:documents");
    let pod =
        pod.workload("kubernetes", "https://kubernetes.default.svc", "system:serviceaccount:a:b", "lumoauth");
    let tenant = Tenant::new("acme").agent(seed.redirect_uri(REDIRECT)).agent(pod).mcp_server(files);
    let tenant = tenant.user(UserSeed::new("alice").scopes(["read:documents", "offline_access"]));
    let emulator = Emulator::builder().tenant(tenant).token_rate_limit_per_minute(30).build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    World { emulator, served, folder: world().folder.with_extension("cache") }
}

fn private(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    mode(folder, 0o700);
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn runtime(world: &World) -> PathBuf {
    world.folder.join("run")
}

fn cached(world: &World, arguments: &[&str]) -> Command {
    private(&runtime(world));
    let mut command = world.command(arguments);
    command.env("XDG_RUNTIME_DIR", runtime(world));
    command
}

fn run(world: &World, arguments: &[&str]) -> Ended {
    ended(&cached(world, arguments).output().unwrap())
}

fn done(child: Child) -> Ended {
    ended(&child.wait_with_output().unwrap())
}

fn asked(world: &World) -> u64 {
    world.emulator.count("oauth.token").unwrap()
}

/// The files as the command line seals them.
fn store(world: &World) -> SealedStore<FileStore> {
    let secret = Secret::new(SECRET);
    let names = NameKey::derived(&secret, PURPOSE).unwrap();
    let key = SealingKey::derived("client secret", &secret, PURPOSE).unwrap();
    SealedStore::new(FileStore::open(runtime(world).join("lumoauth")).unwrap(), names, key)
}

fn keys(store: &impl Store) -> Vec<StoreKey> {
    store.keys(&Prefix::all(Shelf::Tokens), None, WITHIN).unwrap().keys().to_vec()
}

/// Lets the tokens be over that are for this.
fn expire(world: &World, what: &str) {
    let store = store(world);
    let mut found = 0;
    for key in keys(&store).into_iter().filter(|key| key.segments()[3] == what) {
        let record = store.load(&key, WITHIN).unwrap().unwrap();
        let mut value: Value = serde_json::from_slice(record.bytes()).unwrap();
        value["token"]["expires_at"] = 1.into();
        value["claim"] = Value::Null;
        let bytes = value.to_string();
        assert!(
            store.save_if(&key, Some(record.version()), bytes.as_bytes(), None, WITHIN).unwrap().is_some()
        );
        found += 1;
    }
    assert_eq!(found, 1, "{what}");
}

#[test]
fn t16_fifty_runs_at_once_with_an_expired_token_ask_for_one() {
    let world = limited();
    assert_eq!(run(&world, &["token"]).0, 0);
    expire(&world, "own");
    let before = asked(&world);
    world.emulator.fault(FaultRule::on("oauth.token").nth(1).delay(Duration::from_millis(300))).unwrap();
    let children: Vec<Child> = (0..50)
        .map(|run| {
            let what: &[&str] = if run % 2 == 0 { &["token"] } else { &["ask", "read:documents"] };
            cached(&world, what).spawn().unwrap()
        })
        .collect();
    for child in children {
        let (code, out, err) = done(child);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
    println!("50 runs at once: {} token request", asked(&world) - before);
    assert_eq!(asked(&world) - before, 1);
}

#[test]
fn t16_eight_runs_ask_for_one_token_of_each_kind() {
    let world = limited();
    world.consent("s1");
    for what in [&EXCHANGE[..], &["mcp-token", "https://files.test/mcp"]] {
        let (code, _, err) = run(&world, what);
        assert_eq!((code, err.as_str()), (0, ""));
    }
    let eight = |what: &[&str]| {
        let before = asked(&world);
        world.emulator.fault(FaultRule::on("oauth.token").nth(1).delay(Duration::from_millis(500))).unwrap();
        let children: Vec<Child> = (0..8).map(|_| cached(&world, what).spawn().unwrap()).collect();
        for child in children {
            let (code, _, err) = done(child);
            assert_eq!((code, err.as_str()), (0, ""));
        }
        world.emulator.clear_faults();
        asked(&world) - before
    };
    expire(&world, "own");
    assert_eq!(eight(&["token"]), 1, "the agent's own");
    expire(&world, "mcp");
    assert_eq!(eight(&["mcp-token", "https://files.test/mcp"]), 1, "the exchange for the MCP server");
    expire_user(&world);
    assert_eq!(eight(&EXCHANGE), 1 + 8, "one renewal for all, and each its exchange");
    assert_eq!(world.emulator.active_refresh_tokens(), 1);
}

#[test]
fn two_hundred_questions_in_a_minute_are_not_refused() {
    let world = limited();
    for _ in 0..20 {
        let children: Vec<Child> =
            (0..10).map(|_| cached(&world, &["ask", "read:documents"]).spawn().unwrap()).collect();
        for child in children {
            let (code, _, err) = done(child);
            assert_eq!((code, err.as_str()), (0, ""));
        }
    }
    let refused = world.emulator.log().iter().filter(|entry| entry.status == 429).count();
    println!("200 runs of `ask`: {} token requests, {refused} answers 429", asked(&world));
    assert_eq!((asked(&world), refused), (1, 0));
    // Without it the 31st is.
    let world = limited();
    let codes: Vec<i32> =
        (0..31).map(|_| run(&world, &["ask", "read:documents", "--no-cache", "--timeout", "2"]).0).collect();
    assert_eq!((&codes[..30], codes[30]), (&[0; 30][..], 75));
}

#[test]
fn a_wrong_secret_beside_a_full_cache_is_refused_and_the_files_say_nothing() {
    let world = limited();
    let (_, token, _) = run(&world, &["token"]);
    let (_, mcp, _) = run(&world, &["mcp-token", "files"]);
    let before = asked(&world);
    for secret in ["wrong", "fixed-secret-for-test", "fixed-secret-for-tests2"] {
        let file = world.file("secret", secret);
        let (code, out, _) = run(&world, &["ask", "read:documents", "--client-secret-file", &file]);
        assert_eq!((code, out.as_str()), (4, ""), "{secret}");
    }
    assert!(asked(&world) >= before + 3);
    let mut files = Vec::new();
    below(&runtime(&world), &mut files);
    assert!(files.len() >= 2);
    for file in &files {
        let content = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        let shown = format!("{} {content}", file.display());
        for hidden in [token.trim(), mcp.trim(), SECRET, "agt_1", "read:documents", "files.test", "127.0.0.1"]
        {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn token_is_one_of_an_earlier_run_unless_it_is_to_be_fresh() {
    let world = limited();
    let token = |arguments: &[&str]| run(&world, arguments).1;
    let first = token(&["token"]);
    assert_eq!(token(&["token"]), first);
    let fresh = token(&["token", "--fresh"]);
    assert_ne!(fresh, first);
    assert_eq!(token(&["token"]), fresh);
    assert_ne!(token(&["token", "--no-cache"]), fresh);
    assert_ne!(token(&["token", "--scope", "read:documents"]), fresh, "other scopes, another token");
    assert_eq!(token(&["token"]), fresh);
    // The service ends them all: the next run finds out, and all others have the new one.
    let before = asked(&world);
    world.emulator.revoke_tokens("agt_1").unwrap();
    for _ in 0..4 {
        assert_eq!(run(&world, &["ask", "read:documents"]).0, 0);
    }
    assert_eq!(asked(&world) - before, 1);
    let after = token(&["token"]);
    assert!(after != fresh && asked(&world) - before == 1);
}

#[test]
fn cache_clear_removes_tokens_and_leaves_sessions_of_users() {
    let world = limited();
    world.consent("s1");
    assert_eq!(run(&world, &EXCHANGE).0, 0);
    let first = run(&world, &["token"]).1;
    assert_eq!(run(&world, &["cache", "clear"]), (0, String::new(), String::new()));
    assert_eq!(keys(&store(&world)), []);
    let second = run(&world, &["token"]).1;
    assert_ne!(first, second);
    assert_eq!(run(&world, &EXCHANGE).0, 0, "the session is there");
    let revoked = world.emulator.count("oauth.revoke").unwrap();
    assert_eq!(run(&world, &["cache", "clear", "--revoke"]), (0, String::new(), String::new()));
    assert_eq!(world.emulator.count("oauth.revoke").unwrap() - revoked, 1);
    let said = run(&world, &["-v", "cache", "clear", "--revoke"]).2;
    assert!(said.contains("tokens revoked: 0") && said.contains("records removed"), "{said}");
    assert_eq!(run(&world, &EXCHANGE).0, 0, "the session is there");
    // Nothing there, and nowhere to look.
    assert_eq!(world.run(&["cache", "clear"]), (0, String::new(), String::new()));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn cache_clear_reaches_every_folder_and_what_is_damaged() {
    let world = limited();
    let home = world.folder.join("home");
    private(&home);
    let at_home = |mut command: Command| ended(&command.env("HOME", &home).output().unwrap());
    // One run with the runtime folder, one without it, as from a timer.
    let first = at_home(cached(&world, &["token"])).1;
    let second = at_home(world.command(&["token"])).1;
    assert_ne!(first, second);
    let parents = std::os::unix::fs::MetadataExt::mode(&home.join(".cache").metadata().unwrap());
    assert_eq!(parents & 0o777, 0o700, "what is made above it is private too");
    let revoked = world.emulator.count("oauth.revoke").unwrap();
    assert_eq!(at_home(cached(&world, &["cache", "clear", "--revoke"])).0, 0);
    assert_eq!(world.emulator.count("oauth.revoke").unwrap() - revoked, 2, "those of both folders");
    // A damaged file is in nobody's way any more, and a folder that is loose not in the other's.
    for _ in 0..2 {
        at_home(cached(&world, &["token"]));
        at_home(world.command(&["token"]));
        for file in files(&runtime(&world).join("lumoauth")) {
            std::fs::write(file, "damaged").unwrap();
        }
        let (code, _, said) = at_home(cached(&world, &["-v", "cache", "clear"]));
        assert!(code == 0 && said.contains("some were damaged"), "{said}");
        assert_eq!(at_home(cached(&world, &["token"])).1, at_home(cached(&world, &["token"])).1);
    }
    at_home(world.command(&["token"]));
    mode(&runtime(&world).join("lumoauth"), 0o755);
    let (code, _, said) = at_home(cached(&world, &["cache", "clear"]));
    assert!(code != 0 && said.contains("chmod 700"), "{said}");
    assert_eq!(files(&home.join(".cache/lumoauth")), Vec::<PathBuf>::new());
}

#[test]
fn a_place_that_others_can_reach_is_not_used() {
    let world = limited();
    let home = world.folder.join("home");
    private(&home);
    let ask = |command: &mut Command| {
        let (code, out, said) =
            ended(&command.args(["ask", "read:documents", "-v"]).env("HOME", &home).output().unwrap());
        assert_eq!(code, 0, "{said}");
        assert!(!out.contains("tokens are kept"), "{out}");
        said
    };
    let in_cache = format!("tokens are kept in {}", home.join(".cache/lumoauth").display());
    let in_runtime = format!("tokens are kept in {}", runtime(&world).join("lumoauth").display());
    assert!(ask(&mut cached(&world, &[])).contains(&in_runtime));
    // It may be looked into, it is not there, it is a file, it is a link, or it is another user's.
    for loose in [0o755, 0o710, 0o701, 0o500] {
        let mut command = cached(&world, &[]);
        mode(&runtime(&world), loose);
        assert!(ask(&mut command).contains(&in_cache), "{loose:o}");
        mode(&runtime(&world), 0o700);
    }
    let link = world.folder.join("link");
    std::os::unix::fs::symlink(runtime(&world), &link).unwrap();
    let file = world.file("file", "");
    for other in [Path::new("/nowhere"), Path::new("relative"), Path::new(&file), Path::new("/tmp"), &link] {
        let mut command = world.command(&[]);
        assert!(ask(command.env("XDG_RUNTIME_DIR", other)).contains(&in_cache), "{}", other.display());
    }
    let foreign = world.folder.join("foreign");
    private(&foreign);
    if std::os::unix::fs::chown(&foreign, Some(12_345), None).is_ok() {
        let mut command = world.command(&[]);
        assert!(ask(command.env("XDG_RUNTIME_DIR", &foreign)).contains(&in_cache));
        assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 0, "nothing is left in it");
    } else {
        println!("SKIPPED: a folder of another user, which only root can make");
    }
    // The folder itself is loose: neither used nor changed.
    mode(&home.join(".cache/lumoauth"), 0o755);
    let said = ask(&mut world.command(&[]));
    assert!(said.contains("tokens are kept in memory only") && said.contains("chmod 700"), "{said}");
    // A folder that cannot be made, and no folder at all.
    let mut command = world.command(&[]);
    assert!(ask(command.env("XDG_CACHE_HOME", &file)).contains("in memory only"));
    let (code, _, said) = world.run(&["ask", "read:documents", "-v"]);
    assert!(code == 0 && said.contains("in memory only"), "{said}");
    let (code, _, said) = run(&world, &["ask", "read:documents", "-v", "--no-cache"]);
    assert!(code == 0 && said.contains("in memory only: --no-cache"), "{said}");
}

/// Some time that nobody could foresee.
fn random(below: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    below.mul_f64((random % 10_000) as f64 / 10_000.0)
}

/// Kills a run after some time, as `kill -9` does.
fn kill_after(mut child: Child, time: Duration) {
    let (_open, never) = channel::<()>();
    let _ = never.recv_timeout(time);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn t16_runs_that_are_killed_at_any_moment_hold_up_nobody() {
    let rounds = crate::rounds::of(100);
    let world = limited();
    assert_eq!(run(&world, &["token"]).0, 0);
    let (mut sent, mut began) = (0, asked(&world));
    for _ in 0..rounds {
        expire(&world, "own");
        world.emulator.clear_faults();
        world.emulator.fault(FaultRule::on("oauth.token").nth(1).delay(Duration::from_millis(60))).unwrap();
        let leader = cached(&world, &["token"]).spawn().unwrap();
        kill_after(leader, random(Duration::from_millis(150)));
        let others: Vec<Child> =
            (0..3).map(|_| cached(&world, &["ask", "read:documents"]).spawn().unwrap()).collect();
        for other in others {
            let (code, _, err) = done(other);
            assert_eq!((code, err.as_str()), (0, ""));
        }
        let asked = asked(&world);
        assert!(asked - began <= 3, "{}", asked - began);
        (sent, began) = (sent + (asked - began), asked);
        // A minute later, by the service.
        world.emulator.advance(Duration::from_secs(61));
    }
    println!(
        "{rounds} runs killed at random moments: 0 of {} others failed, {sent} token requests",
        rounds * 3
    );
}

#[test]
fn t16_a_renewal_of_a_user_that_is_killed_sends_no_refresh_token_twice() {
    let rounds = crate::rounds::of(100);
    let (mut served, mut refused) = (0, 0);
    for _ in 0..rounds {
        let world = limited();
        world.consent("s1");
        assert_eq!(run(&world, &EXCHANGE).0, 0);
        expire_user(&world);
        world.emulator.fault(FaultRule::on("oauth.token").nth(1).delay(Duration::from_millis(60))).unwrap();
        kill_after(cached(&world, &EXCHANGE).spawn().unwrap(), random(Duration::from_millis(150)));
        let others: Vec<Child> = (0..2)
            .map(|_| cached(&world, &[&EXCHANGE[..], &["--timeout", "2"]].concat()).spawn().unwrap())
            .collect();
        for other in others {
            match done(other).0 {
                0 => served += 1,
                // It may have been sent, so it is not sent again.
                4 | 75 => refused += 1,
                code => panic!("{code}"),
            }
        }
        let log = world.emulator.log();
        let refused = log.iter().filter(|entry| entry.route == "oauth.token" && entry.status >= 400).count();
        assert_eq!(refused, 0, "a refresh token was sent twice");
    }
    println!(
        "{rounds} renewals killed at random moments: {served} others served, {refused} in vain, 0 sent twice"
    );
}

#[test]
fn a_workloads_tokens_lie_unsealed_and_it_is_said() {
    let world = limited();
    // The token that vouches for it changes from run to run.
    let file = |name: &str| world.file(name, world.emulator.workload_token("agt_pod").unwrap().expose());
    let run = |arguments: &[&str]| {
        ended(&cached(&world, arguments).env_remove("AGENT_CLIENT_SECRET").output().unwrap())
    };
    let workload = ["--client-id", "agt_pod", "--workload-provider", "kubernetes", "--workload-token-file"];
    let of = |what: &[&str], name: &str| [what, &workload, &[&file(name)]].concat().join("\n");
    let run = |what: &[&str], name: &str| run(&of(what, name).split('\n').collect::<Vec<_>>());
    let (code, token, said) = run(&["token", "-v"], "one");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("not sealed") && said.contains("0600"), "{said}");
    assert_eq!(run(&["token"], "two"), (0, token.clone(), String::new()));
    assert_eq!(asked(&world), 1);
    let mut files = Vec::new();
    below(&runtime(&world), &mut files);
    let holds = |file: &&PathBuf| std::fs::read_to_string(file).unwrap().contains(token.trim());
    let file = files.iter().find(holds).expect("it lies there as it is");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(&["cache", "clear"], "three").0, 0);
    assert_ne!(run(&["token"], "four").1, token);
}
