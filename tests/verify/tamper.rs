//! Tokens changed on their way: not one of them is accepted.

use lumoauth::Secret;
use lumoauth::verify::VerifyError;
use serde_json::json;

use super::support::*;

#[test]
fn v4_every_bit_of_fifty_tokens() {
    let verifier = &verifier();
    let tokens = crate::rounds::of(50) as u64;
    let half = |numbers: std::ops::Range<u64>| {
        let (mut cases, mut accepted) = (0_u32, 0_u32);
        for number in numbers {
            let key = [p256(), ed25519(), rsa()][number as usize % 3];
            let claims = json!({"jti": format!("jti_{number}"), "sub": format!("agent:{}", "x".repeat(number as usize))});
            let token = token(key, &claims);
            assert!(accepts(verifier, token.expose()));
            let bytes = token.expose().as_bytes();
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut changed = bytes.to_vec();
                    changed[at] ^= 1 << bit;
                    cases += 1;
                    // A token is a text; what is no UTF-8 cannot come in at all.
                    if let Ok(text) = String::from_utf8(changed) {
                        accepted += u32::from(accepts(verifier, &text));
                    }
                }
            }
        }
        (cases, accepted)
    };
    let (cases, accepted) = std::thread::scope(|scope| {
        let first = scope.spawn(|| half(0..tokens / 2));
        let second = half(tokens / 2..tokens);
        let first = first.join().unwrap();
        (first.0 + second.0, first.1 + second.1)
    });
    assert_eq!(accepted, 0);
    assert!(cases as usize > crate::rounds::of(200_000), "{cases}");
    println!("v4: {cases} single-bit changes of {tokens} tokens, {accepted} accepted");
}

#[test]
fn v4_other_spellings_of_the_same_bytes() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let verifier = verifier();
    let mut spellings: Vec<String> = Vec::new();
    for key in [p256(), ed25519(), rsa()] {
        for pad in 1..4 {
            let token = token(key, &json!({"jti": "x".repeat(pad)}));
            let text = token.expose();
            assert!(accepts(&verifier, text));
            let parts: Vec<&str> = text.split('.').collect();
            for at in 0..3 {
                // The last character with other bits left over.
                let part = parts[at];
                let spare = [0, 0, 4, 2][part.len() % 4];
                let last = ALPHABET.iter().position(|c| *c == part.as_bytes()[part.len() - 1]).unwrap();
                for other in 1..1 << spare {
                    let other = char::from(ALPHABET[last | other]);
                    let mut own = parts.clone();
                    let changed = format!("{}{other}", &part[..part.len() - 1]);
                    own[at] = &changed;
                    spellings.push(own.join("."));
                }
                for tail in ["=", "==", " ", "\n", "\t", "\u{0}", "\u{a0}"] {
                    let mut own = parts.clone();
                    let (behind, before) = (format!("{part}{tail}"), format!("{tail}{part}"));
                    let middle = format!("{}{tail}{}", &part[..4], &part[4..]);
                    for changed in [&behind, &before, &middle] {
                        own[at] = changed;
                        spellings.push(own.join("."));
                    }
                }
                for (from, to) in [('-', "+"), ('_', "/"), ('-', "%2D")] {
                    if part.contains(from) {
                        let mut own = parts.clone();
                        let changed = part.replace(from, to);
                        own[at] = &changed;
                        spellings.push(own.join("."));
                    }
                }
                let mut own = parts.clone();
                own[at] = "";
                spellings.push(own.join("."));
            }
            for dots in [
                format!("{text}."),
                format!(".{text}"),
                format!("{text}.{}", parts[2]),
                text.replacen('.', "..", 1),
            ] {
                spellings.push(dots);
            }
            spellings.push(format!("{}.{}", parts[0], parts[1]));
            spellings.push(format!("Bearer {text}"));
        }
    }
    for spelling in &spellings {
        let error = refusal(&verifier, &Secret::new(spelling.as_str()));
        assert!(!matches!(error, VerifyError::Unavailable(_)), "{error}");
    }
    println!("v4: {} other spellings, paddings, blanks and dots: 0 accepted", spellings.len());
}

#[test]
fn errors_repeat_nothing_of_the_token() {
    let verifier = verifier();
    let canary = "canary-in-the-token";
    for changes in [
        json!({"iss": canary}),
        json!({"aud": canary}),
        json!({"exp": canary}),
        json!({"act": canary}),
        json!({"scope": [canary]}),
    ] {
        let token = token(p256(), &changes);
        let error = refusal(&verifier, &token);
        let shown = format!("{error} {error:?} {:?}", verifier.challenge(&error).map(|c| c.to_string()));
        assert!(!shown.contains("canary") && !shown.contains(&token.expose()[..20]), "{shown}");
    }
}
