//! What is written once and mounted twice says so, and tells whoever meets one of the two types where the other one is.

use super::{root, sources};

/// Types of such files that neither wait nor block.
const VALUES: &[&str] = &["Wanted"];

#[test]
fn what_is_mounted_twice_says_so() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut wrong, mut mounted, mut types) = (Vec::new(), 0, 0);
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        for (at, _) in text.match_indices("clippy::duplicate_mod)]") {
            let (path, _) = text[at..].split_once("#[path = \"").unwrap().1.split_once('"').unwrap();
            // A list of them is used by the files beside those that it names.
            let folder = if file.ends_with("src/client.rs") {
                root().join("src/client")
            } else {
                file.parent().unwrap().into()
            };
            let source = folder.join(path);
            let name = source.strip_prefix(root()).unwrap().display().to_string();
            let code = std::fs::read_to_string(&source).unwrap();
            let head = code.split("\n\n").next().unwrap_or_default();
            mounted += 1;
            if !head.contains("mounted twice") {
                wrong.push(format!("{name}: its head does not say that it is mounted twice"));
            }
            if !name.contains("client") {
                continue;
            }
            for part in code.split("\npub struct ").skip(1).zip(code.split("\npub struct ")) {
                let (after, before) = part;
                let own = after.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                let attributes = before.rsplit("\n\n").next().unwrap_or_default();
                types += 1;
                if !attributes.contains("twin!(") && !VALUES.contains(&own) {
                    wrong.push(format!("{name}: {own} does not say where its twin is"));
                }
            }
        }
    }
    assert!(mounted > 15 && types > 10, "only {mounted} mounts and {types} types were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
