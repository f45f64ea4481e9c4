//! Where records are: whom the sentinels name, and the map of a cluster.

use std::time::Duration;

use redis::{Value, cmd};

use super::super::address::Address;
use super::super::answers::{text, unavailable};
use super::super::cluster::{map, slot};
use super::super::line::{Fault, Line, Opening, Role};
use super::super::script::odd;
use super::{Kind, Servers};
use crate::error::StoreError;
use crate::store::clock::Clock;

impl Servers {
    /// The server that has this record.
    pub(super) fn whose(&self, key: &[u8], end: Duration) -> Result<Address, StoreError> {
        match &self.kind {
            Kind::One(address) => Ok(address.clone()),
            Kind::Sentinel { .. } => self.master(end),
            Kind::Cluster(_) => {
                let (slot, slots) = (slot(key), self.slots(end)?);
                let found = slots.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
                found
                    .map(|(_, _, address)| address)
                    .ok_or_else(|| unavailable("no server has the slot of this record"))
            }
        }
    }

    /// Every server that has records.
    pub(super) fn masters(&self, end: Duration) -> Result<Vec<Address>, StoreError> {
        match &self.kind {
            Kind::One(address) => Ok(vec![address.clone()]),
            Kind::Sentinel { .. } => Ok(vec![self.master(end)?]),
            Kind::Cluster(_) => {
                let mut masters = Vec::new();
                for (_, _, address) in self.slots(end)? {
                    if !masters.contains(&address) {
                        masters.push(address);
                    }
                }
                Ok(masters)
            }
        }
    }

    /// Whom the sentinels name, if it says so itself.
    fn master(&self, end: Duration) -> Result<Address, StoreError> {
        let Kind::Sentinel { name, sentinels, login } = &self.kind else { return Err(odd()) };
        if let Some(master) = self.state().master.clone() {
            return Ok(master);
        }
        let mut why = "no sentinel was given".to_owned();
        for sentinel in sentinels {
            let (tls, login) = (self.tls.as_ref(), login.as_ref());
            let opening = Opening { address: sentinel, tls, login, database: 0, role: Role::Sentinel };
            let mut question = cmd("SENTINEL");
            question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
            // One that hangs leaves time for the others.
            let now = Clock::Monotonic.now();
            let share = end.saturating_sub(now).checked_div(2).unwrap_or_default();
            let until = now.saturating_add(share);
            let answer = Line::open(&opening, until).and_then(|mut line| line.ask(&question, until));
            let named = match answer {
                Ok(Value::Array(parts)) => match parts.as_slice() {
                    [host, port] => text(host)
                        .zip(text(port).and_then(|port| port.parse().ok()))
                        .map(|(host, port)| Address::Host(host.to_owned(), port)),
                    _ => None,
                },
                Ok(Value::ServerError(_)) => {
                    why = format!("{sentinel}: it refused what it was asked");
                    continue;
                }
                Ok(_) => None,
                Err(Fault::Unasked(text) | Fault::Lost(text)) => {
                    why = text;
                    continue;
                }
            };
            let Some(master) = named else {
                why = format!("{sentinel}: it knows no servers of this name");
                continue;
            };
            // It says itself whether it is one.
            match self.line(&master, end) {
                Ok((line, _)) => {
                    self.keep(&master, line);
                    self.state().master = Some(master.clone());
                    return Ok(master);
                }
                Err(Fault::Unasked(text) | Fault::Lost(text)) => why = text,
            }
        }
        Err(unavailable(why))
    }

    /// The map of the cluster, from whichever of its servers answers.
    fn slots(&self, end: Duration) -> Result<Vec<(u16, u16, Address)>, StoreError> {
        let Kind::Cluster(seeds) = &self.kind else { return Err(odd()) };
        let mut asked: Vec<Address> = seeds.clone();
        {
            let state = self.state();
            if !state.slots.is_empty() {
                return Ok(state.slots.clone());
            }
            asked.extend(state.kept.keys().filter(|known| !seeds.contains(known)).cloned());
            asked.sort_by_key(|address| Some(address) == state.doubted.as_ref());
        }
        let mut why = "no server was given".to_owned();
        for address in &asked {
            let mut question = cmd("CLUSTER");
            question.arg("SLOTS");
            let now = Clock::Monotonic.now();
            let share = end.saturating_sub(now).checked_div(2).unwrap_or_default();
            let until = now.saturating_add(share);
            let answer = self.line(address, until).and_then(|(mut line, _)| {
                let answer = line.ask(&question, until)?;
                Ok((answer, line))
            });
            match answer {
                Ok((Value::ServerError(_), _)) => {
                    why = format!(
                        "{address} belongs to no cluster, or does not permit this user CLUSTER SLOTS"
                    );
                }
                Ok((answer, line)) => {
                    let slots = map(&answer, address).ok_or_else(odd)?;
                    self.keep(address, line);
                    if slots.is_empty() {
                        why = format!("{address} knows of no slots");
                        continue;
                    }
                    self.state().slots = slots.clone();
                    return Ok(slots);
                }
                Err(Fault::Unasked(text) | Fault::Lost(text)) => {
                    self.state().kept.remove(address);
                    why = text;
                }
            }
        }
        Err(unavailable(why))
    }
}
