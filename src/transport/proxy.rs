//! Whether a request goes through a proxy, and which: one reading of the settings and of the environment for both
//! transports.

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Authority;

use super::options::TransportOptions;
use crate::error::ConfigError;
use crate::origin::Origin;
use crate::secret::Secret;

/// The proxy of a transport, and who is reached without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    via: Option<Arc<Via>>,
    except: Arc<[Exception]>,
}

/// One proxy.
#[derive(Debug)]
pub(super) struct Via {
    https: bool,
    host: String,
    port: u16,
    credentials: Option<(Secret, Secret)>,
}

impl Proxies {
    /// What the options say, or the environment if they leave it to that.
    ///
    /// # Errors
    /// [`ConfigError::BadUrl`] if the proxy cannot be used as it is written.
    pub(super) fn read(options: &TransportOptions) -> Result<Self, ConfigError> {
        match options.named_proxy() {
            Some((setting, url, except)) => Self::new(setting, url.expose(), &except),
            None => Ok(Proxies::default()),
        }
    }

    fn new(setting: &'static str, url: &str, except: &str) -> Result<Self, ConfigError> {
        let via = Via::parse(url).map_err(|problem| ConfigError::BadUrl { setting, problem })?;
        let entries = except.split(|c: char| c == ',' || c.is_ascii_whitespace());
        let except = entries.filter_map(Exception::parse).collect();
        Ok(Proxies { via: Some(Arc::new(via)), except })
    }

    /// The proxy, whoever is reached through it.
    pub(super) fn via(&self) -> Option<&Via> {
        self.via.as_deref()
    }

    /// The proxy through which this origin is reached. Never one for this machine.
    pub(super) fn of(&self, origin: &Origin) -> Option<&Via> {
        let except = origin.is_loopback() || self.except.iter().any(|entry| entry.is_for(origin));
        self.via().filter(|_| !except)
    }
}

impl Via {
    const PROBLEM: &'static str = "write it as http://host:port";
    /// The HTTP stack does not take it.
    #[cfg(feature = "ureq")]
    pub(super) const UNUSABLE: ConfigError = ConfigError::BadUrl { setting: "proxy", problem: Self::PROBLEM };

    fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        let https = match &*scheme.to_ascii_lowercase() {
            "http" => false,
            "https" => true,
            _ => return Err("only http and https proxies are supported"),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, address) = match authority.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, authority),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (address, None),
        };
        // A port that is none would be left out silently.
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(Self::PROBLEM)?,
            None if https => 443,
            None => 80,
        };
        let is_host = !host.trim_matches(['[', ']']).is_empty() && host.parse::<Authority>().is_ok();
        let credentials = credentials.map(|text| text.split_once(':').unwrap_or((text, "")));
        let decoded = |text| decoded(text).map(Secret::new).ok_or(Self::PROBLEM);
        let credentials = match credentials {
            Some((user, password)) => Some((decoded(user)?, decoded(password)?)),
            None => None,
        };
        if !is_host {
            return Err(Self::PROBLEM);
        }
        Ok(Via { https, host: host.to_ascii_lowercase(), port, credentials })
    }

    /// True if the proxy itself is spoken to in TLS.
    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// The proxy's host; an IPv6 address in its brackets.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// User name and password.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (user.expose(), password.expose()))
    }
}

