//! Approvals by people: what becomes of a question, and the forms that answers may have.

use std::time::Duration;

/// What becomes of the questions that agents have for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The person is asked, and a test decides.
    #[default]
    Asked,
    /// The person is asked, and approves at once.
    Approved,
    /// The person is asked, and denies at once.
    Denied,
    /// The person has no device: a mail is sent in its place (202).
    Mailed,
    /// The person has no device, and the mail fails (428).
    Nobody,
}

/// Which of the documented forms the answers about approvals have (`docs/wire.md`, rows Y). What is not set is as the newest documents have
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it is given to the builder"]
pub struct ApprovalForms {
    pub(crate) older: bool,
    pub(crate) reason: bool,
    pub(crate) delivery: Delivery,
    pub(crate) patience: Duration,
}

impl Default for ApprovalForms {
    fn default() -> Self {
        ApprovalForms {
            older: false,
            reason: true,
            delivery: Delivery::Asked,
            patience: Duration::from_secs(120),
        }
    }
}

impl ApprovalForms {
    /// As the newest documents have it.
    pub fn new() -> Self {
        ApprovalForms::default()
    }

    /// Older forms: 200 for what was made, points in time as seconds since 1970, the address of who approved beside the id.
    pub fn older(mut self) -> Self {
        self.older = true;
        self
    }

    /// What becomes of the questions, until a test says otherwise; [`Delivery::Asked`] if not set.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The status does not repeat the reason.
    pub fn without_reason(mut self) -> Self {
        self.reason = false;
        self
    }

    /// How long a person has to decide, 120 s if not set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}
