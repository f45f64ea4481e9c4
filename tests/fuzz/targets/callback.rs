//! The URL that a browser comes back with: each parameter counts once, a code comes of the right state alone, and nothing is shown.
#![no_main]

#[path = "work.rs"]
mod work;

use libfuzzer_sys::fuzz_target;
use lumoauth::Secret;
use lumoauth::embed::operations::Callback;

/// The values of a parameter, by an eye of its own: pairs of the query, escapes decoded, plus signs as blanks.
fn values(url: &str, wanted: &str) -> Vec<String> {
    let query = url.split_once('?').map_or(url, |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            rest = match (first, tail) {
                (b'%', [high, low, behind @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                    bytes.push(digit(high).expect("a digit") << 4 | digit(low).expect("a digit"));
                    behind
                }
                (b'+', _) => {
                    bytes.push(b' ');
                    tail
                }
                (byte, _) => {
                    bytes.push(*byte);
                    tail
                }
            };
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| decode(name) == wanted)
        .map(|(_, value)| decode(value))
        .collect()
}

fuzz_target!(|text: &str| {
    work::bounded(text.len(), || {
        let [codes, states, issuers, errors, words] =
            ["code", "state", "iss", "error", "error_description"].map(|name| values(text, name));
        let twice = [&codes, &states, &issuers, &errors, &words].iter().any(|values| values.len() > 1);
        match Callback::read(text) {
            Ok(callback) => {
                assert!(!twice, "a parameter counts twice");
                assert_eq!(callback.state().map(Secret::expose), states.first().map(String::as_str));
                assert_eq!(callback.issuer(), issuers.first().map(String::as_str));
                let _ = format!("{callback:?}");
                let wrong = Secret::new(format!("{}x", states.first().cloned().unwrap_or_default()));
                assert!(callback.clone().accept(&wrong, None, false).is_err(), "another state");
                let own = callback.state().cloned();
                let accepted = own.map(|own| callback.accept(&own, Some("https://i.test"), true));
                if let Some(Ok(code)) = accepted {
                    assert_eq!(issuers, ["https://i.test"]);
                    assert!(errors.is_empty() && codes == [code.expose()] && !code.is_empty());
                }
            }
            Err(error) => assert!(twice && error.to_string().len() < 4096, "{error}"),
        }
    });
});
