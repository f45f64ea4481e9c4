//! Which tests reach a change, and whether one of them turns red when it is made.

use crate::project::{Binary, Built};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Noticed,
    NeverEnded,
    Survived,
    NotReached,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Noticed => "noticed",
            Verdict::NeverEnded => "never ended",
            Verdict::Survived => "survived",
            Verdict::NotReached => "not reached",
        })
    }
}

/// What of one binary reaches a change.
#[derive(Default)]
pub struct Reach {
    /// The tests that do so.
    tests: BTreeSet<String>,
    /// Whether it is reached where no test runs that is known.
    elsewhere: bool,
}

/// For every change, by the index of a binary.
pub type Changes = BTreeMap<u32, BTreeMap<usize, Reach>>;

/// What was seen with no change made.
#[derive(Default)]
pub struct Reached {
    pub changes: Changes,
    /// How many seconds each test of a binary took, and all of them together.
    times: Vec<BTreeMap<String, f64>>,
    whole: Vec<f64>,
}

impl Reached {
    fn time(&self, index: usize, test: &str) -> f64 {
        self.times.get(index).and_then(|times| times.get(test)).copied().unwrap_or(60.0)
    }

    fn whole(&self, index: usize) -> f64 {
        self.whole.get(index).copied().unwrap_or(60.0)
    }

    fn times(&self, index: usize, tests: &BTreeSet<String>) -> f64 {
        if tests.is_empty() {
            return 10_000.0 + self.whole(index);
        }
        tests.iter().map(|test| self.time(index, test)).sum()
    }
}

/// How many tests are tried first.
const FIRST: usize = 6;

/// Tests that take this many times as long with a change made as without never end, and the least they are given.
const PATIENCE: f64 = 8.0;
const LEAST: f64 = 30.0;

pub fn reach(copy: &Path, built: &Built) -> Result<Reached, String> {
    let mut reached = Reached::default();
    for (index, binary) in built.binaries.iter().enumerate() {
        let (trace, report) =
            (copy.join(format!("../trace-{index}")), copy.join(format!("../report-{index}")));
        let _ = std::fs::remove_file(&trace);
        let file = std::fs::File::create(&report).map_err(|error| error.to_string())?;
        let began = Instant::now();
        let child = command(copy, binary, &[])
            .args(["-Zunstable-options", "--format=json", "--report-time", "--test-threads=1"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LUMOAUTH_MUTANT_TRACE", &trace)
            .stdout(file)
            .spawn()
            .map_err(|error| error.to_string())?;
        let well = ended_well(child, Duration::from_secs(1800)).unwrap_or(false);
        reached.whole.push(began.elapsed().as_secs_f64());
        let lines = std::fs::read_to_string(&report).unwrap_or_default();
        reached.times.push(times(&lines));
        if !well {
            println!(
                "{}: left out, since its tests fail with no change made:{}",
                binary.name,
                failed(&lines)
            );
            continue;
        }
        for line in std::fs::read_to_string(&trace).unwrap_or_default().lines() {
            let Some((number, thread)) = line.split_once('\t') else { continue };
            let Ok(number) = number.parse() else { continue };
            let reach = reached.changes.entry(number).or_default().entry(index).or_default();
            if thread != "?" && thread != "main" && (thread.contains("::") || thread.contains('_')) {
                reach.tests.insert(thread.to_owned());
            } else {
                reach.elsewhere = true;
            }
        }
    }
    Ok(reached)
}

fn times(report: &str) -> BTreeMap<String, f64> {
    let lines = report.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| Some((line["name"].as_str()?.to_owned(), line["exec_time"].as_f64()?))).collect()
}

fn failed(report: &str) -> String {
    let lines = report.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter(|line| line["event"] == "failed" && line["type"] == "test")
        .map(|line| format!(" {}", line["name"].as_str().unwrap_or_default()))
        .collect()
}

pub fn trial(copy: &Path, built: &Built, reached: &Reached, number: u32) -> Verdict {
    let Some(binaries) = reached.changes.get(&number) else { return Verdict::NotReached };
    // What is done soonest comes first; what other threads reached belongs to no test by its name, and comes last as a whole.
    let mut order: Vec<_> = binaries.iter().collect();
    let times = |(index, reach): &(&usize, &Reach)| reached.times(**index, &reach.tests);
    order.sort_by(|one, other| times(one).total_cmp(&times(other)));
    let (mut later, mut wholes) = (Vec::new(), Vec::new());
    for (index, reach) in order {
        let mut names: Vec<&str> = reach.tests.iter().map(String::as_str).collect();
        names.sort_by(|one, other| reached.time(*index, one).total_cmp(&reached.time(*index, other)));
        let (first, rest) = names.split_at(names.len().min(FIRST));
        if !rest.is_empty() {
            later.push((*index, rest.to_vec()));
        }
        if reach.elsewhere && reach.tests.is_empty() {
            wholes.push((*index, Vec::new()));
        }
        if !first.is_empty() {
            match with_change(copy, built, reached, *index, first, number) {
                Some(true) => {}
                Some(false) => return Verdict::Noticed,
                None => return Verdict::NeverEnded,
            }
        }
    }
    wholes.sort_by(|one, other| reached.whole(one.0).total_cmp(&reached.whole(other.0)));
    for (index, tests) in later.into_iter().chain(wholes) {
        match with_change(copy, built, reached, index, &tests, number) {
            Some(true) => {}
            Some(false) => return Verdict::Noticed,
            None => return Verdict::NeverEnded,
        }
    }
    Verdict::Survived
}

fn with_change(
    copy: &Path,
    built: &Built,
    reached: &Reached,
    index: usize,
    tests: &[&str],
    number: u32,
) -> Option<bool> {
    let binary = built.binaries.get(index)?;
    let child = command(copy, binary, tests).env("LUMOAUTH_MUTANT", number.to_string()).spawn().ok()?;
    let usual: f64 = if tests.is_empty() {
        reached.whole(index)
    } else {
        tests.iter().map(|test| reached.time(index, test)).sum()
    };
    ended_well(child, Duration::from_secs_f64(usual * PATIENCE + LEAST))
}

fn command(copy: &Path, binary: &Binary, tests: &[&str]) -> Command {
    let mut command = Command::new(&binary.path);
    if !tests.is_empty() {
        command.arg("--exact").args(tests);
    }
    // Tests of how much work a text costs take long, and are about nothing that is changed here.
    command
        .args(["--skip", "linear::"])
        .current_dir(copy)
        .env("RUST_TEST_THREADS", "4")
        .env("CARGO_MANIFEST_DIR", copy);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Whether it ended well; nothing if it did not end in time.
fn ended_well(mut child: Child, patience: Duration) -> Option<bool> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Err(_) => return Some(false),
            Ok(None) if began.elapsed() > patience => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            Ok(None) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
        }
    }
}
