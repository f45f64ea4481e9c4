//! Origins, base URLs, paths and segments: whatever the text is, what comes of it stays where it belongs.
#![no_main]

#[path = "work.rs"]
mod work;

use libfuzzer_sys::fuzz_target;
use lumoauth::embed::segment;
use lumoauth::{Layout, Origin, Site};

fuzz_target!(|text: &str| {
    work::bounded(text.len(), || {
        let site = Site::tenant("acme").expect("a site");
        if let Ok(origin) = Origin::parse(text) {
            assert_eq!(Origin::parse(&origin.to_string()).expect("its own text"), origin);
            assert!(origin.is_https() || origin.is_loopback());
        }
        if let Ok(url) = text.parse() {
            let origin = Origin::parse("https://a.test").expect("an origin");
            assert_eq!(origin.is_of(&url), Origin::of(&url) == Some(origin.clone()));
        }
        if let Ok(url) = site.join(text) {
            assert!(site.origin().is_of(&url), "{url}");
            let whole = text.starts_with('/') || text.contains("://");
            assert!(whole || url.path().starts_with("/t/acme/api/v1/"), "{url}");
            assert!(!url.path().split('/').any(|piece| matches!(piece, "." | "..")), "{url}");
        }
        if let Ok(segment) = segment("id", text) {
            assert!(!segment.is_empty() && !segment.contains(['/', '?', '#', '\\']), "{segment}");
            assert!(!matches!(segment.as_str(), "." | ".."), "{segment}");
        }
        if let Ok(other) = Site::new(text, Layout::Tenant("acme".into())) {
            let url = other.join("x").expect("a path");
            assert!(other.origin().is_of(&url) && url.path().ends_with("/t/acme/api/v1/x"), "{url}");
        }
        let _ = Site::tenant(text)
            .map(|site| assert!(site.api_base().starts_with("https://app.lumoauth.dev/t/")));
    });
});
