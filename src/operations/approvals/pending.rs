//! An approval that was asked for: all that is needed to wait for it, here or in another process.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Impact;
use crate::error::{ApprovalError, InputError};
use crate::secret::Secret;
use crate::time::{Now, Timestamp, hex};
#[cfg(feature = "calls")]
use crate::tool_call::ToolCall;

/// How a text begins that an approval is resumed from.
const PREFIX: &str = "approval1.";
/// The longest such text.
const LONGEST: usize = 4096;
/// As many claims of one approval may be open at the same time.
const MOST_OPEN: usize = 64;

/// An approval that a person was asked for. [`PendingApproval::to_text`] is all that is needed to go on waiting later, in another process
/// too.
///
/// `Debug` shows the task, and nothing that it could be asked about with.
#[derive(Clone)]
pub struct PendingApproval(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    token: Secret,
    task_id: String,
    impact: Impact,
    reason_sha256: String,
    ends: Timestamp,
    bound: bool,
    /// The record in a store that decides who runs the call.
    kept: Option<String>,
    /// What decides it in the process that asked, where there is no record.
    own: Option<Arc<OwnRun>>,
    /// Claims of this process that a store may have, and that nobody uses.
    open: Arc<Mutex<Vec<String>>>,
    /// The service said so.
    denied: Arc<AtomicBool>,
    /// What was shown, where it is known.
    #[cfg(feature = "calls")]
    call: Option<ToolCall>,
}

/// What the text holds: nothing of the agent's own secrets.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    token: String,
    task: String,
    impact: String,
    reason: String,
    end: u64,
    call: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

#[cfg_attr(not(feature = "calls"), allow(dead_code))] // what runs calls
impl PendingApproval {
    pub(super) fn asked(
        token: Secret,
        task_id: String,
        impact: Impact,
        reason: &str,
        ends: Timestamp,
        bound: bool,
    ) -> Self {
        let reason_sha256 = sha256(reason);
        PendingApproval(Arc::new(Parts {
            token,
            task_id,
            impact,
            reason_sha256,
            ends,
            bound,
            kept: None,
            own: None,
            open: Arc::default(),
            denied: Arc::default(),
            #[cfg(feature = "calls")]
            call: None,
        }))
    }

