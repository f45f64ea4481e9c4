//! Challenges of HTTP authentication (`WWW-Authenticate`): the one place that reads and renders them.
//!
//! Reading follows the grammar of RFC 9110 section 11.6.1 to the letter: several challenges in a field, several fields,
//! parameters in any order, quoted texts with escapes, `token68`, blanks around `=`, empty list elements, folded lines
//! (RFC 9112 section 5.2). A parameter given twice is refused (RFC 9110 section 11.2): which one counts is anybody's guess.
//! What is refused in an answer hides nothing else of it: servers, gateways and proxies each add challenges of their own.
//! Out of answers two things are taken besides that leave no doubt: a blank where a comma belongs between two parameters, and
//! a value such as a URL without its quotes.
//! Rendering escapes, so that no text can end a parameter or a field.

use std::fmt;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::scopes::Scopes;

/// The longest text that is read, over all fields.
const LONGEST: usize = 16 * 1024;
/// The most challenges in an answer, and the most parameters in a challenge.
const MOST: usize = 32;

/// One challenge (RFC 9110 section 11.3): a scheme, and parameters or one `token68`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, String)>,
}

/// Why a text is not a list of challenges. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the challenge {problem}")]
pub struct ChallengeError {
    problem: &'static str,
}

impl ChallengeError {
    const fn new(problem: &'static str) -> Self {
        ChallengeError { problem }
    }
}

const BEHIND: ChallengeError = ChallengeError::new("has something behind a parameter");

impl Challenge {
    /// A challenge of the scheme `Bearer` (RFC 6750 section 3).
    pub fn bearer() -> Self {
        Challenge { scheme: "Bearer".to_owned(), token68: None, parameters: Vec::new() }
    }

    /// A challenge of any scheme.
    ///
    /// # Errors
    /// [`ChallengeError`] if the scheme is not a token (RFC 9110 section 5.6.2).
    pub fn of(scheme: &str) -> Result<Self, ChallengeError> {
        if scheme.is_empty() || !scheme.bytes().all(is_token) {
            return Err(ChallengeError::new("has a scheme that is not a token"));
        }
        Ok(Challenge { scheme: scheme.to_owned(), ..Challenge::bearer() })
    }

