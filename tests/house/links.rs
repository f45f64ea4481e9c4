//! No link of the pages is dead, on disk and in the generated documentation, and every piece of Rust in them is compiled.

use std::collections::{BTreeMap, BTreeSet};

/// A page, by its path from the root of the source.
struct Page {
    /// Its lines outside of code.
    lines: Vec<String>,
    /// What stands behind the opening of each block of code.
    blocks: Vec<String>,
    headings: BTreeSet<String>,
}

fn page(text: &str) -> Page {
    let mut page = Page { lines: Vec::new(), blocks: Vec::new(), headings: BTreeSet::new() };
    let mut inside = false;
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            if !inside {
                page.blocks.push(kind.trim().to_owned());
            }
            inside = !inside;
        } else if !inside {
            if line.starts_with('#') {
                page.headings.insert(anchor(line.trim_start_matches('#').trim()));
            }
            page.lines.push(line.to_owned());
        }
    }
    page
}

/// The name that a heading has as a place to link to.
fn anchor(heading: &str) -> String {
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    letters.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// What stands between two texts, wherever the first one is found.
fn between<'a>(line: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    line.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inner, _)| inner))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(crate::root().join(path)).unwrap_or_default()
}

/// The pages that are part of the generated documentation: each with its module, and the source that takes it in.
fn guide() -> BTreeMap<String, (String, &'static str)> {
    let source = read("src/guide.rs");
    let mut found = BTreeMap::from([("README.md".to_owned(), ("crate".to_owned(), "src/lib.rs"))]);
    for part in source.split("include_str!(\"../").skip(1) {
        let (file, rest) = part.split_once('"').unwrap();
        let name = between(rest, "pub mod ", " {}").next().unwrap();
        found.insert(file.to_owned(), (format!("crate::guide::{name}"), "src/guide.rs"));
    }
    found
}

fn pages() -> BTreeMap<String, Page> {
    let docs = std::fs::read_dir(crate::root().join("docs")).unwrap();
    let names = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()));
    let names = names.filter(|name| name.ends_with(".md"));
    names
        .chain(["README.md".into(), "CHANGELOG.md".into()])
        .map(|name| (name.clone(), page(&read(&name))))
        .collect()
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let (pages, guide) = (pages(), guide());
    let (mut wrong, mut opened) = (Vec::new(), 0);
    for (name, page) in &pages {
        let folder = name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut check = |target: &str| {
            if target.starts_with("http") {
                return;
            }
            let (file, place) =
                target.split_once('#').map_or((target, None), |(file, place)| (file, Some(place)));
            let file = if file.is_empty() { name.clone() } else { format!("{folder}{file}") };
            let there = crate::root().join(&file).exists()
                && place
                    .is_none_or(|place| pages.get(&file).is_some_and(|page| page.headings.contains(place)));
            opened += 1;
            if !there {
                wrong.push(format!("{name}: {target} leads nowhere"));
            }
        };
        let mut inline = Vec::new();
        let (mut defined, mut used) = (BTreeMap::new(), BTreeSet::new());
        for line in &page.lines {
            inline.extend(between(line, "](", ")"));
            used.extend(between(line, "][", "]"));
            if let Some((label, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
                defined.insert(label, target.trim());
            }
        }
        inline.iter().chain(defined.values()).for_each(|target| check(target));
        wrong.extend(
            used.iter()
                .filter(|label| !defined.contains_key(**label))
                .map(|label| format!("{name}: [{label}] is not defined")),
        );
        // In the generated documentation there are no files: only links by reference can lead to other pages.
        let Some((_, source)) = guide.get(name) else { continue };
        let text = read(source);
        for target in inline.iter().filter(|target| !target.starts_with("http") && !target.starts_with('#')) {
            wrong.push(format!("{name}: ({target}) is dead in the documentation: make it a reference"));
        }
        for (label, target) in defined.iter().filter(|(_, target)| !target.starts_with("http")) {
            let (file, place) = target
                .split_once('#')
                .map_or((*target, String::new()), |(file, place)| (file, format!("#{place}")));
            let module = guide.get(&format!("{folder}{file}")).map(|(module, _)| module.as_str());
            let expected = format!("doc = \"[{label}]: {}{place}\"", module.unwrap_or("a page of the guide"));
            let before = text.split(&format!("include_str!(\"../{name}\")")).next().unwrap_or_default();
            if !before.contains(&expected) {
                wrong.push(format!(
                    "{name}: [{label}] is dead in the documentation: {source} needs {expected} above the page"
                ));
            }
        }
    }
    assert!(opened > 20, "only {opened} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_piece_of_rust_in_the_pages_is_compiled() {
    let (guide, mut pieces) = (guide(), 0);
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        for kind in page.blocks {
            let rust = kind.is_empty() || kind.split(',').any(|word| word == "rust");
            pieces += usize::from(rust);
            if rust && !guide.contains_key(&name) {
                wrong.push(format!("{name}: a piece of Rust that nothing compiles"));
            }
            if kind.split(',').any(|word| word.starts_with("ignore") || word == "compile_fail") {
                wrong.push(format!("{name}: ```{kind}: a reader cannot compile it either"));
            }
        }
    }
    assert!(pieces > 10, "only {pieces} pieces were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
