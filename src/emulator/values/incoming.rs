//! The request as the engine reads it: header fields, media types, form and JSON bodies. Strict, as the RFCs are.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, ORIGIN};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::json;

/// The longest body that is read.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// The longest body of what is kept until a person decides.
pub(crate) const KEPT_LIMIT: usize = 16 * 1024;

/// One request, in parts.
pub(crate) struct Incoming<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// The body; none if it is longer than [`BODY_LIMIT`].
    pub body: Option<&'a [u8]>,
    /// The base URL that this request came to, without a slash at the end.
    pub base: &'a str,
}

/// What a body says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Form,
    Json,
    Other,
}

impl Incoming<'_> {
    /// The only value of a header. Twice the same header is an error, as is one that is no visible ASCII.
    pub(crate) fn only(&self, name: HeaderName) -> Result<Option<&str>, &'static str> {
        let mut values = self.headers.get_all(&name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                value.to_str().map(Some).map_err(|_| "A header has characters beyond ASCII")
            }
            _ => Err("A header is repeated"),
        }
    }

    /// The body's media type (RFC 9110 section 8.3), with UTF-8 as the only character set.
    pub(crate) fn media(&self) -> Media {
        let Ok(Some(value)) = self.only(CONTENT_TYPE) else { return Media::Other };
        let mut pieces = value.split(';');
        let essence = pieces.next().unwrap_or_default().trim();
        let foreign = pieces.filter_map(|piece| piece.split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset")
                && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
        if foreign {
            Media::Other
        } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Media::Form
        } else if essence.eq_ignore_ascii_case("application/json") {
            Media::Json
        } else {
            Media::Other
        }
    }

    /// The body as one JSON object.
    pub(crate) fn json_object(&self) -> Result<Map<String, Value>, &'static str> {
        if self.media() != Media::Json {
            return Err("Content-Type must be application/json");
        }
        match json::parse(self.body.unwrap_or_default()) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err("The body must be a JSON object"),
            Err(_) => Err("The body is not valid JSON"),
        }
    }

    /// The body as one JSON object that is small enough to be kept.
    pub(crate) fn kept_object(&self) -> Result<Map<String, Value>, &'static str> {
        if self.body.unwrap_or_default().len() > KEPT_LIMIT {
            return Err(
                "The body is longer than 16384 bytes, the most that is kept here for a person to decide",
            );
        }
        self.json_object()
    }

    /// True if a browser sends this for the page of another site: it says so (Fetch Metadata), or names another origin.
    pub(crate) fn is_from_elsewhere(&self) -> bool {
        match self.only(HeaderName::from_static("sec-fetch-site")) {
            Ok(Some(site)) => !matches!(site, "same-origin" | "none"),
            Err(_) => true,
            Ok(None) => match self.only(ORIGIN) {
                Ok(None) => false,
                Ok(Some(origin)) => !origin.eq_ignore_ascii_case(self.origin()),
                Err(_) => true,
            },
        }
    }

    /// True if the browser's window goes here, and not a script, a frame or a picture.
    pub(crate) fn is_navigation(&self) -> bool {
        let says = |name, value| self.only(HeaderName::from_static(name)) == Ok(Some(value));
        says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
    }

    /// The origin of the base URL.
    fn origin(&self) -> &str {
        let authority = self.base.find("://").map_or(0, |at| at.saturating_add(3));
        let rest = self.base.get(authority..).unwrap_or_default();
        let end = rest.find('/').map_or(self.base.len(), |at| authority.saturating_add(at));
        self.base.get(..end).unwrap_or_default()
    }

    /// True if the query names this parameter, in whatever encoding, or has a name that cannot be read.
    pub(crate) fn query_has(&self, name: &str) -> bool {
        has(self.query.unwrap_or_default().as_bytes(), name)
    }

    /// True if the body is a form that names this parameter, or has a name that cannot be read.
    pub(crate) fn form_has(&self, name: &str) -> bool {
        self.media() == Media::Form && has(self.body.unwrap_or_default(), name)
    }

    /// `Authorization`: scheme and the rest.
    pub(crate) fn authorization(&self) -> Result<Option<(&str, &str)>, &'static str> {
        let value = self.only(AUTHORIZATION)?;
        Ok(value.map(|value| {
            let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
            (scheme, rest.trim_start_matches(' '))
        }))
    }
}

/// The parameters of a token request (RFC 6749 section 3.2).
pub(crate) struct Parameters {
    pairs: Vec<(String, Zeroizing<String>)>,
    repeated: Vec<String>,
}

/// Parameters that may be there more than once (RFC 8707 section 2, RFC 8693 section 2.1).
fn may_repeat(name: &str) -> bool {
    matches!(name, "resource" | "audience")
}

/// The pairs of a form, decoded.
fn form(bytes: &[u8]) -> Result<Vec<(String, Zeroizing<String>)>, &'static str> {
    let mut pairs = Vec::new();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut half = || decoded(halves.next().unwrap_or_default());
        let (name, value) = half().zip(half()).ok_or("The form is not encoded as it must be")?;
        pairs.push((name.to_string(), value));
    }
    Ok(pairs)
}

