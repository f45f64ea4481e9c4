//! Whoever searches the page of errors for what is printed, or for a variant, finds it.

use super::{code, root, sources};

/// The literal that a text begins with, with the quotes as they are printed, and what stands behind it.
fn literal(text: &str) -> Option<(String, &str)> {
    let inner = text.trim_start().strip_prefix('"')?;
    let mut end = 0;
    while !inner[end..].starts_with('"') {
        end += if inner[end..].starts_with('\\') { 2 } else { inner[end..].chars().next()?.len_utf8() };
    }
    // A backslash at the end of a line takes the blanks of the next one away.
    let mut pieces = inner[..end].split("\\\n");
    let first = pieces.next()?.to_owned();
    let text = pieces.fold(first, |text, piece| text + piece.trim_start());
    Some((text.replace("\\\"", "\""), &inner[end + 1..]))
}

/// The text of the next two literals behind a place, if they are the whole of a call's arguments.
fn two_texts(rest: &str) -> Option<(String, String)> {
    let next = |rest: &str| rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace()).to_owned();
    let (first, rest) = literal(rest)?;
    let rest = next(rest);
    let (second, rest) = literal(&rest)?;
    next(rest).starts_with(')').then_some((first, second))
}

#[test]
fn the_page_of_errors_has_every_problem_of_an_argument() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut missing, mut found) = (Vec::new(), 0);
    for file in files {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        if path.starts_with("src/emulator") || path.starts_with("src/bin") {
            continue;
        }
        // Comments are taken away line by line, and with them what stands behind `//` in a text: those are looked at whole.
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (at, call) in text.match_indices("InputError::new(") {
            let line = text[..at].rsplit('\n').next().unwrap().trim_start();
            let Some((argument, problem)) = two_texts(&text[at + call.len()..]) else { continue };
            if line.starts_with("//") {
                continue;
            }
            found += 1;
            if !page.contains(&format!("{argument} {problem}")) {
                missing.push(format!("{path}: {argument} {problem}"));
            }
        }
    }
    assert!(found > 60, "only {found} problems were found");
    assert!(missing.is_empty(), "docs/errors.md says nothing of:\n{}", missing.join("\n"));
}

#[test]
fn the_page_of_errors_has_every_variant() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let mut files = vec![root().join("src/error.rs")];
    sources(&root().join("src/error"), &mut files);
    let (mut missing, mut found) = (Vec::new(), 0);
    for file in files {
        for body in code(&file).split("\npub enum ").skip(1) {
            let name = body.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            let body = body.split("\n}").next().unwrap();
            let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
            for variant in variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase())) {
                let variant = variant.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                found += 1;
                if !page.contains(&format!("`{variant}`")) && !page.contains(&format!("::{variant}")) {
                    missing.push(format!("{name}::{variant}"));
                }
            }
        }
    }
    assert!(found > 60, "only {found} variants were found");
    assert_eq!(missing, ["Sent::Unknown"], "docs/errors.md; what may have been sent is told in its table");
}

/// What is fixed in a text that is printed with values in it.
fn fixed(text: &str) -> Vec<&str> {
    let parts = text.split('{').enumerate();
    let parts = parts
        .map(|(at, part)| if at == 0 { part } else { part.split_once('}').map_or("", |(_, rest)| rest) });
    parts.map(str::trim).filter(|part| part.len() > 2).collect()
}

#[test]
fn the_page_of_errors_has_every_sentence() {
    // What no call ends with: a list of challenges that a driver of its own reads, what a checker of stores says.
    const ELSEWHERE: &[&str] = &["src/challenge.rs", "src/store/broken.rs"];
    // Where texts stand that are printed.
    const MARKS: &[&str] = &[
        "#[error(",
        "problem: ",
        "problem = ",
        "hint: ",
        "hint = ",
        " bad(",
        "(bad(",
        " refused(",
        "(refused(",
        " wrong(",
        "(wrong(",
        " fault(",
        "(fault(",
        "unusable(",
        "malformed(",
        "::Other(",
        "::Malformed(",
        "::BadRequest(",
        "::BadTool(",
    ];
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut missing, mut found) = (Vec::new(), 0);
    for file in files {
        let path = file.strip_prefix(root()).unwrap().display().to_string().replace('\\', "/");
        if path.starts_with("src/emulator") || path.starts_with("src/bin") || ELSEWHERE.contains(&&*path) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for mark in MARKS {
            for (at, _) in text.match_indices(mark) {
                let line = text[..at].rsplit('\n').next().unwrap().trim_start();
                let Some((sentence, _)) = literal(&text[at + mark.len()..]) else { continue };
                if line.starts_with("//") || !sentence.contains(' ') {
                    continue;
                }
                found += 1;
                if !lines.iter().any(|line| fixed(&sentence).iter().all(|part| line.contains(part))) {
                    missing.push(format!("{path}: {sentence}"));
                }
            }
        }
    }
    assert!(found > 150, "only {found} sentences were found");
    assert!(missing.is_empty(), "docs/errors.md says nothing of:\n{}", missing.join("\n"));
}

/// The predicates of an error stand in the page's table, all of them.
#[test]
fn the_page_of_errors_has_every_predicate() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let code = code(&root().join("src/error.rs"));
    let methods = code.split("\nimpl Error {").nth(1).unwrap().split("\n}").next().unwrap();
    let names = methods.split("pub fn ").skip(1).map(|rest| rest.split('(').next().unwrap());
    let missing: Vec<&str> = names.filter(|name| !page.contains(&format!("| `{name}()` |"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Whoever prints an error with its causes reads each once: the sentence leaves out what `source()` hands on.
#[test]
fn no_sentence_of_an_error_repeats_its_cause() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut repeated, mut causes) = (Vec::new(), 0);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for variant in text.split("#[error(").skip(1) {
            let (sentence, rest) = variant.split_once(")]").unwrap_or((variant, ""));
            let fields = rest.split("\n}").next().unwrap();
            let cause = ["#[source]", "#[from]", " source: "].iter().any(|mark| fields.contains(mark));
            causes += usize::from(cause && sentence != "transparent");
            if cause && (sentence.contains("{0}") || sentence.contains("{source}")) {
                repeated.push(format!("{}: {sentence}", file.display()));
            }
        }
    }
    assert!(causes > 6, "only {causes} causes were found");
    assert!(repeated.is_empty(), "{}", repeated.join("\n"));
}