    /// Sets a parameter, in place of any of the same name. A name that is not a token (RFC 9110 section 5.6.2) is left
    /// out; a character that no quoted text can carry is written as `?`.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<String>) -> Self {
        if !name.is_empty() && name.bytes().all(is_token) {
            self.token68 = None;
            self.parameters.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
            self.parameters.push((name.to_owned(), value.into()));
        }
        self
    }

    /// The challenges in the `WWW-Authenticate` fields of an answer that can be read, in order (RFC 9110 section 11.6.1): 32 at
    /// most, out of 16 KiB at most. One that cannot be read is left out, with what stands behind it in its field if its end cannot
    /// be found either. A blank for the comma between two parameters, and a value without its quotes up to the next blank or
    /// comma, are read as they are meant.
    pub fn read(headers: &HeaderMap) -> Vec<Self> {
        let mut found = Vec::new();
        let mut length = 0_usize;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            length = length.saturating_add(value.len());
            if length > LONGEST || found.len() >= MOST {
                break;
            }
            // Bytes beyond ASCII are allowed in quoted texts only (obs-text); each is read as one character.
            let text: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
            let Ok(text) = unfold(&text) else { continue };
            found.extend(
                Readable(Reader { rest: &text, lenient: true })
                    .filter_map(Result::ok)
                    .take(MOST.saturating_sub(found.len())),
            );
        }
        found
    }

    /// All challenges in the text of one field (RFC 9110 section 11.6.1).
    ///
    /// # Errors
    /// [`ChallengeError`] if it is not a list of challenges, or has more than 32.
    pub fn parse(text: &str) -> Result<Vec<Self>, ChallengeError> {
        if text.len() > LONGEST {
            return Err(ChallengeError::new("is too long"));
        }
        let text = unfold(text)?;
        let found = Readable(Reader { rest: &text, lenient: false })
            .take(MOST.saturating_add(1))
            .collect::<Result<Vec<_>, _>>()?;
        if found.len() > MOST {
            return Err(ChallengeError::new("list has too many challenges"));
        }
        Ok(found)
    }

    fn add(&mut self, (name, value): (&str, String)) -> Result<(), ChallengeError> {
        if self.token68.is_some() {
            return Err(ChallengeError::new("has both a token68 and parameters"));
        }
        if self.get(name).is_some() {
            return Err(ChallengeError::new("has the same parameter twice"));
        }
        if self.parameters.len() >= MOST {
            return Err(ChallengeError::new("has too many parameters"));
        }
        self.parameters.push((name.to_owned(), value));
        Ok(())
    }

    /// The scheme as written; compare it with [`Challenge::is`].
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// True for this scheme, whatever its case (RFC 9110 section 11.1).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// What stands in place of parameters (RFC 9110 section 11.2).
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// A parameter's value; names are compared without regard to case (RFC 9110 section 11.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All parameters, in order, unescaped. They are what somebody wrote: escape before showing.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `error`: `invalid_request`, `invalid_token`, `insufficient_scope`, or another (RFC 6750 section 3.1).
    pub fn error(&self) -> Option<&str> {
        self.get("error")
    }

    /// `scope`: the scopes that are needed (RFC 6750 section 3).
    pub fn scope(&self) -> Scopes {
        self.get("scope").map(Scopes::from).unwrap_or_default()
    }

    /// `resource_metadata`: where the resource describes itself (RFC 9728 section 5.1). A URL that somebody wrote: check
    /// its origin before anything is sent there.
    pub fn resource_metadata(&self) -> Option<&str> {
        self.get("resource_metadata")
    }

    /// The challenge as a field value. Rendering leaves nothing that a field could not carry.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

impl fmt::Display for Challenge {
    /// As on the wire: every value as a quoted text with its quotes and backslashes escaped (RFC 9110 section 5.6.4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        if let Some(token68) = &self.token68 {
            return write!(f, " {token68}");
        }
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            f.write_str(if at == 0 { " " } else { ", " })?;
            write!(f, "{name}=\"")?;
            for character in value.chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    ' '..='~' => write!(f, "{character}")?,
                    _ => f.write_str("?")?,
                }
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// Line breaks with a blank behind them become blanks (RFC 9112 section 5.2); any other control character is refused. (What
/// is beyond ASCII are bytes of a longer character: a dash has some that would be controls by themselves.)
fn unfold(text: &str) -> Result<String, ChallengeError> {
    let text = text.replace("\r\n ", " ").replace("\r\n\t", " ").replace("\n ", " ").replace("\n\t", " ");
    if text.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(ChallengeError::new("has a control character"));
    }
    Ok(text)
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// A character of a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The challenges of a field, one by one. What is wrong with one of them is said in its place; after a fault that hides where it
/// ends, there are no more.
struct Readable<'a>(Reader<'a>);

impl Iterator for Readable<'_> {
    type Item = Result<Challenge, ChallengeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Readable(reader) = self;
        reader.skip(|c| c == ',' || is_blank(c));
        if reader.rest.is_empty() {
            return None;
        }
        let read = reader.whole();
        if read.is_err() {
            reader.rest = "";
        }
        Some(read.and_then(std::convert::identity))
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a str,
    /// Takes what servers write and the grammar does not have.
    lenient: bool,
}

impl<'a> Reader<'a> {
    /// Takes as many characters as fit.
    fn skip(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn token(&mut self) -> &'a str {
        self.skip(|c| u8::try_from(c).is_ok_and(is_token))
    }

