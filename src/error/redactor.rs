//! Cuts secrets out of text that others wrote before it is shown.

mod spellings;
mod traces;

use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::Value;
use zeroize::Zeroizing;

use spellings::spellings;
use traces::{PIECE, Traces, leaves_no_trace};

use crate::secret::Secret;

/// The shortest text that is looked for.
const SHORTEST: usize = 4;
const MARK: &str = "[redacted]";

/// Cuts the secrets of one exchange out of what came back: a service, or a proxy before it, may echo the request.
///
/// Making one costs nothing, and a text in which nothing of a secret can be costs a look at each of its bytes and at each of
/// the secrets': only where something may have been found are the secrets written out in all their spellings.
pub(crate) struct Redactor<'s> {
    secrets: &'s [Secret],
    /// Made with the first text.
    traces: OnceCell<Traces>,
}

impl<'s> Redactor<'s> {
    /// Looks for the secrets as they are, and in the encodings in which requests carry them.
    pub(crate) fn new(secrets: &'s [Secret]) -> Self {
        Redactor { secrets, traces: OnceCell::new() }
    }

    /// The text with every piece of a secret replaced by a mark.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        self.clean_all([&mut text]);
        text
    }

    /// Replaces every piece of a secret by a mark, in all these texts at once: an answer may have thousands of them, and the secrets
    /// are written out once for all.
    pub(crate) fn clean_all<'t>(&self, texts: impl IntoIterator<Item = &'t mut String>) {
        let traces = self.traces.get_or_init(|| Traces::of(self.secrets));
        let traceless = self.secrets.iter().any(leaves_no_trace);
        let suspected =
            |text: &str| traceless || text.as_bytes().windows(PIECE).any(|window| traces.may_be_of(window));
        let texts: Vec<&mut String> = texts.into_iter().filter(|text| suspected(text)).collect();
        if texts.is_empty() {
            return;
        }
        let hidden = self.hidden(&texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        for (text, hidden) in texts.into_iter().zip(hidden) {
            if hidden.contains(&true) {
                *text = marked(text, &hidden);
            }
        }
    }

    /// Of each byte of each text, whether it belongs to a piece of a secret.
    fn hidden(&self, texts: &[&[u8]]) -> Vec<Vec<bool>> {
        let mut hidden: Vec<Vec<bool>> = texts.iter().map(|text| vec![false; text.len()]).collect();
        // Where each piece of the texts stands: secrets are longer and come in more spellings than what is shown.
        let mut places: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
        for (which, text) in texts.iter().enumerate() {
            for (at, window) in text.windows(PIECE).enumerate() {
                places.entry(window).or_default().push((which, at));
            }
        }
        let mut hide = |(which, from): (usize, usize), length: usize| {
            for flag in hidden.iter_mut().skip(which).take(1).flatten().skip(from).take(length) {
                *flag = true;
            }
        };
        let mut look_for = |spelling: &[u8]| {
            #[cfg(test)]
            tests::WRITTEN_OUT.with(|bytes| bytes.set(bytes.get() + spelling.len()));
            if spelling.len() >= PIECE {
                for piece in spelling.windows(PIECE) {
                    // Hidden once is hidden: a text or a secret of one piece over and over stays linear.
                    for place in places.remove(piece).into_iter().flatten() {
                        hide(place, PIECE);
                    }
                }
            } else if spelling.len() >= SHORTEST {
                for (which, text) in texts.iter().enumerate() {
                    for (at, _) in
                        text.windows(spelling.len()).enumerate().filter(|(_, window)| *window == spelling)
                    {
                        hide((which, at), spelling.len());
                    }
                }
            }
        };
        for secret in self.secrets {
            spellings(secret, &mut |spelling| {
                look_for(spelling.as_bytes());
                let reversed = Zeroizing::new(spelling.chars().rev().collect::<String>());
                look_for(reversed.as_bytes());
            });
        }
        hidden
    }
}

