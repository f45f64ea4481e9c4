//! The only reader of the process environment.

/// The variable's value. What is not Unicode is read with replacement characters, so that it is refused as bad text
/// instead of being taken for "not set".
#[allow(clippy::disallowed_methods)] // this is the place
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The values of the variables that name a proxy, those that are set.
#[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
pub(crate) fn proxies() -> Vec<String> {
    let names = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    names.iter().filter_map(|name| variable(name)).filter(|value| !value.trim().is_empty()).collect()
}
