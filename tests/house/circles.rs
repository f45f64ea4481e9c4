//! No two files name each other, and no file names one that stands above it.

use std::collections::{BTreeMap, BTreeSet};

use super::names::House;

/// The floors from the ground up, each with its rooms: files below `src`, or folders of them. A file may name its own
/// floor and those below; where rooms stand within rooms, the innermost counts.
const FLOORS: &[(&str, &str)] = &[
    (
        "values",
        "time secret error json scopes origin path route site token mount credentials claims challenge pkce wire message tool_call trust",
    ),
    ("operation", "operation"),
    ("operations", "operations"),
    ("cryptography", "crypto"),
    ("shared state", "store"),
    ("session", "session"),
    ("what arrives", "verify profile sign_in"),
    ("what is answered", "service"),
    ("transport", "transport"),
    ("clients", "client"),
    ("guards", "guard"),
    ("the emulator's values", "emulator/values"),
    ("the emulator's state", "emulator/state"),
    ("what a service of the emulator is given", "emulator/call"),
    ("the emulator's services", "emulator/services"),
    ("the emulator's engine", "emulator/engine"),
    ("the emulator's faces", "emulator/faces"),
    ("the emulator's door", "emulator"),
    ("the door", "lib guide"),
    ("command line", "bin"),
];

/// Circles that are still there: one file of each, and how many files it has. The list only gets shorter.
const CIRCLES: &[(&str, usize)] = &[];

/// Arrows that still run up: which file names which. The list only gets shorter.
const UP: &[(&str, &str)] = &[];

fn house() -> House {
    let src = crate::root().join("src");
    let mut found = Vec::new();
    crate::sources(&src, &mut found);
    let files: BTreeMap<String, String> = found
        .iter()
        .map(|file| {
            let name = file.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
            (name, std::fs::read_to_string(file).unwrap())
        })
        .collect();
    House::read(files, &["lib.rs", "bin/lumoauth/main.rs"])
}

