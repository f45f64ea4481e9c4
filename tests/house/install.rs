//! The lines by which the README says that the library is installed: each has its twin for a checkout, and the twins are tried.

use super::beginner::{may_build, project, run};
use super::root;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of the table: the line for the registry and its twin, without the ticks.
fn rows() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|') && line.contains("`cargo "));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[2].to_owned(), cells[3].to_owned())
    })
    .collect()
}

/// What `cargo metadata` says of the package itself.
fn package() -> serde_json::Value {
    let text = run(&root(), "cargo metadata --offline --no-deps --format-version 1").unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["packages"][0].take()
}

fn texts(value: &serde_json::Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// All features that these turn on.
fn turned_on(package: &serde_json::Value, features: &[&str]) -> BTreeSet<String> {
    let mut todo: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
    let mut on = BTreeSet::new();
    while let Some(feature) = todo.pop() {
        todo.extend(texts(&package["features"][&feature]));
        on.insert(feature);
    }
    on
}

#[test]
fn every_install_line_has_its_twin_for_a_checkout_and_cargo_takes_it() {
    let rows = rows();
    let added: Vec<_> = rows.iter().filter(|(line, _)| line.starts_with("cargo add")).collect();
    assert!(added.len() >= 3, "{rows:?}");
    let package = package();
    for (place, (line, twin)) in rows.iter().enumerate() {
        assert_eq!(&line.replacen(" lumoauth", " --path ../lumoauth", 1), twin, "the twin of {line}");
        let features = line.split(" --features ").nth(1).unwrap_or_default();
        for feature in features.split(',').filter(|feature| !feature.is_empty()) {
            assert!(!package["features"][feature].is_null(), "{line}: there is no feature {feature}");
        }
        if !line.starts_with("cargo add") {
            continue;
        }
        let folder = project(&place.to_string(), "fn main() {}\n");
        run(&folder, twin).unwrap();
        // The features of the library, as they are in the project.
        let on = run(&folder, "cargo tree --offline --package lumoauth --depth 0 --prefix none --format {f}")
            .unwrap();
        let on: Vec<String> = on.trim().split(',').map(str::to_owned).collect();
        assert_eq!(on.contains(&"default".to_owned()), !line.contains("--no-default-features"), "{line}");
        for feature in features.split(',').filter(|feature| !feature.is_empty()) {
            assert!(on.contains(&feature.to_owned()), "{line} does not turn on {feature}");
        }
    }
}

/// What the lines bring is what such a program needs: it compiles.
#[test]
fn a_first_program_compiles_with_what_each_line_adds() {
    if !may_build() {
        return;
    }
    let programs: BTreeMap<&str, &str> = BTreeMap::from([
        (
            "",
            "fn main() -> Result<(), lumoauth::Error> {\n    lumoauth::Agent::from_env()?.ask(\"read\")?.require()?;\n    Ok(())\n}\n",
        ),
        (
            "reqwest",
            "pub async fn ask() -> Result<(), lumoauth::Error> {\n    lumoauth::asynchronous::Agent::from_env()?.ask(\"read\").await?.require()?;\n    Ok(())\n}\nfn main() {}\n",
        ),
        (
            "verify",
            "fn main() -> Result<(), lumoauth::Error> {\n    let config = lumoauth::verify::VerifierConfig::new(\"https://app.lumoauth.dev/t/acme/api/v1\", \"https://api.example.com\");\n    lumoauth::TokenVerifier::new(config).map(drop)\n}\n",
        ),
    ]);
    for (line, twin) in rows().iter().filter(|(line, _)| line.starts_with("cargo add")) {
        let features = line.split(" --features ").nth(1).unwrap_or_default();
        let main = programs.get(features).unwrap_or_else(|| panic!("no first program for {line}"));
        let folder = project(&format!("built-{features}"), main);
        run(&folder, twin).unwrap();
        run(&folder, "cargo check --offline").unwrap();
    }
}

/// `cargo install` brings a person the command line and nothing else.
#[test]
fn installing_the_command_line_installs_nothing_else() {
    let package = package();
    let rows = rows();
    let (line, _) = rows.iter().find(|(line, _)| line.starts_with("cargo install")).unwrap();
    let asked: Vec<&str> = line.split(" --features ").nth(1).unwrap().split(',').chain(["default"]).collect();
    let on = turned_on(&package, &asked);
    let installed: Vec<&str> = (package["targets"].as_array().unwrap().iter())
        .filter(|target| texts(&target["kind"]) == ["bin"])
        .filter(|target| texts(&target["required-features"]).iter().all(|feature| on.contains(feature)))
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    assert_eq!(installed, ["lumoauth"]);
}

/// The table of features has a row for each, and for nothing else; it says which are on by default.
#[test]
fn the_readme_has_every_feature() {
    let package = package();
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = text.split("| feature | default |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: BTreeMap<&str, &str> = (table.lines().filter(|line| line.starts_with("| `")))
        .map(|line| line[3..].split_once("` | ").unwrap())
        .map(|(name, rest)| (name, rest.split('|').next().unwrap().trim()))
        .collect();
    let there: BTreeSet<&str> = package["features"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), there);
    let on = turned_on(&package, &["default"]);
    for (name, default) in rows {
        let by: Vec<&str> = default.split('`').skip(1).step_by(2).collect();
        assert_eq!(
            default == "yes",
            texts(&package["features"]["default"]).contains(&name.to_owned()),
            "{name}"
        );
        assert!(!default.is_empty() || !on.contains(name), "{name} is on by default");
        for other in by {
            assert!(turned_on(&package, &[other]).contains(name), "{name} is not on by {other}");
        }
    }
}

/// The lines by which pages and examples say that a program is run name a target that there is, with the features that it needs.
#[test]
fn every_line_that_runs_a_program_names_one() {
    let package = package();
    let folder =
        |name: &str| std::fs::read_dir(root().join(name)).unwrap().map(|entry| entry.unwrap().path());
    let files = folder("docs").chain(folder("examples")).chain([root().join("README.md")]);
    let (mut wrong, mut lines) = (Vec::new(), 0);
    for file in files.filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("cargo run --") {
            let line = text[at..].lines().next().unwrap().split('`').next().unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.contains(&"--manifest-path") {
                continue; // a package of its own
            }
            let after = |option: &str| words.iter().skip_while(|word| **word != option).nth(1).copied();
            let asked =
                after("--features").unwrap_or_default().split(',').filter(|feature| !feature.is_empty());
            let on = turned_on(&package, &asked.chain(["default"]).collect::<Vec<_>>());
            let (kind, name) = match (after("--example"), after("--bin")) {
                (Some(name), None) => ("example", name),
                (None, Some(name)) => ("bin", name),
                _ => continue,
            };
            lines += 1;
            let there = package["targets"].as_array().unwrap().iter().any(|target| {
                target["name"] == name
                    && texts(&target["kind"]) == [kind]
                    && texts(&target["required-features"]).iter().all(|feature| on.contains(feature))
            });
            if !there {
                wrong.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(lines > 8, "only {lines} lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
