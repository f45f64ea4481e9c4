//! Settings that cannot work.

/// A setting that cannot work. Each says which one and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A required setting is missing.
    #[error("{setting} is missing: {hint}")]
    Missing {
        /// The setting's name.
        setting: &'static str,
        /// Where to set it.
        hint: &'static str,
    },
    /// Several required settings are missing.
    #[error("{} are missing: set them in the environment or on the builder", .settings.join(", "))]
    SeveralMissing {
        /// Their names, each with its variable.
        settings: Vec<&'static str>,
    },
    /// The base URL (or another URL among the settings) cannot be used.
    #[error("{setting} is not usable: {problem}")]
    BadUrl {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// The URL is `http` and its host is not this machine.
    #[error(
        "{setting} is http to a host that is not this machine: use https (http is for 127.0.0.0/8, [::1] and localhost)"
    )]
    NotHttps {
        /// The setting's name.
        setting: &'static str,
    },
    /// A setting's text cannot go where it has to go: a control character, a line break, a character beyond ASCII.
    #[error("{setting} {problem}")]
    BadText {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A certificate among the extra roots cannot be read.
    #[error("root_certificates: {0}")]
    BadCertificate(&'static str),
    /// A file with certificates that the environment names cannot be used. That there is none in it is found when the first
    /// connection in TLS is made, and is then a [`TransportError`](crate::error::TransportError) with these words.
    #[error("{variable} names {file:?}, {problem}")]
    CertificateFile {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The operating system's randomness, or another thing that the client needs to start, failed.
    #[error("{0}")]
    Unavailable(&'static str),
}
