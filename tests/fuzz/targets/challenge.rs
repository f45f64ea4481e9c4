//! `WWW-Authenticate` and its kin: whatever can be read is rendered so that it reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::challenge::Challenge;

fuzz_target!(|text: &str| {
    let Ok(challenges) = Challenge::parse(text) else { return };
    for challenge in challenges {
        let rendered = challenge.to_header();
        let again = Challenge::parse(rendered.to_str().expect("visible ASCII"))
            .expect("what was rendered can be read");
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].scheme().to_ascii_lowercase(), challenge.scheme().to_ascii_lowercase());
        // What a field value cannot carry is rendered as a question mark.
        let carried = |value: &str| value.replace(|c| !matches!(c, ' '..='~'), "?");
        let parameters: Vec<_> = challenge.parameters().map(|(name, value)| (name, carried(value))).collect();
        assert!(again[0].parameters().eq(parameters.iter().map(|(name, value)| (*name, value.as_str()))));
    }
});
