//! Whatever an id or a path contains, the request stays where it belongs.

use crate::hostile::Rng;
use http::Uri;
use lumoauth::embed::operations::routes;
use lumoauth::error::ConfigError;
use lumoauth::{Layout, Site, embed::segment};

const BASE: &str = "https://gw.example.com/auth";

const PIECES: [&str; 40] = [
    "..",
    ".",
    "../",
    "..%2f",
    "%2e%2e",
    "%2E%2e/",
    "%252e%252e",
    "..%252f",
    "..;/",
    ";",
    "//evil.test",
    "\\",
    "\\\\evil",
    "/",
    "?",
    "#",
    "@",
    ":",
    "%",
    "%00",
    "%0d%0a",
    "\r\n",
    "\0",
    "\t",
    " ",
    "\u{2024}",
    "\u{2025}",
    "\u{ff0e}",
    "\u{fe52}",
    "\u{ff0f}",
    "\u{2215}",
    "\u{202e}",
    "é",
    "日",
    "a",
    "jit_1",
    "https://evil.test/",
    "&",
    "=",
    "~",
];

fn hostile(rng: &mut Rng) -> String {
    (0..rng.below(6)).map(|_| PIECES[rng.below(PIECES.len())]).collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// True if some reader, however often it decodes, could see a step upwards in this path.
fn climbs(path: &str) -> bool {
    let mut text = path.to_owned();
    loop {
        let dots = |piece: &str| {
            let piece: String = piece
                .chars()
                .map(|c| if matches!(c, '\u{2024}' | '\u{ff0e}' | '\u{fe52}') { '.' } else { c })
                .collect();
            matches!(piece.trim(), "." | "..")
        };
        if text.split(['/', '\\']).any(dots) {
            return true;
        }
        let next = decode(&text);
        if next == text {
            return false;
        }
        text = next;
    }
}

#[test]
fn s7_slugs_and_ids_stay_one_segment() {
    let (mut rng, mut kept, mut refused) = (Rng::new(7), 0, 0);
    let long = "x".repeat(10 * 1024);
    let fixed =
        ["", "../", "..%2f", "%2e%2e", "//evil", "\\", ";", "?", "#", "@", &long, "．．", "..\u{2025}"];
    let random: Vec<String> = (0..50_000).map(|_| hostile(&mut rng)).collect();
    for id in fixed.into_iter().map(str::to_owned).chain(random) {
        for (layout, front) in
            [(Layout::Tenant(id.clone()), "/auth/t/"), (Layout::Organization(id.clone()), "/auth/orgs/")]
        {
            match Site::new(BASE, layout) {
                Ok(site) => {
                    let url = site.url(routes::ASK);
                    assert_eq!(url.authority().unwrap().as_str(), "gw.example.com");
                    assert!(url.query().is_none(), "{id:?} became {url}");
                    let middle = url
                        .path()
                        .strip_prefix(front)
                        .and_then(|rest| rest.strip_suffix("/api/v1/agents/ask"));
                    let middle = middle.unwrap_or_else(|| panic!("{id:?} became {url}"));
                    assert!(!middle.contains('/') && !middle.is_empty(), "{id:?} became {url}");
                    assert_eq!(decode(middle), id);
                    assert!(!climbs(middle), "{id:?} became {url}");
                    kept += 1;
                }
                Err(error) => {
                    let typed = matches!(error, ConfigError::BadText { .. } | ConfigError::Missing { .. });
                    assert!(typed, "{id:?}: {error:?}");
                    refused += 1;
                }
            }
        }
        if let Ok(one) = segment("id", &id) {
            let url: Uri = format!("https://a.example/x/{one}/y").parse().unwrap();
            assert_eq!(url.path().split('/').count(), 4, "{id:?} became {url}");
            assert_eq!((decode(&one), url.query()), (id.clone(), None));
            assert!(!climbs(&one), "{id:?} became {one}");
        }
    }
    println!("s7: {kept} slugs kept as one segment, {refused} refused");
    assert!(kept > 1000 && refused > 1000);
}

#[test]
fn s7_raw_paths_stay_behind_their_base() {
    let (mut rng, mut kept, mut refused) = (Rng::new(77), 0, 0);
    let site = Site::new(BASE, Layout::Tenant("acme".into())).unwrap();
    for _ in 0..50_000 {
        let path = hostile(&mut rng);
        match site.join(&path) {
            Ok(url) => {
                assert_eq!(url.scheme_str(), Some("https"));
                assert_eq!(url.authority().unwrap().as_str(), "gw.example.com", "{path:?}");
                let base = if path.starts_with('/') { "/auth/" } else { "/auth/t/acme/api/v1/" };
                assert!(url.path().starts_with(base), "{path:?} became {url}");
                assert!(!climbs(url.path()), "{path:?} became {url}");
                let bare = path.split('?').next().unwrap_or_default();
                assert_eq!(
                    url.path()[base.len() - 1..].matches('/').count(),
                    bare.matches('/').count() + usize::from(!path.starts_with('/')),
                    "{path:?} became {url}"
                );
                assert!(url.to_string().bytes().all(|byte| byte.is_ascii_graphic()), "{path:?} became {url}");
                kept += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("s7: {kept} paths kept behind their base, {refused} refused");
    assert!(kept > 1000 && refused > 1000);
}
