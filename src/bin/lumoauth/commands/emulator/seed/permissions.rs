//! How a seeded emulator answers those who ask for permissions.

use std::collections::BTreeMap;
use std::time::Duration;

use lumoauth::emulator::{ApprovalForms, Delivery, JitChallenge, JitForms};
use lumoauth::jit::Risk;
use serde::Deserialize;

use super::{each, set};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitEntry {
    /// Type, action, level.
    risk: Option<BTreeMap<String, BTreeMap<String, Level>>>,
    patience: Option<u64>,
    interval: Option<u64>,
    challenge: Option<Challenge>,
    older: Option<bool>,
    accepted: Option<bool>,
    bare_list: Option<bool>,
    scopes: Option<bool>,
    tokens_without_details: Option<bool>,
    waits_for_consent: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Challenge {
    Standard,
    UrlSafe,
    List,
    Broken,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalsEntry {
    delivery: Option<Delivered>,
    patience: Option<u64>,
    older: Option<bool>,
    without_reason: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Delivered {
    Asked,
    Approved,
    Denied,
    Mailed,
    Nobody,
}

/// Sets what is switched on.
fn on<S>(forms: S, is_on: Option<bool>, set: impl FnOnce(S) -> S) -> S {
    if is_on == Some(true) { set(forms) } else { forms }
}

impl JitEntry {
    pub fn forms(self) -> JitForms {
        let rows = self.risk.into_iter().flatten();
        // A star is for what has no row of its own: it goes first, and later ones count.
        let rows = rows.flat_map(|(kind, row)| {
            row.into_iter().map(move |(action, level)| (kind.clone(), action, level))
        });
        let mut rows: Vec<(String, String, Level)> = rows.collect();
        rows.sort_by_key(|(_, action, _)| action != "*");
        let forms = each(JitForms::new(), Some(rows), |forms, (kind, action, level)| {
            forms.risk(
                kind,
                action,
                match level {
                    Level::Low => Risk::Low,
                    Level::Medium => Risk::Medium,
                    Level::High => Risk::High,
                    Level::Critical => Risk::Critical,
                },
            )
        });
        let forms = set(forms, self.patience.map(Duration::from_secs), JitForms::patience);
        let forms = set(forms, self.interval.map(Duration::from_secs), JitForms::interval);
        let forms = set(forms, self.challenge, |forms, challenge| {
            forms.challenge(match challenge {
                Challenge::Standard => JitChallenge::Standard,
                Challenge::UrlSafe => JitChallenge::UrlSafe,
                Challenge::List => JitChallenge::List,
                Challenge::Broken => JitChallenge::Broken,
                Challenge::None => JitChallenge::None,
            })
        });
        let forms = on(forms, self.older, JitForms::older);
        let forms = on(forms, self.accepted, JitForms::accepted);
        let forms = on(forms, self.bare_list, JitForms::bare_list);
        let forms = on(forms, self.scopes, JitForms::scopes);
        let forms = on(forms, self.tokens_without_details, JitForms::tokens_without_details);
        on(forms, self.waits_for_consent, JitForms::waits_for_consent)
    }
}

impl ApprovalsEntry {
    pub fn forms(self) -> ApprovalForms {
        let forms = set(ApprovalForms::new(), self.delivery, |forms, delivered| {
            forms.delivery(match delivered {
                Delivered::Asked => Delivery::Asked,
                Delivered::Approved => Delivery::Approved,
                Delivered::Denied => Delivery::Denied,
                Delivered::Mailed => Delivery::Mailed,
                Delivered::Nobody => Delivery::Nobody,
            })
        });
        let forms = set(forms, self.patience.map(Duration::from_secs), ApprovalForms::patience);
        let forms = on(forms, self.older, ApprovalForms::older);
        on(forms, self.without_reason, ApprovalForms::without_reason)
    }
}
