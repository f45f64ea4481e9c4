//! Sessions as a store gives them back: what is read is written as it was read, and nothing of it is shown.
#![no_main]

#[path = "work.rs"]
mod work;

use libfuzzer_sys::fuzz_target;
use lumoauth::embed::operations::UserSession;

fuzz_target!(|bytes: &[u8]| {
    work::bounded(bytes.len(), || match UserSession::from_bytes(bytes) {
        Ok(session) => {
            let written = session.to_bytes();
            let again = UserSession::from_bytes(&written).expect("what was written is read");
            assert_eq!(again.to_bytes(), written);
            assert_eq!((again.scopes(), again.has_user()), (session.scopes(), session.has_user()));
            let _ = format!("{session:?}");
        }
        Err(error) => assert!(error.to_string().len() < 256),
    });
});
