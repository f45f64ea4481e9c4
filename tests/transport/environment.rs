//! What the environment says of proxies and certificates, in both mounts alike: each case is a process of its own.
#![allow(clippy::disallowed_methods, reason = "the environment is what is tried here")]

use std::path::{Path, PathBuf};
use std::process::Command;

use lumoauth::{Agent, Error, asynchronous};

use crate::hostile::{Server, Tls, service};
use crate::tunnel::Tunnel;

const URL: &str = "LUMOAUTH_TEST_URL";

macro_rules! asked {
    ($agent:ty, $environment:expr, $url:expr) => {{
        let builder =
            <$agent>::builder().base_url($url).tenant("acme").client_id("agt_1").client_secret("secret");
        let builder = if $environment { builder.environment() } else { builder };
        builder.build()
    }};
}

fn told(mount: &str, result: Result<bool, Error>) {
    match result {
        Ok(allowed) => println!("{mount}: allowed {allowed}"),
        Err(Error::Config(error)) => println!("{mount}: settings: {error}"),
        Err(Error::Transport(error)) => println!("{mount}: {:?}: {error}", error.fault()),
        Err(other) => println!("{mount}: {other}"),
    }
}

/// Not a test of its own: what the processes of the others run.
#[test]
fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    for (name, environment) in [("environment", true), ("plain", false)] {
        told(
            &format!("{name} blocking"),
            asked!(Agent, environment, &url).and_then(|agent| agent.is_allowed("read")),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let agent = asked!(asynchronous::Agent, environment, &url);
        told(&format!("{name} async"), agent.and_then(|agent| runtime.block_on(agent.is_allowed("read"))));
    }
}

/// What both mounts say under these variables: with `environment()`, and without.
fn under(url: &str, variables: &[(&str, &str)]) -> (String, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "environment::child", "--nocapture", "--test-threads=1"]).env(URL, url);
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = |start: &str| {
        let line = text.lines().find_map(|line| line.split_once(start).map(|(_, said)| said.to_owned()));
        line.unwrap_or_else(|| panic!("{start} under {variables:?}: {text}"))
    };
    let both = |name: &str| {
        let (blocking, asynchronous) =
            (said(&format!("{name} blocking: ")), said(&format!("{name} async: ")));
        assert_eq!(blocking, asynchronous, "{variables:?}");
        blocking
    };
    (both("environment"), both("plain"))
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lumoauth-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_proxy_is_the_one_that_curl_would_take() {
    let tls = Tls::valid_for("id.corp.invalid");
    let server = Server::start_tls(&tls, service("tok"));
    let tunnel = Tunnel::start(server.addr());
    let (proxy, port) = (tunnel.url(), server.addr().port());
    let url = format!("https://id.corp.invalid:{port}");
    let roots = folder("proxy").join("ca.pem");
    std::fs::write(&roots, tls.ca_pem()).unwrap();
    let exact = format!("id.corp.invalid:{port}");
    let cases: Vec<(Vec<(&str, &str)>, bool)> = vec![
        (vec![], false),
        (vec![("https_proxy", &proxy)], true),
        (vec![("HTTPS_PROXY", &proxy)], true),
        (vec![("all_proxy", &proxy)], true),
        (vec![("ALL_PROXY", &proxy)], true),
        (vec![("HTTP_PROXY", &proxy)], false),
        (vec![("http_proxy", &proxy)], false),
        (vec![("HTTPS_PROXY", &proxy), ("HTTP_PROXY", "no proxy at all")], true),
        (vec![("https_proxy", &proxy), ("HTTPS_PROXY", "http://127.0.0.1:1")], true),
        (vec![("https_proxy", &proxy), ("ALL_PROXY", "http://127.0.0.1:1")], true),
        (vec![("https_proxy", " "), ("HTTPS_PROXY", &proxy)], true),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "other.invalid")], true),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "id.corp.invalid")], false),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "corp.invalid")], false),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", " x.test , CORP.Invalid ")], false),
        (vec![("HTTPS_PROXY", &proxy), ("no_proxy", "*.corp.invalid")], false),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "*")], false),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", &exact)], false),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "id.corp.invalid:1")], true),
        (vec![("HTTPS_PROXY", &proxy), ("NO_PROXY", "orp.invalid,10.0.0.0/8")], true),
        (vec![("HTTPS_PROXY", &proxy), ("no_proxy", "other.invalid"), ("NO_PROXY", "*")], true),
    ];
    for (mut variables, proxied) in cases {
        let file = text(&roots);
        variables.push(("SSL_CERT_FILE", &file));
        let before = tunnel.asked().len();
        let (environment, plain) = under(&url, &variables);
        let expected = if proxied { "allowed true" } else { "Name: " };
        assert!(environment.starts_with(expected), "{variables:?}: {environment}");
        // Without a word of the caller's the environment is not read.
        assert!(plain.starts_with("Name: "), "{variables:?}: {plain}");
        let asked = tunnel.asked();
        assert_eq!(asked.len() > before, proxied, "{variables:?}: {asked:?}");
        assert!(asked.iter().all(|line| *line == format!("CONNECT {exact} HTTP/1.1")), "{asked:?}");
    }
    for bad in ["socks5://127.0.0.1:1", "http://127.0.0.1:99999", "http://"] {
        let (environment, plain) = under(&url, &[("ALL_PROXY", bad)]);
        assert!(
            environment.starts_with("settings: ") && environment.contains("proxy"),
            "{bad}: {environment}"
        );
        assert!(plain.starts_with("Name: "), "{bad}: {plain}");
    }
    let _ = std::fs::remove_dir_all(roots.parent().unwrap());
}

