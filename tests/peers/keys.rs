//! Private keys and RSA-PSS across libraries.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lumoauth::aauth::AgentKey;
use lumoauth::crypto::VerifyingKey;
use serde_json::json;

use super::child::{Python, folder, run, skipped};

fn x(key: &AgentKey) -> String {
    key.public_jwk()["x"].as_str().unwrap().to_owned()
}

#[test]
fn our_pem_is_loaded_by_python_and_theirs_by_us() {
    let Some(mut python) = Python::start("keys and Python") else { return };
    for _ in 0..20 {
        let key = AgentKey::generate().unwrap();
        let pem = key.to_pkcs8_pem().unwrap();
        let answer = python.ask(&json!({"do": "load", "pem": pem.expose(), "message": "hello"}));
        assert_eq!(answer["x"], x(&key), "{answer}");
        let signature = URL_SAFE_NO_PAD.decode(answer["signature"].as_str().unwrap()).unwrap();
        assert_eq!(signature, key.sign(b"hello").unwrap());
        let theirs = python.ask(&json!({"do": "keypair"}));
        let read = AgentKey::from_pem(theirs["pem"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(read.public_jwk(), theirs["jwks"]["keys"][0]);
        // Written again it is the same text.
        assert_eq!(read.to_pkcs8_pem().unwrap().expose(), theirs["pem"].as_str().unwrap());
    }
    println!("keys: 20 of ours loaded by cryptography, 20 of theirs by us");
}

#[test]
fn rsa_pss_verifies_both_ways() {
    let Some(mut python) = Python::start("RSA-PSS and Python") else { return };
    for (bits, format) in [(2048, "pkcs8"), (2048, "pkcs1"), (3072, "pkcs8"), (4096, "pkcs1")] {
        let pem = python.ask(&json!({"do": "rsa_key", "bits": bits, "format": format}));
        let pem = pem["pem"].as_str().unwrap();
        let key = AgentKey::from_pem(pem.as_bytes()).unwrap();
        let ours = STANDARD.encode(key.sign(b"base").unwrap());
        let answer =
            python.ask(&json!({"do": "pss_verify", "pem": pem, "message": "base", "signature": ours}));
        assert_eq!(answer, json!({}), "{bits} {format}");
        let other =
            python.ask(&json!({"do": "pss_verify", "pem": pem, "message": "bass", "signature": ours}));
        assert!(other["error"].as_str().unwrap().contains("InvalidSignature"), "{other}");
        let theirs = python.ask(&json!({"do": "pss_sign", "pem": pem, "message": "base"}));
        let theirs = STANDARD.decode(theirs["signature"].as_str().unwrap()).unwrap();
        let public = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
        public.verify_message(b"base", &theirs).unwrap();
        public.verify_message(b"bass", &theirs).unwrap_err();
    }
    println!("rsa-pss-sha512: 4 keys, verified both ways");
}

#[test]
fn our_pem_is_loaded_by_openssl_and_node() {
    let key = AgentKey::generate().unwrap();
    let file = folder("keys").join(format!("{}.pem", std::process::id()));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, key.to_pkcs8_pem().unwrap().expose()).unwrap();
    let raw = URL_SAFE_NO_PAD.decode(x(&key)).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&file);
    match run(Command::new("openssl").arg("version")) {
        Err(reason) => skipped("keys and OpenSSL", &reason),
        // The raw public half ends its SubjectPublicKeyInfo (RFC 8410 section 4).
        Ok(version) => {
            assert!(run(&mut openssl).unwrap().ends_with(&raw));
            println!("keys: loaded by {}", String::from_utf8_lossy(&version).trim());
        }
    }
    match run(Command::new("node").arg("--version")) {
        Err(reason) => skipped("keys and Node", &reason),
        Ok(version) => {
            let script = "const c=require('crypto');const k=c.createPrivateKey(require('fs').readFileSync(process.argv[1]));\
                          process.stdout.write(c.createPublicKey(k).export({format:'jwk'}).x)";
            let mut node = Command::new("node");
            let read = run(node.args(["-e", script]).arg(&file)).unwrap();
            assert_eq!(String::from_utf8_lossy(&read), x(&key));
            println!("keys: loaded by Node {}", String::from_utf8_lossy(&version).trim());
        }
    }
    std::fs::remove_file(&file).unwrap();
}