    /// Reads the text of [`PendingApproval::to_text`]. What it says is compared with what the service says at the first question.
    ///
    /// # Errors
    /// [`InputError`] if it is no such text.
    pub fn from_text(text: &Secret) -> Result<Self, InputError> {
        let wrong = || InputError::new("text", "is not what an approval is resumed from");
        let text = text.expose().trim();
        if text.len() > LONGEST {
            return Err(wrong());
        }
        let encoded = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| wrong())?;
        let text: Text = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let impact = Impact::parse(&text.impact).ok_or_else(wrong)?;
        let digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.token.is_empty() || text.task.is_empty() || !digest(&text.reason) {
            return Err(wrong());
        }
        let pending = PendingApproval(Arc::new(Parts {
            token: Secret::new(text.token),
            task_id: text.task,
            impact,
            reason_sha256: text.reason,
            ends: Timestamp::from_unix_millis(text.end),
            bound: text.call,
            kept: text.kept,
            own: None,
            open: Arc::default(),
            denied: Arc::default(),
            #[cfg(feature = "calls")]
            call: None,
        }));
        if pending.0.bound && pending.call_sha256().is_none() {
            return Err(wrong());
        }
        Ok(pending)
    }

    /// The text to go on from, in any process that has the agent's credentials: the request's token, task, impact, end, and the hash of its
    /// reason. Whoever has it and is this agent can ask what was decided.
    pub fn to_text(&self) -> Secret {
        let text = Text {
            token: self.0.token.expose().to_owned(),
            task: self.0.task_id.clone(),
            impact: self.0.impact.as_str().to_owned(),
            reason: self.0.reason_sha256.clone(),
            end: self.0.ends.unix_millis(),
            call: self.0.bound,
            kept: self.0.kept.clone(),
        };
        let json = serde_json::to_vec(&text).unwrap_or_default();
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
    }

    /// The task that it was asked for, with the hash of a call at its end.
    pub fn task_id(&self) -> &str {
        &self.0.task_id
    }

    /// How much is at stake.
    pub fn impact(&self) -> Impact {
        self.0.impact
    }

    /// When it is over, by this machine's clock.
    pub fn ends(&self) -> Timestamp {
        self.0.ends
    }

    /// What the service knows it by. It goes to the service alone.
    pub fn token(&self) -> &Secret {
        &self.0.token
    }

    /// The hash of the call that it is bound to, if it is: the end of the task, which the service repeats.
    pub fn call_sha256(&self) -> Option<&str> {
        let (_, hash) = self.0.task_id.rsplit_once(':')?;
        let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (self.0.bound && hash.len() == 64 && hash.bytes().all(digits)).then_some(hash)
    }

    /// True if this is the reason that was shown.
    pub(super) fn has_reason(&self, reason: &str) -> bool {
        sha256(reason) == self.0.reason_sha256
    }

    /// The service said that it was denied.
    pub(super) fn was_denied(&self) {
        self.0.denied.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_denied(&self) -> bool {
        self.0.denied.load(Ordering::Relaxed)
    }

    #[cfg(feature = "calls")]
    pub(crate) fn call(&self) -> Option<&ToolCall> {
        self.0.call.as_ref()
    }

    /// This is what was shown.
    #[cfg(feature = "calls")]
    pub(crate) fn of_call(mut self, call: Option<ToolCall>) -> Self {
        Arc::make_mut(&mut self.0).call = call;
        self
    }

    pub(crate) fn kept(&self) -> Option<&str> {
        self.0.kept.as_deref()
    }

    pub(crate) fn own(&self) -> Option<&Arc<OwnRun>> {
        self.0.own.as_ref()
    }

    /// A claim that nobody uses, and nobody else gets.
    pub(crate) fn take_open(&self) -> Option<String> {
        self.open_claims().pop()
    }

    /// This very one, if nobody uses it. Nobody else gets it.
    pub(crate) fn take_open_as(&self, claim: &str) -> bool {
        let mut open = self.open_claims();
        let found = open.iter().position(|own| own == claim);
        found.map(|at| open.swap_remove(at)).is_some()
    }

    /// True if this claim is one that nobody uses.
    pub(crate) fn is_open(&self, claim: &str) -> bool {
        self.open_claims().iter().any(|own| own == claim)
    }

    /// This claim was not used, and may stand in the store: whoever comes next in this process uses it.
    pub(crate) fn leave_open(&self, claim: String) {
        let mut open = self.open_claims();
        if open.len() < MOST_OPEN {
            open.push(claim);
        }
    }

    fn open_claims(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decided by this record.
    pub(crate) fn kept_as(mut self, record: String) -> Self {
        Arc::make_mut(&mut self.0).kept = Some(record);
        self
    }

    /// Decided in this process, until its end by both clocks.
    pub(crate) fn owned_since(mut self, now: &Now) -> Self {
        let left = self.0.ends.saturating_since(now.wall);
        let own = OwnRun::until(now.monotonic.saturating_add(left));
        Arc::make_mut(&mut self.0).own = Some(Arc::new(own));
        self
    }

    /// True if it is over by either clock.
    pub(crate) fn is_over(&self, now: &Now) -> bool {
        now.wall >= self.0.ends || self.0.own.as_ref().is_some_and(|own| now.monotonic >= own.ends)
    }

    /// What is left of it.
    pub(crate) fn remaining(&self, now: &Now) -> Duration {
        let left = self.0.ends.saturating_since(now.wall);
        self.0.own.as_ref().map_or(left, |own| left.min(own.ends.saturating_sub(now.monotonic)))
    }
}

impl fmt::Debug for PendingApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingApproval")
            .field("task_id", &self.0.task_id)
            .field("impact", &self.0.impact)
            .field("ends", &self.0.ends)
            .finish_non_exhaustive()
    }
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Decides in the process that asked who runs the approved call, where no store does.
#[derive(Debug)]
pub(crate) struct OwnRun {
    ends: Duration,
    state: Mutex<Option<(Timestamp, String, bool)>>,
}

#[cfg_attr(not(feature = "calls"), allow(dead_code))] // what runs calls
impl OwnRun {
    fn until(ends: Duration) -> Self {
        OwnRun { ends, state: Mutex::new(None) }
    }

    /// An error if the run was claimed.
    pub(crate) fn is_free(&self) -> Result<(), ApprovalError> {
        OwnRun::free(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Claims the run; the first one has it.
    pub(crate) fn claim(&self, at: Timestamp, owner: &str) -> Result<(), ApprovalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        OwnRun::free(&state)?;
        *state = Some((at, owner.to_owned(), false));
        Ok(())
    }

    fn free(state: &Option<(Timestamp, String, bool)>) -> Result<(), ApprovalError> {
        match state {
            None => Ok(()),
            Some((at, owner, true)) => Err(ApprovalError::AlreadyRan { at: *at, owner: owner.clone() }),
            Some((at, owner, false)) => {
                Err(ApprovalError::OutcomeUnknown { claimed_at: *at, owner: owner.clone() })
            }
        }
    }

    /// It returned.
    pub(crate) fn ran(&self, at: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, _, ran)) = &mut *state {
            (*when, *ran) = (at, true);
        }
    }
}
