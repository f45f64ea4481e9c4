//! The store in files by itself: who may look, who wins, and what readers find.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{self, FileStore, Shelf, Store, StoreKey, Version};

use crate::support::{Folder, WITHIN, key, on, wait};

#[test]
fn it_keeps_the_contract_in_both_mounts() {
    let folder = Folder::new("contract");
    store::contract(&folder.store()).unwrap();
    wait(asynchronous::store::contract(&folder.store())).unwrap();
    // Two of them are two processes.
    store::contract(&folder.store()).unwrap();
}

#[test]
fn another_process_finds_what_was_saved() {
    let folder = Folder::new("found");
    let version = folder.store().save_if(&key("a"), None, b"one", None, WITHIN).unwrap();
    let record = folder.store().load(&key("a"), WITHIN).unwrap().unwrap();
    assert_eq!((record.bytes(), Some(record.version())), (&b"one"[..], version));
    assert!(folder.store().remove_if(&key("a"), version.unwrap(), WITHIN).unwrap());
    assert_eq!(folder.store().load(&key("a"), WITHIN).unwrap(), None);
    // Nothing is left but empty folders.
    assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn of_those_who_race_for_a_version_one_wins_and_no_version_is_used_twice() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 300;
    let folder = Folder::new("race");
    // What was given, and what was saved over or removed.
    let given = Arc::new(Mutex::new(Vec::<Version>::new()));
    let followed = Arc::new(Mutex::new(Vec::<Version>::new()));
    let start = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (store, start) = (folder.store(), Arc::clone(&start));
            let (given, followed) = (Arc::clone(&given), Arc::clone(&followed));
            std::thread::spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let held = store.load(&key("s"), WITHIN).unwrap().map(|record| record.version());
                    match held {
                        Some(version) if (thread + round) % 4 == 0 => {
                            if store.remove_if(&key("s"), version, WITHIN).unwrap() {
                                followed.lock().unwrap().push(version);
                            }
                        }
                        held => {
                            let saved = store.save_if(&key("s"), held, b"bytes", None, WITHIN).unwrap();
                            if let Some(version) = saved {
                                given.lock().unwrap().push(version);
                                followed.lock().unwrap().extend(held);
                            }
                        }
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (given, followed) = (given.lock().unwrap(), followed.lock().unwrap());
    let once = |versions: &[Version]| versions.iter().collect::<HashSet<_>>().len();
    println!("{} states, {} of them followed", given.len(), followed.len());
    assert_eq!((once(&given), once(&followed)), (given.len(), followed.len()));
    // One chain of states from the first to the last.
    let last = usize::from(folder.store().load(&key("s"), WITHIN).unwrap().is_some());
    assert_eq!(given.len(), followed.len() + last);
    assert!(given.len() > ROUNDS / 2, "only {} states", given.len());
}

#[test]
fn readers_always_find_a_whole_state() {
    const LAST: u8 = 150;
    let folder = Folder::new("readers");
    let (writer, reader) = (folder.store(), folder.store());
    let mut version = writer.save_if(&key("s"), None, &[0; 9_000], None, WITHIN).unwrap();
    let writing = std::thread::spawn(move || {
        for number in 1..=LAST {
            version = writer.save_if(&key("s"), version, &[number; 9_000], None, WITHIN).unwrap();
            assert!(version.is_some());
        }
    });
    let mut last = 0;
    while last < LAST {
        let record = reader.load(&key("s"), WITHIN).unwrap().unwrap();
        let number = record.bytes()[0];
        assert!(record.bytes() == vec![number; 9_000] && number >= last, "{number} after {last}");
        last = number;
    }
    writing.join().unwrap();
}

#[test]
fn any_name_has_a_place_of_its_own() {
    let folder = Folder::new("names");
    let store = folder.store();
    let long = "x".repeat(5_000);
    for name in ["../x", "/etc/passwd", "", ".", "a", "A", "a\nb", "\u{e9}", "CON", &long] {
        let key = on(Shelf::Sessions, name);
        assert!(store.save_if(&key, None, name.as_bytes(), None, WITHIN).unwrap().is_some());
        assert_eq!(store.load(&key, WITHIN).unwrap().unwrap().bytes(), name.as_bytes());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_or_file_that_others_may_look_into_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new("modes");
    let store = folder.store();
    store.save_if(&key("s"), None, b"x", None, WITHIN).unwrap().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let all = files(folder.path());
    assert_eq!(all.len(), 2);
    for file in &all {
        assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700), "{}", file.display());
        for loose in [0o640, 0o604, 0o620] {
            set(file, loose);
            let refused = store.load(&key("s"), WITHIN);
            if std::fs::metadata(file).unwrap().len() > 0 {
                let error = refused.unwrap_err();
                assert!(error.is_corrupt() && error.to_string().contains("chmod 600"), "{error}");
            }
            set(file, 0o600);
        }
    }
    for loose in [0o701, 0o710, 0o755, 0o777] {
        set(folder.path(), loose);
        let error = FileStore::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }
    set(folder.path(), 0o700);
    let link = folder.path().with_extension("link");
    symlink(folder.path(), &link).unwrap();
    let through = FileStore::open(&link).and_then(|store| store.load(&key("s"), WITHIN));
    std::fs::remove_file(&link).unwrap();
    assert_eq!(through.unwrap().unwrap().bytes(), b"x");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = FileStore::open(&file).unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}

#[cfg(unix)]
#[test]
fn a_folder_or_file_of_somebody_else_is_refused() {
    use std::os::unix::fs::chown;
    const NOBODY: u32 = 65_534;
    let folder = Folder::new("owner");
    let store = folder.store();
    store.save_if(&key("s"), None, b"x", None, WITHIN).unwrap().unwrap();
    if chown(folder.path(), Some(NOBODY), None).is_err() {
        println!("SKIPPED: only root can give a folder to somebody else");
        return;
    }
    let error = FileStore::open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("it belongs to another user"), "{error}");
    chown(folder.path(), Some(0), None).unwrap();
    FileStore::open(folder.path()).unwrap();
    for file in files(folder.path()) {
        chown(file, Some(NOBODY), None).unwrap();
    }
    let error = store.load(&key("s"), WITHIN).unwrap_err();
    assert!(error.is_corrupt() && error.to_string().contains("another user"), "{error}");
}

#[test]
fn what_cannot_be_done_in_no_time_is_unavailable() {
    let folder = Folder::new("time");
    let store = folder.store();
    let none = Duration::ZERO;
    let mut outcomes = HashSet::new();
    for number in 0..20 {
        let key = StoreKey::new(Shelf::Tokens, [number.to_string()]);
        match store.save_if(&key, None, b"x", None, none) {
            Ok(saved) => assert!(saved.is_some()),
            Err(error) => assert!(outcomes.insert(error.is_unavailable()) || error.is_unavailable()),
        }
        let answer = wait(asynchronous::store::Store::load(&store, &key, none));
        assert!(answer.is_ok() || answer.unwrap_err().is_unavailable());
    }
    assert!(outcomes.contains(&true));
}
