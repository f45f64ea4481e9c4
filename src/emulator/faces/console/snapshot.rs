//! What the page shows, taken from the state: cut, and without a secret among it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::views::{AgentView, AskView, Kind, RequestView, Snapshot, TokenView, WaitingView};
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::state::approvals::Question;
use crate::emulator::state::grants::{Device, Outcome, Pending, What};
use crate::emulator::state::jit;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::state::tokens::{Principal, Token, TokenKind};
use crate::emulator::state::{State, World};
use crate::emulator::values::scope::is_scope;
use crate::emulator::values::shown::{shown, shown_json};
use crate::time::{Timestamp, hex};

/// How many of each kind are shown.
const MOST: usize = 50;
/// How many asks, tokens and requests are shown.
const LAST: usize = 25;
/// How many capabilities of an agent are shown.
const MOST_CAPABILITIES: usize = 60;
/// The longest text of a line.
const LINE: usize = 160;
/// The longest text that a person decides by.
const TEXT: usize = 600;
/// The longest text that a form sends back whole.
pub(super) const WHOLE: usize = 256;

/// What names a thing on the page instead of its id, which may be as good as a secret.
pub(super) fn handle(key: &[u8; 32], kind: Kind, id: &str) -> String {
    let digest = Sha256::new().chain_update(key).chain_update(kind.word()).chain_update([0]).chain_update(id);
    hex(digest.finalize().get(..16).unwrap_or_default())
}

/// The id of what waits, by its handle.
pub(super) fn find(state: &State, key: &[u8; 32], kind: Kind, wanted: &str) -> Option<String> {
    let (world, now) = (&state.world, state.clock.now());
    let mut ids: Box<dyn Iterator<Item = &str>> = match kind {
        Kind::Consent => Box::new(consents(world, now).map(|own| own.id.as_str())),
        Kind::Device => Box::new(devices(world, now).map(|own| own.user_code.as_str())),
        Kind::Approval => Box::new(approvals(world, now).map(|own| own.token.as_str())),
        Kind::Permission => Box::new(permissions(world, now).map(|own| own.id.as_str())),
    };
    ids.find(|id| handle(key, kind, id) == wanted).map(str::to_owned)
}

fn consents(world: &World, now: Timestamp) -> impl Iterator<Item = &Pending> {
    world.grants.pending.iter().filter(move |own| now < own.expires_at && !matches!(own.what, What::Device))
}

fn devices(world: &World, now: Timestamp) -> impl Iterator<Item = &Device> {
    let open = move |own: &&Device| matches!(own.outcome, Outcome::Open) && now < own.expires_at;
    world.grants.devices.iter().filter(open)
}

fn approvals(world: &World, now: Timestamp) -> impl Iterator<Item = &Question> {
    world.approvals.questions.iter().filter(move |own| own.status(now) == "pending")
}

fn permissions(world: &World, now: Timestamp) -> impl Iterator<Item = &jit::Asked> {
    (0..world.tenants.len()).flat_map(move |tenant| world.jit.waiting(tenant, now))
}

/// `15:06:40`, by UTC.
fn clock(at: Timestamp) -> String {
    let day = at.unix() % 86_400;
    format!("{:02}:{:02}:{:02}", day / 3_600, day % 3_600 / 60, day % 60)
}

fn left(until: Timestamp, now: Timestamp) -> u64 {
    until.saturating_since(now).as_secs()
}

/// A word that a form may send back.
fn whole(text: &str) -> Option<String> {
    (text.len() <= WHOLE && is_scope(text)).then(|| text.to_owned())
}

fn list(words: &[String], most: usize) -> String {
    let mut out = String::new();
    for word in words.iter().take(MOST) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&shown(word, most));
    }
    shown(&out, most)
}

