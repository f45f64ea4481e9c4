//! The empty project of somebody who begins, and cargo in it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A project with this program. It has the versions that this checkout stands on, so that nothing is downloaded.
pub fn project(name: &str, main: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("beginner-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"beginner\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    std::fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    folder
}

/// Runs a line for cargo in a folder, where the checkout beside it is this one. What it says if it fails is the error.
pub fn run(folder: &Path, line: &str) -> Result<String, String> {
    let checkout = env!("CARGO_MANIFEST_DIR");
    let words = line.split(' ').map(|word| if word == "../lumoauth" { checkout } else { word });
    let output = Command::new(env!("CARGO"))
        .args(words.skip(1))
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("beginner-target"))
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{line}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Whether there is time for builds, which take minutes.
#[allow(clippy::disallowed_methods)] // a test may ask how long it may take
pub fn may_build() -> bool {
    let may = std::env::var_os("LUMOAUTH_LONG").is_some();
    if !may {
        println!("SKIPPED: LUMOAUTH_LONG is not set, and builds take minutes");
    }
    may
}
