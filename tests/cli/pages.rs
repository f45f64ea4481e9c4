//! The lines of the pages that call the command line are read by the command line itself.

use std::path::Path;
use std::process::Command;

/// The calls of `lumoauth` in a line of a shell, each with its arguments.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![vec![String::new()]];
    let mut quote = None;
    for character in line.chars() {
        let words = commands.last_mut().unwrap();
        let word = words.last_mut().unwrap();
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => word.push(character),
            (None, '\'' | '"') => quote = Some(character),
            (None, '#') if word.is_empty() => break,
            (None, '|' | '&' | ';' | '(' | ')' | '`') => commands.push(vec![String::new()]),
            (None, ' ') if !word.is_empty() => words.push(String::new()),
            (None, ' ') => {}
            (None, _) => word.push(character),
        }
    }
    let mut found = Vec::new();
    for mut words in commands {
        words.retain(|word| !word.is_empty());
        // What is read and written stands behind the arguments.
        if let Some(end) =
            words.iter().position(|word| word.starts_with(['<', '>']) || word.starts_with("2>"))
        {
            words.truncate(end);
        }
        if words.first().is_some_and(|word| word == "lumoauth") {
            found.push(words.split_off(1));
        }
    }
    found
}

#[test]
fn every_call_of_the_command_line_in_the_pages_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in
        docs.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"))
    {
        let text = std::fs::read_to_string(&page).unwrap().replace("\\\n", " ");
        let mut is_shell = false;
        for line in text.lines() {
            if let Some(kind) = line.trim_start().strip_prefix("```") {
                is_shell = !is_shell && matches!(kind, "sh" | "shell" | "bash" | "console" | "powershell");
                continue;
            }
            for mut call in calls(line).into_iter().filter(|_| is_shell) {
                seen += 1;
                // Asked for help at its end, the command line reads the whole line and does nothing.
                let end = call.iter().position(|word| word == "--").unwrap_or(call.len());
                call.insert(end, "--help".to_owned());
                let output = Command::new(env!("CARGO_BIN_EXE_lumoauth")).args(&call).output().unwrap();
                if !output.status.success() {
                    let says = String::from_utf8_lossy(&output.stderr);
                    wrong.push(format!("{}: {line}\n{says}", page.display()));
                }
            }
        }
    }
    assert!(seen > 12, "only {seen} calls were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_call_is_found_wherever_it_stands_in_a_line() {
    for (line, expected) in [
        ("lumoauth ask x --context a=b || echo no # lumoauth y", vec![vec!["ask", "x", "--context", "a=b"]]),
        ("TOKEN=$(lumoauth token) && lumoauth ask 'a b' > out", vec![vec!["token"], vec!["ask", "a b"]]),
        ("echo lumoauth", vec![]),
        ("lumoauth emulator > env.sh &", vec![vec!["emulator"]]),
    ] {
        assert_eq!(calls(line), expected, "{line}");
    }
}
