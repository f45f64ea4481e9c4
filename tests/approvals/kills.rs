//! Processes that die around an approved call: it runs once at most, and whoever comes next is told.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use lumoauth::approvals::{ApprovalError, CreatedApproval};
use lumoauth::emulator::{Delivery, Emulator};
use lumoauth::store::{FileStore, Store};
use lumoauth::{Agent, Error};
use serde_json::{Value, json};

use super::stores::stub;
use super::support::{approval, call};

/// What a process of this test is to do.
const PLAN: &str = "LUMOAUTH_TEST_APPROVED_CALL";

/// Every step of the process, counted; it dies at the one that the plan says.
struct Steps {
    at: AtomicU64,
    dies_at: u64,
}

impl Steps {
    fn step(&self, name: &str) {
        let at = self.at.fetch_add(1, Ordering::SeqCst) + 1;
        // Whoever is to kill it from outside reads this.
        println!("step {at} {name}");
        std::io::stdout().flush().unwrap();
        if at == self.dies_at {
            std::process::abort();
        }
    }
}

/// A store of files, before and after each of whose answers the process may die.
fn mortal(inner: FileStore, steps: &'static Steps) -> impl Store {
    stub(move |asked| {
        steps.step(&format!("before {}", asked.name()));
        let answer = asked.on(&inner);
        steps.step(&format!("after {}", asked.name()));
        answer
    })
}

