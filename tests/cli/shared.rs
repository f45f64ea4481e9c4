//! Runs that share a store which the environment names: sealed unless it says otherwise, and wrong settings are errors.

use std::process::Command;
use std::time::Duration;

use lumoauth::store::{FileStore, Prefix, Shelf, Store};

use super::delegation::support::*;
#[cfg(feature = "redis")]
use crate::engine::{Engine, programs};

const OLD: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const NEW: &str = "ABCDEFabcdef0202020202020202020202020202020202020202020202020202";

fn run(world: &World, set: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command: Command = world.command(arguments);
    command.envs(set.iter().copied());
    ended(&command.output().unwrap())
}

fn asked(world: &World) -> u64 {
    world.emulator.count("oauth.token").unwrap()
}

/// Runs that must find each other's token, and one that must not.
fn shares(world: &World, url: &str) {
    let named = |key: &'static str| [("LUMOAUTH_STORE", url), ("LUMOAUTH_STORE_KEY", key)];
    let (code, first, err) = run(world, &named(OLD), &["token"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let before = asked(world);
    // The same, by whatever way the key comes: as a file, with an id, and behind a new one.
    let file = world.file("key", &format!("{OLD}\n"));
    let in_file = [("LUMOAUTH_STORE", url), ("LUMOAUTH_STORE_KEY_FILE", &file)];
    assert_eq!(run(world, &in_file, &["token"]).1, first);
    let both = format!("{NEW},{OLD}");
    let rotated = [("LUMOAUTH_STORE", url), ("LUMOAUTH_STORE_KEY", &both)];
    assert_eq!(run(world, &rotated, &["token"]).1, first);
    assert_eq!(asked(world), before);
    // What is saved now is sealed with the new one, and found by those who have both, and by those who say which one names.
    let (_, second, _) = run(world, &rotated, &["token", "--fresh"]);
    assert_ne!(second, first);
    assert_eq!(run(world, &rotated, &["token"]).1, second);
    let alone = [("LUMOAUTH_STORE", url), ("LUMOAUTH_STORE_KEY", NEW), ("LUMOAUTH_STORE_NAME_KEY", OLD)];
    assert_eq!(run(world, &alone, &["token"]).1, second);
    assert_eq!(asked(world), before + 1);
    let (code, other, _) = run(world, &named(NEW), &["token"]);
    assert_eq!((code, asked(world)), (0, before + 2), "another key, and nothing is found");
    assert_ne!(other, second);
    // Nothing is kept on this machine.
    assert!(!world.state().exists());
    let (code, _, err) = run(world, &named(NEW), &["-v", "cache", "clear", "--revoke"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("tokens revoked: 1") && err.contains("records removed from the store: "), "{err}");
    run(world, &rotated, &["token"]);
    assert_eq!(asked(world), before + 3);
}

#[test]
fn runs_share_a_folder_that_the_environment_names() {
    let world = world();
    let folder = world.folder.join("named");
    std::fs::create_dir_all(&world.folder).unwrap();
    shares(&world, &format!("file://{}", folder.display()));
    let mut files = Vec::new();
    below(&folder, &mut files);
    assert!(!files.is_empty());
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        assert!(!text.contains("agt_1") && !text.contains("access"), "{text}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn runs_share_a_server_and_its_dump_has_nothing_to_read() {
    for program in programs("the command line") {
        let (world, engine) = (world(), Engine::start(&program, &[]));
        shares(&world, &engine.url());
        // A server that is gone keeps nobody from a token.
        drop(engine);
        let named = [("LUMOAUTH_STORE", "redis://127.0.0.1:1"), ("LUMOAUTH_STORE_KEY", OLD)];
        assert_eq!(run(&world, &named, &["token"]).0, 0);
    }
}

#[test]
fn sessions_of_users_lie_there_too() {
    let world = world();
    let folder = world.folder.join("named");
    std::fs::create_dir_all(&world.folder).unwrap();
    let url = format!("file://{}", folder.display());
    let arguments =
        ["delegate", "url", "--session", "s1", "--redirect-uri", REDIRECT, "--scope", "read:documents"];
    let (code, _, err) = run(&world, &[("LUMOAUTH_STORE", &url), ("LUMOAUTH_STORE_KEY", OLD)], &arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    let sessions = |folder| {
        let store = FileStore::open(folder).unwrap();
        store.keys(&Prefix::all(Shelf::Sessions), None, Duration::from_secs(10)).unwrap().keys().to_vec()
    };
    let found = sessions(folder);
    assert!(found.len() == 1 && !found[0].as_str().contains("s1"), "{found:?}");
    assert!(!world.state().exists());
    // A folder that is given counts more.
    let given = world.folder.join("given").display().to_string();
    let arguments = [&arguments[..], &["--state-dir", &given]].concat();
    let (code, ..) = run(&world, &[("LUMOAUTH_STORE", &url), ("LUMOAUTH_STORE_KEY", OLD)], &arguments);
    assert_eq!((code, sessions(given.into()).len()), (0, 1));
}

#[test]
fn what_is_set_wrongly_is_an_error_and_shows_no_secret() {
    let world = world();
    std::fs::create_dir_all(&world.folder).unwrap();
    let url = format!("file://{}", world.folder.join("named").display());
    let url = url.as_str();
    let (store, key, file) = ("LUMOAUTH_STORE", "LUMOAUTH_STORE_KEY", "LUMOAUTH_STORE_KEY_FILE");
    let (unsealed, names) = ("LUMOAUTH_STORE_UNSEALED", "LUMOAUTH_STORE_NAME_KEY");
    let three = format!("a:{OLD},b:{NEW},c:{OLD}");
    let same = format!("a:{OLD},a:{NEW}");
    let twice = format!("{OLD},{OLD}");
    // A program that was built without says so.
    let server = if cfg!(feature = "redis") { "cannot be read" } else { "built without the feature redis" };
    let wrong: [(&[(&str, &str)], &str); 18] = [
        (&[(store, url)], "LUMOAUTH_STORE_KEY"),
        (&[(store, url), (unsealed, "true")], unsealed),
        (&[(store, url), (unsealed, "no"), (key, OLD)], unsealed),
        (&[(store, url), (unsealed, "yes"), (key, OLD)], unsealed),
        (&[(store, url), (key, OLD), (file, "x")], "set one"),
        (&[(store, url), (key, "canary")], "64 hexadecimal"),
        (&[(store, url), (key, &OLD[1..])], "64 hexadecimal"),
        (&[(store, url), (key, &format!("{OLD},"))], "64 hexadecimal"),
        (&[(store, url), (key, &format!(":{OLD}"))], "id"),
        (&[(store, url), (key, &same)], "one id"),
        (&[(store, url), (key, &twice)], "one id"),
        (&[(store, url), (key, &three)], "two keys at most"),
        (&[(store, url), (file, "/nowhere/at/all")], "/nowhere/at/all"),
        (&[(store, url), (key, OLD), (names, "canary")], names),
        (&[(store, "http://canary"), (key, OLD)], "must begin with redis://"),
        (&[(store, "file://relative"), (key, OLD)], "absolute path"),
        (&[(store, "redis://:canary@h:x"), (key, OLD)], server),
        (&[(store, "unix:///canary?db=x"), (unsealed, "yes")], server),
    ];
    for (set, says) in wrong {
        for arguments in [&["token"][..], &["cache", "clear"], &["token", "--no-cache"]] {
            let (code, out, err) = run(&world, set, arguments);
            assert_eq!((code, out.as_str()), (2, ""), "{set:?} {err}");
            assert!(err.contains(says), "{set:?} {err}");
            assert!(
                !err.contains("canary") && !err.contains(&OLD[..16]) && !err.contains(&NEW[..16]),
                "{err}"
            );
        }
    }
    assert_eq!(asked(&world), 0);
    let (code, first, _) = run(&world, &[(store, url), (unsealed, "yes")], &["token"]);
    assert_eq!((code, run(&world, &[(store, url), (unsealed, "yes")], &["token"]).1), (0, first));
    assert_eq!(asked(&world), 1);
    // Keys alone name no store.
    assert_eq!(run(&world, &[(key, "canary")], &["token"]).0, 0);
}
