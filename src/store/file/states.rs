//! The states of one record: files in a folder, numbered, of which the highest counts.
//!
//! A state is written whole under a name that means nothing, and then linked to its own name, which fails if there is that
//! name already: of those who change the same state exactly one succeeds. No lock is held, so none stays behind.
//!
//! Each time that a record is made, it gets another mark, which is part of every name in its folder and a file by itself.
//! The folder is made elsewhere with its first state, and moved to its place, which fails unless that is empty. A record
//! that is removed gets a last state, which nobody follows; then its files go, the mark before all others. So whoever slept
//! meanwhile finds its place taken, or its mark gone, and removes by its names nothing that is another's.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::folder::{self, Owner};
use crate::error::StoreError;
use crate::store::Version;

/// How many older names stay, without their content. Whoever slept between a look and a link learns from them that it
/// came too late.
const OLDER: u64 = 64;
/// The most bytes of a record with its key; a file that is longer, with all that is noted in it, is none, and is not read.
const LONGEST: u64 = 32 * 1024 * 1024;
const NOTES: u64 = 64 * 1024;
/// How often somebody else may be faster before this process gives up.
pub(super) const TRIES: usize = 100;
/// The first word of every state.
const FORMAT: &str = "lumoauth record 2";

/// One state, as its file has it.
pub(super) struct State {
    pub(super) number: u64,
    pub(super) mark: String,
    pub(super) key: String,
    /// Tells it from every other content that might have had its name.
    nonce: String,
    /// The nonce of the state that it followed; empty for a first one.
    after: String,
    /// When it is over, in milliseconds since the epoch.
    end: Option<u64>,
    /// The record was removed.
    is_last: bool,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl State {
    pub(super) fn version(&self) -> Version {
        version(self.number, &self.mark)
    }

    /// True if there is a record: it was not removed, and its time is not over.
    pub(super) fn is_there(&self, now: Duration) -> bool {
        !self.is_last && self.end.is_none_or(|end| u128::from(end) > now.as_millis())
    }
}

fn version(number: u64, mark: &str) -> Version {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().chain(mark.bytes()).collect();
    Version::from_bytes(&bytes).unwrap_or_else(|_| Version::from_number(number))
}

/// What is written for a state.
pub(super) struct Content(pub(super) Zeroizing<Vec<u8>>);

impl Content {
    pub(super) fn of(key: &str, bytes: &[u8], end: Option<Duration>) -> Self {
        let end = end.map(|end| u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
        Content::new(key, bytes, end, false)
    }

    /// Refuses what would not be read any more.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.len() as u64 > LONGEST {
            return Err(StoreError::full("a record in a file has 32 MiB at most"));
        }
        Ok(())
    }

    /// Of a state that nobody follows.
    pub(super) fn last(key: &str) -> Self {
        Content::new(key, b"", None, true)
    }

    fn new(key: &str, bytes: &[u8], end: Option<u64>, is_last: bool) -> Self {
        let nonce = format!("{:016x}", folder::random());
        let head = json!([FORMAT, key, end, is_last, bytes.len(), nonce]).to_string();
        let length = head.len().saturating_add(bytes.len()).saturating_add(1);
        let mut content = Zeroizing::new(Vec::with_capacity(length));
        content.extend_from_slice(head.as_bytes());
        content.push(b'\n');
        content.extend_from_slice(bytes);
        Content(content)
    }

    /// What is written for the state that follows the one of this nonce.
    fn after(&self, nonce: &str) -> Zeroizing<Vec<u8>> {
        let mut parts = self.0.splitn(2, |byte| *byte == b'\n');
        let (head, bytes) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let length = self.0.len().saturating_add(nonce.len()).saturating_add(1);
        let mut written = Zeroizing::new(Vec::with_capacity(length));
        for part in [head, b"\n", nonce.as_bytes(), b"\n", bytes] {
            written.extend_from_slice(part);
        }
        written
    }

    /// What is written for the state that follows this one.
    #[cfg(test)]
    pub(super) fn following(&self, last: &State) -> Zeroizing<Vec<u8>> {
        self.after(&last.nonce)
    }

    fn read(content: &[u8], number: u64, mark: &str) -> Result<State, StoreError> {
        let damaged = || StoreError::corrupt("a file of the store is damaged, or was not written by it");
        let mut parts = content.splitn(3, |byte| *byte == b'\n');
        let (Some(head), Some(after), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(damaged());
        };
        let head: (String, String, Option<u64>, bool, usize, String) =
            serde_json::from_slice(head).map_err(|_| damaged())?;
        let (format, key, end, is_last, length, nonce) = head;
        let after = String::from_utf8(after.to_vec()).map_err(|_| damaged())?;
        // What stands behind is a note for whoever made the state.
        let bytes = bytes.get(..length).filter(|_| format == FORMAT).ok_or_else(damaged)?;
        let bytes = Zeroizing::new(bytes.to_vec());
        Ok(State { number, mark: mark.to_owned(), key, nonce, after, end, is_last, bytes })
    }
}

