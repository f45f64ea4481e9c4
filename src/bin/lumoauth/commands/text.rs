//! Texts: what comes in from files and standard input, and what goes out.

use std::io::Read;
use std::path::Path;

use lumoauth::error::acts_on_text;
use lumoauth::{AccessToken, Secret};
use serde_json::{Value, json};

use crate::exit::{self, Ended, Failure};

/// The largest body that is read from a file or standard input.
pub(super) const LARGEST: u64 = 10 * 1024 * 1024;

/// A token for a script: the text alone, or all of it.
pub(super) fn shown(token: &AccessToken, json: bool) -> Ended {
    let secret = token.secret().expose();
    if !json {
        return Ended::line(secret);
    }
    json_line(&json!({
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

/// A secret that somebody else chose, as a line: as it is, since scripts take it.
pub(super) fn secret_line(secret: &str) -> Result<Ended, Failure> {
    if secret.chars().any(acts_on_text) {
        let problem = "it has characters that would act on a terminal: --json shows it with those escaped";
        return Err(Failure::Local(problem.to_owned()));
    }
    Ok(Ended::line(secret))
}

/// The value as a line of JSON.
pub(super) fn as_json(value: &impl serde::Serialize) -> Result<Ended, Failure> {
    let json = serde_json::to_string(value)
        .map_err(|error| usage(&format!("the answer cannot be written as JSON: {error}")))?;
    Ok(Ended::line(inert_json(&json)))
}

/// The same for a value that is JSON already.
pub(super) fn json_line(value: &Value) -> Ended {
    Ended::line(inert_json(&value.to_string()))
}

/// The same JSON with everything escaped that would act on a terminal. Outside of texts JSON has no such character.
fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for character in json.chars() {
        if acts_on_text(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                inert.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            inert.push(character);
        }
    }
    inert
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
    if acts_on_text(character) { character.escape_unicode().collect() } else { vec![character] }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_of_json_acts_on_the_terminal_and_it_means_the_same() {
        let odd = "\u{1b}[2J\u{7f}\u{80}\u{85}\u{9b}31m\u{202e}gpj\u{2066}\u{200f}\u{feff}\u{e0041}é漢😀\"\\";
        let value = json!({ odd: [odd, {"x": odd}], "plain": "text" });
        let line = String::from_utf8(json_line(&value).answer).unwrap();
        assert!(line.trim_end_matches('\n').chars().all(|own| !acts_on_text(own)), "{line:?}");
        assert!(
            line.contains("é漢😀") && line.contains("\\u202e") && line.contains("\\udb40\\udc41"),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        assert!(secret_line(odd).is_err() && secret_line("ya29.a0-_~+/=é").is_ok());
        let row = String::from_utf8(table(&[("name", odd.to_owned())]).answer).unwrap();
        assert!(row.trim_end_matches('\n').chars().all(|own| !acts_on_text(own)), "{row:?}");
    }
}
