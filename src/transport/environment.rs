//! The only reader of the process environment.

/// The variable's value. What is not Unicode is read with replacement characters, so that it is refused as bad text
/// instead of being taken for "not set".
#[allow(clippy::disallowed_methods)] // this is the place
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The value of the first of these variables that is set to more than blanks.
#[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
fn first(names: &[&str]) -> Option<String> {
    names.iter().filter_map(|name| variable(name)).find(|value| !value.trim().is_empty())
}

/// The proxy for https. `HTTP_PROXY` is for plain http, which never goes through one.
#[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
pub(crate) fn proxy() -> Option<String> {
    first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
}

/// Who is reached without the proxy.
#[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
pub(crate) fn no_proxy() -> String {
    first(&["no_proxy", "NO_PROXY"]).unwrap_or_default()
}

/// The file, and the folders, with certificates to trust.
#[cfg(any(feature = "ureq", feature = "reqwest"))]
#[allow(clippy::disallowed_methods)] // this is the place
pub(crate) fn certificates() -> (Option<std::path::PathBuf>, Vec<std::path::PathBuf>) {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let folders = named("SSL_CERT_DIR").map(|folders| std::env::split_paths(&folders).collect());
    (named("SSL_CERT_FILE").map(Into::into), folders.unwrap_or_default())
}
