//! Who has signed in with which browser, for as long as the browser keeps its cookie.

use super::kept::Kept;
use super::tokens::digest;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Somebody who signed in with one browser.
#[derive(Clone)]
pub(crate) struct Browser {
    pub tenant: usize,
    pub user: String,
    /// When the person signed in, for `auth_time`.
    pub auth_time: Timestamp,
    pub expires_at: Timestamp,
    /// What the page that ends it must send back.
    pub csrf: Secret,
}

/// Every browser with which somebody is signed in.
#[derive(Default)]
pub(crate) struct Browsers {
    records: Kept<[u8; 32], Browser>,
}

impl Browsers {
    pub(crate) fn sign_in(&mut self, id: &Secret, browser: Browser, now: Timestamp) {
        self.records.insert(digest(id.expose()), browser, |own| own.expires_at > now);
    }

    pub(crate) fn find(&self, id: &str, tenant: usize, now: Timestamp) -> Option<&Browser> {
        self.records.get(&digest(id)).filter(|own| own.tenant == tenant && now < own.expires_at)
    }

    pub(crate) fn sign_out(&mut self, id: &str) {
        self.records.remove(&digest(id));
    }
}
