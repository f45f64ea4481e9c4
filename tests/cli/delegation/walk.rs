//! The walk of a delegation, one process for each step.

use lumoauth::Secret;
use lumoauth::claims::UnverifiedClaims;
use lumoauth::emulator::FaultRule;
use serde_json::Value;

use super::support::{REDIRECT, World, ended, press, world};

const EXCHANGE: [&str; 4] = ["delegate", "exchange", "--session", "s1"];

fn actors(token: &str) -> usize {
    let claims = UnverifiedClaims::read(&Secret::new(token.trim())).unwrap();
    assert_eq!(claims.unverified_subject(), Some("user:alice"));
    claims.unverified_actors().len()
}

#[test]
fn the_walk_across_processes() {
    let world = world();
    world.consent("s1");
    let (code, token, err) = world.run(&[&EXCHANGE[..], &["--scope", "read:documents"]].concat());
    assert_eq!((code, err.as_str(), actors(&token)), (0, "", 1));
    let (code, out, _) = world.run(&[&EXCHANGE[..], &["--json"]].concat());
    assert_eq!(
        (code, serde_json::from_str::<Value>(&out).unwrap()["token_type"].clone()),
        (0, "Bearer".into())
    );

    let request = ["delegate", "request", "--session", "s1", "get", "/api/v1/documents"];
    let (code, out, err) = world.run(&request);
    assert!(code == 0 && err.is_empty() && out.contains("alice"), "{code} {out} {err}");
    let (code, _, err) = world.run(&["delegate", "request", "--session", "s1", "GET", "/nowhere"]);
    assert_eq!((code, err.as_str()), (1, "HTTP 404 Not Found\n"));

    // The token is of use to hand on, with another agent as the actor.
    let subject = world.file("subject", &token);
    let other = world.agent("agt_2").authenticate([]).unwrap();
    let actor = world.file("actor", &format!("{}\n", other.secret().expose()));
    let exchange = ["exchange", "--subject-token-file", &subject, "--actor-token-file", &actor];
    let (code, token, err) = world.run(&exchange);
    assert_eq!((code, err.as_str(), actors(&token)), (0, "", 2));

    assert_eq!(world.emulator.active_refresh_tokens(), 1);
    world.emulator.fault(FaultRule::on("oauth.revoke").times(9).status(503)).unwrap();
    assert_eq!(world.run(&["delegate", "revoke", "--session", "s1"]).0, 75);
    world.emulator.clear_faults();
    let revoked = world.run(&["delegate", "revoke", "--session", "s1"]);
    assert_eq!(revoked, (0, String::new(), String::new()));
    let (code, out, err) = world.run(&["delegate", "revoke", "--session", "s1"]);
    assert!((code, out.as_str()) == (0, "") && err.contains("told nothing"), "{code} {out} {err}");
    assert_eq!(world.emulator.active_refresh_tokens(), 0);
    let (code, out, err) = world.run(&EXCHANGE);
    assert!(code == 4 && out.is_empty() && err.contains("must consent"), "{code} {err}");
    for file in world.files() {
        assert!(!std::fs::read_to_string(&file).unwrap().contains("access"), "{}", file.display());
    }
    // The name is free again.
    world.consent("s1");
    assert_eq!(world.run(&EXCHANGE).0, 0);
}

#[test]
fn each_way_of_client_authentication_works() {
    let world = world();
    for how in ["none", "post", "basic"] {
        let session = ["--session", how, "--client-auth", how];
        let url = world.url(how);
        let back = press("approve", &url);
        assert_eq!(world.run(&[&["delegate", "callback", &back][..], &session].concat()).0, 0);
        let (code, token, err) = world.run(&[&["delegate", "exchange"][..], &session].concat());
        assert_eq!((code, actors(&token)), (0, 1), "{how}: {err}");
        let (code, _, err) = world.run(&[&["delegate", "revoke"][..], &session].concat());
        assert_eq!(code, 0, "{how}: {err}");
    }
    assert_eq!(world.run(&[&EXCHANGE[..], &["--client-auth", "mtls"]].concat()).0, 2);
}

#[cfg(unix)]
#[test]
fn sessions_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let world = world();
    world.consent("../../etc/\u{e9} name / with\n everything");
    let files = world.files();
    assert!(!files.is_empty());
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        assert!(file.starts_with(world.state()));
        for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(world.state())) {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
    assert_eq!(mode(&world.state()), 0o700);
    let full = files.iter().filter(|file| std::fs::metadata(file).unwrap().len() > 0).count();
    assert_eq!(full, 1, "older versions hold nothing");

    std::fs::set_permissions(world.state(), std::fs::Permissions::from_mode(0o750)).unwrap();
    let (code, _, err) = world.run(&EXCHANGE);
    assert!(code == 2 && err.contains("chmod 700"), "{code} {err}");

    // A folder of somebody else is not taken either: who owns it can open it at any time.
    let other = world.folder.join("of-another");
    std::fs::create_dir(&other).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700)).unwrap();
    let given = other.to_str().unwrap().to_owned();
    let arguments = ["delegate", "url", "--session", "s", "--redirect-uri", REDIRECT, "--state-dir", &given];
    assert_eq!(world.run(&arguments).0, 0);
    match std::os::unix::fs::chown(&other, Some(65534), None) {
        Err(error) => println!("SKIPPED: only root gives a folder away ({error})"),
        Ok(()) => {
            let before = std::fs::read_dir(&other).unwrap().count();
            let (code, out, err) = world.run(&arguments);
            assert!(code == 2 && out.is_empty() && err.contains("another user"), "{code} {err}");
            assert_eq!(std::fs::read_dir(&other).unwrap().count(), before, "nothing is left there");
        }
    }
}

