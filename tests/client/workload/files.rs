//! The token in a file: read for each exchange and at no other time, and what is wrong with it said without showing it.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::Error;
use lumoauth::error::WorkloadError;

use super::support::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_rotated_file_is_picked_up_at_the_next_exchange() {
    let (emulator, file) = (emulator(), TokenFile::new("rotated"));
    file.rotate(&emulator);
    let agent =
        builder(&emulator).workload_token_file("kubernetes", &file.0).build_with(emulator.transport());
    let agent = agent.unwrap();
    assert_eq!(agent.info().unwrap().id, POD);
    assert!(agent.token_scopes().contains("read:documents"));
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    // The token in the file is over as well: the platform has replaced it meanwhile.
    emulator.advance(HOUR);
    file.rotate(&emulator);
    agent.info().unwrap();
    assert_eq!(emulator.count("oauth.token").unwrap(), 2);
    // And if it has not, that is the service's refusal, remembered for a while.
    emulator.advance(HOUR);
    for _ in 0..3 {
        let error = agent.info().unwrap_err();
        assert_eq!(error.code(), Some("workload_identity_failed"), "{error}");
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 3);
}

#[test]
fn sixty_four_threads_read_once_and_exchange_once() {
    let emulator = emulator();
    let reads = Arc::new(AtomicUsize::new(0));
    let (own, counted) = (emulator.clone(), Arc::clone(&reads));
    let source = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(own.workload_token(POD).unwrap())
    };
    let agent =
        builder(&emulator).workload_token("kubernetes", source).build_with(emulator.transport()).unwrap();
    let mut rounds = 0;
    for round in 1..=20 {
        let barrier = Barrier::new(64);
        let tokens: Vec<_> = std::thread::scope(|scope| {
            let ask = || {
                barrier.wait();
                agent.access_token().unwrap().secret().clone()
            };
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|token| token == &tokens[0]));
        assert_eq!(
            (reads.load(Ordering::SeqCst), emulator.count("oauth.token").unwrap()),
            (round, round as u64)
        );
        rounds = round;
        emulator.advance(HOUR);
    }
    println!("workload: {rounds} rounds of 64 threads, 1 read and 1 exchange in each");
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_showing_it() {
    let emulator = emulator();
    let file = TokenFile::new("wrong");
    let agent =
        builder(&emulator).workload_token_file("kubernetes", &file.0).build_with(emulator.transport());
    let agent = agent.unwrap();
    let canary = "CANARYcanary0123456789";
    let missing = WorkloadError::Unreadable(ErrorKind::NotFound);
    let cases: [(Option<Vec<u8>>, WorkloadError); 7] = [
        (None, missing),
        (Some(Vec::new()), WorkloadError::Empty),
        (Some(b" \n\t ".to_vec()), WorkloadError::Empty),
        (Some(canary.repeat(1000).into_bytes()), WorkloadError::TooLong),
        (Some(format!("{canary}\n{canary}").into_bytes()), WorkloadError::BadText),
        (Some(format!("{canary}\0").into_bytes()), WorkloadError::BadText),
        (Some([canary.as_bytes(), &[0xff]].concat()), WorkloadError::BadText),
    ];
    for (bytes, expected) in cases {
        if let Some(bytes) = bytes {
            file.write(bytes);
        }
        let error = agent.info().unwrap_err();
        assert!(matches!(&error, Error::Workload(found) if *found == expected), "{error:?}");
        assert!(!format!("{error} {error:?} {}", error.advice()).contains("CANARY"), "{error:?}");
        // Remembered for a moment, as every failure is; then it is looked at again.
        emulator.advance(Duration::from_secs(60));
    }
    assert_eq!(emulator.count_all(), 0, "nothing was sent");
    file.rotate(&emulator);
    agent.info().unwrap();
}

#[test]
fn a_failure_is_remembered_and_a_valid_token_outlives_it() {
    let (emulator, file) = (emulator(), TokenFile::new("outage"));
    file.rotate(&emulator);
    let agent =
        builder(&emulator).workload_token_file("kubernetes", &file.0).build_with(emulator.transport());
    let agent = agent.unwrap();
    let first = agent.access_token().unwrap();
    file.write("");
    // Soon over, still valid: the renewal fails and nobody sees it.
    emulator.advance(Duration::from_secs(3400));
    for _ in 0..10 {
        assert_eq!(agent.access_token().unwrap().secret(), first.secret());
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    emulator.advance(HOUR);
    assert!(matches!(agent.access_token(), Err(Error::Workload(WorkloadError::Empty))));
    // The file is good again, and the memory of the failure is short.
    file.rotate(&emulator);
    assert!(matches!(agent.access_token(), Err(Error::Workload(WorkloadError::Empty))));
    emulator.advance(Duration::from_secs(30));
    agent.access_token().unwrap();
    assert_eq!(emulator.count("oauth.token").unwrap(), 2);
}
