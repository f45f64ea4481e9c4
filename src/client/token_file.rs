//! A platform's token in a file, read anew each time: the platform replaces it now and then.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::WorkloadError;
use crate::secret::Secret;

/// More than any token has: reading stops there, whatever the file is.
const LONGEST: u64 = 16 * 1024;

/// The token in the file, without the blanks around it.
pub(super) fn read(path: &Path) -> Result<Secret, WorkloadError> {
    let unreadable = |error: std::io::Error| WorkloadError::Unreadable(error.kind());
    // All of it at once: a buffer that grows leaves copies of the token behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST.saturating_add(64) as usize));
    let file = File::open(path).map_err(unreadable)?;
    file.take(LONGEST.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(WorkloadError::TooLong);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| WorkloadError::BadText)?.trim();
    if text.is_empty() { Err(WorkloadError::Empty) } else { Ok(Secret::new(text)) }
}
