//! Fetching an issuer's keys: its metadata first, if nobody said where the keys are (RFC 8414, OpenID Connect Discovery).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode, Uri};

use super::keys::IssuerKeys;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::origin::{Origin, absolute};
use crate::session::part::{Failed, Open, Part, late};
use crate::session::places::Places;
use crate::session::{Action, Arrived, Step, nothing_arrived};
use crate::time::{Deadline, Now};
use crate::wire::{self, Limits, Request, Response};

/// The largest document that is read.
const BODY: usize = 1024 * 1024;
/// One attempt to fetch a document.
const ATTEMPT: Duration = Duration::from_secs(5);
/// One attempt while the keys at hand are good enough.
const SOFT_ATTEMPT: Duration = Duration::from_secs(2);
const METADATA: &str = "issuer metadata";
const KEYS: &str = "wellknown.jwks";

/// Where the keys of an issuer come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// They were given; nothing is fetched.
    Given(Arc<IssuerKeys>),
    /// From this URL.
    Url(Uri),
    /// From where one of these documents says, asked in order until one is there.
    Metadata { issuer: String, documents: Vec<Uri>, origins: Vec<Origin> },
}

/// Where the keys of an issuer come from, and where its metadata said that they are.
pub(super) struct Place {
    pub(super) source: Source,
    found: Mutex<Option<Uri>>,
}

impl Place {
    pub(super) fn new(source: Source) -> Self {
        Place { source, found: Mutex::default() }
    }

    /// Where the keys are, if that is known.
    fn known(&self) -> Option<Uri> {
        match &self.source {
            Source::Url(url) => Some(url.clone()),
            _ => self.found().clone(),
        }
    }

    fn found(&self) -> MutexGuard<'_, Option<Uri>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches the keys: each document is asked for once.
pub(super) struct Fetch {
    place: Arc<Place>,
    /// The keys at hand are good enough if this takes long.
    early: bool,
    /// The last request had less time than it should have, because the deadline is near.
    hurried: bool,
    stage: Stage,
}

enum Stage {
    Start,
    /// A document was asked for; there are others.
    Metadata(Places<Uri>),
    Keys,
}

impl Fetch {
    pub(super) fn new(place: &Arc<Place>, early: bool) -> Self {
        Fetch { place: Arc::clone(place), early, hurried: false, stage: Stage::Start }
    }

    fn send<T>(&mut self, url: Uri, stage: Stage, now: &Now, time: &Deadline) -> Result<Step<T>, Failed> {
        let longest = if self.early { SOFT_ATTEMPT } else { ATTEMPT };
        let total = longest.min(time.remaining(now));
        self.hurried = total < longest;
        self.stage = stage;
        let limits = Limits { total, body: BODY, ..Limits::default() };
        Ok(Step::Do(Action::Send(Request::new(Method::GET, url).limits(limits))))
    }

    /// Asks at the next place, or gives up with what was wrong before it.
    fn ask_metadata<T>(
        &mut self,
        mut places: Places<Uri>,
        now: &Now,
        time: &Deadline,
    ) -> Result<Step<T>, Failed> {
        let next = places.next();
        match (next, places.told()) {
            (Some(_), Some(told)) if time.passed(now) => Err(Failed::open(told, Open::default())),
            (Some(url), _) => self.send(url, Stage::Metadata(places), now, time),
            (None, told) => Err(self.failed(told.unwrap_or_else(no_metadata))),
        }
    }

    /// It ended with this; the caller's own time may have been too short for more.
    fn failed(&self, error: Error) -> Failed {
        if self.hurried && error.is_timeout() {
            return Failed::open(error, Open::default());
        }
        error.into()
    }

    fn described<T>(
        &mut self,
        mut places: Places<Uri>,
        response: Result<Response, Error>,
        now: &Now,
        time: &Deadline,
    ) -> Result<Step<T>, Failed> {
        match response.and_then(|response| read_metadata(&response, &self.place.source)) {
            Ok(url) => {
                *self.place.found() = Some(url.clone());
                if time.passed(now) {
                    return Err(Failed::open(late(KEYS, "starting", time), Open::default()));
                }
                self.send(url, Stage::Keys, now, time)
            }
            Err(error) => {
                places.failed(error, |_| true);
                self.ask_metadata(places, now, time)
            }
        }
    }

    fn go_on(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<IssuerKeys>>, Failed> {
        let stage = std::mem::replace(&mut self.stage, Stage::Start);
        let response = match arrived {
            Some(Arrived::Response(response)) => Ok(response),
            Some(Arrived::Failed(error)) => Err(Error::Transport(error)),
            _ => Err(nothing_arrived()),
        };
        match stage {
            Stage::Start => match (&self.place.source, self.place.known()) {
                (Source::Given(keys), _) => Ok(Step::Done(Arc::clone(keys))),
                (_, Some(url)) => self.send(url, Stage::Keys, now, time),
                (Source::Metadata { documents, .. }, None) => {
                    self.ask_metadata(Places::new(documents.clone()), now, time)
                }
                (Source::Url(_), None) => Err(no_metadata().into()),
            },
            Stage::Metadata(places) => self.described(places, response, now, time),
            Stage::Keys => {
                let keys = response.and_then(|response| read_keys(&response));
                let keys = keys.map_err(|error| self.failed(error))?;
                log::debug!("{} keys of the issuer were fetched", keys.keys().len());
                Ok(Step::Done(Arc::new(keys)))
            }
        }
    }
}

impl Part for Fetch {
    type Output = Arc<IssuerKeys>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<IssuerKeys>>, Failed> {
        // The metadata is asked anew after a failure: the keys may have moved.
        self.go_on(now, arrived, time).inspect_err(|_| *self.place.found() = None)
    }
}

fn no_metadata() -> Error {
    Error::Protocol(ProtocolError::new(METADATA, 0, ProtocolFault::Other("there is no document to ask for")))
}

fn only_200(operation: &'static str, response: &Response) -> Result<(), Error> {
    if response.status().is_success() && response.status() != StatusCode::OK {
        let fault = ProtocolFault::UnexpectedStatus;
        return Err(Error::Protocol(ProtocolError::new(operation, response.status().as_u16(), fault)));
    }
    Ok(())
}

fn read_keys(response: &Response) -> Result<IssuerKeys, Error> {
    only_200(KEYS, response)?;
    let mut fields = wire::read(KEYS, response)?;
    let keys = fields.value("keys");
    IssuerKeys::read(keys.as_ref()).map_err(|fault| fields.fault(fault))
}

/// The URL of the keys, if the document is the issuer's own and the keys are where they may be (RFC 8414 sections 3.3 and 2).
fn read_metadata(response: &Response, source: &Source) -> Result<Uri, Error> {
    only_200(METADATA, response)?;
    let mut fields = wire::read(METADATA, response)?;
    let Source::Metadata { issuer, origins, .. } = source else { return Err(no_metadata()) };
    if fields.required_text("issuer")? != *issuer {
        return Err(fields.fault(ProtocolFault::Other("the metadata is another issuer's")));
    }
    let url = fields.required_text("jwks_uri")?;
    match absolute("jwks_uri", &url) {
        Ok((origin, url)) if origins.contains(&origin) => Ok(url),
        Ok(_) => Err(fields.fault(ProtocolFault::Other("the keys are on another origin than the issuer's"))),
        Err(_) => Err(fields.fault(ProtocolFault::Other("jwks_uri is not a URL that can be used"))),
    }
}
