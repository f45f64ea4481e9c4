//! The bearer token of a request that arrives (RFC 6750 section 2.1).

use http::header::{AUTHORIZATION, HeaderMap};

use super::error::VerifyError;
use crate::secret::Secret;

/// Takes the bearer token out of the `Authorization` field. Tokens in a query or a form are not read (RFC 9700 section
/// 4.3.2).
///
/// # Errors
/// [`VerifyError::MissingToken`] without one or with another scheme, [`VerifyError::BadRequest`] for two fields, or a token
/// of characters that none has.
pub fn bearer(headers: &HeaderMap) -> Result<Secret, VerifyError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next().ok_or(VerifyError::MissingToken)?;
    if fields.next().is_some() {
        return Err(VerifyError::BadRequest("there are two Authorization fields"));
    }
    let text = field.to_str().map_err(|_| VerifyError::BadRequest("Authorization is not plain text"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(VerifyError::MissingToken);
    }
    // b64token (RFC 6750 section 2.1).
    let token = token.trim_matches(' ');
    let body = token.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(fits) {
        return Err(VerifyError::BadRequest("the bearer token has characters that none can have"));
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn one_field_with_one_token() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            bearer(&headers)
        };
        assert_eq!(read(&["bearer  a.b-c_d~+/=="]).unwrap(), Secret::new("a.b-c_d~+/=="));
        assert!(matches!(read(&[]), Err(VerifyError::MissingToken)));
        assert!(matches!(read(&["Basic abc"]), Err(VerifyError::MissingToken)));
        for bad in
            [&["Bearer a", "Bearer a"][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Bearer a,b"]]
        {
            assert!(matches!(read(bad), Err(VerifyError::BadRequest(_))), "{bad:?}");
        }
    }
}