/// One line at the end of a file, which outlives the process.
fn note(path: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Not a test by itself: a process that goes on from the text, waits, and runs the call. Without a plan it does nothing.
#[test]
#[allow(clippy::disallowed_methods)] // the plan comes by the environment
fn a_process() {
    let Ok(plan) = std::env::var(PLAN) else { return };
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let text = |name: &str| plan[name].as_str().unwrap().to_owned();
    let folder = PathBuf::from(text("folder"));
    let steps: &'static Steps =
        Box::leak(Box::new(Steps { at: AtomicU64::new(0), dies_at: plan["dies_at"].as_u64().unwrap() }));
    let store = mortal(FileStore::open(folder.join("store")).unwrap(), steps);
    let agent = Agent::builder().base_url(text("url")).tenant("acme-corp");
    let agent = agent.client_id(text("client_id")).client_secret(text("secret")).build().unwrap();
    let approvals = agent.approvals().store(store).owner(text("name"));
    let pending = approvals.resume(text("text")).unwrap();
    let ran = approvals.wait(&pending).and_then(|outcome| outcome.require()).and_then(|proof| {
        approvals.run(&proof, &call(), |_| {
            steps.step("the call begins");
            note(&folder.join("ran"), &text("name"));
            steps.step("the call has acted");
            note(&folder.join("returned"), &text("name"));
        })
    });
    steps.step("told");
    let told = match ran {
        Ok(()) => json!("ran"),
        Err(Error::Approval(ApprovalError::AlreadyRan { owner, .. })) => json!({"already": owner}),
        Err(Error::Approval(ApprovalError::OutcomeUnknown { owner, claimed_at })) => {
            json!({"unknown": owner, "at": claimed_at.unix_millis()})
        }
        Err(error) => json!({"error": error.to_string()}),
    };
    println!("told {told}");
    std::io::stdout().flush().unwrap();
}

struct Stage {
    emulator: Emulator,
    url: String,
}

/// A process, and the number of the line at which it is killed from outside.
struct Process {
    child: Child,
    killed_at: u64,
}

impl Stage {
    #[allow(clippy::disallowed_methods)] // this very program, as another process
    fn start(&self, folder: &Path, text: &str, name: &str, dies_at: u64, killed_at: u64) -> Process {
        let plan = json!({
            "folder": folder, "url": self.url, "client_id": self.emulator.client_id(),
            "secret": self.emulator.secret().expose(), "text": text, "name": name, "dies_at": dies_at,
        });
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::a_process", "--nocapture", "--test-threads=1"])
            .env(PLAN, plan.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Process { child, killed_at }
    }
}

impl Process {
    /// What it told at its end; nothing if it died.
    fn end(mut self) -> Option<Value> {
        let mut told = None;
        for line in BufReader::new(self.child.stdout.take().unwrap()).lines() {
            let line = line.unwrap_or_default();
            // The harness writes the test's name in front of the first line.
            if let Some((_, text)) = line.split_once("told {").map(|(_, rest)| ((), format!("{{{rest}"))) {
                told = serde_json::from_str(&text).ok();
            } else if line.contains("told \"ran\"") {
                told = Some(json!("ran"));
            }
            let step =
                line.split("step ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
            if self.killed_at > 0 && step == Some(self.killed_at) {
                let _ = self.child.kill();
            }
        }
        let status = self.child.wait().unwrap();
        told.filter(|_| status.success())
    }
}

#[test]
#[allow(clippy::disallowed_methods)]
fn a1_processes_that_die_around_an_approved_call() {
    let rounds = super::rounds::of(1000) as u64;
    let emulator = Emulator::demo().unwrap();
    emulator.decide_approvals(Delivery::Approved);
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let stage = Stage { url: served.url().to_owned(), emulator: emulator.clone() };
    let root = std::env::temp_dir().join(format!("lumoauth-kills-{}", std::process::id()));
    let (mut died, mut once, mut unknown, mut never, mut raced) = (0, 0, 0, 0, 0);
    for round in 0..rounds {
        let folder = root.join(round.to_string());
        fs::create_dir_all(&folder).unwrap();
        let asker = Agent::builder().base_url(&stage.url).tenant("acme-corp");
        let asker =
            asker.client_id(emulator.client_id()).client_secret(emulator.secret().clone()).build().unwrap();
        let asker = asker.approvals().store(FileStore::open(folder.join("store")).unwrap());
        let CreatedApproval::Pending(pending) = asker.create(approval()).unwrap() else { panic!("asked") };
        let text = pending.to_text();
        // Two processes at once. One of them dies by itself at a step, is killed from outside near it, or both have such an end.
        let step = 1 + round % 17;
        let first = match round / 17 % 3 {
            0 => stage.start(&folder, text.expose(), "first", step, 0),
            1 => stage.start(&folder, text.expose(), "first", 0, step),
            _ => stage.start(&folder, text.expose(), "first", step, step.saturating_sub(1)),
        };
        let second_dies = if round % 3 == 0 { 1 + (round / 3) % 17 } else { 0 };
        let second = stage.start(&folder, text.expose(), "second", second_dies, 0);
        let ends = [("first", first.end()), ("second", second.end())];
        let dead: Vec<&str> = ends.iter().filter(|(_, told)| told.is_none()).map(|(name, _)| *name).collect();
        died += dead.len();
        // Whoever comes next, and lives.
        let third = stage.start(&folder, text.expose(), "third", 0, 0).end().expect("the third one lives");
        let (ran, returned) = (lines(&folder.join("ran")), lines(&folder.join("returned")));
        let context = format!("round {round}: {ends:?}, then {third}; ran {ran:?}, returned {returned:?}");
        assert!(ran.len() <= 1, "{context}");
        for told in ends.iter().filter_map(|(_, told)| told.as_ref()).chain([&third]) {
            assert!(told.get("error").is_none(), "{context}");
            if let Some(owner) = told.get("already") {
                assert_eq!(ran, [owner.as_str().unwrap()], "{context}");
            }
        }
        if let Some(owner) = third.get("unknown").and_then(Value::as_str) {
            // Only where a process died after its claim.
            assert!(dead.contains(&owner), "{context}");
            let claimed = third["at"].as_u64().unwrap();
            assert!(claimed > 1_700_000_000_000 && claimed <= emulator.now().unix_millis(), "{context}");
            unknown += 1;
            never += usize::from(ran.is_empty());
        } else {
            // No process died between its claim and the return: it ran, exactly once.
            assert_eq!((ran.len(), returned.len()), (1, 1), "{context}");
            once += 1;
        }
        if !returned.is_empty() {
            assert_eq!(ran.len(), 1, "{context}");
        }
        raced += usize::from(dead.is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
    let _ = fs::remove_dir_all(&root);
    println!(
        "A1: {rounds} rounds of two processes, {died} of them died: ran exactly once in {once}, outcome unknown in {unknown} (in {never} of \
         them it had not acted), {raced} rounds without a death"
    );
    assert!(unknown > 0 && once > 0 && died as u64 >= rounds / 2);
}
