//! The lines by which the README says that the library is installed: each has its twin for a checkout, and the twins are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::root;

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

/// An empty project of somebody who begins, with the versions that this checkout stands on, so that nothing is downloaded.
fn project(name: &str, main: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("install-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"beginner\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

/// Runs a line of the README in a folder, where the checkout is this one.
fn run(folder: &Path, line: &str) -> Result<String, String> {
    let checkout = root().display().to_string();
    let words = line.split(' ').map(|word| if word == "../lumoauth" { checkout.as_str() } else { word });
    let output = Command::new(env!("CARGO"))
        .args(words.skip(1))
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("install-target"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{line}\n{text}{}", String::from_utf8_lossy(&output.stderr)))
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
#[allow(clippy::disallowed_methods)] // a test may ask how long it may take
fn a_first_program_compiles_with_what_each_line_adds() {
    if std::env::var_os("LUMOAUTH_LONG").is_none() {
        println!("SKIPPED: LUMOAUTH_LONG is not set, and three builds take minutes");
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
