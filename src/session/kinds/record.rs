//! The agent's own record: used again for a minute, and asked for anew by whoever wants it now.

use std::sync::Arc;
use std::time::Duration;

use super::super::keep::{Just, Keep, Keeper, Kind, Lead, Life};
use super::super::part::{Failed, Part, Within};
use super::super::{Action, Arrived, Call, Machine, Session, Step};
use super::document;
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::{AgentInfo, GetInfo};
use crate::time::{Deadline, Now};

/// How long the record may be used again.
const AGE: Duration = Duration::from_secs(60);

/// Whose record it is: other credentials or scopes have another one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RecordKey {
    /// The agent's credentials, counted.
    epoch: u64,
    scopes: Vec<String>,
}

impl RecordKey {
    fn of(session: &Session) -> Self {
        RecordKey { epoch: session.epoch(), scopes: session.scopes().sorted() }
    }
}

impl Session {
    /// The machine that gets the agent's record, one of the last minute if there is one.
    pub fn info(&self) -> impl Machine<Output = Arc<AgentInfo>> + Send + use<> {
        Within::new(Just(Keep::new(Record(self.clone()))), self.total_of(&GetInfo.terms()))
    }

    /// The machine that asks for the agent's record anew.
    pub fn new_info(&self) -> impl Machine<Output = Arc<AgentInfo>> + Send + use<> {
        let call = Call::new(self.clone(), GetInfo, None);
        let anew = Anew { session: self.clone(), call, key: RecordKey::of(self), asked: None };
        Within::new(anew, self.total_of(&GetInfo.terms()))
    }
}

/// The record of the session's agent.
pub(crate) struct Record(Session);

impl Kind for Record {
    type Key = RecordKey;
    type Value = Arc<AgentInfo>;
    type Fetch = document::Shared<Call<GetInfo>>;
    const NAME: &'static str = "oauth.userinfo";
    const PHASE: &'static str = "waiting for another call's reading of the record";

    fn keeper(&self) -> &Keeper<RecordKey, Arc<AgentInfo>> {
        &self.0.shared.records
    }

    fn key(&self) -> Result<RecordKey, Error> {
        Ok(RecordKey::of(&self.0))
    }

    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error> {
        Ok(document::Shared(Call::leading(&self.0, GetInfo, lead)))
    }

    fn life(&self, _: &Arc<AgentInfo>, asked: &Now) -> Life {
        Life::between(AGE, AGE, asked)
    }
}

/// Asks for itself alone, and keeps what came for the others.
struct Anew {
    session: Session,
    call: Call<GetInfo>,
    /// Whose it is: who asked first. If that changes meanwhile, nobody looks for what came.
    key: RecordKey,
    /// When the last request left.
    asked: Option<Now>,
}

impl Part for Anew {
    type Output = Arc<AgentInfo>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<AgentInfo>>, Failed> {
        match Part::step(&mut self.call, now, arrived, time)? {
            Step::Do(action) => {
                if matches!(action, Action::Send(_)) {
                    self.asked = Some(*now);
                }
                Ok(Step::Do(action))
            }
            Step::Done(info) => {
                let info = Arc::new(info);
                if let Some(asked) = self.asked {
                    let life = Life::between(AGE, AGE, &asked);
                    self.session.shared.records.put(&self.key, Arc::clone(&info), life, now);
                }
                Ok(Step::Done(info))
            }
        }
    }
}
