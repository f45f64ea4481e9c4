//! A resource's refusal that names what it wants to be permitted (`docs/wire.md`, P-challenge).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::details::AuthorizationDetails;
use crate::challenge::Challenge;
use crate::json;
use crate::wire::Response;

/// The header that names it, in base64.
const HEADER: &str = "insufficient-authorization-details";
/// The code of the challenge.
const CODE: &str = "insufficient_authorization_details";
/// The longest header that is read, in bytes.
const LONGEST: usize = 16 * 1024;

/// What an answer wants to be permitted: of a 403 whose challenge says so, the object in its header. Anything that cannot be read
/// is none, and the answer is what it was.
pub(crate) fn demanded_details(response: &Response) -> Option<AuthorizationDetails> {
    if response.status() != 403 {
        return None;
    }
    let challenges = Challenge::read(response.headers());
    if !challenges.iter().any(|challenge| challenge.is("Bearer") && challenge.error() == Some(CODE)) {
        return None;
    }
    let mut values = response.headers().get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    decode(value.as_bytes())
}

fn decode(text: &[u8]) -> Option<AuthorizationDetails> {
    let text = text.trim_ascii();
    if text.len() > LONGEST {
        return None;
    }
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let bytes = STANDARD_NO_PAD.decode(unpadded).or_else(|_| URL_SAFE_NO_PAD.decode(unpadded)).ok()?;
    let object = match json::parse(&bytes).ok()? {
        Value::Array(items) => match <[Value; 1]>::try_from(items) {
            Ok([one]) => one,
            Err(_) => return None,
        },
        other => other,
    };
    AuthorizationDetails::raw(object).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use http::{HeaderMap, StatusCode};

    const DETAILS: &str = r#"{"type":"file_access","actions":["read"],"identifier":"a?>~"}"#;

    fn demanded(status: u16, challenge: &str, header: &[&str]) -> Option<AuthorizationDetails> {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", challenge.parse().unwrap());
        for value in header {
            headers.append(HEADER, value.parse().unwrap());
        }
        demanded_details(&Response::new(StatusCode::from_u16(status).unwrap(), headers, ""))
    }

    const CHALLENGE: &str = r#"Bearer error="insufficient_authorization_details""#;

    #[test]
    fn every_spelling_that_is_met_is_read() {
        let (standard, url) = (STANDARD.encode(DETAILS), URL_SAFE.encode(DETAILS));
        assert_ne!(standard, url, "the text is to tell the alphabets apart");
        let list = STANDARD.encode(format!("[{DETAILS}]"));
        for text in [
            standard.as_str(),
            &url,
            standard.trim_end_matches('='),
            url.trim_end_matches('='),
            &list,
            &format!(" {standard} "),
        ] {
            let found = demanded(403, CHALLENGE, &[text]).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found, DETAILS.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_demand() {
        let good = STANDARD.encode(DETAILS);
        let encoded = |text: &str| STANDARD.encode(text);
        for text in [
            "".to_owned(),
            "?".to_owned(),
            format!("{good}!"),
            encoded("[]"),
            encoded("7"),
            encoded("{}"),
            encoded(&format!("[{DETAILS},{DETAILS}]")),
            encoded(r#"{"type":"a","type":"b"}"#),
            encoded(r#"{"type":"a""#),
            encoded(&format!(r#"{{"type":"a","x":"{}"}}"#, "y".repeat(LONGEST))),
        ] {
            assert_eq!(demanded(403, CHALLENGE, &[&text]), None, "{text}");
        }
        assert_eq!(demanded(401, CHALLENGE, &[&good]), None);
        assert_eq!(demanded(403, r#"Bearer error="insufficient_scope""#, &[&good]), None);
        assert_eq!(demanded(403, CHALLENGE, &[]), None);
        assert_eq!(demanded(403, CHALLENGE, &[&good, &good]), None);
    }
}