impl Snapshot {
    /// Of all agents those whose name or id has this text in it.
    pub(super) fn take(emulator: &Emulator, key: &[u8; 32], base: &str, wanted: &str) -> Self {
        let mut guard = emulator.state();
        let state = &mut *guard;
        let now = state.clock.now();
        let (agents_in_all, agents) = agents(&mut state.world, now, wanted);
        let world = &state.world;
        let mut snapshot = Snapshot {
            base: base.to_owned(),
            time: clock(now),
            requests: world.log.count_all(),
            agents_in_all,
            wanted: shown(wanted, WHOLE),
            agents,
            asks: asks(world),
            tokens: world
                .tokens
                .newest(now)
                .take(LAST)
                .map(|(digest, own)| token(digest, own, now))
                .collect(),
            ..Snapshot::default()
        };
        let requests = world.log.newest().take(LAST).map(|own| RequestView {
            time: clock(own.time),
            status: own.status,
            method: shown(&own.method, LINE),
            route: own.route,
            client_id: shown(own.client_id.as_deref().unwrap_or("–"), LINE),
        });
        snapshot.log = requests.collect();
        snapshot.wait(world, key, now);
        snapshot
    }

    /// What waits for a person: what asks for most haste first.
    fn wait(&mut self, world: &World, key: &[u8; 32], now: Timestamp) {
        let view = |kind, id: &str, agent: &str, what: String, until| WaitingView {
            kind,
            handle: handle(key, kind, id),
            agent: shown(agent, LINE),
            what,
            details: Vec::new(),
            left: left(until, now),
            users: Vec::new(),
        };
        for own in approvals(world, now).take(MOST) {
            let what = shown(&own.reason, TEXT);
            let mut row = view(Kind::Approval, &own.token, &own.client_id, what, own.expires_at);
            row.details = vec![
                ("asks", shown(&own.person, LINE)),
                ("impact", shown(&own.impact, LINE)),
                ("task", shown(&own.task_id, LINE)),
            ];
            if !own.meta.is_null() {
                row.details.push(("beside it", shown_json(&own.meta, TEXT)));
            }
            self.waiting.push(row);
        }
        for own in permissions(world, now).take(MOST) {
            let details = shown_json(&own.details, TEXT);
            let mut row = view(Kind::Permission, &own.id, &own.client_id, details, own.expires_at);
            row.details = vec![
                ("why", shown(own.justification.as_deref().unwrap_or("–"), TEXT)),
                ("risk", own.risk.word().to_owned()),
                ("for", format!("{} s", own.ttl)),
                ("task", shown(&own.task, LINE)),
            ];
            self.waiting.push(row);
        }
        for own in consents(world, now).take(MOST) {
            let (agent, scopes, at, to, hint) = match &own.what {
                What::Client(asked) => (
                    &asked.client_id,
                    &asked.scopes,
                    asked.resources.as_slice(),
                    Some(&asked.redirect_uri),
                    asked.hint.as_deref(),
                ),
                What::Agent(asking) => (
                    &asking.asked.agent,
                    &asking.asked.scopes,
                    std::slice::from_ref(&asking.asked.resource),
                    asking.asked.redirect_uri.as_ref(),
                    asking.asked.user.as_deref(),
                ),
                What::Device => continue,
            };
            let what = format!("wants to act for a user with {}", list(scopes, TEXT));
            let mut row = view(Kind::Consent, &own.id, agent, what, own.expires_at);
            row.users = users(world, own.tenant, hint);
            if !at.is_empty() {
                row.details.push(("at", list(at, LINE)));
            }
            if let Some(to) = to {
                row.details.push(("then back to", shown(to, LINE)));
                self.origins.extend(origin(to));
            }
            self.waiting.push(row);
        }
        for own in devices(world, now).take(MOST) {
            let what = format!("is on a device, and wants {}", list(&own.scopes, TEXT));
            let mut row = view(Kind::Device, &own.user_code, &own.client_id, what, own.expires_at);
            // The first half is enough to see that it is the device at hand.
            let start: String = own.user_code.chars().take(4).collect();
            row.details.push(("its code begins with", start));
            row.users = users(world, own.tenant, None);
            self.waiting.push(row);
        }
        self.waiting.truncate(MOST);
        self.origins.sort();
        self.origins.dedup();
    }
}

