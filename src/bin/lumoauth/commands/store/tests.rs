//! The store by itself: who wins, what stays, what is refused.

use std::sync::{Arc, Barrier};

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("lumoauth-store-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        private_folder(&folder).unwrap();
        Folder(folder)
    }

    fn store(&self) -> FileStore {
        FileStore::new(self.0.clone(), "https://s.example/api/v1", "agt_1")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_version_is_saved_once_and_its_number_never_used_again() {
    let folder = Folder::new("versions");
    let store = folder.store();
    assert_eq!(store.load("s").unwrap(), None);
    assert!(!store.save_if("s", Some(1), b"x").unwrap());
    assert!(store.save_if("s", None, b"one").unwrap());
    assert!(!store.save_if("s", None, b"again").unwrap());
    assert!(store.save_if("s", Some(1), b"two").unwrap());
    assert!(!store.save_if("s", Some(1), b"late").unwrap());
    assert_eq!(store.load("s").unwrap(), Some((b"two".to_vec(), 2)));
    store.remove("s").unwrap();
    store.remove("s").unwrap();
    assert_eq!(store.load("s").unwrap(), None);
    assert!(store.save_if("s", None, b"new").unwrap());
    assert_eq!(store.load("s").unwrap(), Some((b"new".to_vec(), 4)));
    // Bytes may have any shape.
    assert!(store.save_if("s", Some(4), b"a\n\nb\n").unwrap());
    assert_eq!(store.load("s").unwrap(), Some((b"a\n\nb\n".to_vec(), 5)));
}

#[test]
fn of_threads_that_race_for_a_version_one_wins() {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 100;
    let folder = Folder::new("race");
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (store, barrier) = (folder.store(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                let mut won = 0_u64;
                for round in 0..ROUNDS {
                    barrier.wait();
                    let version = (round > 0).then_some(round);
                    won += u64::from(store.save_if("s", version, b"bytes").unwrap());
                    barrier.wait();
                }
                won
            })
        })
        .collect();
    let won: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{ROUNDS} versions, {THREADS} threads for each: {won} saved");
    assert_eq!(won, ROUNDS);
    assert_eq!(folder.store().load("s").unwrap(), Some((b"bytes".to_vec(), ROUNDS)));
}

#[test]
fn readers_always_find_a_whole_version() {
    let folder = Folder::new("readers");
    assert!(folder.store().save_if("s", None, &[b'x'; 9_000]).unwrap());
    let (writer, reader) = (folder.store(), folder.store());
    let writing = std::thread::spawn(move || {
        (1..200).for_each(|version| assert!(writer.save_if("s", Some(version), &[b'x'; 9_000]).unwrap()));
    });
    let mut last = 0;
    while last < 200 {
        let (bytes, version) = reader.load("s").unwrap().unwrap();
        assert!(bytes.len() == 9_000 && version >= last, "{} bytes, {version} after {last}", bytes.len());
        last = version;
    }
    writing.join().unwrap();
}

#[test]
fn whoever_slept_for_long_learns_that_it_is_too_late() {
    let folder = Folder::new("sleep");
    let store = folder.store();
    for version in 0..MARKS + 2 {
        assert!(store.save_if("s", (version > 0).then_some(version), b"x").unwrap());
    }
    // It had looked at version 0, and its number 1 is free by now.
    assert!(!folder.store().folder_of("s").join("1").exists());
    assert!(!store.put("s", 0, b"late").unwrap());
    assert_eq!(store.load("s").unwrap(), Some((b"x".to_vec(), MARKS + 2)));
    assert_eq!(versions(&store.folder_of("s")).unwrap().len() as u64, MARKS + 1);
}

#[test]
fn any_name_is_a_session_of_its_own_and_other_agents_have_theirs() {
    let folder = Folder::new("names");
    let store = folder.store();
    let long = "x".repeat(5_000);
    let mut names = ["../x", "/etc/passwd", "", ".", "a", "A", "a\nb", "\u{e9}", "CON", &long];
    for name in names {
        assert!(store.save_if(name, None, name.as_bytes()).unwrap() || name.is_empty(), "{name:?}");
    }
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        assert_eq!(store.load(name).unwrap(), Some((name.as_bytes().to_vec(), 1)));
    }
    names.sort_unstable();
    assert_eq!(store.keys().unwrap(), names[1..]);
    for other in [("https://s.example/api/v1", "agt_2"), ("https://t.example/api/v1", "agt_1")] {
        let other = FileStore::new(folder.0.clone(), other.0, other.1);
        assert_eq!((other.load("a").unwrap(), other.keys().unwrap()), (None, Vec::new()));
    }
}

#[test]
fn files_that_are_something_else_are_errors() {
    let folder = Folder::new("damaged");
    let store = folder.store();
    assert!(store.save_if("s", None, b"x").unwrap());
    let file = store.folder_of("s").join("1");
    for (content, problem) in
        [(&b"cut off"[..], "is cut off"), (b"[\"other\",\"a\",\"s\"]\nx", "holds another session")]
    {
        std::fs::write(&file, content).unwrap();
        let error = store.load("s").unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert_eq!(store.save_if("s", Some(1), b"y").unwrap_err().to_string(), error);
        assert_eq!(store.remove("s").unwrap_err().to_string(), error);
    }
}
