//! Tasks that are dropped without an end.

use std::time::Duration;

use lumoauth::Agent;
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::jit::{BeginTask, Task};

fn begin(agent: &Agent) -> Task {
    agent.jit().begin(BeginTask::new("clean up")).unwrap()
}

fn ended(emulator: &Emulator) -> u64 {
    emulator.count("jit.task.complete").unwrap()
}

#[test]
fn a_blocking_drop_makes_one_attempt_within_two_seconds() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    drop(begin(&agent));
    assert_eq!(ended(&emulator), 1);
    let task = begin(&agent);
    emulator.fault(FaultRule::on("jit.task.complete").delay(Duration::from_secs(600))).unwrap();
    let began = emulator.now();
    drop(task);
    assert_eq!(emulator.now().saturating_since(began), Duration::from_secs(2));
    assert_eq!(ended(&emulator), 2, "once");
    emulator.clear_faults();
    assert!(agent.is_allowed("read_document").unwrap());
    assert_eq!(ended(&emulator), 3, "the next call ended it");
}

#[test]
fn a_drop_does_nothing_while_the_thread_is_panicking() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    let task = begin(&agent);
    let thread = std::thread::spawn(move || {
        let _task = task;
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert_eq!(ended(&emulator), 0);
    assert!(agent.is_allowed("read_document").unwrap());
    assert_eq!(ended(&emulator), 1);
}

#[test]
fn a_drop_does_not_hold_up_a_runtime() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    let (task, named) = (begin(&agent), begin(&agent));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move { drop(task) });
    assert_eq!(ended(&emulator), 0);
    let thread = std::thread::Builder::new().name("tokio-rt-worker".to_owned());
    thread.spawn(move || drop(named)).unwrap().join().unwrap();
    assert_eq!(ended(&emulator), 0);
    agent.info().unwrap();
    assert_eq!(ended(&emulator), 1, "at most one before a call");
    agent.info().unwrap();
    assert_eq!(ended(&emulator), 2);
}

#[test]
fn an_async_drop_leaves_the_task_with_the_agent() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.async_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (task, unfinished) =
            (agent.jit().begin("clean up").await.unwrap(), agent.jit().begin("clean up").await.unwrap());
        drop(task);
        drop(unfinished.finish()); // Never polled.
        assert_eq!(ended(&emulator), 0);
        assert!(agent.is_allowed("read_document").await.unwrap());
        assert_eq!(ended(&emulator), 1);
        let ends = agent.jit().finish_tasks().await;
        assert!(ends.len() == 1 && ends[0].1.is_ok());
    });
    assert_eq!(ended(&emulator), 2);
}

#[test]
fn its_failure_never_fails_a_call_and_after_three_it_is_handed_over() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.async_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        drop(agent.jit().begin("clean up").await.unwrap());
        emulator.fault(FaultRule::on("jit.task.complete").status(500).always()).unwrap();
        for tried in [1, 2, 3, 3, 3] {
            assert!(agent.ask("read_document").await.unwrap().allowed());
            assert_eq!(ended(&emulator), tried);
        }
        let ends = agent.jit().finish_tasks().await;
        assert!(ends.len() == 1 && ends[0].1.is_err(), "it is said what came of it");
        emulator.clear_faults();
        let ends = agent.jit().finish_tasks().await;
        assert!(ends.len() == 1 && ends[0].1.is_ok(), "what fails for a while is there again");
        assert!(agent.jit().finish_tasks().await.is_empty());
    });
}

#[test]
fn it_takes_no_more_than_two_seconds_of_a_calls_own_time() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    let left = |agent: &Agent| {
        let task = begin(agent);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move { drop(task) });
    };
    left(&agent);
    emulator.fault(FaultRule::on("jit.task.complete").delay(Duration::from_secs(600)).always()).unwrap();
    let began = emulator.now();
    assert!(agent.is_allowed("read_document").unwrap());
    assert_eq!(emulator.now().saturating_since(began), Duration::from_secs(2));
    // A call of 3 s ends in 3 s, whatever is done ahead of it.
    emulator.fault(FaultRule::on("agents.ask").delay(Duration::from_secs(600)).always()).unwrap();
    let began = emulator.now();
    assert!(agent.with_timeout(Duration::from_secs(3)).ask("read_document").unwrap_err().is_timeout());
    let took = emulator.now().saturating_since(began);
    assert!(took <= Duration::from_millis(3100), "{took:?}");
}

#[test]
fn of_more_than_64_the_oldest_goes() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.async_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..70 {
            tasks.push(agent.jit().begin("clean up").await.unwrap());
        }
        let ids: Vec<String> = tasks.iter().map(|task| task.id().to_owned()).collect();
        tasks.into_iter().for_each(drop);
        let ends = agent.jit().finish_tasks().await;
        let ended: Vec<String> = ends.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ended, ids[6..]);
    });
}