/// The text with a mark in place of what is hidden.
fn marked(text: &str, hidden: &[bool]) -> String {
    let mut out = String::new();
    let mut inside = false;
    for (at, character) in text.char_indices() {
        let hide = hidden.get(at).copied().unwrap_or(false);
        if hide && !inside {
            out.push_str(MARK);
        } else if !hide {
            out.push(character);
        }
        inside = hide;
    }
    out
}

/// Every text inside a JSON value, keys too, in order.
pub(super) fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            into.push(key.clone());
            texts(value, into);
        }),
        _ => {}
    }
}

/// The value with these texts in place of its own, in the same order.
pub(super) fn with_texts(value: Value, from: &mut impl Iterator<Item = String>) -> Value {
    match value {
        Value::String(_) => Value::String(from.next().unwrap_or_default()),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| with_texts(item, &mut *from)).collect())
        }
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(_, value)| (from.next().unwrap_or_default(), with_texts(value, &mut *from)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use std::cell::Cell;

    thread_local! {
        /// How many bytes of spellings this thread looked for.
        pub(super) static WRITTEN_OUT: Cell<usize> = const { Cell::new(0) };
    }

    fn written_out(secret: &str, texts: &[String]) -> usize {
        let before = WRITTEN_OUT.get();
        Redactor::new(&[Secret::new(secret)]).clean_all(&mut texts.to_vec());
        WRITTEN_OUT.get() - before
    }

    #[test]
    fn a_secret_is_found_in_every_coat() {
        let secret = "S3cret/with+odd=chars&more";
        let secrets = [Secret::new(secret)];
        let redactor = Redactor::new(&secrets);
        let reversed: String = secret.chars().rev().collect();
        for coat in [
            secret.to_owned(),
            reversed,
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            crate::time::hex(secret.as_bytes()),
            crate::time::hex(secret.as_bytes()).to_ascii_uppercase(),
            "S3cret%2fwith%2bodd%3dchars%26more".to_owned(),
            STANDARD.encode(secret).chars().rev().collect(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            STANDARD.encode(format!("a:{secret}")),
            STANDARD.encode(format!("ab:{secret}")),
            STANDARD.encode(format!("abc:{secret}")),
        ] {
            let cleaned = redactor.clean(&format!("before {coat} after"));
            assert!(cleaned.starts_with("before "), "{cleaned}");
            assert!(cleaned.ends_with("after"), "{cleaned}");
            assert!(cleaned.contains(MARK), "{coat} was not found");
            for window in coat.as_bytes().windows(PIECE) {
                let window = std::str::from_utf8(window).unwrap();
                assert!(!cleaned.contains(window), "{window} is still in {cleaned}");
            }
        }
    }

    #[test]
    fn short_secrets_and_other_text() {
        let secrets = [Secret::new("hunter2")];
        let redactor = Redactor::new(&secrets);
        assert_eq!(redactor.clean("password hunter2 is wrong"), "password [redacted] is wrong");
        assert_eq!(redactor.clean("nothing to hide – ünïcödé"), "nothing to hide – ünïcödé");
        let value = serde_json::json!({"hunter2": ["hunter2", 1], "a": {"b": "hunter2 c", "d": [null, "e"]}});
        let mut found = Vec::new();
        texts(&value, &mut found);
        redactor.clean_all(found.iter_mut());
        assert_eq!(
            with_texts(value, &mut found.into_iter()),
            serde_json::json!({"[redacted]": ["[redacted]", 1], "a": {"b": "[redacted] c", "d": [null, "e"]}})
        );
    }

    /// As it was once: every piece of every spelling in a set.
    fn clean_by_a_set(secret: &Secret, text: &str) -> String {
        let mut pieces = std::collections::HashSet::new();
        let mut short: Vec<Vec<u8>> = Vec::new();
        spellings(secret, &mut |spelling| {
            let reversed: String = spelling.chars().rev().collect();
            for spelling in [spelling.as_bytes(), reversed.as_bytes()] {
                if spelling.len() >= PIECE {
                    pieces.extend(spelling.windows(PIECE).map(<[u8]>::to_vec));
                } else if spelling.len() >= SHORTEST {
                    short.push(spelling.to_vec());
                }
            }
        });
        let mut hidden = vec![false; text.len()];
        for length in SHORTEST..=PIECE {
            for (at, window) in text.as_bytes().windows(length).enumerate() {
                let known = if length == PIECE {
                    pieces.contains(window)
                } else {
                    short.iter().any(|short| short == window)
                };
                if known {
                    hidden[at..at + length].fill(true);
                }
            }
        }
        let (mut out, mut inside) = (String::new(), false);
        for (at, character) in text.char_indices() {
            match hidden[at] {
                true if !inside => out.push_str(MARK),
                false => out.push(character),
                true => {}
            }
            inside = hidden[at];
        }
        out
    }

    #[test]
    fn no_piece_of_any_spelling_is_overlooked() {
        let mut seed = 11_u64;
        let mut draw = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % most
        };
        let alphabets =
            ["abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789._-", "+/=&% ?#", "0123456789abcdef", "aä", "a"];
        let mut found = 0;
        for _ in 0..1_000 {
            let alphabet: Vec<char> = alphabets[draw(5)].chars().collect();
            let length = draw(60) + 1;
            let secret = Secret::new((0..length).map(|_| alphabet[draw(alphabet.len())]).collect::<String>());
            let mut coats = Vec::new();
            spellings(&secret, &mut |spelling| coats.push(spelling.to_owned()));
            let mut coat: Vec<char> = coats[draw(coats.len())].chars().collect();
            if draw(2) == 0 {
                coat.reverse();
            }
            let from = draw(coat.len().max(1));
            let piece: String = coat.into_iter().skip(from).take(draw(30)).collect();
            let text = format!(
                "{}{piece}{}",
                ["", "x", "token=", "ü "][draw(4)],
                ["", "y", " was refused", "é"][draw(4)]
            );
            let cleaned = Redactor::new(std::slice::from_ref(&secret)).clean(&text);
            assert_eq!(cleaned, clean_by_a_set(&secret, &text), "{} in {text}", secret.expose());
            found += usize::from(cleaned.contains(MARK));
        }
        assert!(found > 150, "{found}");
    }

    #[test]
    fn a_failure_that_echoes_nothing_writes_no_secret_out() {
        let secret = Secret::new("s3cr3t-T0ken_".repeat(1_000));
        let redactor = Redactor::new(std::slice::from_ref(&secret));
        let traces = Traces::of(redactor.secrets);
        for text in [
            "invalid_request",
            "Missing required field: action",
            "insufficient_scope",
            &"1234567890".repeat(20),
        ] {
            assert!(!text.as_bytes().windows(PIECE).any(|piece| traces.may_be_of(piece)), "{text}");
            assert_eq!(redactor.clean(text), text);
        }
    }

    #[test]
    fn the_work_of_a_failure_does_not_grow_with_all_spellings_of_a_secret() {
        for piece in ["s3cr3t-T0ken_", "schlüssel-Ä7", "a/b+c=d e&f%g"] {
            // What echoes nothing costs none of the spellings, whatever the secret's length, its letters and the number of texts.
            let quiet: Vec<String> = (0..5_000).map(|at| format!("Missing required field: f{at}")).collect();
            for length in [2, 200, 5_000] {
                assert_eq!(written_out(&piece.repeat(length), &quiet), 0, "{piece}, {length} times");
            }
            // What echoes costs them once, for one text as for thousands, and in line with the secret's length.
            let echo = |count: usize| vec![format!("{} was refused", piece.repeat(2)); count];
            let (one, all) =
                (written_out(&piece.repeat(200), &echo(1)), written_out(&piece.repeat(200), &echo(5_000)));
            assert!(one > 0, "{piece}");
            assert_eq!(one, all, "{piece}");
            let eight = written_out(&piece.repeat(1_600), &echo(1));
            assert!(eight <= one * 9, "{piece}: {one}, eight times as long {eight}");
        }
    }
}