impl Parameters {
    /// Reads them out of a form, or out of a JSON object whose values are texts. Each may be there once, but `resource`
    /// (RFC 8707 section 2) and `audience` (RFC 8693 section 2.1). One without a value counts as absent.
    pub(crate) fn read(incoming: &Incoming<'_>) -> Result<Self, &'static str> {
        let mut pairs = Vec::new();
        match incoming.media() {
            Media::Form => pairs = form(incoming.body.unwrap_or_default())?,
            Media::Json => {
                for (name, value) in incoming.json_object()? {
                    match value {
                        Value::String(text) => pairs.push((name, Zeroizing::new(text))),
                        Value::Array(items) if may_repeat(&name) => {
                            for item in items {
                                let text = item.as_str().ok_or("A parameter is not a text")?;
                                pairs.push((name.clone(), Zeroizing::new(text.to_owned())));
                            }
                        }
                        _ => return Err("A parameter is not a text"),
                    }
                }
            }
            Media::Other => return Err("Content-Type must be application/x-www-form-urlencoded"),
        }
        let parameters = Parameters::new(pairs);
        if parameters.repeated.is_empty() { Ok(parameters) } else { Err("A parameter is repeated") }
    }

    /// Reads the query of an authorization request (RFC 6749 section 3.1). Repeated parameters are told apart by
    /// [`Parameters::repeats`], since some of them are answered with a redirect.
    pub(crate) fn query(incoming: &Incoming<'_>) -> Result<Self, &'static str> {
        form(incoming.query.unwrap_or_default().as_bytes()).map(Parameters::new)
    }

    fn new(mut pairs: Vec<(String, Zeroizing<String>)>) -> Self {
        let mut seen = HashSet::new();
        let repeated = pairs
            .iter()
            .filter(|(name, _)| !may_repeat(name) && !seen.insert(name.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        pairs.retain(|(_, value)| !value.is_empty());
        Parameters { pairs, repeated }
    }

    /// True if this parameter is there more than once and must not be.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        self.repeated.iter().any(|own| own == name)
    }

    /// True if any parameter is there more than once and must not be.
    pub(crate) fn repeats_any(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// A parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The two halves of HTTP Basic, each form-decoded (RFC 6749 section 2.3.1, RFC 7617 section 2).
pub(crate) fn basic(credentials: &str) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let bytes = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    decoded(id.as_bytes()).zip(decoded(secret.as_bytes()))
}

/// A segment of a path, decoded; none for a `%` without two digits behind it, and for what is not UTF-8.
pub(crate) fn decoded_segment(segment: &str) -> Option<String> {
    decoded(segment.replace('+', "%2B").as_bytes()).map(|text| text.to_string())
}

fn has(pairs: &[u8], name: &str) -> bool {
    pairs.split(|byte| *byte == b'&').any(|pair| {
        let own = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        decoded(own).is_none_or(|own| own.as_str() == name)
    })
}

/// Form decoding; none for a `%` without two digits behind it, and for what is not UTF-8.
fn decoded(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut rest = bytes.iter().copied();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from((high << 4) | low).ok()?
            }
            byte => byte,
        });
    }
    std::str::from_utf8(&out).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(content_type: &str, body: &str) -> Result<Vec<(String, String)>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        let incoming = Incoming {
            method: &Method::POST,
            path: "/",
            query: None,
            headers: &headers,
            body: Some(body.as_bytes()),
            base: "",
        };
        let parameters = Parameters::read(&incoming)?;
        Ok(parameters.pairs.into_iter().map(|(name, value)| (name, value.to_string())).collect())
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_is_decoded_strictly() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(FORM, "a=1+2&b=%C3%A4%26&&c=&d").unwrap(),
            [pair("a", "1 2"), pair("b", "ä&")],
            "empty values are as good as absent"
        );
        for bad in ["a=%", "a=%2", "a=%zz", "a=%+1", "a=%ff", "a=1&a=1", "a=1&a=", "%61=1&a=2"] {
            assert!(read(FORM, bad).is_err(), "{bad}");
        }
        assert_eq!(read(FORM, "resource=a&resource=b").unwrap().len(), 2);
    }

    #[test]
    fn json_values_are_texts() {
        assert_eq!(read("application/json", r#"{"a":"1","resource":["x","y"]}"#).unwrap().len(), 3);
        for bad in ["[]", "{", r#"{"a":1}"#, r#"{"a":"1","a":"2"}"#, r#"{"a":["1"]}"#, r#"{"resource":[1]}"#]
        {
            assert!(read("application/json", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_media_type_is_read_whole() {
        assert!(read("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "a=1").is_ok());
        for bad in
            ["text/plain", "application/x-www-form-urlencoded; charset=utf-16", "multipart/form-data", ""]
        {
            assert!(read(bad, "a=1").is_err(), "{bad}");
        }
    }

    #[test]
    fn basic_is_form_decoded() {
        let read = |text: &str| {
            basic(&STANDARD.encode(text)).map(|(id, secret)| (id.to_string(), secret.to_string()))
        };
        assert_eq!(read("a%3Ab:c+d%25:e"), Some(("a:b".into(), "c d%:e".into())));
        assert_eq!(read("no colon"), None);
        assert_eq!(read("a:%"), None);
        assert!(basic("YTpi").is_some() && basic("YTpi!").is_none() && basic("YTo").is_none());
    }
}
