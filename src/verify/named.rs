//! An audience that the service knows by an id: its Resource URI is read once, before the first token is judged.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode, Uri};

use super::Verifier;
use super::config::well_known;
use super::error::VerifyError;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::origin::absolute;
use crate::session::keep::{Keep, Keeper, Kind, Lead, Life, Policy};
use crate::session::part::{Failed, Part};
use crate::session::{Action, Arrived, Machine, Step, nothing_arrived};
use crate::time::{Deadline, Now};
use crate::wire::{self, Limits, Request, Response};

const NAME: &str = "wellknown.oauth_protected_resource.mcp";
/// One attempt, and the largest document.
const LIMITS: (Duration, usize) = (Duration::from_secs(5), 1024 * 1024);
/// What was read stays what it is for as long as the process runs.
const FOR_EVER: Duration = Duration::from_secs(u64::MAX >> 1);

/// What the audience is and where clients find it described.
pub(super) struct Told {
    pub(super) resource: String,
    pub(super) metadata_url: Arc<str>,
}

/// Where an audience is told, and what was told.
pub(super) struct Named {
    url: Uri,
    keeper: Keeper<(), Arc<Told>>,
    told: OnceLock<Arc<Told>>,
}

impl Named {
    pub(super) fn new(url: Uri) -> Self {
        Named { url, keeper: Keeper::bounded(1), told: OnceLock::new() }
    }

    /// What was told, if it was by now.
    pub(super) fn told(&self) -> Option<&Told> {
        self.told.get().map(Arc::as_ref)
    }
}

struct Audience(Arc<Named>);

impl Kind for Audience {
    type Key = ();
    type Value = Arc<Told>;
    type Fetch = Fetch;
    const NAME: &'static str = NAME;
    const PHASE: &'static str = "waiting for another check's reading of the audience";
    const POLICY: Policy = Policy::TOKENS;

    fn keeper(&self) -> &Keeper<(), Arc<Told>> {
        &self.0.keeper
    }

    fn key(&self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&self, _: Lead) -> Result<Fetch, Error> {
        Ok(Fetch { url: Some(self.0.url.clone()) })
    }

    fn life(&self, _: &Arc<Told>, asked: &Now) -> Life {
        Life::between(FOR_EVER, FOR_EVER, asked)
    }
}

struct Fetch {
    url: Option<Uri>,
}

impl Part for Fetch {
    type Output = Arc<Told>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<Told>>, Failed> {
        if let Some(url) = self.url.take() {
            let limits =
                Limits { total: LIMITS.0.min(time.remaining(now)), body: LIMITS.1, ..Limits::default() };
            return Ok(Step::Do(Action::Send(Request::new(Method::GET, url).limits(limits))));
        }
        match arrived {
            Some(Arrived::Response(response)) => Ok(Step::Done(Arc::new(read(&response)?))),
            Some(Arrived::Failed(error)) => Err(Error::Transport(error).into()),
            _ => Err(nothing_arrived().into()),
        }
    }
}

/// The description's own `resource`: an absolute URL (RFC 9728 section 2).
fn read(response: &Response) -> Result<Told, Error> {
    let mut fields = wire::read(NAME, response)?;
    if response.status() != StatusCode::OK {
        return Err(
            ProtocolError::new(NAME, response.status().as_u16(), ProtocolFault::UnexpectedStatus).into()
        );
    }
    let resource = fields.required_text("resource")?;
    if absolute("resource", &resource).is_err() {
        return Err(fields.fault(ProtocolFault::Other(
            "the server has no Resource URI: give it one, or set LUMOAUTH_RESOURCE",
        )));
    }
    let metadata_url = well_known(&resource, "oauth-protected-resource").into();
    Ok(Told { resource, metadata_url })
}

/// Has a verifier know its audience. Done at once where it was set.
pub(super) struct Naming {
    keep: Option<Keep<Audience>>,
    deadline: Option<Deadline>,
}

impl Naming {
    pub(super) fn new(verifier: &Verifier) -> Self {
        let missing = verifier.named.as_ref().filter(|named| named.told().is_none());
        Naming { keep: missing.map(|named| Keep::new(Audience(Arc::clone(named)))), deadline: None }
    }

    /// True if there is nothing to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.keep.is_none()
    }

    pub(super) fn step(
        &mut self,
        verifier: &Verifier,
        now: &Now,
        arrived: Option<Arrived>,
    ) -> Result<Step<()>, VerifyError> {
        let (Some(keep), Some(named)) = (&mut self.keep, &verifier.named) else { return Ok(Step::Done(())) };
        let total = verifier.core.issuer.timeout;
        let deadline = *self.deadline.get_or_insert_with(|| Deadline::start(now, total));
        match keep.step(now, arrived, &deadline) {
            Ok(Step::Do(action)) => Ok(Step::Do(action)),
            Ok(Step::Done(loan)) => {
                self.keep = None;
                // Whoever was first has said the same.
                drop(named.told.set(loan.value));
                Ok(Step::Done(()))
            }
            Err(failed) => Err(VerifyError::Unavailable(failed.error)),
        }
    }
}

/// The machine that finds out what a verifier's audience is, if that is not known yet ([`Verifier::ready`]).
pub struct Ready {
    naming: Naming,
    verifier: Verifier,
}

impl Ready {
    pub(super) fn new(verifier: &Verifier) -> Self {
        Ready { naming: Naming::new(verifier), verifier: verifier.clone() }
    }
}

impl Machine for Ready {
    type Output = Result<(), VerifyError>;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error> {
        Ok(match self.naming.step(&self.verifier, now, arrived) {
            Ok(Step::Do(action)) => Step::Do(action),
            Ok(Step::Done(())) => Step::Done(Ok(())),
            Err(error) => Step::Done(Err(error)),
        })
    }
}
