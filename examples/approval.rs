//! An agent asks a person before it acts, and runs exactly what the person approved, once.
//!
//! Everything runs on this machine: a local LumoAuth plays the service and the person's device.
//!
//! ```sh
//! cargo run --example approval --features emulator
//! ```

use lumoauth::approvals::{Approval, ApprovalOutcome, CreatedApproval, Impact};
use lumoauth::store::FileStore;
use lumoauth::{Emulator, ToolCall};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::demo()?;
    let folder = std::env::temp_dir().join(format!("lumoauth-example-approval-{}", std::process::id()));

    // 1. The call as the model asks for it. What programs do not agree on is refused here, before anybody is asked.
    let call = ToolCall::from_json("send_payment", r#"{"to": "bob", "amount": 100}"#)?;

    // 2. The person is shown what will run. The store decides who runs it, should several processes come.
    let approvals = emulator.agent()?.approvals().store(FileStore::open(&folder)?);
    let approval = Approval::of(call.clone()).on_behalf_of("alice").impact(Impact::High);
    let pending = match approvals.create(approval)? {
        CreatedApproval::Pending(pending) => pending,
        CreatedApproval::NotDelivered(nobody) => {
            return Err(format!("nobody was asked: {}", nobody.reason()).into());
        }
    };

    // 3. The process may end here: this text is all that another one needs to go on.
    let text = pending.to_text();

    for question in emulator.asked_people() {
        println!("{} reads: {}", question.person, question.reason);
        emulator.person_approves(&question.token)?;
    }

    // 4. Another process waits, and runs what was approved.
    let other = emulator.agent()?.approvals().store(FileStore::open(&folder)?).owner("worker 2");
    let pending = other.resume(text)?;
    match other.wait(&pending)? {
        ApprovalOutcome::Approved(proof) => {
            let changed = ToolCall::from_json("send_payment", r#"{"to": "eve", "amount": 100}"#)?;
            if let Err(error) = other.run(&proof, &changed, |_| println!("this never runs")) {
                println!("another call: {error}");
            }
            let paid = other.run(&proof, &call, |arguments| format!("paid {}", arguments["amount"]))?;
            println!("{paid}");
            if let Err(error) = other.run(&proof, &call, |_| println!("this never runs")) {
                println!("again: {error}");
            }
        }
        outcome => println!("nothing runs: {outcome:?}"),
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
