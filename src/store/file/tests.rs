//! Whoever sleeps at the worst moment, or dies there, takes nothing from anybody.

use super::*;
use crate::store::Shelf;

struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> (Self, FileStore) {
        let name = format!("lumoauth-files-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let store = FileStore::open(&folder).unwrap();
        (Temporary(folder), store)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn key() -> StoreKey {
    StoreKey::new(Shelf::Sessions, ["s"])
}

fn save(files: &Files, over: Option<Version>, bytes: &[u8]) -> Version {
    files.save_if(&key(), over, bytes, None).unwrap().unwrap()
}

fn bytes(files: &Files) -> Option<Vec<u8>> {
    files.load(&key()).unwrap().map(|record| record.bytes().to_vec())
}

/// What a process knows that has looked and sleeps.
fn look(files: &Files) -> (Place, State) {
    let place = files.place(&key());
    let state = states::newest(&place.folder, files.own).unwrap().unwrap();
    (place, state)
}

fn late(place: &Place, state: &State) -> Result<Option<Version>, StoreError> {
    states::follow(&place.bucket, &place.folder, state, &Content::of(key().as_str(), b"late", None))
}

#[test]
fn whoever_slept_while_others_saved_is_too_late() {
    let (_folder, store) = Temporary::new("slept");
    let files = &store.files;
    let mut version = save(files, None, b"0");
    let (place, seen) = look(files);
    for number in 1..=70 {
        version = save(files, Some(version), b"new");
        assert_eq!(late(&place, &seen).unwrap(), None, "after {number}");
        assert_eq!(bytes(files).as_deref(), Some(&b"new"[..]));
    }
    // Older states are without content, and there are not many.
    let files = std::fs::read_dir(&place.folder).unwrap();
    let full = files.map(|entry| entry.unwrap().metadata().unwrap().len()).collect::<Vec<_>>();
    assert_eq!((full.iter().filter(|length| **length > 0).count(), full.len()), (1, 66));
}

#[test]
fn whoever_slept_while_the_record_was_removed_and_made_anew_is_too_late() {
    let (_folder, store) = Temporary::new("anew");
    let files = &store.files;
    let first = save(files, None, b"old");
    let (place, seen) = look(files);
    assert!(files.remove_if(&key(), first).unwrap());
    assert!(!place.folder.exists());
    assert_eq!(late(&place, &seen).unwrap(), None);
    assert_eq!(bytes(files), None);
    let second = save(files, None, b"new");
    assert_ne!(first, second);
    // The folder is there again, and the number after the one that was seen is free in it.
    assert_eq!(late(&place, &seen).unwrap(), None);
    assert_eq!(bytes(files).as_deref(), Some(&b"new"[..]));
    assert!(!files.remove_if(&key(), first).unwrap());
    assert_eq!(files.save_if(&key(), Some(first), b"late", None).unwrap(), None);
    // It died before it could take its file back: nobody minds, and the next one tidies.
    let begun = folder::begin(&place.bucket, b"left").unwrap();
    let left = place.folder.join("9-0123456789abcdef0123456789abcdef");
    std::fs::hard_link(begun, &left).unwrap();
    assert_eq!(bytes(files).as_deref(), Some(&b"new"[..]));
    let third = save(files, Some(second), b"newer");
    assert!(!left.exists());
    assert!(files.remove_if(&key(), third).unwrap());
}

#[test]
fn whoever_sleeps_behind_a_save_that_counted_knows_that_it_did() {
    let (_folder, store) = Temporary::new("counted");
    let files = &store.files;
    let place = files.place(&key());
    // It links, and before it looks again the record is changed often, or removed.
    for (changes, removed) in [(1, true), (70, false), (70, true)] {
        if bytes(files).is_none() {
            save(files, None, b"0");
        }
        let (_, seen) = look(files);
        let content = Content::of(key().as_str(), b"counts", None);
        let content = content.following(&seen);
        let begun = folder::begin(&place.bucket, &content).unwrap();
        let file = place.folder.join(format!("{}-{}", seen.number + 1, seen.mark));
        std::fs::hard_link(&begun, &file).unwrap();
        let (_, counts) = look(files);
        assert_eq!(*counts.bytes, b"counts");
        let mut version = counts.version();
        for _ in 0..changes {
            version = save(files, Some(version), b"next");
        }
        assert!(!removed || files.remove_if(&key(), version).unwrap());
        let counted = std::fs::metadata(&begun).unwrap().len() > content.len() as u64;
        assert!(counted, "{changes} changes, removed: {removed}");
        std::fs::remove_file(begun).unwrap();
    }
}

#[test]
fn whoever_dies_while_removing_leaves_nothing_that_counts() {
    let (_folder, store) = Temporary::new("died");
    let files = &store.files;
    let last = || Content::last(key().as_str());
    // After the last state was made.
    let first = save(files, None, b"secret");
    let (place, seen) = look(files);
    states::follow(&place.bucket, &place.folder, &seen, &last()).unwrap().unwrap();
    assert_eq!(bytes(files), None);
    assert!(!files.remove_if(&key(), first).unwrap());
    assert_eq!(files.keys(&Prefix::all(Shelf::Sessions), None).unwrap().keys(), []);
    // Nobody follows the last state.
    let (_, ended) = look(files);
    assert_eq!(late(&place, &ended).unwrap(), None);
    let second = save(files, None, b"new");
    assert_ne!(first, second);

    // After the mark was removed as well.
    let (_, seen) = look(files);
    states::follow(&place.bucket, &place.folder, &seen, &last()).unwrap().unwrap();
    for entry in std::fs::read_dir(&place.folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("is-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(bytes(files), None);
    let third = save(files, None, b"newest");
    assert!(third != second && bytes(files).as_deref() == Some(&b"newest"[..]));

    // Before the folder was removed.
    assert!(files.remove_if(&key(), third).unwrap());
    folder::make(&place.folder).unwrap();
    save(files, None, b"again");
    assert_eq!(bytes(files).as_deref(), Some(&b"again"[..]));
}

#[test]
fn a_new_record_looks_after_others_of_its_bucket() {
    let (_folder, store) = Temporary::new("sweep");
    let seconds = Arc::new(std::sync::atomic::AtomicU64::new(1));
    let clock = Arc::clone(&seconds);
    let now = move || Duration::from_secs(clock.load(std::sync::atomic::Ordering::SeqCst));
    let store = store.clock(now);
    let files = &store.files;
    let place = files.place(&key());
    // Of this bucket: one that will be over, one that stays, and what two processes have begun.
    let same = |number: &u32| {
        let key = StoreKey::new(Shelf::Sessions, [number.to_string()]);
        files.place(&key).bucket == place.bucket
    };
    let mut neighbours =
        (0..).filter(same).map(|number| StoreKey::new(Shelf::Sessions, [number.to_string()]));
    let (over, stays) = (neighbours.next().unwrap(), neighbours.next().unwrap());
    let keep = Some(Duration::from_secs(10));
    assert!(files.save_if(&over, None, b"secret", keep).unwrap().is_some());
    assert!(files.save_if(&stays, None, b"x", None).unwrap().is_some());
    let (young, old) = (folder::begun(&place.bucket), folder::begin(&place.bucket, b"secret").unwrap());
    folder::make(&young).unwrap();
    let before = std::fs::metadata(&old).unwrap().modified().unwrap() - Duration::from_secs(3_600);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(before).unwrap();

    seconds.store(11, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(files.load(&over).unwrap(), None);
    let listed = files.keys(&Prefix::all(Shelf::Sessions), None).unwrap();
    assert_eq!(listed.keys(), std::slice::from_ref(&stays));
    assert!(files.place(&over).folder.exists() && old.exists());
    save(files, None, b"x");
    assert!(!files.place(&over).folder.exists() && !old.exists());
    assert!(files.place(&stays).folder.exists() && young.exists());
    assert!(files.save_if(&over, None, b"anew", keep).unwrap().is_some());
}

#[test]
fn files_that_are_something_else_are_errors() {
    let (_folder, store) = Temporary::new("damaged");
    let files = &store.files;
    let version = save(files, None, b"x");
    let (place, state) = look(files);
    let mark = String::from_utf8(state.version().as_bytes()[8..].to_vec()).unwrap();
    let file = place.folder.join(format!("1-{mark}"));
    for (content, problem) in [
        (&b"cut off"[..], "is damaged"),
        (b"[\"lumoauth record 2\",\"other\",null,false,1,\"n\"]\n\nx", "of another key"),
        (b"[\"lumoauth record 2\",\"s\",null,false,2,\"n\"]\n\nx", "is damaged"),
        (b"[\"lumoauth record 9\",\"s\",null,false,1,\"n\"]\n\nx", "is damaged"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = files.load(&key()).unwrap_err();
        assert!(error.is_corrupt() && error.to_string().contains(problem), "{error}");
        assert_eq!(files.save_if(&key(), Some(version), b"y", None).unwrap_err(), error);
        assert_eq!(files.remove_if(&key(), version).unwrap_err(), error);
    }
    // A length that nobody could read.
    std::fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let error = files.load(&key()).unwrap_err();
    assert!(error.is_corrupt() && error.to_string().contains("longer than any record"), "{error}");
    let (other, long) = (StoreKey::new(Shelf::Sessions, ["long"]), vec![0; 33 << 20]);
    assert!(files.save_if(&other, None, &long, None).unwrap_err().is_full());
    assert!(files.load(&other).unwrap().is_none());
}
