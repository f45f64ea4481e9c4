//! What a warm `ask` over a socket costs: so many calls of so many threads or tasks, and nothing else, to be counted from
//! outside as `docs/guarantees.md` says. `ratio` counts by itself (valgrind must be there) and compares one beside a shared store with
//! one without.

use std::sync::Arc;

use lumoauth::{Agent, MemoryStore, asynchronous};

const ACTION: &str = "read_document";

fn blocking(calls: usize, threads: usize, shared: bool) {
    let agent = if shared {
        Agent::builder().environment().shared_tokens(MemoryStore::new()).build().unwrap()
    } else {
        Agent::from_env().unwrap()
    };
    drop(agent.ask(ACTION).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..calls).for_each(|_| drop(agent.ask(ACTION).unwrap())));
        }
    });
}

async fn asynchronous(calls: usize, tasks: usize) {
    let agent = Arc::new(asynchronous::Agent::from_env().unwrap());
    drop(agent.ask(ACTION).await.unwrap());
    let ask = |agent: Arc<asynchronous::Agent>| async move {
        for _ in 0..calls {
            drop(agent.ask(ACTION).await.unwrap());
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(ask(Arc::clone(&agent)))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// The least of the cost beside a shared store that one without may have.
const LEAST: f64 = 0.98;

/// The instructions of this program with so many calls.
fn counted(mode: &str, calls: u64) -> u64 {
    let mut valgrind = std::process::Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap());
    let said = valgrind.args([mode, &calls.to_string(), "1"]).output().expect("valgrind is needed").stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let count = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("nothing was counted: {said}"))
}

/// What one call costs in either way, and whether that is within the limit.
fn ratio() -> bool {
    let (most, few) = (60, 10);
    let [alone, shared] =
        ["blocking", "shared"].map(|mode| (counted(mode, most) - counted(mode, few)) as f64 / 50.0);
    let ratio = alone / shared;
    println!(
        "a warm ask: {alone:.0} instructions, {shared:.0} beside a shared store: {ratio:.4}, {LEAST} is the limit"
    );
    ratio >= LEAST
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    match (arguments.first().map(String::as_str), number(1), number(2)) {
        (Some("blocking"), Some(calls), Some(threads)) => blocking(calls, threads, false),
        (Some("shared"), Some(calls), Some(threads)) => blocking(calls, threads, true),
        (Some("async"), Some(calls), Some(tasks)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(asynchronous(calls, tasks));
        }
        (Some("ratio"), ..) => std::process::exit(i32::from(!ratio())),
        _ => {
            println!(
                "warm: ratio, or blocking|shared|async CALLS THREADS, in the environment that `lumoauth emulator` prints"
            )
        }
    }
}
