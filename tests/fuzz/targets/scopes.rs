//! Scopes: a set that is written down is read as the same set, and what can be sent has no character that it must not have.
#![no_main]

#[path = "work.rs"]
mod work;

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use lumoauth::Scopes;

fuzz_target!(|text: &str| {
    work::bounded(text.len(), || {
        let scopes = Scopes::from(text);
        let words: BTreeSet<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(scopes.iter().collect::<BTreeSet<_>>(), words);
        assert_eq!((scopes.len(), scopes.is_empty()), (words.len(), words.is_empty()));
        assert_eq!(Scopes::from(scopes.to_string()), scopes);
        assert_eq!(Scopes::from(text.split(' ').collect::<Vec<_>>()), scopes);
        if let Ok(Some(sent)) = scopes.parameter() {
            assert!(sent.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'));
        }
    });
});
