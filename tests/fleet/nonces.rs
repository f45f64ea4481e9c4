//! A signature that many processes are shown at once is taken by one.

use crate::engine::programs;
use crate::member::{Member, Ways};
use crate::tokens::World;

#[test]
fn h4_a_nonce_raced_by_eight_processes_of_eight_threads_is_taken_once() {
    for program in programs("a nonce that is raced") {
        let world = World::new(&program);
        let ways = Ways { threads: 8, pace: 1_000, patience: 60, tells: false };
        let mut members: Vec<Member> = (0..8).map(|_| Member::start(&world, ways, 0)).collect();
        members.iter_mut().for_each(|member| assert_eq!(member.hear().unwrap()["ready"], true));
        let rounds = crate::rounds::of(500);
        for round in 0..rounds as u64 {
            members.iter_mut().for_each(|member| member.tell("nonce", round));
            let firsts: u64 = members.iter_mut().map(|member| member.end()["firsts"].as_u64().unwrap()).sum();
            assert_eq!(firsts, 1, "round {round}");
        }
        println!(
            "H4 on {}: a nonce raced by 8 processes of 8 threads, {rounds} rounds: 1 taken in each",
            program.file_name().unwrap().display()
        );
    }
}
