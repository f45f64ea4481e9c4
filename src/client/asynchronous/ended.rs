//! Tasks that are dropped without an end, in async code, where a drop cannot wait.

use super::run::Driver;
use crate::session::LeftTask;

pub(super) fn end_dropped(driver: &Driver, task: LeftTask) {
    driver.session.leave_task(task);
}
