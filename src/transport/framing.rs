//! Where an answer ends, by its head (RFC 9112 section 6.3): the one check of both transports. In doubt it is a fault.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

use crate::error::{TransportError, TransportFault};

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing, whatever the head announces.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks, the last of which is empty.
    Chunks,
}

impl Framing {
    /// What the head of an answer to a request of this method announces.
    ///
    /// # Errors
    /// [`TransportFault::Framing`] unless it says once, and without contradiction, where the answer ends.
    pub(super) fn of(
        method: &Method,
        version: Version,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Self, TransportError> {
        announced(method, version, status, headers)
            .map_err(|message| TransportError::unknown(TransportFault::Framing, message))
    }

    /// Room for the body, at most `cap` bytes.
    ///
    /// # Errors
    /// [`TransportFault::TooLarge`] if the announced length is over the cap.
    pub(super) fn room(self, cap: usize) -> Result<usize, TransportError> {
        match self {
            Framing::Nothing | Framing::Chunks => Ok(0),
            Framing::Length(length) => {
                usize::try_from(length).ok().filter(|length| *length <= cap).ok_or_else(|| too_large(cap))
            }
        }
    }
}

/// The answer is over its cap.
pub(super) fn too_large(cap: usize) -> TransportError {
    TransportError::unknown(TransportFault::TooLarge, format!("the answer is larger than {cap} bytes"))
}

fn announced(
    method: &Method,
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Framing, &'static str> {
    let bodiless =
        *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // One walk over the few headers that there are costs less than looking two names up.
    let (mut length, mut coding, mut said) = (None, None, 0_usize);
    for (name, value) in headers {
        if name == CONTENT_LENGTH {
            length = Some(value);
        } else if name == TRANSFER_ENCODING {
            coding = Some(value);
        } else {
            continue;
        }
        said = said.saturating_add(1);
    }
    let framing = match (length, coding) {
        (Some(_), Some(_)) => return Err("the answer has both a length and a transfer coding"),
        (Some(length), None) => {
            let text = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = text.and_then(|text| text.parse().ok());
            Framing::Length(length.ok_or("the answer's length is not a number")?)
        }
        // RFC 9112 section 6.1: such a message has faulty framing.
        (None, Some(_)) if version != Version::HTTP_11 => {
            return Err("the answer has a transfer coding, which HTTP/1.0 does not know");
        }
        (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Framing::Chunks,
        (None, Some(_)) => return Err("the answer has a transfer coding other than chunked"),
        (None, None) if bodiless => Framing::Nothing,
        (None, None) => return Err("the answer does not say where it ends"),
    };
    if said > 1 {
        return Err("the answer says twice where it ends");
    }
    Ok(if bodiless { Framing::Nothing } else { framing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderName, HeaderValue};

    fn read(
        method: Method,
        version: Version,
        status: u16,
        lines: &[(HeaderName, &str)],
    ) -> Result<Framing, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let framing = Framing::of(&method, version, StatusCode::from_u16(status).unwrap(), &headers);
        framing.map_err(|error| {
            assert_eq!(error.fault(), TransportFault::Framing);
            assert_eq!(error.sent(), crate::error::Sent::Unknown);
            error.to_string()
        })
    }

    fn get(status: u16, lines: &[(HeaderName, &str)]) -> Result<Framing, String> {
        read(Method::GET, Version::HTTP_11, status, lines)
    }

    #[test]
    fn what_says_where_it_ends() {
        for status in [200, 206, 400, 503] {
            assert_eq!(get(status, &[(CONTENT_LENGTH, "0")]), Ok(Framing::Length(0)));
            assert_eq!(get(status, &[(CONTENT_LENGTH, "17")]), Ok(Framing::Length(17)));
            assert_eq!(get(status, &[(TRANSFER_ENCODING, "chunked")]), Ok(Framing::Chunks));
            assert_eq!(get(status, &[(TRANSFER_ENCODING, "Chunked")]), Ok(Framing::Chunks));
        }
        let old = read(Method::GET, Version::HTTP_10, 200, &[(CONTENT_LENGTH, "17")]);
        assert_eq!(old, Ok(Framing::Length(17)));
    }

    #[test]
    fn answers_without_a_body_may_announce_one() {
        for lines in [&[][..], &[(CONTENT_LENGTH, "17")], &[(TRANSFER_ENCODING, "chunked")]] {
            assert_eq!(read(Method::HEAD, Version::HTTP_11, 200, lines), Ok(Framing::Nothing));
            assert_eq!(get(204, lines), Ok(Framing::Nothing));
            assert_eq!(get(304, lines), Ok(Framing::Nothing));
        }
    }

    #[test]
    fn doubt_is_a_fault() {
        let (length, coding) = (CONTENT_LENGTH, TRANSFER_ENCODING);
        let cases: [(&[(HeaderName, &str)], &str); 10] = [
            (&[(length.clone(), "2"), (coding.clone(), "chunked")], "both a length and a transfer coding"),
            (&[(length.clone(), "2"), (length.clone(), "2")], "says twice"),
            (&[(length.clone(), "2"), (length.clone(), "3")], "says twice"),
            (&[(coding.clone(), "chunked"), (coding.clone(), "chunked")], "says twice"),
            (&[(coding.clone(), "gzip, chunked")], "other than chunked"),
            (&[(coding.clone(), "identity")], "other than chunked"),
            (&[(length.clone(), "+2")], "not a number"),
            (&[(length.clone(), "")], "not a number"),
            (&[(length.clone(), "18446744073709551616")], "not a number"),
            (&[], "does not say where it ends"),
        ];
        for (lines, expected) in cases {
            let error = get(200, lines).unwrap_err();
            assert!(error.contains(expected), "{lines:?}: {error}");
        }
        for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_2] {
            let error = read(Method::GET, version, 200, &[(coding.clone(), "chunked")]).unwrap_err();
            assert!(error.contains("HTTP/1.0 does not know"), "{error}");
        }
        // Contradictions count where there is no body as well.
        assert!(get(204, &[(length, "2"), (coding, "chunked")]).is_err());
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_anything_is_read() {
        assert_eq!(Framing::Length(8).room(8).unwrap(), 8);
        for length in [9, u64::MAX] {
            assert_eq!(Framing::Length(length).room(8).unwrap_err().fault(), TransportFault::TooLarge);
        }
        assert_eq!(Framing::Chunks.room(8).unwrap(), 0);
    }
}
