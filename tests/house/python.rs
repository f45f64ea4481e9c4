//! Whoever searches the documentation for a name of the vendor's Python SDK finds what it is here.

use super::{root, sources};

#[test]
fn every_python_name_of_the_page_is_found() {
    // Python's own: the names of arguments, what answers are indexed with, and what exceptions are called.
    const OTHERS: &[&str] = &["result", "pip", "Depends", "except", "AuthenticationError"];
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let code: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let page = std::fs::read_to_string(root().join("docs/python.md")).unwrap();
    let (mut missing, mut found) = (Vec::new(), 0);
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let python = row.split(" | ").next().unwrap();
        for snippet in python.split('`').skip(1).step_by(2) {
            // What is called, and what is read of an object: what stands before a parenthesis, or behind the one dot.
            let called = snippet.match_indices('(').map(|(at, _)| &snippet[..at]);
            let read =
                snippet.split_once('.').map(|(_, name)| name).filter(|name| !name.contains(['(', '"', '\'']));
            for name in called.chain(read) {
                let name = name.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                if name.is_empty() || OTHERS.contains(&name) {
                    continue;
                }
                found += 1;
                let there =
                    [format!("fn {name}("), format!("struct {name} "), format!("doc(alias = \"{name}\")")];
                if !there.iter().any(|there| code.contains(there)) {
                    missing.push(name.to_owned());
                }
            }
        }
    }
    assert!(found > 25, "only {found} names were found");
    assert!(missing.is_empty(), "{missing:?}");
}
