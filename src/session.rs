//! x
/// y
pub struct Session;
