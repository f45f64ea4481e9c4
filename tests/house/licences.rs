//! Every crate of the lock file may be used under a licence that `.deny.toml` allows, and it allows none that nobody has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What `.deny.toml` allows: everybody, and single crates.
struct Allowed {
    all: BTreeSet<String>,
    single: Vec<(String, String)>,
}

/// The texts in quotes.
fn quoted(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn allowed(deny: &str) -> Allowed {
    let line = deny.lines().find(|line| line.starts_with("allow = ")).expect("a list of licences");
    let exceptions = deny.lines().filter(|line| line.trim_start().starts_with("{ crate = "));
    let single = exceptions.map(|line| match quoted(line).as_slice() {
        [name, licence] => (name.clone(), licence.clone()),
        other => panic!("an exception is one crate and one licence: {other:?}"),
    });
    Allowed { all: quoted(line).into_iter().collect(), single: single.collect() }
}

/// True if the expression (SPDX, or the older form with a slash) can be met; the licences that meet it are noted.
fn is_met(expression: &str, may: &dyn Fn(&str) -> bool, used: &mut BTreeSet<String>) -> bool {
    let text = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let (met, rest) = any(&words, may, used);
    assert!(rest.is_empty(), "{expression} is no expression");
    met
}

/// Alternatives.
fn any<'w>(
    words: &'w [&'w str],
    may: &dyn Fn(&str) -> bool,
    used: &mut BTreeSet<String>,
) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = every(words, may, used);
    while let ["OR", behind @ ..] = rest {
        let (other, behind) = every(behind, may, used);
        (met, rest) = (met || other, behind);
    }
    (met, rest)
}

/// What must be kept together, which binds closer.
fn every<'w>(
    words: &'w [&'w str],
    may: &dyn Fn(&str) -> bool,
    used: &mut BTreeSet<String>,
) -> (bool, &'w [&'w str]) {
    let (mut met, mut rest) = one(words, may, used);
    while let ["AND", behind @ ..] = rest {
        let (other, behind) = one(behind, may, used);
        (met, rest) = (met && other, behind);
    }
    (met, rest)
}

fn one<'w>(
    words: &'w [&'w str],
    may: &dyn Fn(&str) -> bool,
    used: &mut BTreeSet<String>,
) -> (bool, &'w [&'w str]) {
    match words {
        ["(", inner @ ..] => {
            let (met, rest) = any(inner, may, used);
            (met, rest.strip_prefix(&[")"]).expect("a bracket that is closed"))
        }
        // An exception is a licence of its own.
        [licence, "WITH", exception, rest @ ..] => (may(&format!("{licence} WITH {exception}")), rest),
        [licence, rest @ ..] => {
            let met = may(licence);
            if met {
                used.insert((*licence).to_owned());
            }
            (met, rest)
        }
        [] => panic!("an expression that ends early"),
    }
}

#[test]
fn the_licences_are_those_that_are_allowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(deny) = std::fs::read_to_string(root.join(".deny.toml")) else {
        return println!("SKIPPED: the list of licences is not part of the package");
    };
    let allowed = allowed(&deny);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--all-features"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let own = |licence: &str| allowed.single.iter().any(|(who, what)| who == name && what == licence);
        let may = |licence: &str| allowed.all.contains(licence) || own(licence);
        let licence = package["license"].as_str().unwrap_or("NONE");
        if !is_met(licence, &may, &mut used) {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    assert!(wrong.is_empty(), "licences that .deny.toml does not allow: {wrong:#?}");
    let named: BTreeSet<String> =
        allowed.all.iter().chain(allowed.single.iter().map(|(_, licence)| licence)).cloned().collect();
    assert_eq!(named, used, "and none is allowed that nobody has");
    println!("{} crates under {} licences, all allowed", packages.len(), used.len());
}

#[test]
fn expressions_of_licences_are_read() {
    let may = |licence: &str| ["MIT", "ISC"].contains(&licence);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND MIT", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("(GPL-3.0 OR MIT) AND Zlib", false),
        ("MIT AND GPL-3.0 OR Zlib AND ISC", false),
        ("MIT WITH LLVM-exception", false),
        ("NONE", false),
    ] {
        assert_eq!(is_met(expression, &may, &mut BTreeSet::new()), met, "{expression}");
    }
}

/// What a fuzzer leaves behind is no part of the project: a finding becomes a test, or a seed with a name.
#[test]
fn nothing_that_a_fuzzer_left_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let kept = ["Cargo.toml", "Cargo.lock", "run", "seeds", "targets", "target", "corpus"];
    for entry in std::fs::read_dir(root).expect("the folder of the fuzz targets") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(kept.contains(&name.as_str()), "tests/fuzz/{name}");
    }
}
