//! URLs to sign: the canonical form is canonical, and is what is taken apart.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::aauth::Target;

fuzz_target!(|text: &str| {
    if let Ok(target) = Target::parse(text) {
        let canonical = target.uri().to_string();
        let again = Target::parse(&canonical).expect("a canonical URL is one");
        assert_eq!(again, target);
        let parts = format!("{}{}", target.path(), target.query().unwrap_or_default());
        assert!(canonical.ends_with(&parts));
        assert_eq!(target.authority(), target.authority().to_ascii_lowercase());
        assert!(!target.authority().contains('@'));
    }
});
