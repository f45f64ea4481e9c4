//! The same from the async client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::Error;
use lumoauth::asynchronous::Agent;
use lumoauth::emulator::Emulator;
use lumoauth::error::WorkloadError;

use super::support::*;

fn builder(emulator: &Emulator) -> lumoauth::asynchronous::AgentBuilder {
    Agent::builder().base_url(emulator.site().base_url()).tenant("acme")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[test]
fn a_file_is_read_anew_for_each_exchange() {
    let (emulator, file) = (emulator(), TokenFile::new("async"));
    let agent =
        builder(&emulator).workload_token_file("kubernetes", &file.0).build_with(emulator.transport());
    let agent = agent.unwrap();
    runtime().block_on(async {
        let error = agent.info().await.unwrap_err();
        assert!(matches!(error, Error::Workload(WorkloadError::Unreadable(_))), "{error:?}");
        assert_eq!(emulator.count_all(), 0);
        emulator.advance(Duration::from_secs(60));
        for round in 1..=3 {
            file.rotate(&emulator);
            assert_eq!(agent.info().await.unwrap().id, POD);
            assert_eq!(emulator.count("oauth.token").unwrap(), round);
            emulator.advance(Duration::from_secs(3600));
        }
    });
}

#[test]
fn sixty_four_tasks_ask_the_closure_once() {
    let emulator = emulator();
    let reads = Arc::new(AtomicUsize::new(0));
    let (own, counted) = (emulator.clone(), Arc::clone(&reads));
    let source = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let token = own.workload_token(POD).unwrap();
        async move {
            tokio::task::yield_now().await;
            Ok(token)
        }
    };
    let agent =
        builder(&emulator).workload_token("kubernetes", source).build_with(emulator.transport()).unwrap();
    runtime().block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let agent = agent.clone();
                tokio::spawn(async move { agent.access_token().await.unwrap().secret().clone() })
            })
            .collect();
        let mut tokens = Vec::new();
        for task in tasks {
            tokens.push(task.await.unwrap());
        }
        assert!(tokens.iter().all(|token| token == &tokens[0]));
    });
    assert_eq!((reads.load(Ordering::SeqCst), emulator.count("oauth.token").unwrap()), (1, 1));
}

#[test]
fn a_call_that_is_dropped_while_it_waits_for_the_token_hands_over() {
    let emulator = emulator();
    let calls = Arc::new(AtomicUsize::new(0));
    let (own, counted) = (emulator.clone(), Arc::clone(&calls));
    let source = move || {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let token = own.workload_token(POD).unwrap();
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            Ok(token)
        }
    };
    let agent =
        builder(&emulator).workload_token("kubernetes", source).build_with(emulator.transport()).unwrap();
    runtime().block_on(async {
        let (own, started) = (agent.clone(), Arc::clone(&calls));
        let stuck = tokio::spawn(async move { own.access_token().await.map(drop) });
        while started.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        stuck.abort();
        assert!(stuck.await.unwrap_err().is_cancelled());
        agent.access_token().await.unwrap();
    });
    assert_eq!((calls.load(Ordering::SeqCst), emulator.count("oauth.token").unwrap()), (2, 1));
}