/// What is in a record's folder.
#[derive(Default)]
struct Names {
    /// The mark that counts.
    mark: Option<String>,
    /// Numbers and marks of states, those of other marks too.
    states: Vec<(u64, String)>,
    /// Everything.
    all: Vec<String>,
}

impl Names {
    fn of(folder: &Path) -> Result<Self, StoreError> {
        let mut names = Names { all: names(folder)?, ..Names::default() };
        for name in &names.all {
            match name.split_once('-') {
                Some(("is", mark)) => names.mark = Some(mark.to_owned()),
                Some((number, mark)) => {
                    names.states.extend(number.parse::<u64>().ok().map(|number| (number, mark.to_owned())));
                }
                None => {}
            }
        }
        Ok(names)
    }

    fn highest(&self, mark: &str) -> Option<u64> {
        self.states.iter().filter(|(_, of)| of == mark).map(|(number, _)| *number).max()
    }
}

/// The names in a folder, sorted; none if it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed("read", &error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed("read", &error))?.file_name();
        names.extend(name.into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// The newest state. A file that is gone or empty by the time it is read has been followed by another one.
pub(super) fn newest(folder: &Path, own: Owner) -> Result<Option<State>, StoreError> {
    for _ in 0..TRIES {
        let names = Names::of(folder)?;
        let Some(mark) = &names.mark else { return Ok(None) };
        let Some(number) = names.highest(mark) else { continue };
        let file = match File::open(folder.join(format!("{number}-{mark}"))) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            file => file.map_err(|error| failed("read", &error))?,
        };
        let content = read(file, own)?;
        if !content.is_empty() {
            return Content::read(&content, number, mark).map(Some);
        }
    }
    Err(busy())
}

fn read(mut file: File, own: Owner) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let about = file.metadata().map_err(|error| failed("read", &error))?;
    own.check(&about)?;
    if about.len() > LONGEST.saturating_add(NOTES) {
        return Err(StoreError::corrupt("a file of the store is longer than any record"));
    }
    // All of it at once: a buffer that grows leaves copies behind.
    let length = usize::try_from(about.len()).unwrap_or_default().saturating_add(1);
    let mut content = Zeroizing::new(Vec::with_capacity(length));
    file.read_to_end(&mut content).map_err(|error| failed("read", &error))?;
    Ok(content)
}

/// Makes a record where there is none. None if somebody else was faster.
pub(super) fn first(bucket: &Path, folder: &Path, content: &Content) -> Result<Option<Version>, StoreError> {
    let mark = format!("{:016x}{:016x}", folder::random(), folder::random());
    let begun = folder::begun(bucket);
    let made = folder::make(&begun)
        .and_then(|_| folder::create(&begun.join(format!("is-{mark}"))).map(drop))
        .and_then(|()| folder::write(&begun.join(format!("1-{mark}")), &content.after("")))
        .map(|()| folder::sync(&begun));
    let moved = made.and_then(|()| std::fs::rename(&begun, folder));
    match moved {
        Ok(()) => {
            folder::sync(bucket);
            Ok(Some(version(1, &mark)))
        }
        Err(error) => {
            let _ = std::fs::remove_dir_all(&begun);
            // Somebody else's is there already, or somebody took this process for dead.
            let lost = [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::DirectoryNotEmpty];
            if lost.contains(&error.kind()) { Ok(None) } else { Err(failed("written", &error)) }
        }
    }
}

/// Makes the state after this one. None if somebody else was faster.
pub(super) fn follow(
    bucket: &Path,
    folder: &Path,
    last: &State,
    content: &Content,
) -> Result<Option<Version>, StoreError> {
    if last.is_last {
        return Ok(None);
    }
    let written = content.after(&last.nonce);
    let begun = folder::begin(bucket, &written).map_err(|error| failed("written", &error))?;
    let number = last.number.saturating_add(1);
    let linked = link(folder, &begun, number, &last.mark, written.len());
    let _ = std::fs::remove_file(&begun);
    if !linked? {
        return Ok(None);
    }
    folder::sync(folder);
    tidy(bucket, folder, number, &last.mark);
    Ok(Some(version(number, &last.mark)))
}

