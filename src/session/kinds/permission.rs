//! Tokens of permissions: each is taken once, used until it is over, and then never asked for again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::jit::Spent;
use super::super::keep::{Freshness, Keep, Keeper, Kind, Lead, Life, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Action, Arrived, Call, Session, Step, lock, nothing_arrived};
use crate::error::{Error, PermissionError};
use crate::operation::AttemptId;
use crate::operations::{ApiRequest, Approved, AuthorizationDetails, TakePermissionToken};
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::Response;

/// So long a token is remembered, over or not, so that nobody asks for it again.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// The credentials that were there, counted, and the request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PermissionKey {
    epoch: u64,
    request_id: String,
}

/// A token as it came, with what it was compared with and its own end.
pub(crate) struct Granted {
    token: AccessToken,
    asked: Option<AuthorizationDetails>,
    life: Mutex<Life>,
}

/// The token of this request.
pub(crate) struct PermissionToken {
    session: Session,
    approved: Approved,
    acting: Option<AccessToken>,
}

impl PermissionToken {
    pub(crate) fn new(session: &Session, approved: &Approved, acting: Option<AccessToken>) -> Self {
        PermissionToken { session: session.clone(), approved: approved.clone(), acting }
    }

    fn over(&self) -> Error {
        PermissionError::Expired { request_id: self.approved.request_id().to_owned() }.into()
    }

    /// The token that is held, if it is this caller's and not over.
    fn usable(&self, granted: &Granted, now: &Now) -> Result<AccessToken, Error> {
        if lock(&granted.life).freshness(now) == Freshness::Expired {
            return Err(self.over());
        }
        let is_same = match (self.approved.details(), &granted.asked) {
            (None, _) => true,
            (Some(asked), Some(compared)) => asked.is_same(compared),
            (Some(_), None) => false,
        };
        let request_id = self.approved.request_id().to_owned();
        if is_same {
            Ok(granted.token.clone())
        } else {
            Err(PermissionError::OtherDetails { request_id }.into())
        }
    }
}

impl Kind for PermissionToken {
    type Key = PermissionKey;
    type Value = Arc<Granted>;
    type Fetch = Take;
    const NAME: &'static str = "jit.request.token";
    const PHASE: &'static str = "waiting for another call's token";
    const POLICY: Policy = Policy::TOKENS;

    fn keeper(&self) -> &Keeper<PermissionKey, Arc<Granted>> {
        &self.session.shared.permissions
    }

    fn key(&self) -> Result<PermissionKey, Error> {
        Ok(PermissionKey { epoch: self.session.epoch(), request_id: self.approved.request_id().to_owned() })
    }

    fn fetch(&self, lead: Lead) -> Result<Take, Error> {
        let operation = TakePermissionToken::new(&self.approved);
        match self.session.shared.taken.get(self.approved.request_id()) {
            Some(Spent::Taken) => return Err(self.over()),
            Some(Spent::Sent) => {
                return Err(Error::OutcomeUnknown {
                    operation: Self::NAME,
                    attempt_id: AttemptId::from_bytes([0; 16]).to_string(),
                    source: Box::new(nothing_arrived()),
                });
            }
            None => {}
        }
        let operation = self.acting.iter().cloned().fold(operation, TakePermissionToken::token);
        let call = Call::leading(&self.session, operation, lead);
        let (session, approved) = (self.session.clone(), self.approved.clone());
        Ok(Take { session, approved, call, asked: None })
    }

    fn life(&self, _: &Arc<Granted>, asked: &Now) -> Life {
        Life::between(REMEMBERED, REMEMBERED, asked)
    }
}

/// Takes it, and leaves a mark as soon as the request for it leaves.
pub(crate) struct Take {
    session: Session,
    approved: Approved,
    call: Call<TakePermissionToken>,
    /// When the request for it left.
    asked: Option<Now>,
}

impl Part for Take {
    type Output = Arc<Granted>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<Granted>>, Failed> {
        let (taken, id) = (&self.session.shared.taken, self.approved.request_id());
        match Part::step(&mut self.call, now, arrived, time) {
            Ok(Step::Do(action)) => {
                // What leaves before it is the agent's own token.
                if matches!(&action, Action::Send(request) if self.call.asks(request)) {
                    taken.set(id, Spent::Sent);
                    self.asked = Some(*now);
                }
                Ok(Step::Do(action))
            }
            Ok(Step::Done(token)) => {
                taken.set(id, Spent::Taken);
                let life = Mutex::new(Life::of(token.lifetime(), &self.asked.unwrap_or(*now)));
                let asked = self.approved.details().cloned();
                Ok(Step::Done(Arc::new(Granted { token, asked, life })))
            }
            Err(failed) => {
                // It came, and is for something else: it is not asked for again.
                if matches!(failed.error, Error::Permission(_) | Error::Protocol(_)) && self.asked.is_some() {
                    taken.set(id, Spent::Taken);
                } else if !matches!(failed.error, Error::OutcomeUnknown { .. }) {
                    taken.unset(id);
                }
                Err(failed)
            }
        }
    }
}

/// Gets the token, and sends a request with it if there is one.
pub(crate) struct Permitted {
    session: Session,
    keep: Option<Keep<PermissionToken>>,
    /// Whose caller it is, to be compared with what is held.
    own: PermissionToken,
    call: Option<Call<ApiRequest>>,
}

impl Permitted {
    fn new(own: PermissionToken) -> Self {
        let keep = PermissionToken::new(&own.session, &own.approved, own.acting.clone());
        Permitted { session: own.session.clone(), keep: Some(Keep::new(keep)), own, call: None }
    }

    pub(crate) fn token(own: PermissionToken) -> PermittedToken {
        PermittedToken(Permitted::new(own))
    }

    pub(crate) fn request(own: PermissionToken, request: ApiRequest) -> PermittedRequest {
        PermittedRequest { permitted: Permitted::new(own), request }
    }

    fn get(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AccessToken>, Failed> {
        let Some(keep) = &mut self.keep else { return Err(super::super::ended().into()) };
        let granted = ready!(keep.step(now, arrived, time)?).value;
        self.keep = None;
        Ok(Step::Done(self.own.usable(&granted, now)?))
    }
}

pub(crate) struct PermittedToken(Permitted);

impl Part for PermittedToken {
    type Output = AccessToken;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AccessToken>, Failed> {
        self.0.get(now, arrived, time)
    }
}

pub(crate) struct PermittedRequest {
    permitted: Permitted,
    request: ApiRequest,
}

impl PermittedRequest {
    /// Nothing was sent with the token yet.
    pub(crate) fn has_no_token(&self) -> bool {
        self.permitted.call.is_none()
    }
}

impl Part for PermittedRequest {
    type Output = Response;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Response>, Failed> {
        if self.permitted.call.is_none() {
            let token = ready!(self.permitted.get(now, arrived.take(), time)?);
            let request = self.request.clone().token(token);
            self.permitted.call = Some(Call::new(self.permitted.session.clone(), request, None));
        }
        match &mut self.permitted.call {
            Some(call) => Part::step(call, now, arrived, time),
            None => Err(super::super::ended().into()),
        }
    }
}
