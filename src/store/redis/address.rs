//! Where a server is, and who logs in there: what a URL says.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionAddr, ConnectionInfo};

use crate::error::InputError;
use crate::secret::Secret;

/// One server.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Host(String, u16),
    Socket(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Host(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Address::Host(name, port) => write!(f, "{name}:{port}"),
            Address::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Who logs in.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Secret,
}

/// What a URL says.
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) tls: bool,
    pub(super) login: Option<Login>,
    pub(super) database: i64,
}

impl Server {
    /// Nothing of the URL stands in an error: it may hold a password.
    pub(super) fn read(url: &str) -> Result<Self, InputError> {
        let wrong = |problem| InputError::new("url", problem);
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let tls = match scheme {
            "rediss" | "valkeys" => true,
            "redis" | "valkey" | "unix" | "redis+unix" | "valkey+unix" => false,
            _ => return Err(wrong("must begin with redis://, rediss://, or unix:// and a path")),
        };
        // Behind `#` stands what would turn verification off.
        if rest.contains('#') {
            return Err(wrong("must have no fragment"));
        }
        // The crate knows TLS only with its own connections, which are not used.
        let plain = if tls { format!("redis://{rest}") } else { url.to_owned() };
        let unreadable =
            || wrong("cannot be read: scheme, user and password (percent-encoded), host, port, and a number");
        let read: ConnectionInfo = plain.parse().map_err(|_| unreadable())?;
        let address = match read.addr() {
            ConnectionAddr::Tcp(name, port) => Address::Host(name.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Socket(path.clone()),
            _ => return Err(unreadable()),
        };
        let settings = read.redis_settings();
        let password = settings.password();
        if password.is_none() && settings.username().is_some() {
            return Err(wrong("has a user and no password: a password alone stands behind a colon"));
        }
        let login = password.map(|password| {
            let user = settings.username().map(str::to_owned);
            Login { user, password: Secret::new(password) }
        });
        Ok(Server { address, tls, login, database: settings.db() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let read = |url: &str| {
            let server = Server::read(url).unwrap();
            let login = server.login.map(|login| (login.user, login.password.expose().to_owned()));
            (server.address.to_string(), server.tls, login, server.database)
        };
        let alone = |password: &str| Some((None, password.to_owned()));
        assert_eq!(read("redis://localhost"), ("localhost:6379".to_owned(), false, None, 0));
        assert_eq!(read("rediss://:p%40ss@h:1/3"), ("h:1".to_owned(), true, alone("p@ss"), 3));
        let user = Some((Some("u".to_owned()), "p".to_owned()));
        assert_eq!(read("valkeys://u:p@[::1]:7/"), ("[::1]:7".to_owned(), true, user, 0));
        assert_eq!(read("unix:///run/redis.sock?db=2"), ("/run/redis.sock".to_owned(), false, None, 2));
    }

    #[test]
    fn a_url_that_is_wrong_is_not_shown() {
        for url in [
            "",
            "canary",
            "http://canary",
            "redis://",
            "redis://canary@h",
            "rediss://:canary@h/#insecure",
            "redis://:canary@h:70000",
            "redis://:canary@h/x",
            "redis://:canary@0.0.0.0",
            "rediss://:canary@",
        ] {
            let error = Server::read(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