    /// `name=value`, with blanks allowed around the sign (RFC 9110 section 11.2). Nothing is taken if it is not one.
    fn parameter(&mut self) -> Result<Option<(&'a str, String)>, ChallengeError> {
        let mut ahead = *self;
        let name = ahead.token();
        ahead.skip(is_blank);
        let Some(rest) = ahead.rest.strip_prefix('=').filter(|_| !name.is_empty()) else {
            return Ok(None);
        };
        ahead.rest = rest;
        ahead.skip(is_blank);
        let value = if ahead.rest.starts_with('"') {
            ahead.quoted()?
        } else {
            match ahead.value() {
                "" => return Ok(None),
                value => value.to_owned(),
            }
        };
        // `abc=` followed by more of a token68 is none.
        if !ahead.rest.is_empty() && !ahead.rest.starts_with([',', ' ', '\t']) {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some((name, value)))
    }

    /// A value without quotes: a token.
    fn value(&mut self) -> &'a str {
        let start = self.rest;
        let token = self.token();
        if !self.lenient || token.is_empty() {
            return token;
        }
        self.skip(|c| c.is_ascii_graphic() && !matches!(c, ',' | '"'));
        start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or(token)
    }

    /// A quoted text (RFC 9110 section 5.6.4), unescaped.
    fn quoted(&mut self) -> Result<String, ChallengeError> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.get(at.saturating_add(1)..).unwrap_or_default();
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, escaped)) => value.push(escaped),
                    None => break,
                },
                other => value.push(other),
            }
        }
        Err(ChallengeError::new("has a quoted text without end"))
    }

    /// A challenge with all its parameters; inside, what is wrong with it although its end was found.
    fn whole(&mut self) -> Result<Result<Challenge, ChallengeError>, ChallengeError> {
        if self.parameter()?.is_some() {
            return Err(ChallengeError::new("has no scheme"));
        }
        let mut challenge = self.challenge()?;
        let mut wrong = None;
        loop {
            self.skip(is_blank);
            let separated = self.rest.is_empty() || self.rest.starts_with(',');
            if !separated && !self.lenient {
                return Err(BEHIND);
            }
            self.skip(|c| c == ',' || is_blank(c));
            let parameter = match self.parameter()? {
                Some(parameter) => parameter,
                None if separated => return Ok(wrong.map_or(Ok(challenge), Err)),
                None => return Err(BEHIND),
            };
            if let Err(error) = challenge.add(parameter) {
                wrong.get_or_insert(error);
            }
        }
    }

    /// A scheme with what belongs to it up to the next comma.
    fn challenge(&mut self) -> Result<Challenge, ChallengeError> {
        let mut challenge = Challenge::of(self.token())?;
        if self.skip(is_blank).is_empty() || self.rest.is_empty() || self.rest.starts_with(',') {
            return Ok(challenge);
        }
        if let Some(parameter) = self.parameter()? {
            challenge.add(parameter)?;
            return Ok(challenge);
        }
        // token68: at least one character, then any number of "=" (RFC 9110 section 11.2).
        let start = self.rest;
        let body = self.skip(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let padding = self.skip(|c| c == '=');
        let length = body.len().saturating_add(padding.len());
        if body.is_empty() {
            return Err(ChallengeError::new("has something that is neither a parameter nor a token68"));
        }
        challenge.token68 = start.get(..length).map(str::to_owned);
        Ok(challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Challenge {
        let mut all = Challenge::parse(text).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn parameters_in_any_order_folded_and_spaced() {
        let text = "Bearer  scope=\"a b\",\r\n  error_description = \"say \\\"no\\\", twice\" ,, RESOURCE_METADATA=\"https://x/y\",error=invalid_token";
        let challenge = one(text);
        assert_eq!(challenge.scope(), Scopes::from(["a", "b"]));
        assert_eq!(challenge.get("error_description"), Some("say \"no\", twice"));
        assert_eq!(challenge.resource_metadata(), Some("https://x/y"));
        assert_eq!(challenge.error(), Some("invalid_token"));
    }

    #[test]
    fn several_challenges() {
        let all = Challenge::parse("Negotiate, Basic realm=\"a, Bearer b=c\", charset=\"UTF-8\", Token abc==, DPoP algs=\"ES256\", X")
            .unwrap();
        let schemes: Vec<_> = all.iter().map(Challenge::scheme).collect();
        assert_eq!(schemes, ["Negotiate", "Basic", "Token", "DPoP", "X"]);
        assert_eq!(all[1].get("realm"), Some("a, Bearer b=c"));
        assert_eq!(all[2].token68(), Some("abc=="));
        assert_eq!(all[3].get("algs"), Some("ES256"));
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"x\""));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(b"Bearer realm=\"\xe9\"").unwrap());
        assert_eq!(Challenge::read(&headers)[1].get("realm"), Some("é"));
        assert_eq!(Challenge::parse(" , ,").unwrap(), []);
    }

    #[test]
    fn what_is_no_challenge() {
        for bad in [
            "Bearer realm=\"a\", realm=\"b\"",
            "Bearer realm=\"a\", Realm=b",
            "realm=\"a\"",
            "Bearer realm=\"a",
            "Bearer realm=\"a\\",
            "Bearer realm=\"a\" b",
            "Bearer abc== realm=\"a\"",
            "Bearer abc==, realm=\"a\"",
            "Bearer =",
            "\"Bearer\"",
            "Be(arer x=y",
            "Bearer x=y\nX: y",
            "Bearer x=\"\u{0}\"",
        ] {
            assert!(Challenge::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Challenge::parse(&"a,".repeat(33)).is_err());
        assert_eq!(Challenge::parse(&"a,".repeat(32)).unwrap().len(), 32);
        assert!(Challenge::parse(&"a".repeat(16 * 1024 + 1)).is_err());
        assert_eq!(one(&"a".repeat(16 * 1024)).scheme().len(), 16 * 1024);
        let parameters = |count: usize| (0..count).map(|at| format!(",p{at}=x")).collect::<String>();
        assert!(Challenge::parse(&format!("Bearer a=b{}", parameters(32))).is_err());
        assert_eq!(one(&format!("Bearer a=b{}", parameters(31))).parameters().count(), 32);
        for bare in ["Bearer", "Bearer ", "Bearer \t", "Bearer ,", "Bearer , ,", " ,\tBearer"] {
            assert_eq!(one(bare), Challenge::bearer(), "{bare:?}");
        }
        for blank in
            ["Bearer x=y ", "Bearer x=y\t,", "Bearer x = y ", "Bearer  x=\"y\" ,", "Bearer x=\"y\"\t"]
        {
            assert_eq!(one(blank), Challenge::bearer().parameter("x", "y"), "{blank:?}");
        }
        for blank in ["Bearer abc== ", "Bearer abc==\t,"] {
            assert_eq!(one(blank).token68(), Some("abc=="), "{blank:?}");
        }
        assert_eq!(one("Bearer realm").token68(), Some("realm"));
    }

    #[test]
    fn a_broken_challenge_hides_no_other() {
        let read = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
            }
            Challenge::read(&headers).iter().map(Challenge::to_string).collect::<Vec<_>>()
        };
        let good = "Bearer error=\"insufficient_scope\", scope=\"w\"";
        // In its own field, whatever is wrong with it.
        for bad in [
            "Bearer realm=\"a\", realm=\"b\"",
            "realm=\"a\"",
            "Bearer realm=\"a",
            "Bearer realm=\"a\" b",
            "Bearer abc==, realm=\"a\"",
            "Bearer =",
            "\"Bearer\"",
            "Be(arer x=y",
        ] {
            assert_eq!(read(&[bad]), [""; 0], "{bad:?}");
            assert_eq!(read(&[bad, good]), [good], "{bad:?}");
            assert_eq!(read(&[good, bad]), [good], "{bad:?}");
        }
        // In one field with others, as proxies fold them together: if it can be seen where it ends.
        for bad in ["Bearer realm=\"a\", realm=\"b\"", "Bearer abc==, realm=\"a\""] {
            assert_eq!(read(&[&format!("{bad}, {good}")]), [good], "{bad:?}");
            assert_eq!(read(&[&format!("Basic, {good}, {bad}, Negotiate")]), ["Basic", good, "Negotiate"]);
        }
        let twice = format!("Bearer {}x=1, {good}", "a=1, A=2, ".repeat(40));
        assert_eq!(read(&[&twice]), [good]);
        assert_eq!(read(&["Bearer realm=\"a – b\", scope=\"w\""]), ["Bearer realm=\"a ??? b\", scope=\"w\""]);
        // What was read before a fault without end is there.
        assert_eq!(read(&[&format!("{good}, Bearer realm=\"a")]), [good]);
        // Bounds hold over all fields.
        assert_eq!(read(&[&"a,".repeat(20), &"b,".repeat(20)]).len(), 32);
        let long = format!("a b=\"{}\"", "x".repeat(10_000));
        assert_eq!(read(&[&long, good, &long, good]).len(), 2);
        let just = |length: usize| format!("a b=\"{}\"", "x".repeat(length - 6));
        assert_eq!(read(&[&just(8 * 1024), &just(8 * 1024)]).len(), 2);
        assert_eq!(read(&[&just(8 * 1024), &just(8 * 1024 + 1)]).len(), 1);
    }

    /// Without their commas or quotes, as servers write them by hand; what a person would ask about is not guessed at.
    #[test]
    fn what_leaves_no_doubt_is_read_in_an_answer() {
        let read = |field: &str| {
            let headers = [(WWW_AUTHENTICATE, HeaderValue::from_str(field).unwrap())].into_iter().collect();
            Challenge::read(&headers).iter().map(Challenge::to_string).collect::<Vec<_>>()
        };
        let good = r#"Bearer error="insufficient_scope", scope="w""#;
        for odd in [
            r#"Bearer error="insufficient_scope" scope="w""#,
            "Bearer error=insufficient_scope\tscope=w",
            r#"Bearer error = "insufficient_scope" scope = w ,"#,
        ] {
            assert_eq!(read(odd), [good], "{odd}");
            assert!(Challenge::parse(odd).is_err(), "{odd}");
            assert_eq!(read(&format!("Basic realm=\"a, b\", {odd}, Negotiate")).len(), 3, "{odd}");
        }
        let url = "https://h.example:8443/.well-known/x?a=b&c=%20;d";
        for odd in [
            format!("Bearer resource_metadata={url}, {}", &good[7..]),
            format!("Bearer resource_metadata={url} {}", &good[7..]),
        ] {
            assert_eq!(read(&odd), [format!("Bearer resource_metadata=\"{url}\", {}", &good[7..])], "{odd}");
            assert!(Challenge::parse(&odd).is_err(), "{odd}");
        }
        assert_eq!(read("Negotiate YII==, NTLM TlR/+w=, Basic, Token a=").len(), 4);
        for doubtful in [
            r#"Bearer realm="a" b"#,
            r#"Bearer abc== realm="a""#,
            r#"Bearer realm="say "x" twice", error="e""#,
            r#"Bearer realm=a"b", error="e""#,
            r#"Bearer a="b"c="d""#,
            r#"Bearer realm="a" Basic realm="b""#,
        ] {
            assert_eq!(read(doubtful), [""; 0], "{doubtful}");
        }
    }

    #[test]
    fn rendering_escapes_and_reads_back() {
        let challenge = Challenge::bearer()
            .parameter("realm", "a\"b\\c")
            .parameter("bad name", "x")
            .parameter("error", "x\r\nSet-Cookie: y=z")
            .parameter("ERROR", "é\u{0}");
        assert_eq!(challenge.to_string(), "Bearer realm=\"a\\\"b\\\\c\", ERROR=\"??\"");
        assert_eq!(one(&challenge.to_string()).get("realm"), Some("a\"b\\c"));
        assert_eq!(challenge.to_header(), challenge.to_string().as_str());
        assert!(Challenge::of("a b").is_err() && Challenge::of("").is_err());
    }
}
