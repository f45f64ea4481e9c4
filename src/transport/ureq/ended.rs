//! That a stream ended, told apart from everything else that can happen to it.

use std::error::Error as StdError;
use std::io::Error as IoError;

/// The stream ended although more was to come. An answer says where it ends, so this is never the end of one that its caller did
/// not allow to end so; an error of a kind that ureq does not take for the end.
pub(super) fn ended() -> ureq::Error {
    ureq::Error::Io(IoError::other(Ended))
}

/// True if the stream ended, and nothing else happened.
pub(super) fn is_ended(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<Ended>))
}

/// The stream ended below a layer that would have said so itself: what it carries is torn.
pub(super) fn torn(error: IoError) -> ureq::Error {
    let is_ended = error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<Ended>);
    ureq::Error::Io(if is_ended { IoError::other(Ended.to_string()) } else { error })
}

#[derive(Debug)]
struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ended before the answer did")
    }
}

impl StdError for Ended {}
