//! The approvals in a store that can be waited for.

use super::super::change::{Change, Edit, Keys};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Step};
use super::record::Kept;
use crate::error::Error;
use crate::operations::PendingApproval;
use crate::store::StoreKey;
use crate::time::{Deadline, Now};

pub(super) struct List {
    keys: Keys,
    left: Option<Vec<StoreKey>>,
    found: Vec<PendingApproval>,
    reading: Option<Box<Change<Option<PendingApproval>>>>,
}

impl List {
    pub(super) fn new() -> Self {
        List { keys: Keys::new(Kept::prefix()), left: None, found: Vec::new(), reading: None }
    }
}

impl Part for List {
    type Output = Vec<PendingApproval>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Vec<PendingApproval>>, Failed> {
        loop {
            let Some(left) = &mut self.left else {
                self.left = Some(ready!(self.keys.step(now, arrived.take(), time)?));
                continue;
            };
            if let Some(reading) = &mut self.reading {
                let read = match reading.step(now, arrived.take(), time) {
                    Ok(step) => ready!(step),
                    // One that is damaged hides no others.
                    Err(Failed { error: Error::Store(error), .. }) if error.is_corrupt() => {
                        log::warn!("an approval in the store is left out: {error}");
                        None
                    }
                    Err(failed) => return Err(failed),
                };
                self.found.extend(read);
                self.reading = None;
            }
            let Some(key) = left.pop() else {
                self.found.sort_by_key(PendingApproval::ends);
                return Ok(Step::Done(std::mem::take(&mut self.found)));
            };
            self.reading = Some(Box::new(Change::new(key, |record, now| {
                let pending = Kept::read(record)?.and_then(|kept| kept.pending());
                Ok(Edit::Leave(pending.filter(|pending| !pending.is_over(now))))
            })));
        }
    }
}
