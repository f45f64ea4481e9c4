//! Fetching an issuer's keys: its metadata first, if nobody said where the keys are (RFC 8414, OpenID Connect Discovery).

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Uri};

use super::cache::Lease;
use super::keys::IssuerKeys;
use crate::error::{Error, ProtocolError, ProtocolFault, Sent, TransportError, TransportFault};
use crate::origin::{Origin, absolute};
use crate::session::Arrived;
use crate::time::Now;
use crate::wire::{self, Limits, Request, Response};

/// The largest document that is read.
const BODY: usize = 1024 * 1024;
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

/// A fetch under way.
pub(super) struct Fetch {
    pub(super) fallback: Option<Arc<IssuerKeys>>,
    lease: Lease,
    asked: Now,
    stage: Stage,
}

enum Stage {
    /// The document at this place in the list was asked for, after the places before it had none that is good.
    Metadata {
        at: usize,
        before: Option<Error>,
    },
    Keys,
}

/// What comes of an arrival.
#[allow(clippy::large_enum_variant)] // it is taken apart where it is made
pub(super) enum Progress {
    Send(Fetch, Request),
    Done(Arc<IssuerKeys>),
    /// Nobody gets new keys; these are left.
    Failed(Option<Arc<IssuerKeys>>, Error),
}

impl Fetch {
    /// Starts a fetch. `time` is what is left for an attempt.
    pub(super) fn start(
        lease: Lease,
        fallback: Option<Arc<IssuerKeys>>,
        source: &Source,
        now: &Now,
        time: Duration,
    ) -> Progress {
        let fetch = Fetch { fallback, lease, asked: *now, stage: Stage::Keys };
        let known = match source {
            Source::Given(keys) => return Progress::Done(fetch.lease.succeed(IssuerKeys::clone(keys), now)),
            Source::Url(url) => Some(url.clone()),
            Source::Metadata { .. } => fetch.lease.found(),
        };
        match known {
            Some(url) => Progress::Send(fetch, request(url, time)),
            None => fetch.ask_metadata(0, None, source, now, time),
        }
    }

    /// Asks at this place, or gives up with what was wrong before it.
    fn ask_metadata(
        mut self,
        at: usize,
        before: Option<Error>,
        source: &Source,
        now: &Now,
        time: Duration,
    ) -> Progress {
        let Source::Metadata { documents, .. } = source else { return self.fail(no_metadata(), now) };
        match (documents.get(at), before) {
            (Some(url), before) if before.is_none() || !time.is_zero() => {
                self.stage = Stage::Metadata { at, before };
                Progress::Send(self, request(url.clone(), time))
            }
            (_, before) => self.fail(before.unwrap_or_else(no_metadata), now),
        }
    }

    /// What arrived brings the fetch further, or ends it.
    pub(super) fn arrived(
        self,
        source: &Source,
        arrived: Option<Arrived>,
        now: &Now,
        time: Duration,
    ) -> Progress {
        let response = match arrived {
            Some(Arrived::Response(response)) => Ok(response),
            Some(Arrived::Failed(error)) => Err(error),
            Some(Arrived::Given(_) | Arrived::Signature(_)) | None => {
                Err(TransportError::unknown(TransportFault::Other, "the driver brought no answer"))
            }
        };
        match self.stage {
            Stage::Keys => match response.map_err(Error::from).and_then(|response| read_keys(&response)) {
                Ok(keys) => {
                    log::debug!("{} keys of the issuer were fetched", keys.keys().len());
                    let asked = self.asked;
                    Progress::Done(self.lease.succeed(keys, &asked))
                }
                Err(error) => self.fail(error, now),
            },
            Stage::Metadata { at, before } => {
                let fetch = Fetch { stage: Stage::Keys, ..self };
                // Who cannot be reached is not asked for another document.
                let (error, last) = match response {
                    Err(error) => (error.clone().into(), error.sent() == Sent::NotSent),
                    Ok(response) => match read_metadata(&response, source) {
                        Ok(url) => {
                            fetch.lease.find(url.clone());
                            return Progress::Send(fetch, request(url, time));
                        }
                        Err(error) => (error, false),
                    },
                };
                // That there is no document says less than what was wrong with one.
                let told = before.filter(|first| !first.is_not_found()).unwrap_or(error);
                if last {
                    return fetch.fail(told, now);
                }
                fetch.ask_metadata(at.saturating_add(1), Some(told), source, now, time)
            }
        }
    }

    fn fail(self, error: Error, now: &Now) -> Progress {
        log::debug!("the issuer's keys could not be fetched: {error}");
        self.lease.fail(&error, now);
        Progress::Failed(self.fallback, error)
    }
}

fn request(url: Uri, time: Duration) -> Request {
    Request::new(Method::GET, url).limits(Limits { total: time, body: BODY, ..Limits::default() })
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
