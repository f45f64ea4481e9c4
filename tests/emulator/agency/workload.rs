//! Platform tokens become an agent's.

use lumoauth::emulator::{AgentSeed, Emulator, Tenant, WorkloadIssuer};
use serde_json::{Value, json};

use super::support::*;

const CLUSTER: &str = "https://kubernetes.default.svc";
const SUBJECT: &str = "system:serviceaccount:prod:bot";

fn emulator() -> Emulator {
    let pod = AgentSeed::new("agt_pod").name("pod").capability("read:documents").workload(
        "kubernetes",
        CLUSTER,
        SUBJECT,
        "lumoauth",
    );
    let other = AgentSeed::new("agt_gcp").name("gcp").workload("gcp", "https://gcp.test", "x", "lumoauth");
    Emulator::builder().tenant(Tenant::demo().agent(pod).agent(other)).build().unwrap()
}

fn sign_in(emulator: &Emulator, token: &str, more: &[(&str, &str)]) -> lumoauth::embed::wire::Response {
    let jwt = format!("{TYPE}jwt");
    exchange(emulator, &[&[("subject_token", token), ("subject_token_type", jwt.as_str())], more].concat())
}

#[test]
fn a_pod_signs_in_without_a_secret() {
    let emulator = emulator();
    let token = emulator.workload_token("agt_pod").unwrap();
    assert_eq!(emulator.workload_issuer(CLUSTER).unwrap().jwks().keys().len(), 1);
    for more in [&[("subject_issuer", "kubernetes")][..], &[]] {
        let answer = ok(&sign_in(&emulator, token.expose(), more));
        assert_eq!((&answer["scope"], &answer["expires_in"]), (&json!("read:documents"), &json!(3600)));
        let access = text(&answer, "access_token");
        assert_eq!(jwt(&access, 1)["sub"], "agent:pod");
        assert_eq!(ok(&get(&emulator, "oauth/userinfo", Some(&access)))["id"], "agt_pod");
    }
    assert!(emulator.workload_token("agt_demo").is_err());
}

#[test]
fn what_a_platform_token_is_refused_for() {
    let emulator = emulator();
    let failed = refused(401, "workload_identity_failed");
    let now = emulator.now().unix();
    for claims in [
        json!({"iss": "https://elsewhere.test"}),
        json!({"iss": "https://gcp.test"}),
        json!({"aud": "other"}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"sub": "system:serviceaccount:prod:other"}),
        json!({"exp": now}),
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": -1}),
        json!({"nbf": now + 1}),
        json!({"iat": now + 60}),
        json!({"nbf": "x"}),
    ] {
        let token = emulator.workload_token_with("agt_pod", &claims).unwrap();
        let answer = sign_in(&emulator, token.expose(), &[("subject_issuer", "kubernetes")]);
        assert_eq!(refusal(&answer), failed, "{claims}");
    }
    let good = emulator.workload_token("agt_pod").unwrap();
    let stranger = WorkloadIssuer::new(CLUSTER).unwrap();
    let forged = stranger.sign(&jwt(good.expose(), 1)).unwrap();
    let with = |more: &[(&str, &str)]| refusal(&sign_in(&emulator, good.expose(), more));
    for token in [forged.expose(), "a.b.c", "x", &good.expose()[..good.expose().len() - 4]] {
        let answer = sign_in(&emulator, token, &[("subject_issuer", "kubernetes")]);
        assert_eq!(refusal(&answer), failed, "{token}");
    }
    assert_eq!(with(&[("subject_issuer", "gcp")]), failed, "another platform");
    assert_eq!(with(&[("subject_issuer", "moon")]), refused(400, "invalid_request"));
    assert_eq!(with(&[("scope", "write:documents")]), refused(400, "invalid_scope"));
    let access = format!("{TYPE}access_token");
    let mistyped = [
        ("subject_token", good.expose()),
        ("subject_token_type", access.as_str()),
        ("subject_issuer", "kubernetes"),
    ];
    assert_eq!(refusal(&exchange(&emulator, &mistyped)), refused(400, "invalid_request"));
    emulator.advance(std::time::Duration::from_secs(3600));
    assert_eq!(with(&[]), failed, "expired");
}

#[test]
fn the_algorithm_is_the_keys() {
    use base64::Engine;
    let emulator = emulator();
    let good = emulator.workload_token("agt_pod").unwrap();
    let parts: Vec<&str> = good.expose().split('.').collect();
    let encode = |header: Value| {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        format!("{}.{}.{}", engine.encode(header.to_string()), parts[1], parts[2])
    };
    for header in
        [json!({"alg": "none"}), json!({"alg": "HS256"}), json!({"alg": "ES256", "crit": ["x"]}), json!({})]
    {
        let answer = sign_in(&emulator, &encode(header), &[("subject_issuer", "kubernetes")]);
        assert_eq!(refusal(&answer), refused(401, "workload_identity_failed"));
    }
}
