//! The copy of the project with every change in it behind its switch, and its test binaries.

use crate::change::{self, Change};
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Built {
    pub changes: Vec<Change>,
    pub binaries: Vec<Binary>,
}

pub struct Binary {
    pub name: String,
    pub path: PathBuf,
}

pub fn build(root: &Path, copy: &Path, rooms: &[String], tests: &[String]) -> Result<Built, String> {
    copy_files(root, copy)?;
    let mut sources = Vec::new();
    for room in rooms {
        for file in crate::files(root, room)? {
            let text = std::fs::read_to_string(root.join(&file))
                .map_err(|error| format!("{}: {error}", file.display()))?;
            sources.push((file.to_string_lossy().into_owned(), text));
        }
    }
    sources.sort();
    sources.dedup();
    let library = std::fs::read_to_string(root.join("src/lib.rs")).map_err(|error| error.to_string())?;
    let mut dropped: Vec<(String, usize)> = Vec::new();
    loop {
        let (mut next, mut changes) = (1, Vec::new());
        for (file, text) in &sources {
            let (text, of_file) = change::switched(file, text, &mut next, &dropped)?;
            write(&copy.join(file), &text)?;
            changes.extend(of_file);
        }
        let library = match sources.iter().find(|(file, _)| file == "src/lib.rs") {
            Some(_) => return Err("src/lib.rs holds the switches and is not changed".to_owned()),
            None => format!("{library}\n{}", traits_everywhere(include_str!("switch.rs"))),
        };
        write(&copy.join("src/lib.rs"), &library)?;
        let (errors, binaries) = compile(copy, tests)?;
        if errors.is_empty() {
            return Ok(Built { changes, binaries });
        }
        let before = dropped.len();
        for (file, line) in errors {
            let known = sources.iter().any(|(source, _)| *source == file);
            if known && !dropped.contains(&(file.clone(), line)) {
                dropped.push((file, line));
            }
        }
        if dropped.len() == before {
            return Err("the copy does not compile, and no change is to blame".to_owned());
        }
        println!("{} lines cannot be changed as planned; building again", dropped.len());
    }
}

fn traits_everywhere(switch: &str) -> String {
    format!("#[allow(unused_imports)]\nuse mutant::{{Ends as _, Sums as _}};\n{switch}")
}

fn copy_files(root: &Path, copy: &Path) -> Result<(), String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    let _ = std::fs::remove_dir_all(copy.join("src"));
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let (from, to) = (root.join(&name), copy.join(&name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        std::fs::copy(&from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let text = if path.extension().is_some_and(|ending| ending == "rs")
        && text.contains(".mutant_")
        && !path.ends_with("lib.rs")
    {
        // The traits behind the changed methods are in scope where they are called; on the first line, so that lines keep their numbers.
        with_traits(text)
    } else {
        text.to_owned()
    };
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn with_traits(text: &str) -> String {
    let mut done = false;
    let lines = text.split('\n').map(|line| {
        if !done
            && (line.starts_with("use ")
                || line.starts_with("pub use ")
                || line.starts_with("pub(crate) use "))
        {
            done = true;
            format!("#[allow(unused_imports)] use crate::mutant::{{Ends as _, Sums as _}}; {line}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

type Places = Vec<(String, usize)>;

/// Builds the library's own tests and those of these names, or all; gives back the places of errors, or the binaries.
fn compile(copy: &Path, tests: &[String]) -> Result<(Places, Vec<Binary>), String> {
    let built = Command::new("cargo")
        .args(["test", "--locked", "--all-features", "--no-run", "--message-format=json", "--lib"])
        .args(if tests.is_empty() { &["--bins", "--tests"][..] } else { &[] })
        .args(tests.iter().filter(|name| *name != "lib").flat_map(|name| ["--test", name.as_str()]))
        .env("CARGO_TARGET_DIR", copy.join("../build"))
        .env("RUSTFLAGS", "--cap-lints allow")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(copy)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    let (mut errors, mut binaries) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&built.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if message["reason"] == "compiler-message" && message["message"]["level"] == "error" {
            for span in message["message"]["spans"].as_array().into_iter().flatten() {
                if let (Some(file), Some(line)) = (span["file_name"].as_str(), span["line_start"].as_u64()) {
                    errors.push((file.to_owned(), line as usize));
                }
            }
            if message["message"]["spans"].as_array().is_none_or(Vec::is_empty) && !built.status.success() {
                continue;
            }
            println!(
                "{}",
                message["message"]["rendered"]
                    .as_str()
                    .unwrap_or_default()
                    .lines()
                    .take(6)
                    .collect::<Vec<_>>()
                    .join("\n")
            );
        }
        if message["reason"] == "compiler-artifact" && message["profile"]["test"] == true {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            if let (Some(path), false) = (message["executable"].as_str(), matches!(name, "house" | "peers")) {
                binaries.push(Binary { name: name.to_owned(), path: path.into() });
            }
        }
    }
    if !built.status.success() && errors.is_empty() {
        return Err("the copy does not compile".to_owned());
    }
    Ok((errors, binaries))
}
