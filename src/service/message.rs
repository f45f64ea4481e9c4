//! What a message to an MCP server asks for, told by its body and compared with its headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::json;

/// How deep a message may nest: the arguments of tools, and schemas in lists of tools, go deeper than answers of the service.
pub(super) const DEPTH: usize = 100;
/// The headers and the body do not say the same (MCP 2026-07-28, "Header validation").
const HEADER_MISMATCH: i64 = -32020;
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const INVALID_PARAMS: i64 = -32602;
/// The longest name of a tool, in bytes: eight times what it should be at most (MCP 2025-11-25, "Tool names"). It is asked about and kept.
const LONGEST_NAME: usize = 1024;

/// A message as far as a guard needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// A tool is called.
    Call(String),
    /// The tools are listed.
    List,
    /// Anything else: another method, a notification, or the answer to a question of the server's.
    Other,
}

/// Reads a message: one JSON object with each member once. What the headers say of it must be so.
///
/// # Errors
/// The answer to send: 400 with a JSON-RPC error.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Box<Answer>> {
    let parsed = json::parse_within(body, DEPTH);
    let Ok(Value::Object(message)) = parsed else {
        let code = if parsed.is_ok() { INVALID_REQUEST } else { PARSE_ERROR };
        return Err(refused(&Value::Null, code, "the body must be one JSON object with each member once"));
    };
    let id = match message.get("id") {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        _ => Value::Null,
    };
    let method = match message.get("method") {
        None => None,
        Some(Value::String(method)) => Some(method.as_str()),
        Some(_) => return Err(refused(&id, INVALID_REQUEST, "the method must be a text")),
    };
    let mismatch = || refused(&id, HEADER_MISMATCH, "the headers do not match the body");
    match (only(headers, "mcp-method"), method) {
        (Ok(None), _) => {}
        (Ok(Some(said)), Some(method)) if said == method => {}
        _ => return Err(mismatch()),
    }
    let name = match method.and_then(name_of) {
        None => return Ok(if method == Some("tools/list") { Asked::List } else { Asked::Other }),
        Some(member) => params(&message).and_then(|params| params.get(member)),
    };
    let is_call = method == Some("tools/call");
    let name = match name {
        Some(Value::String(name)) => name,
        _ if is_call => return Err(refused(&id, INVALID_PARAMS, "the call names no tool")),
        _ => return Ok(Asked::Other),
    };
    if is_call && (name.is_empty() || name.len() > LONGEST_NAME) {
        return Err(refused(
            &id,
            INVALID_PARAMS,
            "the name of the tool is empty, or longer than 1,024 bytes",
        ));
    }
    match only(headers, "mcp-name") {
        Ok(None) => {}
        Ok(Some(said)) if decoded(said).as_deref() == Some(name.as_str()) => {}
        _ => return Err(mismatch()),
    }
    Ok(if is_call { Asked::Call(name.clone()) } else { Asked::Other })
}

/// The tool that the headers say is called: a hint for challenges, before anything was read.
pub(crate) fn hinted(headers: &HeaderMap) -> Option<String> {
    match only(headers, "mcp-method") {
        Ok(Some("tools/call")) => decoded(only(headers, "mcp-name").ok()??),
        _ => None,
    }
}

/// The member of `params` that `Mcp-Name` repeats.
fn name_of(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    }
}

fn params(message: &Map<String, Value>) -> Option<&Map<String, Value>> {
    message.get("params").and_then(Value::as_object)
}

/// The one value of a header; an error for several and for what is not text.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        _ => Err(()),
    }
}

/// A value as it is written where it is more than visible ASCII: `=?base64?...?=`.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

