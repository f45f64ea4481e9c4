//! Tasks that are dropped without an end, in blocking code.

use std::time::Duration;

use super::run::Driver;
use crate::mount::blocking::on_a_runtime;
use crate::session::LeftTask;

/// The longest that a drop takes.
const LONGEST: Duration = Duration::from_secs(2);

/// One attempt, unless the thread is panicking or belongs to a runtime, which must not be held up. What is not ended is left.
pub(super) fn end_dropped(driver: &Driver, task: LeftTask) {
    if std::thread::panicking() || on_a_runtime() {
        return driver.session.leave_task(task);
    }
    let Err(error) = driver.turn_alone(driver.session.end_once(&task, LONGEST)) else { return };
    log::debug!("jit.task.complete: {error}");
    driver.session.leave_task(task.failed());
}
