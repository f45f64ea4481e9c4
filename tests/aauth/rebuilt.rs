//! The base of a signed request as it came over the wire, rebuilt without any code of the library.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::crypto::VerifyingKey;

use crate::hostile::Recorded;

/// True if the signature is this key's, over the eight components (seven without a query).
pub fn is_proven(request: &Recorded, key: &VerifyingKey) -> bool {
    let header = |name: &str| {
        let all = request.header_all(name);
        assert!(all.len() <= 1, "{name} is there once");
        all.first().copied().unwrap_or_default().to_owned()
    };
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(format!("?{query}"))),
        None => (request.target.as_str(), None),
    };
    let mut lines =
        vec![("@method", request.method.clone()), ("@authority", header("host")), ("@path", path.to_owned())];
    lines.extend(query.map(|query| ("@query", query)));
    for name in ["signature-key", "content-digest", "content-type", "authorization"] {
        lines.push((name, header(name)));
    }
    let mut base = String::new();
    for (name, value) in &lines {
        base += &format!("\"{name}\": {value}\n");
    }
    let input = header("signature-input");
    let parameters = input.strip_prefix("sig1=").unwrap();
    let names: Vec<String> = lines.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    assert!(parameters.starts_with(&format!("({});created=", names.join(" "))), "{input}");
    base += &format!("\"@signature-params\": {parameters}");
    let signature = header("signature");
    let signature = signature.strip_prefix("sig1=:").and_then(|text| text.strip_suffix(':')).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify_message(base.as_bytes(), &signature).is_ok()
}
