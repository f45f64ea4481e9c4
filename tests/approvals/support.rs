//! What the tests of approvals share.

use lumoauth::approvals::{Approval, CreatedApproval, PendingApproval};
use lumoauth::emulator::{AskedPerson, Emulator};
use lumoauth::{Agent, Approvals, ToolCall};
use serde_json::{Value, json};

pub fn emulator() -> (Emulator, Agent) {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    (emulator, agent)
}

pub fn payment() -> Value {
    json!({"to": "bob", "amount": 100})
}

pub fn call() -> ToolCall {
    ToolCall::new("send_payment", &payment()).unwrap()
}

pub fn approval() -> Approval {
    Approval::of(call()).on_behalf_of("alice")
}

/// Asks, and must be asked.
pub fn ask(approvals: &Approvals) -> PendingApproval {
    match approvals.create(approval()).unwrap() {
        CreatedApproval::Pending(pending) => pending,
        other => panic!("{other:?}"),
    }
}

/// The one question that waits.
pub fn asked(emulator: &Emulator) -> AskedPerson {
    let mut people = emulator.asked_people();
    assert_eq!(people.len(), 1);
    people.remove(0)
}

pub fn approve(emulator: &Emulator) {
    emulator.person_approves(&asked(emulator).token).unwrap();
}

#[cfg(feature = "async")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
