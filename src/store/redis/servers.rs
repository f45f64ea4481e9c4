//! Which server has a record, and the lines to it that are open: one server, the one that sentinels name, or a cluster.

mod places;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Value, cmd};
use rustls::ClientConfig;

use super::address::{Address, Login};
use super::answers::{evicts, refused, text, unavailable};
use super::cluster::moved;
use super::line::{Fault, Line, Opening, Role};
use super::script::{Question, odd};
use crate::error::StoreError;
use crate::store::clock::Clock;

/// So old lines are not used any more: what was learnt when they were opened may be different by now.
const OLDEST: Duration = Duration::from_secs(60);
/// So many lines to a server are kept, one for each thread that waits.
const KEPT: usize = 8;
/// How often a question is asked at most: elsewhere, or of somebody who was away.
const TURNS: usize = 6;

/// Which of them has a record.
pub(super) enum Kind {
    One(Address),
    Sentinel { name: String, sentinels: Vec<Address>, login: Option<Login> },
    Cluster(Vec<Address>),
}

/// The servers of one store.
pub(super) struct Servers {
    pub(super) kind: Kind,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) login: Option<Login>,
    pub(super) database: i64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Address, Vec<Line>>,
    /// Whom the sentinels named.
    master: Option<Address>,
    /// Which master has which slots, by the first and the last of them.
    slots: Vec<(u16, u16, Address)>,
    /// Who said that it does not belong to the cluster just now: its map is the last to be believed.
    doubted: Option<Address>,
}

/// An answer, and whether an earlier one to the same question was lost.
pub(super) struct Answer {
    pub(super) value: Value,
    pub(super) lost_before: bool,
}

