//! The only reader of the process environment.

/// The variable's value. What is not Unicode is read with replacement characters, so that it is refused as bad text
/// instead of being taken for "not set".
#[allow(clippy::disallowed_methods)] // this is the place
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
