//! Changes one thing at a time in the rooms that decide, and says which changes no test notices.

mod change;
mod project;
mod trial;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use trial::Verdict;

struct Options {
    rooms: Vec<String>,
    part: (u32, u32),
    threads: usize,
    /// The test binaries that are built and run; none: all.
    tests: Vec<String>,
    /// What an earlier run wrote down: those changes alone are tried.
    again: Option<PathBuf>,
    /// Verdicts of an earlier run: what was noticed then is not tried again.
    noticed: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rooms: Vec::new(),
        part: (0, 1),
        threads: 2,
        tests: Vec::new(),
        again: None,
        noticed: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--part" => {
                let text = given.next().ok_or("--part wants K/N")?;
                let (k, n) = text.split_once('/').ok_or("--part wants K/N")?;
                let number =
                    |text: &str| text.parse::<u32>().map_err(|error| format!("--part {text}: {error}"));
                options.part = (number(k)?, number(n)?.max(1));
            }
            "--threads" => {
                let text = given.next().ok_or("--threads wants a number")?;
                options.threads =
                    text.parse::<usize>().map_err(|error| format!("--threads {text}: {error}"))?.max(1);
            }
            "--test" => options.tests.push(given.next().ok_or("--test wants the name of a binary")?),
            "--again" => options.again = Some(given.next().ok_or("--again wants a file")?.into()),
            "--but-noticed" => {
                options.noticed = Some(given.next().ok_or("--but-noticed wants a file")?.into())
            }
            room => options.rooms.push(room.to_owned()),
        }
    }
    if options.rooms.is_empty() {
        let rooms = std::fs::read_to_string("tests/mutants/rooms")
            .map_err(|error| format!("tests/mutants/rooms: {error}"))?;
        options.rooms = rooms.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    }
    Ok(options)
}

fn run() -> Result<bool, String> {
    let options = options()?;
    let root = std::env::current_dir().map_err(|error| error.to_string())?;
    let copy = root.join("target/mutants/project");
    let built = project::build(&root, &copy, &options.rooms, &options.tests)?;
    println!("{} changes in {} test binaries", built.changes.len(), built.binaries.len());
    let reached = trial::reach(&copy, &built)?;
    println!("{} changes are reached by a test", reached.changes.len());

    let lines = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let wanted = options.again.as_ref().map(lines).transpose()?;
    let noticed = options.noticed.as_ref().map(lines).transpose()?;
    // In the order of the rooms, so that what matters most is tried first.
    let place = |change: &change::Change| {
        options.rooms.iter().position(|room| change.file.starts_with(room.as_str())).unwrap_or(usize::MAX)
    };
    let mut chosen: Vec<_> = built
        .changes
        .iter()
        .filter(|change| change.number % options.part.1 == options.part.0 % options.part.1)
        .filter(|change| {
            wanted.as_ref().is_none_or(|lines| lines.lines().any(|line| change.is_that_of(line)))
        })
        .filter(|change| {
            let is_noticed = |line: &str| line.starts_with("noticed: ") && change.is_that_of(line);
            noticed.as_ref().is_none_or(|lines| !lines.lines().any(is_noticed))
        })
        .collect();
    chosen.sort_by_key(|change| (place(change), change.number));
    let log = root.join("target/mutants/verdicts.txt");
    std::fs::write(&log, "").map_err(|error| format!("{}: {error}", log.display()))?;
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while let Some(change) = chosen.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let verdict = trial::trial(&copy, &built, &reached, change.number);
                    if verdict != Verdict::Noticed {
                        println!("{verdict}: {change}");
                    }
                    // At once, so that a run that is ended early has counted too.
                    write_on(&log, &format!("{verdict}: {change}\n"));
                    verdicts.lock().unwrap_or_else(|held| held.into_inner()).insert(change.number, verdict);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap_or_else(|held| held.into_inner());
    write_down(&root.join("target/mutants/survivors.txt"), &chosen, &verdicts)?;
    let count = |of: Verdict| verdicts.values().filter(|verdict| **verdict == of).count();
    let (noticed, late, survived, unreached) = (
        count(Verdict::Noticed),
        count(Verdict::NeverEnded),
        count(Verdict::Survived),
        count(Verdict::NotReached),
    );
    println!(
        "{} changes: {noticed} noticed, {late} never ended, {survived} survived, {unreached} not reached",
        verdicts.len()
    );
    Ok(survived + unreached == 0)
}

fn write_on(log: &Path, line: &str) {
    let written =
        std::fs::File::options().append(true).open(log).and_then(|mut to| to.write_all(line.as_bytes()));
    if let Err(error) = written {
        eprintln!("{}: {error}", log.display());
    }
}

fn write_down(
    to: &Path,
    chosen: &[&change::Change],
    verdicts: &BTreeMap<u32, Verdict>,
) -> Result<(), String> {
    let mut text = String::new();
    for change in chosen {
        match verdicts.get(&change.number) {
            Some(verdict @ (Verdict::Survived | Verdict::NotReached)) => {
                text.push_str(&format!("{verdict}: {change}\n"));
            }
            _ => {}
        }
    }
    std::fs::write(to, text).map_err(|error| format!("{}: {error}", to.display()))
}

fn main() -> ExitCode {
    match run() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The Rust files of a room: the file, or all in the folder.
fn files(root: &Path, room: &str) -> Result<Vec<PathBuf>, String> {
    let path = root.join(room);
    if path.is_file() {
        return Ok(vec![PathBuf::from(room)]);
    }
    let mut found = Vec::new();
    let entries = std::fs::read_dir(&path).map_err(|error| format!("{room}: {error}"))?;
    for entry in entries {
        let name = entry.map_err(|error| error.to_string())?.file_name();
        let below = format!("{room}/{}", name.to_string_lossy());
        if root.join(&below).is_dir() || below.ends_with(".rs") {
            found.extend(files(root, &below)?);
        }
    }
    found.sort();
    Ok(found)
}
