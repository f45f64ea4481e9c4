//! What a transport counts.

/// What a transport has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections opened.
    pub connections: u64,
    /// Host names looked up.
    pub lookups: u64,
    /// Bytes received, those of TLS included; zero where the transport cannot count them.
    pub received: u64,
}