fn link(folder: &Path, begun: &Path, number: u64, mark: &str, length: usize) -> Result<bool, StoreError> {
    let file = folder.join(format!("{number}-{mark}"));
    match std::fs::hard_link(begun, &file) {
        Ok(()) => {}
        // Taken; or the record is gone, or somebody took this process for dead.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            return Ok(false);
        }
        Err(error) => return Err(failed("written", &error)),
    }
    let names = Names::of(folder)?;
    let is_late = names.highest(mark).unwrap_or(number).saturating_sub(number) >= OLDER;
    if !is_late && names.mark.as_deref() == Some(mark) {
        return Ok(true);
    }
    // Either this process slept for so long that the name was free again, or the record was changed much or removed since.
    // In the second case the others have noted that this state counted; the file has two names as long as this looks.
    let counted = std::fs::metadata(begun).is_ok_and(|about| about.len() > length as u64);
    let _ = std::fs::remove_file(&file);
    Ok(counted)
}

/// Notes in a state's file that it counted, before the file goes. It counted if another state followed it, or if somebody has
/// seen it as the newest: that a file has its name says nothing, for a latecomer may have given it a name that was free again.
fn note(folder: &Path, number: u64, mark: &str, seen: Option<&State>) {
    let content = |number: u64, file: &mut File| {
        let mut content = Zeroizing::new(Vec::new());
        file.read_to_end(&mut content).ok()?;
        Content::read(&content, number, mark).ok()
    };
    // One opening for the look and the note: the name may be another file's a moment later.
    let Ok(mut file) = File::options().read(true).append(true).open(folder.join(format!("{number}-{mark}")))
    else {
        return;
    };
    let Some(state) = content(number, &mut file) else { return };
    let next = number.saturating_add(1);
    let follower = File::open(folder.join(format!("{next}-{mark}")));
    let follower = follower.ok().and_then(|mut file| content(next, &mut file));
    let is_seen = seen.is_some_and(|seen| seen.number == number && seen.nonce == state.nonce);
    if is_seen || follower.is_some_and(|follower| follower.after == state.nonce) {
        let _ = file.write_all(b"\n");
    }
}

/// Ends a record, if this still is its newest state, and removes its files.
pub(super) fn end(bucket: &Path, folder: &Path, newest: &State) -> Result<bool, StoreError> {
    if !newest.is_last && follow(bucket, folder, newest, &Content::last(&newest.key))?.is_none() {
        return Ok(false);
    }
    clear(folder, newest);
    Ok(true)
}

/// Removes what is in a folder whose record has ended, of which this was seen: the mark first, and only then the names. So
/// whoever takes a name that is free again finds the mark gone. What fails here is done by whoever comes next.
fn clear(folder: &Path, seen: &State) {
    let ended = seen.mark.as_str();
    let Ok(names) = Names::of(folder) else { return };
    if names.mark.as_deref() == Some(ended) {
        for (number, _) in names.states.iter().filter(|(_, mark)| mark == ended) {
            note(folder, *number, ended, Some(seen));
        }
        let _ = std::fs::remove_file(folder.join(format!("is-{ended}")));
    }
    remove_if_unmarked(folder);
}

/// Removes a folder that holds no record, with what whoever slept has left in it.
pub(super) fn remove_if_unmarked(folder: &Path) {
    match Names::of(folder) {
        Ok(names) if names.mark.is_none() => {
            for name in &names.all {
                let _ = std::fs::remove_file(folder.join(name));
            }
            // Not if something came meanwhile.
            let _ = std::fs::remove_dir(folder);
        }
        _ => {}
    }
}

/// Takes the secrets out of what is older than this state, and removes what nobody needs. What fails here is done by
/// whoever saves next.
fn tidy(bucket: &Path, folder: &Path, number: u64, mark: &str) {
    let Ok(names) = Names::of(folder) else { return };
    if names.mark.as_deref() != Some(mark) {
        return;
    }
    // From the oldest on: a note needs the state behind it.
    let mut states = names.states;
    states.sort_unstable();
    for (older, of) in &states {
        let path = folder.join(format!("{older}-{of}"));
        if of != mark || number.saturating_sub(*older) > OLDER {
            note(folder, *older, of, None);
            let _ = std::fs::remove_file(path);
        } else if *older < number && std::fs::metadata(&path).is_ok_and(|about| about.len() > 0) {
            note(folder, *older, of, None);
            if let Ok(empty) = folder::begin(bucket, b"") {
                let _ = std::fs::rename(empty, path);
            }
        }
    }
}

pub(super) fn failed(what: &str, error: &Error) -> StoreError {
    let message = format!("a file of the store cannot be {what}: {error}");
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::full(message),
        _ => StoreError::unavailable(message),
    }
}

pub(super) fn busy() -> StoreError {
    StoreError::unavailable("the record was changed by others again and again")
}
