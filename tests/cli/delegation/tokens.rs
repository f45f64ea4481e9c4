//! Tokens from elsewhere: traded, verified, decoded.

use lumoauth::emulator::FaultRule;
use serde_json::Value;

use super::support::{World, world};

fn token(world: &World) -> String {
    world.agent("agt_1").authenticate(["read:documents"]).unwrap().secret().expose().to_owned()
}

#[test]
fn verify_says_it_by_exit_code_and_prints_the_claims() {
    let world = world();
    let (token, issuer) = (token(&world), world.issuer());
    let verify = |token: &str, issuer: &str, audience: &str| {
        world.run_with(&["verify", "-", "--issuer", issuer, "--audience", audience], token)
    };
    let (code, out, err) = verify(&format!("{token}\n"), &issuer, "agt_1");
    assert_eq!((code, err.as_str()), (0, ""));
    let claims: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((claims["iss"].as_str(), claims["client_id"].as_str()), (Some(&*issuer), Some("agt_1")));
    // The same as an argument.
    assert_eq!(world.run(&["verify", &token, "--issuer", &issuer, "--audience", "agt_1"]).1, out);

    let (head, signature) = token.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{flipped}{}", &signature[1..]);
    for (token, issuer, audience, why) in [
        (forged.as_str(), issuer.as_str(), "agt_1", "signature does not verify"),
        (&token, &issuer, "agt_2", "another audience"),
        ("opaque", &issuer, "agt_1", "not a signed JWT"),
    ] {
        let (code, out, err) = verify(token, issuer, audience);
        assert_eq!((code, out.as_str()), (4, ""), "{err}");
        assert!(err.contains(why) && !err.contains(token), "{err}");
    }

    world.emulator.fault(FaultRule::on("wellknown.jwks").times(9).status(503)).unwrap();
    let (code, out, err) = verify(&token, &issuer, "agt_1");
    assert_eq!((code, out.as_str()), (75, ""), "{err}");
    for usage in [
        &["verify", &token, "--issuer", &issuer][..],
        &["verify", &token, "--audience", "agt_1"],
        &["verify", &token, "--issuer", "http://example.com", "--audience", "agt_1"],
        &["verify", &token, "--issuer", &issuer, "--audience", ""],
        &["verify", "-", "--issuer", &issuer, "--audience", "agt_1"],
        &["verify", &token, "--issuer", &issuer, "--audience", "agt_1", "--timeout", "0"],
    ] {
        assert_eq!(world.run(usage).0, 2, "{usage:?}");
    }
}

#[test]
fn decode_says_that_nothing_is_verified() {
    let world = world();
    let token = token(&world);
    let forged = format!("{}.forged", token.rsplit_once('.').unwrap().0);
    let before = world.emulator.count_all();
    let (code, out, err) = world.run_with(&["decode", "-"], &forged);
    assert!(code == 0 && err.starts_with("NOT VERIFIED"), "{code} {err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["verified"], false);
    assert_eq!(shown["unverified_claims"]["client_id"], "agt_1");
    assert_eq!(world.emulator.count_all(), before, "nobody was asked");
    // What others wrote does not act on the terminal, and is still there.
    let odd = "\u{9b}2J\u{7f}\u{202e}gpj\u{200b}";
    let claims = serde_json::json!({"sub": odd, odd: [odd]});
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    let forged = format!("{}.{}.x", encode(r#"{"alg":"none"}"#), encode(&claims.to_string()));
    let (code, out, _) = world.run_with(&["decode", "-"], &forged);
    let acts = lumoauth::error::acts_on_text;
    assert!(code == 0 && out.trim_end_matches('\n').chars().all(|own| !acts(own)), "{code} {out:?}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["unverified_claims"], claims);
    let (code, out, err) = world.run(&["decode", "canary-opaque"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(!err.contains("canary"), "{err}");
    assert_eq!(world.run(&["decode", ""]).0, 2);
}

#[test]
fn an_exchange_takes_its_tokens_from_files() {
    let world = world();
    world.consent("s1");
    let (_, delegated, _) = world.run(&["delegate", "exchange", "--session", "s1"]);
    let subject = world.file("subject", &delegated);
    let empty = world.file("empty", "\n");
    let exchange = ["exchange", "--scope", "read:documents", "--json", "--subject-token-file"];
    // Without another actor it is the agent itself; each way of client authentication works.
    for how in ["none", "post", "basic"] {
        let (code, out, err) = world.run(&[&exchange[..], &[&subject, "--client-auth", how]].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{how}");
        let token: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (token["scope"].as_str(), token["token_type"].as_str()),
            (Some("read:documents"), Some("Bearer"))
        );
    }
    let (code, out, _) = world.run_with(&[&exchange[..], &["-"]].concat(), &delegated);
    assert!(code == 0 && out.contains("access_token"), "{out}");

    let before = world.emulator.count("oauth.token").unwrap();
    for usage in [
        &["exchange"][..],
        &["exchange", "--subject-token-file", "/does/not/exist"],
        &["exchange", "--subject-token-file", &empty],
        &["exchange", "--subject-token-file", &subject, "--actor-token-file", &empty],
    ] {
        let (code, out, err) = world.run(usage);
        assert_eq!((code, out.as_str()), (2, ""), "{usage:?}: {err}");
    }
    assert_eq!(world.emulator.count("oauth.token").unwrap(), before);
    let forged = world.file("forged", "canary-canary-canary");
    let (code, out, err) = world.run(&["exchange", "--subject-token-file", &forged]);
    assert!(code == 1 && out.is_empty() && !err.contains("canary"), "{code} {err}");
    let (_, help, _) = world.run(&["exchange", "--help"]);
    assert!(help.contains("The actor is the agent itself"), "{help}");
}