fn refused(id: &Value, code: i64, problem: &str) -> Box<Answer> {
    let body = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": problem}});
    let mut answer = Response::new(body.to_string());
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Box::new(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn code(pairs: &[(&'static str, &str)], body: &str) -> i64 {
        let answer = read(&headers(pairs), body.as_bytes()).unwrap_err();
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!((header("content-type"), header("cache-control")), ("application/json", "no-store"));
        assert_eq!(answer.status(), 400);
        let body: Value = serde_json::from_str(answer.body()).unwrap();
        body["error"]["code"].as_i64().unwrap()
    }

    const CALL: &str =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{}}}"#;

    #[test]
    fn calls_and_lists_by_the_body() {
        let asked =
            |pairs: &[(&'static str, &str)], body: &str| read(&headers(pairs), body.as_bytes()).unwrap();
        assert_eq!(asked(&[], CALL), Asked::Call("search".into()));
        assert_eq!(
            asked(&[("mcp-method", "tools/call"), ("mcp-name", "search")], CALL),
            Asked::Call("search".into())
        );
        assert_eq!(asked(&[("mcp-name", "=?base64?c2VhcmNo?=")], CALL), Asked::Call("search".into()));
        let escaped = r#"{"method":"tools\u002fcall","params":{"n\u0061me":"se\u0061rch"}}"#;
        assert_eq!(asked(&[], escaped), Asked::Call("search".into()));
        let accent = r#"{"id":1,"method":"tools/call","params":{"name":"é"}}"#;
        assert_eq!(asked(&[("mcp-name", "=?base64?w6k=?=")], accent), Asked::Call("é".into()));
        assert_eq!(asked(&[("mcp-method", "tools/list")], r#"{"id":1,"method":"tools/list"}"#), Asked::List);
        for other in [
            r#"{"id":1,"method":"initialize","params":{}}"#,
            r#"{"method":"notifications/initialized"}"#,
            r#"{"id":1,"result":{"tools":[]}}"#,
            r#"{"id":1,"method":"prompts/get","params":{"name":"p"}}"#,
            r#"{"id":1,"method":"Tools/Call","params":{"name":"search"}}"#,
        ] {
            assert_eq!(asked(&[], other), Asked::Other, "{other}");
        }
        assert_eq!(
            hinted(&headers(&[("mcp-method", "tools/call"), ("mcp-name", "search")])).as_deref(),
            Some("search")
        );
        assert_eq!(hinted(&headers(&[("mcp-name", "search")])), None);
    }

    #[test]
    fn headers_that_say_something_else() {
        let read = r#"{"id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#;
        for (pairs, body) in [
            (&[("mcp-method", "tools/list")][..], CALL),
            (&[("mcp-method", "tools/Call")], CALL),
            (&[("mcp-method", "tools/call"), ("mcp-method", "tools/call")], CALL),
            (&[("mcp-name", "other")], CALL),
            (&[("mcp-name", "Search")], CALL),
            (&[("mcp-name", "search"), ("mcp-name", "search")], CALL),
            (&[("mcp-name", "=?base64?!!?=")], CALL),
            (&[("mcp-name", "=?base64?b3RoZXI=?=")], CALL),
            (&[("mcp-method", "é")], CALL),
            (&[("mcp-method", "tools/call")], r#"{"id":1,"result":{}}"#),
            (&[("mcp-name", "file:///b")], read),
        ] {
            assert_eq!(code(pairs, body), -32020, "{pairs:?}");
        }
        // Who asked is told by its own id, and nothing else of the body is repeated.
        let answer = super::read(&headers(&[("mcp-name", "x")]), CALL.as_bytes()).unwrap_err();
        assert!(answer.body().contains("\"id\":7") && !answer.body().contains("search"), "{}", answer.body());
    }

    #[test]
    fn one_object_with_each_member_once() {
        let twice = r#"{"method":"ping","method":"tools/call","params":{"name":"x"}}"#;
        let name_twice = r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#;
        let deep = format!(r#"{{"method":"ping","params":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for bad in [twice, name_twice, "", "{", "nonsense", "{} {}", "{}x", "\u{feff}{}", &deep] {
            assert_eq!(code(&[], bad), -32700, "{bad}");
        }
        for bad in ["[]", r#"[{"method":"tools/call","params":{"name":"x"}}]"#, "\"tools/call\"", "7", "null"]
        {
            assert_eq!(code(&[], bad), -32600, "{bad}");
        }
        assert_eq!(code(&[], r#"{"method":["tools/call"]}"#), -32600);
        for bad in [
            r#"{"method":"tools/call"}"#,
            r#"{"method":"tools/call","params":["search"]}"#,
            r#"{"method":"tools/call","params":{"name":7}}"#,
            r#"{"method":"tools/call","params":{"Name":"search"}}"#,
            r#"{"method":"tools/call","params":{"name":""}}"#,
        ] {
            assert_eq!(code(&[], bad), -32602, "{bad}");
        }
        let named = |length: usize| CALL.replace("search", &"a".repeat(length));
        assert!(read(&headers(&[]), named(LONGEST_NAME).as_bytes()).is_ok());
        assert_eq!(code(&[], &named(LONGEST_NAME + 1)), -32602);
    }
}