/// How many agents there are, and those that are shown.
fn agents(world: &mut World, now: Timestamp, wanted: &str) -> (usize, Vec<AgentView>) {
    let mut all = 0_usize;
    let mut views = Vec::new();
    for tenant in &mut world.tenants {
        all = all.saturating_add(tenant.agents.len());
        let slug = shown(&tenant.seed.slug, LINE);
        for agent in tenant.agents.iter_mut() {
            if views.len() >= MOST {
                break;
            }
            if !(agent.seed.name.contains(wanted) || agent.seed.client_id.contains(wanted)) {
                continue;
            }
            let capabilities = &agent.seed.capabilities;
            let view = AgentView {
                tenant: slug.clone(),
                name: shown(&agent.seed.name, LINE),
                client_id: shown(&agent.seed.client_id, LINE),
                whole: whole(&agent.seed.client_id),
                more_capabilities: capabilities.len().saturating_sub(MOST_CAPABILITIES),
                capabilities: capabilities
                    .iter()
                    .take(MOST_CAPABILITIES)
                    .map(|own| (shown(own, LINE), whole(own)))
                    .collect(),
                budget: Vec::new(),
                exhausted: agent.exhausted(now).is_some(),
            };
            let policy = agent.budget_policy(now).unwrap_or_default();
            let number = |name: &str| policy.get(name).and_then(Value::as_u64);
            let used = [
                ("tokens today", "tokens_used_today", "max_tokens_per_day"),
                ("calls this hour", "api_calls_this_hour", "max_api_calls_per_hour"),
            ];
            let used = used.map(|(what, used, limit)| Some((what, number(used)?, number(limit))));
            views.push(AgentView { budget: used.into_iter().flatten().collect(), ..view });
        }
    }
    (all, views)
}

fn asks(world: &World) -> Vec<AskView> {
    let view = |own: &crate::emulator::state::log::AuditEntry| {
        let tenant = world.tenants.iter().find(|tenant| tenant.seed.slug == own.tenant);
        let ordered = tenant.is_some_and(|tenant| tenant.seed.denials.contains_key(&own.action));
        let lacks = |tenant: &LiveTenant| {
            tenant.agent(&own.client_id).is_some_and(|agent| !agent.has_capability(&own.action))
        };
        let give = !own.allowed && !ordered && tenant.is_some_and(lacks);
        AskView {
            time: clock(own.time),
            client_id: shown(&own.client_id, LINE),
            action: shown(&own.action, LINE),
            allowed: own.allowed,
            reason: shown(&own.reason, LINE),
            audit_id: shown(&own.id, LINE),
            give: whole(&own.client_id).zip(whole(&own.action)).filter(|_| give),
            ordered: !own.allowed && ordered,
        }
    };
    world.log.newest_audit().take(LAST).map(view).collect()
}

fn token(digest: &[u8; 32], own: &Token, now: Timestamp) -> TokenView {
    let kind = match (own.kind, &own.principal) {
        (TokenKind::Access, Principal::Permission(_)) => "permission",
        (TokenKind::Access, _) if !own.actors.is_empty() => "delegated",
        (TokenKind::Access, _) => "access",
        (TokenKind::Refresh, _) => "refresh",
        (TokenKind::Id, _) => "id",
    };
    TokenView {
        kind,
        thumbprint: hex(digest.get(..6).unwrap_or_default()),
        client_id: shown(&own.client_id, LINE),
        subject: shown(&own.subject, LINE),
        scopes: list(&own.scopes, LINE),
        audience: list(&own.audience, LINE),
        left: left(own.expires_at, now),
    }
}

/// The users of a tenant, the one that is meant first.
fn users(world: &World, tenant: usize, hint: Option<&str>) -> Vec<(String, String)> {
    let Some(tenant) = world.tenants.get(tenant) else { return Vec::new() };
    let meant = hint.and_then(|hint| tenant.person(hint)).map(|(_, user)| user);
    let others = tenant.seed.users.iter().filter(|user| meant.is_none_or(|meant| meant.name != user.name));
    let all = meant.into_iter().chain(others).take(MOST);
    all.map(|user| (user.name.clone(), shown(user.display.as_ref().unwrap_or(&user.name), LINE))).collect()
}

/// The origin of a redirect URI as a policy for forms can name it.
fn origin(uri: &str) -> Option<String> {
    let uri: http::Uri = uri.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    authority.bytes().all(plain).then(|| format!("{scheme}://{authority}"))
}
