//! No whole answer arrived.

use std::fmt;
use std::sync::Arc;

use super::redactor::Redactor;

/// No chain of sources is longer.
const DEEPEST: usize = 32;

/// Whether the service may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// No byte of the request left: the name was not found, the connection was refused, TLS failed.
    NotSent,
    /// Some of the request may have left. The default for any failure whose place is not known.
    Unknown,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The host's name has no address, or could not be looked up.
    Name,
    /// No connection.
    Connect,
    /// TLS: the certificate, or the handshake.
    Tls,
    /// Time ran out.
    Timeout,
    /// The connection broke.
    Broken,
    /// The answer is not HTTP, or its length cannot be known for sure.
    Framing,
    /// The answer is larger than the operation allows.
    TooLarge,
    /// The request was refused by a policy of this client before it was sent.
    Refused,
    /// Anything else a transport reports.
    Other,
}

/// A failure below HTTP. Carries no part of the request.
#[derive(Clone)]
pub struct TransportError {
    operation: Option<&'static str>,
    sent: Sent,
    fault: TransportFault,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// Nothing of the request was sent.
    pub fn not_sent(fault: TransportFault, message: impl Into<String>) -> Self {
        TransportError { operation: None, sent: Sent::NotSent, fault, message: message.into(), source: None }
    }

    /// Some of the request may have been sent. When in doubt, this one.
    pub fn unknown(fault: TransportFault, message: impl Into<String>) -> Self {
        TransportError { operation: None, sent: Sent::Unknown, fault, message: message.into(), source: None }
    }

    /// The same error with the one below it. It must not carry the request: its text is shown.
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error, said of the place that the connection was to lead to.
    #[cfg(any(feature = "ureq", feature = "reqwest"))]
    pub(crate) fn towards(mut self, host: &str, port: u16) -> Self {
        if self.sent == Sent::NotSent
            && matches!(self.fault, TransportFault::Connect | TransportFault::Tls | TransportFault::Timeout)
        {
            self.message = format!("{host}:{port}: {}", self.message);
        }
        self
    }

    /// Cleaned of secrets. A source cannot be cleaned: one that shows a secret is left out.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        self.message = redactor.clean(&self.message);
        self.source = self.source.filter(|source| {
            let first: &dyn std::error::Error = &**source;
            std::iter::successors(Some(first), |error| error.source())
                .take(DEEPEST)
                .flat_map(|error| [error.to_string(), format!("{error:?}")])
                .all(|text| redactor.clean(&text) == text)
        });
        self
    }

    /// The operation whose request it was, unless it was named before.
    pub(crate) fn of_operation(mut self, operation: &'static str) -> Self {
        self.operation.get_or_insert(operation);
        self
    }

    /// The operation whose request it was.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation
    }

    /// Whether the service may have seen the request.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// What kind of failure it was.
    pub fn fault(&self) -> TransportFault {
        self.fault
    }

    /// True if trying again may help. A refused certificate, an oversize or malformed answer and a policy's refusal stay
    /// as they are; everything else, unknown failures too, is temporary.
    pub fn is_temporary(&self) -> bool {
        use TransportFault::{Framing, Refused, Tls, TooLarge};
        !matches!(self.fault, Tls | TooLarge | Refused | Framing)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.message)?;
        if self.sent == Sent::NotSent { f.write_str(" (nothing was sent)") } else { Ok(()) }
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TransportError { operation, sent, fault, message, source } = self;
        f.debug_struct("TransportError")
            .field("operation", operation)
            .field("sent", sent)
            .field("fault", fault)
            .field("message", message)
            .field("source", source)
            .finish()
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
