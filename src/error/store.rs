//! Why a store did not do what it was asked.

/// Why a store did not do what it was asked. Its text is shown: it must hold nothing of keys and records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    fault: StoreFault,
    message: String,
}

/// What kind of failure a store reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreFault {
    /// It cannot be reached, or not in time. What was to be changed may be changed or not.
    Unavailable,
    /// It has no room for a new record. Nothing was changed.
    Full,
    /// What is there cannot be read: damaged, sealed with another key, or written by something else.
    Corrupt,
}

impl StoreError {
    /// The store cannot be reached, or not in time.
    pub fn unavailable(message: impl Into<String>) -> Self {
        StoreError { fault: StoreFault::Unavailable, message: message.into() }
    }

    /// There is no room for a new record; nothing was changed.
    pub fn full(message: impl Into<String>) -> Self {
        StoreError { fault: StoreFault::Full, message: message.into() }
    }

    /// What is there cannot be read.
    pub fn corrupt(message: impl Into<String>) -> Self {
        StoreError { fault: StoreFault::Corrupt, message: message.into() }
    }

    /// What kind of failure it is.
    pub fn fault(&self) -> StoreFault {
        self.fault
    }

    /// The store could not be reached, or not in time: it may work later.
    pub fn is_unavailable(&self) -> bool {
        self.fault == StoreFault::Unavailable
    }

    /// The store has no room.
    pub fn is_full(&self) -> bool {
        self.fault == StoreFault::Full
    }

    /// What is there cannot be read.
    pub fn is_corrupt(&self) -> bool {
        self.fault == StoreFault::Corrupt
    }
}
