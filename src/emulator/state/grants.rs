//! What is under way between a request and its tokens: consents that wait, pushed requests, codes, devices.

use super::aauth::Asking;
use super::kept::Kept;
use super::tokens::digest;
use crate::emulator::values::lifetime::DEVICE_CODE;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How many of each may wait; the oldest goes first.
const WAITING: usize = 1024;

/// What a client asks a user for. Everything in it is allowed to be asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub state: Option<String>,
    pub resources: Vec<String>,
    /// `code_challenge`, S256. None only where clients with a secret may do without.
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    pub prompt: Prompt,
    /// A refresh token is wanted.
    pub offline: bool,
    /// The user that the client thinks of.
    pub hint: Option<String>,
    /// How long ago the user may have signed in, in seconds.
    pub max_age: Option<u64>,
}

/// What may be shown to the user (OpenID Connect Core 1.0 section 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Nothing.
    None,
    /// Whatever is needed.
    Any,
    /// The page, which asks for user and consent, in any case.
    Page,
}

/// A page that waits for a person's decision.
pub(crate) struct Pending {
    pub id: String,
    /// What a form must send back: whoever does not see the page cannot know it.
    pub csrf: Secret,
    pub tenant: usize,
    pub issuer: String,
    pub what: What,
    pub expires_at: Timestamp,
}

/// What a page is about.
pub(crate) enum What {
    /// A device, whose code the person enters.
    Device,
    /// A client's authorization request.
    Client(Asked),
    /// What an agent of AAuth asks for.
    Agent(Asking),
}

/// A pushed authorization request (RFC 9126).
pub(crate) struct Pushed {
    pub uri: Secret,
    pub tenant: usize,
    pub asked: Asked,
    pub expires_at: Timestamp,
}

/// An authorization code (RFC 6749 section 4.1).
pub(crate) struct Code {
    pub tenant: usize,
    pub asked: Asked,
    pub user: String,
    /// What the user has agreed to.
    pub scopes: Vec<String>,
    pub auth_time: Timestamp,
    pub expires_at: Timestamp,
    /// Until when a second use is still noticed.
    pub kept_until: Timestamp,
    pub family: u64,
    pub used: bool,
}

/// What has become of a device's request.
pub(crate) enum Outcome {
    Open,
    Denied,
    Approved { user: String, scopes: Vec<String>, at: Timestamp },
}

/// A device that polls (RFC 8628).
pub(crate) struct Device {
    pub code: Secret,
    pub user_code: String,
    pub tenant: usize,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub expires_at: Timestamp,
    /// Seconds between two polls.
    pub interval: u64,
    pub polled_at: Option<Timestamp>,
    pub outcome: Outcome,
}

#[derive(Default)]
pub(crate) struct Grants {
    pub pending: Vec<Pending>,
    pub pushed: Vec<Pushed>,
    pub devices: Vec<Device>,
    codes: Kept<[u8; 32], Code>,
    families: u64,
}

impl Grants {
    /// A number for the tokens of one authorization.
    pub(crate) fn family(&mut self) -> u64 {
        self.families = self.families.saturating_add(1);
        self.families
    }

    pub(crate) fn wait(&mut self, pending: Pending, now: Timestamp) {
        self.pending.retain(|own| own.expires_at > now);
        push(&mut self.pending, pending);
    }

    /// Takes out what a form answers; none if it is unknown, expired, or the form's secret is another.
    pub(crate) fn answered(
        &mut self,
        id: &str,
        csrf: &Secret,
        tenant: usize,
        now: Timestamp,
    ) -> Option<Pending> {
        let ours =
            |own: &Pending| own.id == id && own.tenant == tenant && own.csrf == *csrf && now < own.expires_at;
        let at = self.pending.iter().position(ours)?;
        Some(self.pending.remove(at))
    }

    /// Takes out an authorization request that waits.
    pub(crate) fn take_pending(&mut self, id: &str, now: Timestamp) -> Option<Pending> {
        let ours = |own: &Pending| own.id == id && !matches!(own.what, What::Device) && now < own.expires_at;
        let at = self.pending.iter().position(ours)?;
        Some(self.pending.remove(at))
    }

    pub(crate) fn push(&mut self, pushed: Pushed, now: Timestamp) {
        self.pushed.retain(|own| own.expires_at > now);
        push(&mut self.pushed, pushed);
    }

    /// Takes out a pushed request: it is good for one time (RFC 9126 section 4).
    pub(crate) fn take_pushed(
        &mut self,
        uri: &Secret,
        client_id: &str,
        tenant: usize,
        now: Timestamp,
    ) -> Option<Asked> {
        let at = self.pushed.iter().position(|own| own.uri == *uri)?;
        let own = self.pushed.get(at)?;
        if own.tenant != tenant || own.asked.client_id != client_id {
            return None;
        }
        let pushed = self.pushed.remove(at);
        (now < pushed.expires_at).then_some(pushed.asked)
    }

    pub(crate) fn insert_code(&mut self, text: &Secret, code: Code, now: Timestamp) {
        self.codes.insert(digest(text.expose()), code, |own| own.kept_until > now);
    }

    pub(crate) fn code_mut(&mut self, text: &str) -> Option<&mut Code> {
        self.codes.get_mut(&digest(text))
    }

    pub(crate) fn insert_device(&mut self, device: Device, now: Timestamp) {
        // An expired one stays for a while, to be told so.
        self.devices.retain(|own| own.expires_at.saturating_add(DEVICE_CODE) > now);
        push(&mut self.devices, device);
    }

    /// The open request of a user code, in whatever case and with or without the dash (RFC 8628 section 6.1).
    pub(crate) fn device_mut(&mut self, user_code: &str, now: Timestamp) -> Option<&mut Device> {
        let plain = |text: &str| -> String {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|letter| letter.to_ascii_uppercase())
                .collect()
        };
        let asked = plain(user_code);
        let open = |own: &&mut Device| matches!(own.outcome, Outcome::Open) && now < own.expires_at;
        self.devices.iter_mut().filter(open).find(|own| plain(&own.user_code) == asked)
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= WAITING {
        list.remove(0);
    }
    list.push(item);
}
