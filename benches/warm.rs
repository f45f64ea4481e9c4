//! What a warm `ask` over a socket costs: so many calls of so many threads or tasks, and nothing else, to be counted from
//! outside as `docs/guarantees.md` says.

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
        _ => {
            println!(
                "warm: blocking|shared|async CALLS THREADS, in the environment that `lumoauth emulator` prints"
            )
        }
    }
}
