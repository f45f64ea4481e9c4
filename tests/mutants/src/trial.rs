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

/// For every change, by the index of a binary: the tests that reach it on their own thread, and whether another thread does.
pub type Reached = BTreeMap<u32, BTreeMap<usize, BTreeSet<String>>>;

/// How many tests are tried first.
const FIRST: usize = 6;

/// A test that takes longer than this with a change made never ends.
const PATIENCE: Duration = Duration::from_secs(240);

pub fn reach(copy: &Path, built: &Built) -> Result<Reached, String> {
    let mut reached = Reached::new();
    for (index, binary) in built.binaries.iter().enumerate() {
        let trace = copy.join(format!("../trace-{index}"));
        let _ = std::fs::remove_file(&trace);
        let child = command(copy, binary, &[])
            .env("LUMOAUTH_MUTANT_TRACE", &trace)
            .spawn()
            .map_err(|error| error.to_string())?;
        if !ended_well(child, Duration::from_secs(1800)).unwrap_or(false) {
            println!("{}: left out, since its tests fail with no change made", binary.name);
            continue;
        }
        for line in std::fs::read_to_string(&trace).unwrap_or_default().lines() {
            let Some((number, thread)) = line.split_once('\t') else { continue };
            let Ok(number) = number.parse() else { continue };
            let tests = reached.entry(number).or_default().entry(index).or_default();
            if thread != "?" && thread != "main" && (thread.contains("::") || thread.contains('_')) {
                tests.insert(thread.to_owned());
            }
        }
    }
    Ok(reached)
}

pub fn trial(copy: &Path, built: &Built, reached: &Reached, number: u32) -> Verdict {
    let Some(binaries) = reached.get(&number) else { return Verdict::NotReached };
    // The smallest sets first: tests that reach little are about what they reach.
    let mut order: Vec<_> = binaries.iter().collect();
    order.sort_by_key(|(_, tests)| if tests.is_empty() { usize::MAX } else { tests.len() });
    for (index, tests) in &order {
        let Some(binary) = built.binaries.get(**index) else { continue };
        for some in
            [&tests.iter().take(FIRST).collect::<Vec<_>>(), &tests.iter().skip(FIRST).collect::<Vec<_>>()]
        {
            if !some.is_empty() {
                let names: Vec<&str> = some.iter().map(|name| name.as_str()).collect();
                match with_change(copy, binary, &names, number) {
                    Some(true) => {}
                    Some(false) => return Verdict::Noticed,
                    None => return Verdict::NeverEnded,
                }
            }
        }
    }
    // What other threads reached belongs to no test by its name.
    for (index, tests) in &order {
        if !tests.is_empty() {
            continue;
        }
        let Some(binary) = built.binaries.get(**index) else { continue };
        match with_change(copy, binary, &[], number) {
            Some(true) => {}
            Some(false) => return Verdict::Noticed,
            None => return Verdict::NeverEnded,
        }
    }
    Verdict::Survived
}

fn with_change(copy: &Path, binary: &Binary, tests: &[&str], number: u32) -> Option<bool> {
    let child = command(copy, binary, tests).env("LUMOAUTH_MUTANT", number.to_string()).spawn().ok()?;
    ended_well(child, PATIENCE)
}

fn command(copy: &Path, binary: &Binary, tests: &[&str]) -> Command {
    let mut command = Command::new(&binary.path);
    if !tests.is_empty() {
        command.arg("--exact").args(tests);
    }
    // Tests of how much work a text costs take long, and are about nothing that is changed here.
    command
        .args(["-q", "--skip", "linear::", "--test-threads", "4"])
        .current_dir(copy)
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
