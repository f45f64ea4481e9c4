//! Texts: what comes in from files and standard input, and what goes out.

use std::io::Read;
use std::path::Path;

use lumoauth::{AccessToken, Secret};
use serde_json::json;

use crate::exit::{self, Ended, Failure};

/// The largest body that is read from a file or standard input.
pub(super) const LARGEST: u64 = 10 * 1024 * 1024;

/// A token for a script: the text alone, or all of it.
pub(super) fn shown(token: &AccessToken, json: bool) -> Ended {
    let secret = token.secret().expose();
    if !json {
        return Ended::line(secret);
    }
    Ended::line(json!({
        "access_token": secret,
        "token_type": token.token_type().to_string(),
        "scope": token.scopes().to_string(),
        "expires_at": token.expires_at().unix(),
    }))
}

pub(super) fn split<'a>(option: &str, pair: &'a str) -> Result<(&'a str, &'a str), Failure> {
    let split = pair.split_once('=').filter(|(key, _)| !key.is_empty());
    split.ok_or_else(|| usage(&format!("{option} takes KEY=VALUE")))
}

pub(super) fn read_text(file: &Path) -> Result<String, Failure> {
    let name = file.display().to_string();
    let opened = std::fs::File::open(file).map_err(|error| usage(&format!("{name}: {error}")))?;
    read_all(opened, &name)
}

pub(super) fn read_all(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| usage(&format!("{name}: {error}")))?;
    if read as u64 > LARGEST {
        return Err(usage(&format!("{name}: larger than {LARGEST} bytes")));
    }
    Ok(text)
}

pub(super) fn as_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| usage(&format!("the answer cannot be written as JSON: {error}")))
}

pub(super) fn table(rows: &[(&str, String)]) -> Ended {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        // What the service wrote must not act on the terminal.
        let value: String = value.chars().flat_map(printable).collect();
        text.push_str(&format!("{name:width$}  {value}\n"));
    }
    Ended { answer: text.into_bytes(), code: exit::OK }
}

pub(super) fn printable(character: char) -> Vec<char> {
    if character.is_control() { character.escape_unicode().collect() } else { vec![character] }
}

pub(super) fn usage(problem: &str) -> Failure {
    Failure::Usage(problem.to_owned())
}

/// A secret in a file, or on standard input if the file is called `-`. Line ends and blanks around it are not a part of it.
pub(super) fn read_secret(file: &Path) -> Result<Secret, Failure> {
    let (text, name) = if file.as_os_str() == "-" {
        (read_all(std::io::stdin().lock(), "standard input")?, "standard input".to_owned())
    } else {
        (read_text(file)?, file.display().to_string())
    };
    let text = Secret::new(text);
    let trimmed = text.expose().trim();
    if trimmed.is_empty() { Err(usage(&format!("{name}: is empty"))) } else { Ok(Secret::new(trimmed)) }
}

/// A secret that was given as an argument, or on standard input if that is `-`.
pub(super) fn secret_of(argument: &str) -> Result<Secret, Failure> {
    if argument == "-" { read_secret(Path::new("-")) } else { Ok(Secret::new(argument)) }
}