impl Servers {
    pub(super) fn new(
        kind: Kind,
        tls: Option<Arc<ClientConfig>>,
        login: Option<Login>,
        database: i64,
    ) -> Self {
        Servers { kind, tls, login, database, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that is kept, or a new one; and whether it was kept.
    fn line(&self, address: &Address, end: Duration) -> Result<(Line, bool), Fault> {
        while let Some(mut line) = self.take(address) {
            if line.is_quiet() {
                return Ok((line, true));
            }
        }
        let (tls, login) = (self.tls.as_ref(), self.login.as_ref());
        let role = if matches!(self.kind, Kind::Sentinel { .. }) { Role::Master } else { Role::Server };
        let opening = Opening { address, tls, login, database: self.database, role };
        Ok((Line::open(&opening, end)?, false))
    }

    /// A line that is kept, and none that is old: those go, whoever they lead to.
    fn take(&self, address: &Address) -> Option<Line> {
        let now = Clock::Monotonic.now();
        let mut state = self.state();
        state.kept.retain(|_, kept| {
            kept.retain(|line| now.saturating_sub(line.opened) < OLDEST);
            !kept.is_empty()
        });
        state.kept.get_mut(address)?.pop()
    }

    fn keep(&self, address: &Address, line: Line) {
        let mut state = self.state();
        let kept = state.kept.entry(address.clone()).or_default();
        if kept.len() < KEPT {
            kept.push(line);
        }
    }

    /// Nothing that was known of this server is believed any more.
    fn forget(&self, address: &Address) {
        let mut state = self.state();
        state.kept.remove(address);
        if state.master.as_ref() == Some(address) {
            state.master = None;
        }
        if state.slots.iter().any(|(_, _, of)| of == address) {
            state.slots.clear();
        }
    }

    /// This server is cut off from its cluster, or the cluster has lost too many: others may know better.
    fn doubt(&self, address: &Address) {
        let mut state = self.state();
        state.slots.clear();
        state.doubted = Some(address.clone());
    }

    /// Asks the server that has the record, wherever it is by now.
    pub(super) fn ask(&self, question: &Question, end: Duration) -> Result<Answer, StoreError> {
        let (mut elsewhere, mut asking, mut whole, mut lost_before) = (None, false, false, false);
        let mut doubts = false;
        let mut why = unavailable("the record was sent from one server to the next");
        for _ in 0..TURNS {
            let address = match elsewhere.take() {
                Some(address) => address,
                None => self.whose(&question.key, end)?,
            };
            let (mut line, was_kept) = match self.line(&address, end) {
                Ok(line) => line,
                Err(Fault::Unasked(text) | Fault::Lost(text)) => {
                    self.forget(&address);
                    why = unavailable(text);
                    if matches!(self.kind, Kind::One(_)) {
                        return Err(why);
                    }
                    continue;
                }
            };
            if question.must_stay && line.evicts != Some(false) {
                return Err(evicts(&address, line.evicts));
            }
            let mut commands = vec![question.command(whole)];
            let may_be_on_its_way = std::mem::take(&mut asking);
            if may_be_on_its_way {
                commands.insert(0, cmd("ASKING"));
            }
            let answer = line.ask_all(&commands, end).map(|mut answers| answers.pop());
            let value = match answer {
                Ok(Some(value)) => value,
                Ok(None) => return Err(odd()),
                Err(Fault::Unasked(text) | Fault::Lost(text)) => {
                    self.forget(&address);
                    why = unavailable(format!("{address}: {text}"));
                    lost_before |= question.changes();
                    // A kept line may have been closed long ago. A new one that fails has a reason.
                    if was_kept && end > Clock::Monotonic.now() {
                        continue;
                    }
                    return Err(why);
                }
            };
            let Value::ServerError(error) = &value else {
                self.keep(&address, line);
                return Ok(Answer { value, lost_before });
            };
            let is_cluster = matches!(self.kind, Kind::Cluster(_));
            match error.code() {
                "NOSCRIPT" if !whole => {
                    whole = true;
                    (elsewhere, asking) = (Some(address.clone()), may_be_on_its_way);
                    self.keep(&address, line);
                }
                code @ ("MOVED" | "ASK") if is_cluster => {
                    let to = moved(error.details().unwrap_or_default(), &address).ok_or_else(odd)?;
                    self.keep(&address, line);
                    asking = code == "ASK";
                    if !asking {
                        self.state().slots.clear();
                    }
                    elsewhere = Some(to);
                }
                // What was true when the line was opened is not any more: another server has this name by now, or this one wants
                // to know again who asks.
                code @ ("READONLY" | "NOAUTH") => {
                    self.forget(&address);
                    why = refused(code, &address);
                    if matches!(self.kind, Kind::One(_)) && !was_kept {
                        return Err(why);
                    }
                }
                "CLUSTERDOWN" if is_cluster && !std::mem::replace(&mut doubts, true) => {
                    why = refused("CLUSTERDOWN", &address);
                    self.keep(&address, line);
                    self.doubt(&address);
                }
                code => {
                    why = refused(code, &address);
                    self.keep(&address, line);
                    return Err(why);
                }
            }
        }
        Err(why)
    }

    /// Whether the servers that are known keep what they are given.
    #[cfg(feature = "aauth")]
    pub(super) fn keeps(&self, end: Duration) -> Result<(), StoreError> {
        for address in self.masters(end)? {
            let (line, _) = self.line(&address, end).map_err(|fault| match fault {
                Fault::Unasked(text) | Fault::Lost(text) => unavailable(text),
            })?;
            let found = line.evicts;
            self.keep(&address, line);
            if found != Some(false) {
                return Err(evicts(&address, found));
            }
        }
        Ok(())
    }

    /// Looks at every name that fits the pattern, on every server that has records.
    pub(super) fn names(
        &self,
        pattern: &[u8],
        end: Duration,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        for address in self.masters(end)? {
            let failed = |fault| match fault {
                Fault::Unasked(text) | Fault::Lost(text) => {
                    self.forget(&address);
                    unavailable(format!("{address}: {text}"))
                }
            };
            let mut cursor = "0".to_owned();
            let mut may_fail = true;
            let mut line = None;
            loop {
                let (mut open, was_kept) = match line.take() {
                    Some(open) => (open, false),
                    None => self.line(&address, end).map_err(failed)?,
                };
                let mut scan = cmd("SCAN");
                scan.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
                let value = match open.ask(&scan, end) {
                    Ok(value) => value,
                    // Closed meanwhile, perhaps; nothing is lost by asking anew.
                    Err(_) if was_kept && std::mem::take(&mut may_fail) => {
                        self.state().kept.remove(&address);
                        continue;
                    }
                    Err(fault) => return Err(failed(fault)),
                };
                if let Value::ServerError(error) = &value {
                    return Err(refused(error.code(), &address));
                }
                let Value::Array(parts) = value else { return Err(odd()) };
                let [next, Value::Array(names)] = parts.as_slice() else { return Err(odd()) };
                for name in names {
                    match name {
                        Value::BulkString(name) => look(name),
                        _ => return Err(odd()),
                    }
                }
                cursor = text(next).ok_or_else(odd)?.to_owned();
                if cursor == "0" {
                    self.keep(&address, open);
                    break;
                }
                line = Some(open);
            }
        }
        Ok(())
    }
}