#[test]
fn no_two_files_name_each_other() {
    let house = house();
    assert!(house.wrong().is_empty(), "{}", house.wrong().join("\n"));
    let arrows = house.arrows();
    assert!(arrows.values().map(BTreeMap::len).sum::<usize>() > 500, "the arrows were not found");
    let circles = house.circles();
    let mut wrong = Vec::new();
    for circle in &circles {
        let known = CIRCLES.iter().find(|(file, _)| circle.contains(*file));
        if known.is_none_or(|(_, files)| circle.len() > *files) {
            wrong.push(format!("{} files name each other:", circle.len()));
            for file in circle {
                for (to, name) in arrows[file].iter().filter(|(to, _)| circle.contains(*to)) {
                    wrong.push(format!("    {file} names {name} of {to}"));
                }
            }
        }
    }
    for (file, _) in CIRCLES {
        if !circles.iter().any(|circle| circle.contains(*file)) {
            wrong.push(format!("{file} stands in no circle any more: take its row out of CIRCLES"));
        }
    }
    println!("{} files, {} circles", arrows.len(), circles.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The number of a file's floor from the ground, and its name.
fn floor(file: &str) -> Option<(usize, &'static str)> {
    let mut best = None;
    for (number, (name, rooms)) in FLOORS.iter().enumerate() {
        for room in rooms.split_whitespace() {
            let within = file.strip_prefix(room).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
            if within && best.is_none_or(|(length, _)| room.len() > length) {
                best = Some((room.len(), (number, *name)));
            }
        }
    }
    best.map(|(_, floor)| floor)
}

#[test]
fn no_file_names_a_floor_above_it() {
    let arrows = house().arrows();
    let mut wrong = BTreeSet::new();
    let mut still = BTreeSet::new();
    for (from, to) in &arrows {
        let Some((own, floor_of)) = floor(from) else {
            wrong.insert(format!("{from} stands on no floor: give its room a place in FLOORS"));
            continue;
        };
        for (to, name) in to {
            let Some((_, above)) = floor(to).filter(|(other, _)| *other > own) else { continue };
            match UP.iter().find(|(a, b)| a == from && b == to) {
                Some(known) => _ = still.insert(known),
                None => _ = wrong.insert(format!("{from} ({floor_of}) names {name} of {to} ({above})")),
            }
        }
    }
    for known in UP.iter().filter(|known| !still.contains(known)) {
        wrong.insert(format!("{known:?} is gone: take its row out of UP"));
    }
    for (floor, rooms) in FLOORS {
        for room in rooms.split_whitespace() {
            let there = arrows.keys().any(|file| {
                file.strip_prefix(room).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            if !there {
                wrong.insert(format!("{room} on the floor {floor:?} does not exist"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// A house of these files.
fn small(files: &[(&str, &str)]) -> House {
    let files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    let house = House::read(files, &["lib.rs"]);
    assert!(house.wrong().is_empty(), "{:?}", house.wrong());
    house
}

#[test]
fn circles_are_seen_through_doors_mounts_groups_globs_and_aliases() {
    let door = "pub mod a; mod b; pub use b::B;";
    for (a, b) in [
        ("use crate::B; pub struct A(B);", "pub struct B(crate::a::A);"),
        ("pub struct A; fn f() -> crate::b::B { todo!() }", "use super::a::{self}; pub struct B(a::A);"),
        ("use super::*; pub struct A(B);", "use crate::{a::{A as C}}; pub struct B(C);"),
        ("use crate::b as other; pub struct A(other::B);", "use super::a::*; pub struct B; impl A {}"),
        ("pub struct A; fn f() { use super::B; }", "pub struct B; const X: u8 = { crate::a::A::x() };"),
        ("pub struct A; macro_rules! m { () => { $crate::B } }", "pub struct B(super::a::A);"),
    ] {
        let house = small(&[("lib.rs", door), ("a.rs", a), ("b.rs", b)]);
        let circle = BTreeSet::from(["a.rs".to_owned(), "b.rs".to_owned()]);
        assert_eq!(house.circles(), [circle], "{a}\n{b}");
    }
    // One source in two mounts, each of them a door for it.
    let mount =
        "#[path = \"one.rs\"] mod one; #[path = \"two.rs\"] mod two; pub use one::One; pub use two::Two;";
    // One list of them may be a macro.
    let list = format!("macro_rules! mounts {{ () => {{ {mount} }}; }} mod left; mod right;");
    for (door, left) in [("mod left; mod right;", mount), (list.as_str(), "mounts!();")] {
        let house = small(&[
            ("lib.rs", "mod c;"),
            ("c.rs", door),
            ("c/left.rs", left),
            ("c/right.rs", left),
            ("c/one.rs", "pub struct One(super::Two);"),
            ("c/two.rs", "use super::One; pub struct Two(One);"),
        ]);
        assert_eq!(house.circles(), [BTreeSet::from(["c/one.rs".to_owned(), "c/two.rs".to_owned()])]);
    }
}

#[test]
fn what_is_no_circle_is_not_seen_as_one() {
    for (a, b) in [
        ("pub struct A; // crate::B", "pub struct B(crate::a::A);"),
        ("pub struct A; /* crate::B /* */ crate::B */", "pub struct B(crate::a::A);"),
        ("pub struct A; const X: &str = \"crate::B\";", "pub struct B(crate::a::A);"),
        ("pub struct A; const X: &str = r#\"\" crate::B\"#;", "pub struct B(crate::a::A);"),
        ("pub struct A; #[cfg(test)] mod tests { use crate::B; }", "pub struct B(crate::a::A);"),
        ("pub struct A; #[cfg(test)] use crate::B;", "pub struct B(crate::a::A);"),
        ("use http::B; pub struct A(B);", "pub struct B(crate::a::A);"),
    ] {
        let house = small(&[("lib.rs", "pub mod a; mod b; pub use b::B;"), ("a.rs", a), ("b.rs", b)]);
        assert!(house.circles().is_empty(), "{a}\n{b}");
    }
    // A module and its own children are one thing; through a third file, they make a circle.
    let of = |third: &str| {
        small(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod child; pub struct A(child::Child); #[cfg(test)] mod tests;"),
            ("a/child.rs", "use crate::b::B; pub struct Child(Box<super::A>, B);"),
            ("a/tests.rs", "use crate::b::B;"),
            ("b.rs", third),
        ])
        .circles()
    };
    assert!(of("pub struct B;").is_empty());
    assert_eq!(of("pub struct B(crate::a::A);")[0].len(), 3);
    // A door names what lies behind it for others, not for itself.
    let house = small(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod child; pub use child::Child; pub struct A;"),
        ("a/child.rs", "use crate::b::B; pub struct Child(B);"),
        ("b.rs", "use crate::a::A; pub struct B(A);"),
    ]);
    assert!(house.circles().is_empty());
}
