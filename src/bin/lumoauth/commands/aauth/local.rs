//! What a key does on this machine: it is made, and it signs requests that something else sends.

use std::io::{Read, Write};
use std::path::Path;

use lumoauth::aauth::{AgentKey, Message, Nonce};
use lumoauth::http::Method;
use lumoauth::time::Timestamp;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Error, Secret, Transport};
use serde_json::json;

use crate::args::aauth::SignArgs;
use crate::commands::text::{LARGEST, json_line, usage};
use crate::exit::{Ended, Failure};

pub fn keygen(file: &Path, key_id: Option<&str>, force: bool) -> Result<Ended, Failure> {
    let failed = |error| Failure::Local(format!("the key cannot be made: {error}"));
    let mut key = AgentKey::generate().map_err(failed)?;
    if let Some(key_id) = key_id {
        key = key.with_key_id(key_id).map_err(Error::from)?;
    }
    let pem = key.to_pkcs8_pem().map_err(failed)?;
    if file.to_str() == Some("-") {
        return Ok(Ended { answer: pem.expose().as_bytes().to_vec(), code: crate::exit::OK });
    }
    write(file, &pem, force).map_err(|error| {
        let help =
            if error.kind() == std::io::ErrorKind::AlreadyExists { " (--force replaces it)" } else { "" };
        Failure::Local(format!("{}: {error}{help}", file.display()))
    })?;
    Ok(Ended::line(key.jwks()))
}

/// A new file that nobody else may read, from its first moment on.
fn write(file: &Path, pem: &Secret, force: bool) -> std::io::Result<()> {
    if force {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(file)?;
    out.write_all(pem.expose().as_bytes())?;
    out.sync_all()
}

pub fn sign(key: &AgentKey, arguments: &SignArgs) -> Result<Ended, Failure> {
    let method: Method = arguments.method.parse().map_err(|_| usage("that is not an HTTP method"))?;
    let mut message = Message::new(method, &arguments.url).map_err(Error::from)?;
    if let Some(body) = &arguments.body {
        message = message.body(&bytes(body)?);
    }
    if let Some(value) = &arguments.content_type {
        message = message.content_type(text(value)?.expose()).map_err(Error::from)?;
    }
    if let Some(value) = &arguments.authorization {
        message = message.authorization(text(value)?).map_err(Error::from)?;
    }
    if let Some(value) = &arguments.signature_key {
        message = message.signature_key(text(value)?.expose()).map_err(Error::from)?;
    }
    if let Some(value) = &arguments.agent_token {
        message = message.agent_token(text(value)?).map_err(Error::from)?;
    }
    let now = UreqTransport::new(&TransportOptions::default())?.now().map_err(Error::from)?;
    let created = arguments.created.map_or(now.wall, Timestamp::from_unix);
    let nonce = match (&arguments.nonce, now.random.first_chunk()) {
        (Some(nonce), _) => Nonce::parse(nonce.as_str()).map_err(Error::from)?,
        (None, Some(random)) => Nonce::from_random(random),
        (None, None) => return Err(Failure::Local("there is no randomness".to_owned())),
    };
    let prepared = message.prepare(created, &nonce);
    let base = String::from_utf8_lossy(prepared.base()).into_owned();
    let failed = |error| Failure::Local(format!("{error}"));
    let signature = key.sign(prepared.base()).map_err(failed)?;
    let headers = prepared.finish(&signature);
    let agent_auth = headers.agent_auth();
    let agent_auth = agent_auth.as_ref().map(Secret::expose);
    if arguments.json {
        return Ok(json_line(&json!({
            "url": message.url().to_string(),
            "content_digest": headers.content_digest(),
            "content_type": headers.content_type(),
            "signature_input": headers.signature_input(),
            "signature": headers.signature(),
            "agent_auth": agent_auth,
            "signature_base": base,
        })));
    }
    let lines = [
        ("Content-Digest", Some(headers.content_digest())),
        ("Content-Type", Some(headers.content_type())),
        ("Signature-Input", Some(headers.signature_input())),
        ("Signature", Some(headers.signature())),
        ("Signature-Key", headers.signature_key()),
        ("Agent-Auth", agent_auth),
        ("Authorization", headers.authorization().map(Secret::expose)),
    ];
    let lines = lines.iter().filter_map(|(name, value)| value.map(|value| format!("{name}: {value}")));
    Ok(Ended::line(lines.collect::<Vec<_>>().join("\n")))
}

/// A value that goes into a header: the line break at the end of a file is not part of it.
fn text(value: &str) -> Result<Secret, Failure> {
    let from_elsewhere = value == "-" || value.starts_with('@');
    let bytes = bytes(value)?;
    let text = String::from_utf8(bytes).map_err(|_| usage("a value is not text"))?;
    Ok(Secret::new(if from_elsewhere { text.trim_end_matches(['\r', '\n']) } else { &text }))
}

/// The bytes of a value: its own, those of a file, or those of standard input.
fn bytes(value: &str) -> Result<Vec<u8>, Failure> {
    let (name, from): (&str, Box<dyn Read>) = match (value, value.strip_prefix('@')) {
        ("-", _) | (_, Some("-")) => ("standard input", Box::new(std::io::stdin().lock())),
        (_, Some(file)) => {
            let opened = std::fs::File::open(file).map_err(|error| usage(&format!("{file}: {error}")))?;
            (file, Box::new(opened))
        }
        (_, None) => return Ok(value.as_bytes().to_vec()),
    };
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| usage(&format!("{name}: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(usage(&format!("{name}: larger than {LARGEST} bytes")));
    }
    Ok(bytes)
}
