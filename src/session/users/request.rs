//! A request in a user's name: again with a new token after a 401, once.

use super::super::keep::{Loan, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Step};
use super::Users;
use super::delegated::Delegated;
use crate::operations::ApiRequest;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::Response;

/// The request.
pub(super) struct InName {
    users: Users,
    delegated: Delegated,
    request: ApiRequest,
    /// A token was refused once; a second refusal is the answer.
    met: bool,
    sent: Option<(Box<Call<ApiRequest>>, Loan<AccessToken>)>,
}

impl InName {
    pub(super) fn new(users: &Users, delegated: Delegated, request: ApiRequest) -> Self {
        InName { users: users.clone(), delegated, request, met: false, sent: None }
    }
}

impl Part for InName {
    type Output = Response;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Response>, Failed> {
        loop {
            let Some((mut call, loan)) = self.sent.take() else {
                let loan = ready!(self.delegated.step(now, arrived.take(), time)?);
                let request = self.request.clone().token(loan.value.clone());
                let call = Call::new(self.users.session.clone(), request, None);
                self.sent = Some((Box::new(call), loan));
                continue;
            };
            let response = match Part::step(&mut *call, now, arrived.take(), time)? {
                Step::Done(response) => response,
                Step::Do(action) => {
                    self.sent = Some((call, loan));
                    return Ok(Step::Do(action));
                }
            };
            let refused = response.status() == 401 && loan.refused(&Policy::TOKENS, now);
            if !refused || std::mem::replace(&mut self.met, true) || time.passed(now) {
                return Ok(Step::Done(response));
            }
            self.delegated.anew();
        }
    }
}
