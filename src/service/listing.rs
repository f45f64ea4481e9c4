//! Lists of tools on their way to a caller: what it may not call is taken out, everything else stays as it was.

use serde_json::{Map, Value};

use super::message::DEPTH;
use crate::json;

/// A message, or several, as JSON.
pub(crate) struct Listing(Value);

impl Listing {
    /// Reads an answer's text. None if it is no JSON that says one thing to everybody: what cannot be read is not passed on.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let value = json::parse_within(text, DEPTH).ok()?;
        (value.is_object() || value.is_array()).then_some(Listing(value))
    }

    /// The names of all tools that are listed.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for message in messages(&self.0) {
            let tools = message.get("result").and_then(|result| result.get("tools"));
            names.extend(tools.and_then(Value::as_array).into_iter().flatten().filter_map(name));
        }
        names
    }

    /// Without the tools of other names than these, and kept for nobody else by whoever keeps it: true if something was changed. A tool
    /// without a name is no tool, and a list that is none is empty.
    pub(crate) fn keep(&mut self, may: impl Fn(&str) -> bool) -> bool {
        let mut changed = false;
        let messages = match &mut self.0 {
            Value::Array(several) => several.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for message in messages {
            let Some(Value::Object(result)) = message.get_mut("result") else { continue };
            let Some(tools) = result.get_mut("tools") else { continue };
            match tools {
                Value::Array(list) => {
                    let before = list.len();
                    list.retain(|tool| name(tool).is_some_and(&may));
                    changed |= list.len() != before;
                }
                other => {
                    *other = Value::Array(Vec::new());
                    changed = true;
                }
            }
            changed |= for_one_caller(result);
        }
        changed
    }

    /// As one line of JSON.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Who sees which tools depends on who asks, so a list that may be kept is its caller's alone (MCP 2026-07-28, "Caching"), also for whoever
/// sees all of them. Where `cacheScope` is missing, some take it for `public`. True if it said something else.
fn for_one_caller(result: &mut Map<String, Value>) -> bool {
    let may_be_kept = result.contains_key("ttlMs") || result.contains_key("cacheScope");
    may_be_kept && result.insert("cacheScope".to_owned(), "private".into()) != Some("private".into())
}

fn messages(value: &Value) -> &[Value] {
    match value {
        Value::Array(several) => several,
        one => std::slice::from_ref(one),
    }
}

fn name(tool: &Value) -> Option<&str> {
    tool.get("name").and_then(Value::as_str)
}

/// One event of a stream (WHATWG HTML, "Server-sent events"): its lines as they came, and what their data say together.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Event {
    /// Lines of other fields, and comments.
    other: Vec<Vec<u8>>,
    data: Option<Vec<u8>>,
}

impl Event {
    /// Its data, if it has any that are not empty.
    pub(crate) fn data(&self) -> Option<&[u8]> {
        self.data.as_deref().filter(|data| !data.is_empty())
    }

    /// Replaces the data, by one line or by nothing.
    pub(crate) fn set(&mut self, data: Option<String>) {
        self.data = data.map(String::into_bytes);
    }

    /// As on the wire.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        for line in &self.other {
            to.extend_from_slice(line);
            to.push(b'\n');
        }
        for line in self.data.iter().flat_map(|data| data.split(|byte| *byte == b'\n')) {
            to.extend_from_slice(b"data: ");
            to.extend_from_slice(line);
            to.push(b'\n');
        }
        to.push(b'\n');
    }

    fn add(&mut self, line: &[u8]) {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => {
                (line.get(..at).unwrap_or_default(), line.get(at.saturating_add(1)..).unwrap_or_default())
            }
            None => (line, &[][..]),
        };
        if field != b"data" {
            self.other.push(line.to_vec());
            return;
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
    }

    fn is_empty(&self) -> bool {
        self.other.is_empty() && self.data.is_none()
    }
}

/// Takes a stream apart into its events, each bounded.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    event: Event,
    length: usize,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    /// Nothing was read yet.
    begun: bool,
}