/// Percent-decoded, once.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let digits =
            more.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = more.get(2..)?;
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Who is reached without the proxy: one entry of `NO_PROXY`, read as curl reads it. Ports, `*.`, and brackets around
/// IPv6 addresses, which curl does not know, mean what they say.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// A host and all below it, or only those below it.
    Name {
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
    /// So many leading bits of an address.
    Net {
        address: IpAddr,
        bits: u32,
        port: Option<u16>,
    },
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Exception::All);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address: IpAddr = unbracketed(address).parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(&address))?;
            return Some(Exception::Net { address, bits, port: None });
        }
        let whole = |address: IpAddr, port| Exception::Net { bits: width(&address), address, port };
        if let Ok(address) = unbracketed(entry).parse() {
            return Some(whole(address, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
            None => (entry, None),
        };
        if let Ok(address) = unbracketed(host).parse() {
            return Some(whole(address, port));
        }
        let (name, only_below) = match host.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (host.strip_prefix('.').unwrap_or(host), false),
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        (!name.is_empty()).then_some(Exception::Name { name, only_below, port })
    }

    fn is_for(&self, origin: &Origin) -> bool {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| port == origin.port());
        let host = origin.host();
        match (self, unbracketed(host).parse::<IpAddr>()) {
            (Exception::All, _) => true,
            (Exception::Net { address, bits, port }, Ok(host)) => {
                is_port(port)
                    && width(address) == width(&host)
                    && prefix(address, *bits) == prefix(&host, *bits)
            }
            (Exception::Name { name, only_below, port }, Err(_)) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                let above = host.strip_suffix(name.as_str());
                is_port(port)
                    && above.is_some_and(|above| above.ends_with('.') || above.is_empty() && !only_below)
            }
            _ => false,
        }
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn width(address: &IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The leading bits of an address.
fn prefix(address: &IpAddr, bits: u32) -> u128 {
    let all = match address {
        IpAddr::V4(address) => u128::from(u32::from(*address)),
        IpAddr::V6(address) => u128::from(*address),
    };
    all.checked_shr(width(address).saturating_sub(bits)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_direct(except: &str, url: &str) -> bool {
        let proxies = Proxies::new("proxy", "http://proxy.test:3128", except).unwrap();
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        proxies.of(&origin).is_none()
    }

    #[test]
    fn who_is_reached_without_the_proxy() {
        let id = "https://id.corp.invalid";
        let v6 = "https://[2001:db8::1]";
        // The first column is what the variable may be, the second the URL, the third whether the proxy is left out.
        // Where curl 7.88 knows the form, it decides the same.
        let cases = [
            ("", id, false),
            ("id.corp.invalid", id, true),
            ("corp.invalid", id, true),
            ("corp.invalid", "https://corp.invalid", true),
            (".corp.invalid", id, true),
            (".corp.invalid", "https://corp.invalid", true),
            ("*.corp.invalid", id, true),
            ("*.corp.invalid", "https://corp.invalid", false),
            ("*.corp.invalid", "https://xcorp.invalid", false),
            ("orp.invalid", id, false),
            ("corp.invalid", "https://xcorp.invalid", false),
            ("corp.invalid", "https://corp.invalid.test", false),
            ("corp", id, false),
            ("CORP.Invalid", "https://ID.corp.INVALID", true),
            (" corp.invalid ", id, true),
            ("other.test, corp.invalid", id, true),
            ("other.test corp.invalid", id, true),
            ("other.test\tcorp.invalid", id, true),
            ("other.test , , ,corp.invalid,", id, true),
            ("corp.invalid.", id, true),
            ("corp.invalid", "https://id.corp.invalid.", true),
            ("*", id, true),
            ("*", v6, true),
            ("other.test,*", id, true),
            ("id.corp.invalid:443", id, true),
            ("id.corp.invalid:8443", id, false),
            ("corp.invalid:8443", "https://id.corp.invalid:8443", true),
            ("id.corp.invalid:", id, false),
            ("id.corp.invalid:https", id, false),
            ("https://id.corp.invalid", id, false),
            ("id.corp.invalid/", id, false),
            ("id.*", id, false),
            ("..corp.invalid", id, false),
            (".", id, false),
            ("192.0.2.7", "https://192.0.2.7", true),
            ("192.0.2.7", "https://192.0.2.8", false),
            ("192.0.2.7:443", "https://192.0.2.7", true),
            ("192.0.2.7:8443", "https://192.0.2.7", false),
            ("192.0.2.0/24", "https://192.0.2.7", true),
            ("192.0.2.0/24", "https://192.0.3.7", false),
            ("192.0.2.9/24", "https://192.0.2.7", true),
            ("192.0.2.0/31", "https://192.0.2.1", true),
            ("192.0.2.0/31", "https://192.0.2.2", false),
            ("192.0.2.7/32", "https://192.0.2.7", true),
            ("0.0.0.0/0", "https://192.0.2.7", true),
            ("0.0.0.0/0", v6, false),
            ("0.0.0.0/0", id, false),
            ("192.0.2.0/33", "https://192.0.2.0", false),
            ("192.0.2.0/x", "https://192.0.2.0", false),
            ("2.7", "https://192.0.2.7", false),
            ("192.0.2.*", "https://192.0.2.7", false),
            ("2001:db8::1", v6, true),
            ("2001:DB8:0::1", v6, true),
            ("2001:db8::2", v6, false),
            ("[2001:db8::1]", v6, true),
            ("[2001:db8::1]:443", v6, true),
            ("[2001:db8::1]:8443", v6, false),
            ("2001:db8::/32", v6, true),
            ("[2001:db8::]/32", v6, true),
            ("2001:db9::/32", v6, false),
            ("::/0", v6, true),
            ("2001:db8::/129", v6, false),
            ("::ffff:192.0.2.7", "https://192.0.2.7", false),
        ];
        let wrong: Vec<_> =
            cases.iter().filter(|(except, url, direct)| is_direct(except, url) != *direct).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        println!("{} forms of NO_PROXY", cases.len());
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        for url in ["http://localhost:1", "https://localhost", "http://127.9.9.9", "http://[::1]:1"] {
            assert!(is_direct("", url), "{url}");
        }
    }

    #[test]
    fn a_proxy_is_read_as_it_is_written() {
        for (url, https, host, port, credentials) in [
            ("http://proxy.test:3128", false, "proxy.test", 3128, None),
            ("proxy.test", false, "proxy.test", 80, None),
            ("proxy_1:8080", false, "proxy_1", 8080, None),
            ("HTTPS://Proxy.test/", true, "proxy.test", 443, None),
            ("http://[::1]:3128", false, "[::1]", 3128, None),
            ("http://[::1]", false, "[::1]", 80, None),
            ("http://u:p@proxy.test", false, "proxy.test", 80, Some(("u", "p"))),
            ("http://u%40x:p%3a%2F+%@proxy.test", false, "proxy.test", 80, Some(("u@x", "p:/+%"))),
            ("http://u@proxy.test", false, "proxy.test", 80, Some(("u", ""))),
        ] {
            let via = Via::parse(url).unwrap();
            assert_eq!(
                (via.is_https(), via.host(), via.port(), via.credentials()),
                (https, host, port, credentials),
                "{url}"
            );
        }
        for url in [
            "",
            "http://",
            "http://:3128",
            "http://proxy.test:99999",
            "http://proxy.test:0",
            "http://proxy.test:port",
            "http://proxy.test:",
            "http://pro xy.test",
            "http://[]:1",
            "socks5://proxy.test",
            "://proxy.test",
            "http://u:%ff@proxy.test",
        ] {
            assert!(Via::parse(url).is_err(), "{url}");
        }
    }
}
