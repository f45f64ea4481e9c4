//! `lumoauth request`: a request of the caller's own, and how its answer ends the command.

use std::io::IsTerminal;
use std::path::Path;

use lumoauth::ApiRequest;
use lumoauth::embed::wire::Response;
use lumoauth::http::Method;

use super::agent;
use super::text::{read_all, read_text, split, usage};
use crate::args::{RequestArgs, SettingsArgs};
use crate::exit::{self, Ended, Failure, inert};

pub(super) fn request(settings: &SettingsArgs, arguments: &RequestArgs) -> Result<Ended, Failure> {
    let request = read(arguments)?;
    Ok(answered(&agent(settings)?.run(request)?))
}

/// The request that the arguments describe.
pub(super) fn read(arguments: &RequestArgs) -> Result<ApiRequest, Failure> {
    let RequestArgs { method, path, data, query } = arguments;
    let method: Method =
        method.to_ascii_uppercase().parse().map_err(|_| usage("that is not an HTTP method"))?;
    let mut request = ApiRequest::new(method, path);
    for pair in query {
        let (key, value) = split("--query", pair)?;
        request = request.query(key, value);
    }
    if let Some(data) = data {
        request = request.body("application/json", json_text(data)?);
    }
    Ok(request)
}

/// The body, and the exit code by the status.
pub(super) fn answered(response: &Response) -> Ended {
    let status = response.status();
    let code = match status.as_u16() {
        200..=299 => exit::OK,
        401 => exit::UNAUTHENTICATED,
        403 => exit::DENIED,
        408 | 429 | 500 | 502 | 503 | 504 => exit::TEMPORARY,
        _ => exit::FAILED,
    };
    if code != exit::OK {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("HTTP {status}\n"));
    }
    let mut answer = match std::io::stdout().is_terminal() {
        true => for_a_terminal(response.body()),
        false => response.body().to_vec(),
    };
    if !answer.is_empty() && !answer.ends_with(b"\n") {
        answer.push(b'\n');
    }
    Ended { answer, code }
}

/// What the other side wrote, for a person to read. Scripts get it as it came.
fn for_a_terminal(body: &[u8]) -> Vec<u8> {
    inert(&String::from_utf8_lossy(body).replace("\r\n", "\n")).into_bytes()
}

/// JSON text from the argument, from a file, or from standard input.
pub(super) fn json_text(data: &str) -> Result<String, Failure> {
    let text = match data.strip_prefix('@') {
        Some("-") => read_all(std::io::stdin().lock(), "standard input")?,
        Some(file) => read_text(Path::new(file))?,
        None => data.to_owned(),
    };
    // Read once to refuse a typing error before it is sent; sent as it was written.
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|error| usage(&format!("--data: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_does_not_act_on_a_terminal() {
        let shown = for_a_terminal(b"{\r\n  \"a\": \"\x1b[2J\xc2\x9b\xe2\x80\xae\xff\xc3\xa9\"\n}");
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "{\n  \"a\": \"\\u{1b}[2J\\u{9b}\\u{202e}\u{fffd}é\"\n}"
        );
    }
}
