//! Every operation against its folder of messages: what is sent, and what each answer comes to.
//!
//! A folder of `tests/vectors` has the name of an operation's route and holds one file for each question, with all the answers
//! to it that are known (`tests/vectors/README.md` tells what a file says). To add an operation:
//!
//! 1. Write `tests/vectors/<route>/<question>.json`, with the source of what it says.
//! 2. Add a line to the `FOLDERS` of the family's file here (`ask.rs` is the pattern): how the file's `input` becomes the
//!    operation, and how its output is shown as JSON. A new family is one more file and one more line in `FAMILIES`.
//!
//! `cargo test --all-features --test operations` replays all of them. Beyond what the files say, the harness tries every answer
//! of success under other statuses and cut at every byte, in both layouts of the site, and looks for `SECRET` in everything
//! that prints.

mod approvals;
mod ask;
mod authz;
mod harness;
mod jit;
mod older;
mod public;
mod routes;
mod standing;

use std::collections::BTreeSet;

use harness::{Folder, Vector};
use lumoauth::embed::operations::routes as constants;

const FAMILIES: &[&[Folder]] = &[
    approvals::FOLDERS,
    ask::FOLDERS,
    authz::FOLDERS,
    jit::FOLDERS,
    older::FOLDERS,
    public::FOLDERS,
    standing::FOLDERS,
];

fn folders() -> impl Iterator<Item = &'static Folder> {
    FAMILIES.iter().copied().flatten()
}

#[test]
fn every_operation_asks_and_understands_as_its_vectors_say() {
    let (mut questions, mut answers, mut more) = (0, 0, 0);
    for folder in folders() {
        let vectors = Vector::all_of(folder.name);
        assert!(!vectors.is_empty(), "{}: no vectors", folder.name);
        for vector in &vectors {
            let counted = (folder.replay)(vector);
            questions += 1;
            answers += counted.answers;
            more += counted.more;
        }
    }
    println!("vectors: {questions} questions, {answers} answers, {more} answers made from them");
}

#[test]
fn every_folder_is_replayed_and_every_operation_has_one() {
    let listed: Vec<_> = folders().map(|folder| folder.name).collect();
    let replayed: BTreeSet<_> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(replayed.len(), listed.len(), "a folder is listed twice: {listed:?}");
    assert_eq!(replayed, harness::on_disk(), "replayed, and there");
    let routes: BTreeSet<_> = constants::all().map(|route| route.name()).collect();
    for route in routes.iter().filter(|name| !name.contains("aauth")) {
        assert!(replayed.contains(*route), "{route}: no folder");
    }
}
