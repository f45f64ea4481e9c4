//! Ids of an MCP server's sessions, bound to the caller that began them: brought by another caller, an id is no session.

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

use super::answer::{Answer, refusal};
use super::caller::Caller;
use crate::crypto::naming::Naming;
use crate::crypto::{base64url, from_base64url};

/// The id of a session (MCP 2025-03-26 to 2025-11-25, "Session management"; 2026-07-28 has none).
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where a stream is to go on (the same, "Resumability and redelivery").
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// Writes the server's ids for their callers, and reads them again. Nothing is kept: what a caller has is the server's own id with a code
/// behind it that no other caller can bring.
pub(crate) struct SessionIds(Naming);

impl SessionIds {
    /// All processes of a service that have the same secret know each other's ids.
    pub(crate) fn new(secret: &[u8]) -> Self {
        SessionIds(Naming::new(secret))
    }

    /// A request on its way to the server: the server's own id in place of the caller's. Without a session nothing can be resumed,
    /// because the id of an event would open it to whoever knows it.
    ///
    /// # Errors
    /// The answer to send: 404, as for a session that is over, so that a client begins a new one.
    pub(crate) fn inward(&self, headers: &mut HeaderMap, caller: &Caller) -> Result<(), Box<Answer>> {
        let mut brought = headers.get_all(&SESSION).iter();
        let own = match (brought.next(), brought.next()) {
            (None, _) => {
                headers.remove(&LAST_EVENT);
                return Ok(());
            }
            (Some(brought), None) => self.own(brought.as_bytes(), caller),
            _ => None,
        };
        let own = own.ok_or_else(|| {
            log::debug!("a caller ({:?}) brings a session that is not its own", caller.kind());
            Box::new(refusal(StatusCode::NOT_FOUND))
        })?;
        headers.insert(SESSION, own);
        Ok(())
    }

    /// An answer on its way to the caller: every id is the caller's.
    pub(crate) fn outward(&self, headers: &mut HeaderMap, caller: &Caller) {
        for id in headers.get_all(&SESSION).iter().cloned().collect::<Vec<_>>() {
            headers.remove(&SESSION);
            if let Some(bound) = self.bound(id.as_bytes(), caller) {
                headers.append(SESSION, bound);
            }
        }
    }

    /// Nobody has a session: nothing of one comes in or goes out.
    pub(crate) fn take_away(headers: &mut HeaderMap) {
        headers.remove(&SESSION);
        headers.remove(&LAST_EVENT);
    }

    fn bound(&self, own: &[u8], caller: &Caller) -> Option<HeaderValue> {
        let code = base64url(&self.code(own, caller));
        HeaderValue::from_bytes(&[own, b".", code.as_bytes()].concat()).ok()
    }

    fn own(&self, brought: &[u8], caller: &Caller) -> Option<HeaderValue> {
        let dot = brought.iter().rposition(|byte| *byte == b'.')?;
        let (own, code) = brought.split_at_checked(dot)?;
        let code = from_base64url(code.get(1..)?)?;
        let is_own: bool = self.code(own, caller).as_slice().ct_eq(&code).into();
        if is_own { HeaderValue::from_bytes(own).ok() } else { None }
    }

    /// Whose session it is: the issuer's subject, by this client, with all who act for it. A token that is renewed, or has other scopes, is
    /// the same caller's.
    fn code(&self, own: &[u8], caller: &Caller) -> [u8; 32] {
        let token = caller.token();
        let mut parts = vec!["lumoauth mcp session".as_bytes(), own];
        parts.extend([token.issuer(), token.subject(), token.client_id()].map(str::as_bytes));
        parts.push(caller.agent_id().unwrap_or_default().as_bytes());
        for actor in caller.actors() {
            parts.extend([actor.issuer().unwrap_or_default(), actor.subject()].map(str::as_bytes));
        }
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let pieces: Vec<&[u8]> =
            lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), part]).collect();
        self.0.of(&pieces)
    }
}
