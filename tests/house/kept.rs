//! Every kind that is kept has a row in the table of their promises (`tests/client/kept/kinds.rs`), or says here why not.

use std::collections::BTreeSet;

use super::{root, sources};

/// Where kinds without a row are, and what shows their promises in its place.
const WITHOUT: &[(&str, &str)] = &[
    (
        "src/session/holder/agent_token.rs",
        "it comes from the caller's own source: tests/aauth/client/renewal.rs",
    ),
    ("src/session/holder/renewal.rs", "it is for those alone who were there: tests/aauth/client/renewal.rs"),
    (
        "src/session/kinds/decision.rs",
        "off unless asked for, never renewed early and never remembered as a failure: tests/client/authz.rs",
    ),
    ("src/verify/named.rs", "it is read once and never again: tests/verify/named.rs"),
    (
        "src/session/kinds/vault.rs",
        "a call of one operation, as the rows of tokens for MCP servers: tests/client/vault.rs",
    ),
];

#[test]
fn every_kept_kind_has_a_row_in_the_table() {
    let table = std::fs::read_to_string(root().join("tests/client/kept/kinds.rs")).unwrap();
    let mut files = Vec::new();
    sources(&root().join("src/session"), &mut files);
    sources(&root().join("src/verify"), &mut files);
    let mut without = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let has_kind = text.lines().any(|line| line.starts_with("impl") && line.contains(" Kind for "));
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        if has_kind && !table.contains(&format!("source: \"{path}\"")) {
            without.insert(path);
        }
    }
    without.retain(|path| !WITHOUT.iter().any(|(own, _)| own == path));
    assert!(
        without.is_empty(),
        "kinds without a row in tests/client/kept/kinds.rs, and without a reason in tests/house/kept.rs: {without:?}"
    );
}