impl Events {
    /// The events that end within this piece. None if one is longer than allowed.
    pub(crate) fn read(&mut self, piece: &[u8], longest: usize) -> Option<Vec<Event>> {
        let mut events = Vec::new();
        for byte in piece {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let mut line = std::mem::take(&mut self.line);
                    if !std::mem::replace(&mut self.begun, true)
                        && let Some(rest) = line.strip_prefix("\u{feff}".as_bytes())
                    {
                        line = rest.to_vec();
                    }
                    if !line.is_empty() {
                        self.event.add(&line);
                    } else if !self.event.is_empty() {
                        events.push(std::mem::take(&mut self.event));
                        self.length = 0;
                    }
                }
                byte => {
                    self.length = self.length.saturating_add(1);
                    if self.length > longest {
                        return None;
                    }
                    self.line.push(*byte);
                }
            }
        }
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str, may: &[&str]) -> (bool, String) {
        let mut listing = Listing::read(text.as_bytes()).unwrap();
        let changed = listing.keep(|name| may.contains(&name));
        (changed, listing.text())
    }

    #[test]
    fn only_tools_are_taken_out() {
        let list = r#"{"_meta":{"x":1},"id":1,"jsonrpc":"2.0","result":{"_meta":{"y":2},"nextCursor":"c","tools":[{"name":"a","z":3},{"name":"b"}],"unknown":[1.5]}}"#;
        assert_eq!(kept(list, &["a", "b"]), (false, list.to_owned()));
        assert_eq!(kept(list, &["a"]), (true, list.replace(r#",{"name":"b"}"#, "")));
        assert_eq!(kept(list, &[]).1, list.replace(r#"[{"name":"a","z":3},{"name":"b"}]"#, "[]"));
        assert_eq!(Listing::read(list.as_bytes()).unwrap().names(), ["a", "b"]);
        let batch = r#"[{"result":{"tools":[{"name":"a"}]}},{"result":{"tools":[{"name":"b"}]}}]"#;
        assert_eq!(kept(batch, &["b"]).1, r#"[{"result":{"tools":[]}},{"result":{"tools":[{"name":"b"}]}}]"#);
        for other in [
            r#"{"result":{"content":[{"name":"b"}]}}"#,
            r#"{"tools":[{"name":"b"}]}"#,
            r#"{"error":{"code":1}}"#,
        ] {
            assert_eq!(kept(other, &[]), (false, other.to_owned()));
        }
    }

    #[test]
    fn a_list_that_may_be_kept_is_its_callers_alone() {
        let private = r#"{"result":{"cacheScope":"private","tools":[{"name":"a"}],"ttlMs":5}}"#;
        assert_eq!(kept(private, &["a"]), (false, private.to_owned()));
        for scope in [r#""cacheScope":"public","#, r#""cacheScope":"Private","#, r#""cacheScope":null,"#, ""]
        {
            let other = private.replace(r#""cacheScope":"private","#, scope);
            assert_eq!(kept(&other, &["a"]), (true, private.to_owned()), "{other}");
        }
        let without = r#"{"result":{"cacheScope":"public","tools":[]}}"#;
        assert_eq!(kept(without, &[]), (true, without.replace("public", "private")));
        let of_others = r#"{"result":{"cacheScope":"public","prompts":[]}}"#;
        assert_eq!(kept(of_others, &[]), (false, of_others.to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_not_passed() {
        for bad in
            ["", "x", "7", "{\"result\":{\"tools\":[]},\"result\":{\"tools\":[{\"name\":\"b\"}]}}", "{}{}"]
        {
            assert!(Listing::read(bad.as_bytes()).is_none(), "{bad}");
        }
        let odd = r#"{"result":{"tools":[{"title":"b"},{"name":7},"b",null,{"name":"a"}]}}"#;
        assert_eq!(kept(odd, &["a"]).1, r#"{"result":{"tools":[{"name":"a"}]}}"#);
        for odd in [
            r#"{"result":{"tools":{"name":"a"}}}"#,
            r#"{"result":{"tools":"a"}}"#,
            r#"{"result":{"tools":null}}"#,
        ] {
            assert_eq!(kept(odd, &["a"]), (true, r#"{"result":{"tools":[]}}"#.to_owned()), "{odd}");
        }
    }

    #[test]
    fn events_however_they_are_cut() {
        let stream = "\u{feff}: hello\r\nid: 1\ndata\n\nevent: message\rdata: {\"a\":\rdata:1}\r\rdata:x\n\n\n\nid: 2\ndata: unfinished\n";
        let whole = Events::default().read(stream.as_bytes(), 100).unwrap();
        let shown: Vec<String> = whole
            .iter()
            .map(|event| {
                let mut text = Vec::new();
                event.write(&mut text);
                String::from_utf8(text).unwrap()
            })
            .collect();
        assert_eq!(
            shown,
            [": hello\nid: 1\ndata: \n\n", "event: message\ndata: {\"a\":\ndata: 1}\n\n", "data: x\n\n"]
        );
        assert_eq!((whole[0].data(), whole[1].data()), (None, Some(&b"{\"a\":\n1}"[..])));
        for cut in 0..stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            let mut events = Events::default();
            let mut all = events.read(first, 100).unwrap();
            all.extend(events.read(second, 100).unwrap());
            assert_eq!(all, whole, "{cut}");
        }
        assert!(Events::default().read(b"data: 12345\n\n", 10).is_none());
        assert!(Events::default().read(b"data: 1234\n\n", 10).is_some(), "as long as it may be");
        assert!(Events::default().read(b"data: 1\n\ndata: 2\n\n", 10).is_some(), "each by itself");
        assert!(Events::default().read(b"data: 1\ndata: 2\n\n", 10).is_none());
    }
}