/// Lets the user's token of the only session be over.
pub fn expire(world: &World) {
    let full: Vec<_> =
        world.files().into_iter().filter(|file| std::fs::metadata(file).unwrap().len() > 0).collect();
    assert_eq!(full.len(), 1);
    let text = std::fs::read_to_string(&full[0]).unwrap();
    let (head, session) = text.rsplit_once('\n').unwrap();
    let length = session.len();
    let mut session: Value = serde_json::from_str(session).unwrap();
    session["user"]["expires_at"] = 1.into();
    // As long as it was: the head says how long it is.
    let session = session.to_string();
    std::fs::write(&full[0], format!("{head}\n{session:<length$}")).unwrap();
}

#[test]
fn processes_that_race_for_one_renewal_send_one_refresh() {
    const PROCESSES: u64 = 4;
    let world = world();
    world.consent("s1");
    expire(&world);
    let before = world.emulator.count("oauth.token").unwrap();
    // The first request is the renewal: the others arrive while it is on its way.
    world
        .emulator
        .fault(FaultRule::on("oauth.token").nth(1).delay(std::time::Duration::from_millis(700)))
        .unwrap();
    let children: Vec<_> = (0..PROCESSES).map(|_| world.command(&EXCHANGE).spawn().unwrap()).collect();
    for child in children {
        let (code, token, err) = ended(&child.wait_with_output().unwrap());
        assert_eq!((code, actors(&token)), (0, 1), "{err}");
    }
    let sent = world.emulator.count("oauth.token").unwrap() - before;
    println!("{PROCESSES} processes: {} refreshes", sent - 2 * PROCESSES);
    assert_eq!(sent, 2 * PROCESSES + 1, "each its own token and its exchange, and one renewal for all");
    assert_eq!(world.emulator.active_refresh_tokens(), 1);
}

#[test]
fn a_session_belongs_to_its_agent_and_its_service() {
    let (world, elsewhere) = (world(), world());
    world.consent("s1");
    let requests = elsewhere.emulator.count_all();
    let (code, _, err) = world.run(&[&EXCHANGE[..], &["--client-id", "agt_2"]].concat());
    assert!(code == 4 && err.contains("must consent"), "{code} {err}");
    let (code, _, err) = world.run(&[&EXCHANGE[..], &["--url", elsewhere.served.url()]].concat());
    assert!(code == 4 && err.contains("must consent"), "{code} {err}");
    assert_eq!(elsewhere.emulator.count_all(), requests);
    assert_eq!(world.run(&EXCHANGE).0, 0);
}

#[test]
fn what_comes_back_is_checked() {
    let world = world();
    let url = world.url("s1");
    let back = press("deny", &url);
    let callback = |url: &str| world.run_with(&["delegate", "callback", "--session", "s1", "-"], url);
    let (code, out, err) = callback(&back.replace("state=", "state=x"));
    assert!(code == 1 && out.is_empty() && err.contains("state"), "{code} {err}");
    let (code, _, err) = callback(&back);
    assert!(code == 3 && err.contains("access_denied"), "{code} {err}");
    let (code, _, err) = callback(&back);
    assert!(code == 1 && err.contains("state"), "used up: {code} {err}");
    assert_eq!(world.emulator.count("oauth.token").unwrap(), 0, "no code travels");
    let (code, _, err) = world.run(&EXCHANGE);
    assert!(code == 4 && err.contains("must consent"), "what was refused is forgotten: {code} {err}");
}

#[test]
fn bad_input_is_usage_and_sends_nothing() {
    let world = world();
    let file = world.file("file", "");
    for arguments in [
        &["delegate"][..],
        &["delegate", "url", "--session", "s1"],
        &["delegate", "url", "--redirect-uri", REDIRECT],
        &["delegate", "url", "--session", "", "--redirect-uri", REDIRECT],
        &["delegate", "url", "--session", "s1", "--redirect-uri", "/relative"],
        &["delegate", "url", "--session", "s1", "--redirect-uri", "https://a/#fragment"],
        &["delegate", "url", "--session", "s1", "--redirect-uri", REDIRECT, "--scope", "a\"b"],
        &["delegate", "callback", "--session", "s1", "-"],
        &["delegate", "exchange"],
        &["delegate", "exchange", "--session", "s1", "--state-dir", &file],
        &["delegate", "request", "--session", "s1", "GET"],
        &["delegate", "request", "--session", "s1", "GET", "x", "--data", "{"],
        &["delegate", "revoke"],
    ] {
        let (code, out, err) = world.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
    let nowhere = world.command(&EXCHANGE).env_remove("LUMOAUTH_STATE_DIR").output().unwrap();
    let (code, _, err) = ended(&nowhere);
    assert!(code == 2 && err.contains("--state-dir"), "{code} {err}");
    assert_eq!(world.emulator.count_all(), 0);
}

#[test]
fn the_usual_place_for_sessions() {
    let world = world();
    let home = world.folder.join("home");
    let run = |name: &str| {
        let mut command = world.command(&["delegate", "url", "--session", "s", "--redirect-uri", REDIRECT]);
        command.env_remove("LUMOAUTH_STATE_DIR").env("HOME", &home).env("XDG_STATE_HOME", name);
        ended(&command.output().unwrap()).0
    };
    assert_eq!(run(world.folder.join("xdg").to_str().unwrap()), 0);
    assert!(world.folder.join("xdg/lumoauth").is_dir() && !home.exists());
    assert_eq!(run("relative"), 0);
    assert!(home.join(".local/state/lumoauth").is_dir());
}
