//! The environment that leads to the emulator, as each shell reads it: one word a value, whatever is in it.

use serde_json::{Map, Value};

use crate::args::emulator::Format;

/// The whole text, with a line break at its end.
pub fn text(format: Format, variables: &[(&str, String)]) -> String {
    if format == Format::Json {
        let all: Map<String, Value> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
        return format!("{}\n", Value::Object(all));
    }
    let line = |(name, value): &(&str, String)| match format {
        Format::Sh | Format::Json => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
        Format::PowerShell => format!("$env:{name} = '{}'\n", doubled(value)),
        Format::Fish => {
            format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'"))
        }
        Format::Dotenv => format!("{name}={}\n", dotenv(value)),
    };
    variables.iter().map(line).collect()
}

/// PowerShell takes the typographic quotes for quotes too.
fn doubled(value: &str) -> String {
    value
        .chars()
        .flat_map(|letter| {
            let is_quote = matches!(letter, '\'' | '\u{2018}'..='\u{201b}');
            std::iter::once(letter).chain(is_quote.then_some(letter))
        })
        .collect()
}

/// Bare where that is read alike by all, in single quotes where nothing is replaced, and else in double ones.
fn dotenv(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@+".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r']) {
        return format!("'{value}'");
    }
    let mut out = String::from("\"");
    for letter in value.chars() {
        match letter {
            '\\' | '"' | '$' | '`' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
