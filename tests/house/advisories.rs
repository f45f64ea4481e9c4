//! No crate of the lock file has a known weakness: checked against a copy of the RustSec advisories in the folder that
//! `LUMOAUTH_VECTORS` names.

use semver::{Version, VersionReq};

/// The alternatives of a column: separated by a comma without a blank, since ranges have one with a blank.
fn matches(column: &str, version: &Version) -> bool {
    let spaced = column.replace(", ", "\u{1}");
    spaced.split(',').filter(|text| !text.trim().is_empty()).any(|text| {
        let requirement =
            VersionReq::parse(&text.replace('\u{1}', ", ")).unwrap_or_else(|error| panic!("{text}: {error}"));
        requirement.matches(version)
    })
}

fn locked(text: &str) -> Vec<(String, Version)> {
    let value = |line: &str, key: &str| {
        line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
    };
    let (mut crates, mut name) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(found) = value(line, "name") {
            name = found;
        } else if let Some(found) = value(line, "version") {
            crates.push((name.clone(), Version::parse(&found).unwrap()));
        }
    }
    crates
}

/// Crate, advisory and title of every weakness among the crates. Unmaintained is no weakness.
fn weaknesses(advisories: &str, crates: &[(String, Version)]) -> Vec<String> {
    let mut found = Vec::new();
    for row in advisories.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [package, id, patched, unaffected, withdrawn, informational, title] = columns[..] else {
            panic!("a row with other columns: {row}");
        };
        if !withdrawn.is_empty() || matches!(informational, "unmaintained" | "notice") {
            continue;
        }
        for (name, version) in crates.iter().filter(|(name, _)| name == package) {
            if !matches(patched, version) && !matches(unaffected, version) {
                found.push(format!("{name} {version}: {id} {title}"));
            }
        }
    }
    found
}

#[test]
fn the_check_finds_what_it_should() {
    let advisories = "package\tid\tpatched\tunaffected\twithdrawn\tinformational\ttitle\n\
        tokio\tA\t>= 1.8.4, < 1.9.0,>= 1.13.1\t< 0.1.14\t\t\ttitle\n\
        ring\tB\t\t\t\tunmaintained\ttitle\nlog\tC\t\t\t2026-01-01\t\ttitle\n";
    let at = |name: &str, version: &str| {
        weaknesses(advisories, &[(name.to_owned(), Version::parse(version).unwrap())]).len()
    };
    assert_eq!(
        (at("tokio", "1.12.0"), at("tokio", "1.8.5"), at("tokio", "1.40.0"), at("tokio", "0.1.1")),
        (1, 0, 0, 0)
    );
    assert_eq!((at("ring", "0.17.0"), at("log", "0.4.0"), at("other", "1.0.0")), (0, 0, 0));
}

#[test]
#[allow(clippy::disallowed_methods)] // the folder is the environment's to name
fn no_crate_of_the_lock_file_has_a_known_weakness() {
    let Some(folder) = std::env::var_os("LUMOAUTH_VECTORS") else {
        // Past the capture of the test harness: a check that did not run must be seen.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: LUMOAUTH_VECTORS is not set\n");
        return;
    };
    let advisories = std::fs::read_to_string(std::path::Path::new(&folder).join("advisories.tsv")).unwrap();
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let crates = locked(&lock);
    assert!(crates.len() > 40 && advisories.lines().count() > 900, "the files were not read");
    let found = weaknesses(&advisories, &crates);
    println!(
        "{} crates, {} advisories, {} weaknesses",
        crates.len(),
        advisories.lines().count() - 1,
        found.len()
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}
