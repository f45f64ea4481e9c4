//! The URL that a browser comes back with: no text makes it panic, and what is read is not shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::embed::operations::Callback;

fuzz_target!(|text: &str| {
    match Callback::read(text) {
        Ok(callback) => {
            let _ = format!("{callback:?}");
        }
        Err(error) => assert!(error.to_string().len() < 4096),
    }
});
