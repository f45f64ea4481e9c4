//! Where a workload's token comes from, in the blocking mount.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::token_file;
use crate::error::WorkloadError;
use crate::secret::Secret;

/// A file, or a closure of the application's.
#[derive(Clone)]
pub(super) struct WorkloadSource(Arc<dyn Fn() -> Result<Secret, WorkloadError> + Send + Sync>);

impl WorkloadSource {
    pub(super) fn new<F>(token: F) -> Self
    where
        F: Fn() -> Result<Secret, WorkloadError> + Send + Sync + 'static,
    {
        WorkloadSource(Arc::new(token))
    }

    pub(super) fn file(path: PathBuf) -> Self {
        WorkloadSource(Arc::new(move || token_file::read(&path)))
    }

    /// The token as it is now.
    pub(super) fn token(&self) -> Result<Secret, WorkloadError> {
        (self.0)()
    }
}

impl fmt::Debug for WorkloadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkloadSource")
    }
}