#[test]
fn certificates_of_the_environment_are_trusted_besides_the_built_in_ones() {
    let tls = Tls::valid_for("localhost");
    let server = Server::start_tls(&tls, service("tok"));
    let folder = folder("roots");
    let (file, junk, certs, missing) =
        (folder.join("ca.pem"), folder.join("junk.pem"), folder.join("certs"), folder.join("missing"));
    std::fs::create_dir_all(certs.join("below")).unwrap();
    std::fs::write(&file, format!("# Our own\n{}", tls.ca_pem())).unwrap();
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(certs.join("0a1b2c3d.0"), tls.ca_pem()).unwrap();
    std::fs::write(certs.join("README"), "no certificate").unwrap();
    let several = std::env::join_paths([&missing, &certs]).unwrap().into_string().unwrap();
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[], "Tls: "),
        (&[("SSL_CERT_FILE", &text(&file))], "allowed true"),
        (&[("SSL_CERT_DIR", &text(&certs))], "allowed true"),
        (&[("SSL_CERT_DIR", &several)], "allowed true"),
        (&[("SSL_CERT_DIR", &text(&missing))], "Tls: "),
        (&[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")], "Tls: "),
        (&[("SSL_CERT_FILE", &text(&missing))], "settings: "),
        // Read for the first connection in TLS.
        (&[("SSL_CERT_FILE", &text(&junk))], "Tls: "),
        (&[("SSL_CERT_FILE", &text(&certs))], "settings: "),
    ];
    for (variables, expected) in cases {
        let (environment, plain) = under(server.url(), variables);
        assert!(environment.starts_with(expected), "{variables:?}: {environment}");
        // Whoever cannot use a file says which, and who named it.
        let bad = [&missing, &junk, &certs].into_iter().find(|bad| {
            variables.iter().any(|(name, value)| *name == "SSL_CERT_FILE" && *value == text(bad))
        });
        let named = |bad: &PathBuf| environment.contains(&format!("SSL_CERT_FILE names {bad:?}, "));
        assert_eq!(bad.is_some(), environment.contains("SSL_CERT_FILE"), "{environment}");
        assert!(bad.is_none_or(named), "{environment}");
        assert!(plain.starts_with("Tls: "), "{variables:?}: {plain}");
    }
    // As bundles are found: beside sections that are no certificates, behind a mark of Windows, with other line ends.
    let mixed = folder.join("mixed.pem");
    let (good, section) = (tls.ca_pem(), "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n");
    for bundle in [
        format!("{section}{good}"),
        format!("{good}-----BEGIN CERTIFICATE-----\nAAAA"),
        format!("\u{feff}{good}"),
        good.replace('\n', "\r\n"),
    ] {
        std::fs::write(&mixed, &bundle).unwrap();
        let (environment, _) = under(server.url(), &[("SSL_CERT_FILE", &text(&mixed))]);
        assert!(environment.starts_with("allowed true"), "{bundle}: {environment}");
    }
    // As folders are found: with links, some of which lead nowhere or in a circle.
    #[cfg(unix)]
    {
        let links = folder.join("links");
        std::fs::create_dir_all(&links).unwrap();
        for (to, name) in [(&file, "5ad8a5d6.0"), (&missing, "5ad8a5d6.1"), (&links, "loop")] {
            std::os::unix::fs::symlink(to, links.join(name)).unwrap();
        }
        std::fs::write(links.join("binary"), [0xff_u8; 100]).unwrap();
        let (environment, _) = under(server.url(), &[("SSL_CERT_DIR", &text(&links))]);
        assert!(environment.starts_with("allowed true"), "{environment}");
    }
    // Without TLS nothing is read, however bad it is.
    let plain_text = Server::start(service("tok"));
    let (environment, plain) = under(plain_text.url(), &[("SSL_CERT_FILE", &text(&junk))]);
    assert_eq!((&*environment, &*plain), ("allowed true", "allowed true"));
    let _ = std::fs::remove_dir_all(folder);
}
