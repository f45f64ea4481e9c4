//! One life for every kind of value that one call fetches for many: the same promises, from one table, for both mounts.
//!
//! A row says what its kind is (`kept/kinds.rs`); a promise is written once for all rows (`kept/promises.rs`); the clients are the
//! public ones of both mounts, over a transport with a clock of its own: threads and tasks that wait let time pass.
#![cfg(all(feature = "blocking", feature = "async", feature = "aauth"))]

mod asynchronous;
mod blocking;
mod leaders;
mod promises;
mod refusals;
mod service;
mod table;
mod world;

use asynchronous::Tasks;
use blocking::Threads;
use table::{Mount, PROMISES, Promise};

/// Runs a promise over every kind; says how many keep it, and which do not take part.
fn every<M: Mount>(promise: Promise) -> (usize, Vec<String>) {
    let (mut kept, mut not) = (0, Vec::new());
    for kind in M::kinds() {
        match kind.not.iter().find(|(own, _)| *own == promise) {
            Some((_, reason)) => not.push(format!("{}: {reason}", kind.name)),
            None => {
                let partly = kind.partly.iter().filter(|(own, _)| *own == promise);
                not.extend(partly.map(|(_, reason)| format!("{} in part: {reason}", kind.name)));
                kind.keeps(promise);
                kept += 1;
            }
        }
    }
    (kept, not)
}

fn both(promise: Promise) {
    let (blocking, not) = every::<Threads>(promise);
    let (asynchronous, same) = every::<Tasks>(promise);
    assert_eq!((blocking, &not), (asynchronous, &same), "the mounts have the same rows");
    println!("{promise:?}: {blocking} kinds in {} and {}", Threads::NAME, Tasks::NAME);
    not.iter().for_each(|line| println!("  not {line}"));
}

macro_rules! promises {
    ($($name:ident => $promise:ident,)*) => {
        $(#[test]
        fn $name() {
            both(Promise::$promise);
        })*

        #[test]
        fn t15_every_kind_keeps_every_promise_or_says_why_not() {
            let tested = [$(Promise::$promise),*];
            assert_eq!(tested, PROMISES);
            let kinds = Threads::kinds();
            assert!(kinds.iter().all(|kind| std::path::Path::new(kind.source).exists()));
            let not: usize = kinds.iter().map(|kind| kind.not.len()).sum();
            let cells = kinds.len() * PROMISES.len();
            println!(
                "T15: {} kinds x {} promises x 2 mounts: {} cells are shown, {} have their reason",
                kinds.len(), PROMISES.len(), 2 * (cells - not), 2 * not
            );
        }
    };
}

#[test]
fn t7_what_cannot_be_renewed_ends_by_either_clock_for_good() {
    Threads::ending().keeps(Promise::T7);
    Tasks::ending().keeps(Promise::T7);
}

promises! {
    t15_t1_a_crowd_fetches_once => T1,
    t15_t2_a_failure_is_shared => T2,
    t15_t3_a_stuck_key_stalls_no_other => T3,
    t15_t4_a_good_value_outlives_an_outage => T4,
    t15_t5_no_outage_lasts_longer_than_it_does => T5,
    t15_t6_no_lifetime_makes_it_loop => T6,
    t15_t7_no_clock_makes_it_live_longer => T7,
    t15_t8_a_refusal_is_met_once => T8,
    t15_t9_a_late_refusal_drops_nothing_newer => T9,
    t15_t10_the_value_is_the_one_asked_for => T10,
    t15_t11_a_leader_that_is_late_or_lost_harms_nobody => T11,
}
