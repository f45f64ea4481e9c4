//! What the page shows, as plain values.

/// One moment of the emulator.
#[derive(Default)]
pub(super) struct Snapshot {
    pub base: String,
    pub time: String,
    pub requests: u64,
    pub agents_in_all: usize,
    pub wanted: String,
    pub agents: Vec<AgentView>,
    pub asks: Vec<AskView>,
    pub waiting: Vec<WaitingView>,
    pub tokens: Vec<TokenView>,
    pub log: Vec<RequestView>,
    /// Where a decision may send the browser.
    pub origins: Vec<String>,
}

/// An agent.
pub(super) struct AgentView {
    pub tenant: String,
    pub name: String,
    pub client_id: String,
    /// The client id, if it is short enough to be sent back.
    pub whole: Option<String>,
    /// Each as it is shown, and whole if it is short enough to be sent back.
    pub capabilities: Vec<(String, Option<String>)>,
    pub more_capabilities: usize,
    /// What is counted, how much of it is used, and the limit.
    pub budget: Vec<(&'static str, u64, Option<u64>)>,
    pub exhausted: bool,
}

/// A question of an agent, and what it was told.
pub(super) struct AskView {
    pub time: String,
    pub client_id: String,
    pub action: String,
    pub allowed: bool,
    pub reason: String,
    pub audit_id: String,
    /// Client id and action, if it was denied and giving the capability would change that.
    pub give: Option<(String, String)>,
    /// The seed denies it, whatever the agent's capabilities.
    pub ordered: bool,
}

/// What a person has to decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Consent,
    Device,
    Approval,
    Permission,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Consent, Kind::Device, Kind::Approval, Kind::Permission];

    /// What forms call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Consent => "consent",
            Kind::Device => "device",
            Kind::Approval => "approval",
            Kind::Permission => "permission",
        }
    }
}

/// Something that waits for a person.
pub(super) struct WaitingView {
    pub kind: Kind,
    /// What names it in a form. It names it nowhere else.
    pub handle: String,
    pub agent: String,
    pub what: String,
    pub details: Vec<(&'static str, String)>,
    /// Seconds that are left.
    pub left: u64,
    /// Who may decide, by name and as people know them, where that matters.
    pub users: Vec<(String, String)>,
}

/// A token, without the token.
pub(super) struct TokenView {
    pub kind: &'static str,
    pub thumbprint: String,
    pub client_id: String,
    pub subject: String,
    pub scopes: String,
    pub audience: String,
    /// Seconds that are left.
    pub left: u64,
}

/// A request.
pub(super) struct RequestView {
    pub time: String,
    pub status: u16,
    pub method: String,
    pub route: &'static str,
    pub client_id: String,
}
