//! The laws of the house that a test can hold: who imports whom, how many crates come along, and what never does.

#[path = "house/advisories.rs"]
mod advisories;
#[path = "beginner/mod.rs"]
mod beginner;
#[path = "house/circles.rs"]
mod circles;
#[path = "house/errors.rs"]
mod errors;
#[path = "house/install.rs"]
mod install;
#[path = "house/kept.rs"]
mod kept;
#[path = "house/licences.rs"]
mod licences;
#[path = "house/lines.rs"]
mod lines_written;
#[path = "house/links.rs"]
mod links;
#[path = "house/names.rs"]
mod names;
#[path = "house/python.rs"]
mod python;
#[path = "house/twice.rs"]
mod twice;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every room and the rooms it may name. `docs/architecture.md` shows the same table.
const IMPORTS: &[(&str, &str)] = &[
    ("time", ""),
    ("guide", ""),
    ("secret", ""),
    ("error", "secret time"),
    ("json", "error time"),
    ("challenge", "scopes"),
    ("claims", "error json secret"),
    ("scopes", "error"),
    ("mount", ""),
    ("path", "error"),
    ("origin", "error path"),
    ("route", ""),
    ("site", "error origin path route"),
    ("token", "scopes secret time"),
    ("credentials", "error secret site"),
    ("wire", "error json secret time"),
    ("pkce", "error secret time"),
    ("message", "error origin secret time wire"),
    ("tool_call", "error json time"),
    ("operation", "credentials error origin route secret site time token wire"),
    (
        "operations",
        "challenge claims credentials error json operation origin path pkce route scopes secret site time token tool_call wire",
    ),
    ("trust", "error"),
    ("store", "crypto error secret trust"),
    (
        "session",
        "challenge credentials error json message operation operations origin pkce scopes secret site store time token tool_call wire",
    ),
    (
        "client",
        "challenge credentials error mount operation operations origin pkce profile scopes secret service session sign_in site store time token tool_call transport verify wire",
    ),
    (
        "sign_in",
        "crypto error json operation operations origin path pkce scopes secret session store time token verify",
    ),
    (
        "profile",
        "challenge claims crypto error json message operations origin pkce scopes secret session store time verify",
    ),
    (
        "verify",
        "challenge claims crypto error json operation operations origin scopes secret session time wire",
    ),
    ("service", "challenge claims credentials crypto error json operations profile route scopes time verify"),
    ("guard", "client crypto error operations profile scopes secret service sign_in transport verify"),
    ("transport", "error mount origin secret session store time trust wire"),
    ("crypto", "secret"),
    (
        "emulator",
        "client crypto error json operations origin path profile route scopes secret session site time transport verify wire",
    ),
];

/// Crates in the tree, the package itself counted, as `cargo tree` sees them for Linux. Only ever lowered, or raised
/// with a reason in Cargo.toml.
const CORE: usize = 32;
const DEFAULT: usize = 49;
const REQWEST: usize = 58;
const TOWER: usize = 51;
const AXUM: usize = 60;
/// What the store in Redis adds to a build without it.
const REDIS: usize = 35;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file: no comments, no unit tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What stands behind each `needle` in the code, as one identifier, also inside `{a, b::c}`.
fn named(code: &str, needle: &str) -> BTreeSet<String> {
    let identifier = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(needle) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + needle.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut item = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 || (depth == 1 && character == ',') {
                    found.insert(identifier(&item));
                    item.clear();
                } else {
                    item.push(character);
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(identifier(rest));
        }
    }
    found.remove("");
    found
}

#[test]
fn the_import_table() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        IMPORTS.iter().map(|(room, may)| (*room, may.split_whitespace().collect())).collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 25, "the sources were not found");
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files {
        let relative = file.strip_prefix(root().join("src")).unwrap().to_owned();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs").to_owned();
        if room == "lib" {
            continue;
        }
        let code = code(&file);
        if room == "bin" {
            // The command line uses the public face only, as any program would.
            if !named(&code, "lumoauth::").is_subset(&public_names()) {
                wrong.push(format!("{}: {:?}", relative.display(), named(&code, "lumoauth::")));
            }
            continue;
        }
        seen.insert(room.clone());
        let Some(may) = table.get(room.as_str()) else {
            wrong.push(format!("{}: a room without a row in the table", relative.display()));
            continue;
        };
        for import in named(&code, "crate::") {
            if import != room && !may.contains(import.as_str()) {
                wrong.push(format!("{}: {room} names {import}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for room in table.keys() {
        assert!(seen.contains(*room), "the table has a room that does not exist: {room}");
    }
}

fn public_names() -> BTreeSet<String> {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for line in lib.split(';').filter(|line| line.contains("pub ")) {
        let words =
            line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        names.extend(words.map(str::to_owned));
    }
    names
}

#[test]
fn only_the_rooms_for_it_use_clocks_sockets_randomness_and_ring() {
    let allowed: &[(&str, &[&str])] = &[
        ("SystemTime::now", &["store/clock.rs", "transport/clock.rs", "emulator/"]),
        ("Instant::now", &["store/clock.rs", "transport/", "emulator/"]),
        ("thread::sleep", &["transport/blocking.rs"]),
        ("env::var", &["transport/environment.rs", "bin/lumoauth/commands/state.rs"]),
        ("getrandom::", &["transport/clock.rs", "emulator/"]),
        ("std::net::Tcp", &["transport/", "emulator/", "store/redis/line.rs"]),
        ("ring::", &["crypto", "trust.rs"]),
        ("jsonwebtoken::", &["crypto"]),
        ("ureq::", &["transport/", "transport.rs"]),
        ("tokio::", &["emulator/", "mount.rs", "transport/reqwest"]),
        ("reqwest::", &["transport.rs"]),
        ("hyper::", &["emulator/", "transport/reqwest"]),
        ("danger", &[]),
        ("serde(default", &[]),
        ("serde(untagged", &[]),
    ];
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(root().join("src")).unwrap().display().to_string();
        let code = code(&file);
        for (what, places) in allowed {
            let bin = relative.starts_with("bin/") && *what == "std::net::Tcp";
            let used = code
                .match_indices(what)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
            if used && !bin && !places.iter().any(|place| relative.starts_with(place)) {
                wrong.push(format!("{relative}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[allow(clippy::disallowed_methods)] // cargo tells its tests where it is
fn lines(arguments: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--target",
            "x86_64-unknown-linux-gnu",
        ])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The crates of a build as `name version`.
fn tree(features: &[&str]) -> BTreeSet<String> {
    let lines = lines(&[&["--edges", "normal,build"], features].concat());
    lines.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

fn without_build_tools(tree: &BTreeSet<String>) -> usize {
    // What the build of `ring` needs on the machine that compiles; none of it is linked.
    let tools = ["cc v", "shlex v", "find-msvc-tools v", "version_check v", "jobserver v"];
    tree.iter().filter(|name| !tools.iter().any(|tool| name.starts_with(tool))).count()
}

#[test]
fn the_crate_budget() {
    let core = tree(&["--no-default-features"]);
    let default = tree(&[]);
    println!("core {} crates, default {} crates", without_build_tools(&core), without_build_tools(&default));
    assert!(without_build_tools(&core) <= CORE, "{core:#?}");
    assert!(without_build_tools(&default) <= DEFAULT, "{default:#?}");
    let sealed = tree(&["--features", "sealed"]);
    let redis = tree(&["--features", "redis"]);
    let added: Vec<&String> = redis.difference(&sealed).collect();
    println!("redis adds {} crates", added.len());
    assert!(added.len() <= REDIS, "{added:#?}");
    for name in ["tokio", "aws-lc-rs", "aws-lc-sys", "rustls-native-certs", "rand"] {
        assert!(!redis.iter().any(|line| line.starts_with(&format!("{name} v"))), "{name} came along");
    }
}

#[test]
fn the_default_build_has_no_runtime_and_no_foreign_build_tool() {
    let core = tree(&["--no-default-features"]);
    let default = tree(&[]);
    let has =
        |tree: &BTreeSet<String>, name: &str| tree.iter().any(|line| line.starts_with(&format!("{name} v")));
    for name in [
        "tokio",
        "async-std",
        "smol",
        "futures",
        "hyper",
        "reqwest",
        "cmake",
        "nasm-rs",
        "aws-lc-sys",
        "openssl-sys",
        "flate2",
        "brotli",
        "cookie_store",
    ] {
        assert!(!has(&default, name), "{name} came along");
    }
    for name in ["cc", "ring", "ureq", "rustls", "getrandom", "rand", "socket2", "mio", "maybe-async"] {
        assert!(!has(&core, name), "{name} is in the core");
    }
    assert!(has(&default, "ureq") && has(&default, "rustls"), "the tree was not read");
}

#[test]
fn the_async_build_brings_no_second_tls_and_nothing_that_changes_what_is_read() {
    let tree = tree(&["--no-default-features", "--features", "reqwest"]);
    let has = |name: &str| tree.iter().any(|line| line.starts_with(&format!("{name} v")));
    println!("reqwest {} crates", without_build_tools(&tree));
    for name in [
        "ureq",
        "reqwest",
        "hyper-util",
        "url",
        "aws-lc-sys",
        "native-tls",
        "openssl-sys",
        "h2",
        "encoding_rs",
        "flate2",
        "brotli",
        "cookie_store",
        "hickory-resolver",
    ] {
        assert!(!has(name), "{name} came along");
    }
    assert!(has("hyper") && has("ring"), "the tree was not read");
    assert!(without_build_tools(&tree) <= REQWEST, "{tree:#?}");
}

#[test]
fn layers_bring_no_framework_and_extractors_no_server() {
    let tower = tree(&["--no-default-features", "--features", "tower"]);
    let axum = tree(&["--no-default-features", "--features", "axum"]);
    println!("tower {} crates, axum {} crates", without_build_tools(&tower), without_build_tools(&axum));
    let has =
        |tree: &BTreeSet<String>, name: &str| tree.iter().any(|line| line.starts_with(&format!("{name} v")));
    for name in ["axum", "axum-core", "actix-web", "rmcp", "hyper", "tokio", "tower", "ureq", "rustls"] {
        assert!(!has(&tower, name), "{name} came along");
    }
    for name in ["hyper", "tokio", "rmcp", "ureq", "rustls", "tracing"] {
        assert!(!has(&axum, name), "{name} came along");
    }
    assert!(has(&tower, "tower-layer") && has(&axum, "axum"), "the trees were not read");
    assert!(without_build_tools(&tower) <= TOWER, "{tower:#?}");
    assert!(without_build_tools(&axum) <= AXUM, "{axum:#?}");
}

#[test]
fn ureq_has_none_of_the_features_that_change_what_is_sent_or_read() {
    let tree = lines(&["--edges", "features"]);
    let any = tree.iter().any(|line| line.contains("rustls feature \"ring\""));
    assert!(any, "the tree was not read: {tree:#?}");
    for feature in ["gzip", "brotli", "charset", "cookies", "json", "socks-proxy", "native-tls"] {
        let on = tree.iter().any(|line| line.contains(&format!("ureq feature \"{feature}\"")));
        assert!(!on, "ureq's feature {feature} is on");
    }
}

/// Fields that a derived `Debug` may show although the rule below finds them: type, field, and why.
const SHOWN: &[(&str, &str, &str)] = &[
    ("Actor", "other", "claims of a verified actor: public statements, not credentials"),
    ("ConsentError", "code", "the service's error code, such as access_denied"),
    ("ServerMetadata", "extra", "the published metadata"),
    ("ResourceMetadata", "extra", "the published metadata"),
    ("IssuerMetadata", "extra", "the published metadata"),
    ("AgentEntry", "extra", "the published directory"),
    ("ResourceEntry", "extra", "the published directory"),
    ("ResourceTokenClaims", "extra", "claims about a token, not the token"),
    ("AuthTokenClaims", "extra", "claims about a token, not the token"),
    ("ActiveToken", "extra", "claims about a token, not the token"),
    ("AgentInfo", "extra", "an output: what the service says beyond the known fields"),
    ("Budget", "extra", "an output, as above"),
    ("Identity", "extra", "an output, as above"),
    ("Registration", "extra", "an output, as above; registering answers with no secret"),
    ("Surroundings", "members", "the caller's own facts about its question"),
    ("Decision", "context", "an output, as above"),
    ("Decision", "extra", "an output, as above"),
    ("Attributes", "values", "an output: attributes that policies go by, not credentials"),
    ("AttributeDefinition", "extra", "an output, as above"),
    ("Connection", "extra", "an output: what the vault says of a connection, never a token"),
    ("AgentCard", "card", "a published card"),
    ("Settings", "user_agent", "sent to everybody; holds the product's name only"),
];

/// Names of fields that hold something secret, if their type is plain text or bytes.
const SECRET_NAMES: [&str; 9] =
    ["secret", "token", "password", "verifier", "access", "refresh", "code", "body", "state"];

/// The parts of a list, separated by commas that are in no brackets.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    let bytes = list.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b')' | b']' | b'}' | b'>' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[from..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// What is between the bracket at the beginning and the one that closes it.
fn inside(text: &str) -> &str {
    let mut depth = 0_i32;
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..at];
        }
    }
    panic!("a bracket is not closed: {text}");
}

/// Without attributes and visibility in front.
fn bare(mut item: &str) -> &str {
    loop {
        item = item.trim_start();
        if let Some(rest) = item.strip_prefix('#') {
            item = &rest[inside(rest).len() + 2..];
        } else if let Some(rest) = item.strip_prefix("pub").filter(|rest| rest.starts_with(['(', ' '])) {
            item = if rest.starts_with('(') { &rest[inside(rest).len() + 2..] } else { rest };
        } else {
            return item;
        }
    }
}

/// Name and type of every field in the body of a struct or an enum; fields of tuples have no name.
fn fields(body: &str, tuple: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for item in parts(body).into_iter().map(bare) {
        let word = item.len() - item.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len();
        let (name, rest) = (&item[..word], item[word..].trim_start());
        if tuple {
            found.push((String::new(), item.to_owned()));
        } else if rest.starts_with('{') {
            found.extend(fields(inside(rest), false));
        } else if rest.starts_with('(') {
            found.extend(fields(inside(rest), true));
        } else if let Some(kind) = rest.strip_prefix(':') {
            found.push((name.to_owned(), kind.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    found
}

/// The types of a source that derive `Debug`, with their fields.
fn deriving_debug(code: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("derive(") {
        let derives = inside(&code[at + "derive".len()..]);
        if !parts(derives).iter().any(|name| name.rsplit("::").next() == Some("Debug")) {
            continue;
        }
        // Behind the attribute that the derive stands in; it may be the inside of a `cfg_attr`.
        let from = code[..at].rfind('#').unwrap_or(at);
        let item = bare(&code[from..]);
        let Some(rest) = item.strip_prefix("struct ").or_else(|| item.strip_prefix("enum ")) else {
            panic!("not a type: {}", item.lines().next().unwrap_or_default());
        };
        let tuple = item.starts_with("struct ") && {
            let open = rest.find(['{', '(', ';']).expect("a body");
            rest[open..].starts_with('(')
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let open = rest.find(['{', '(', ';']).expect("a body");
        let body = if rest[open..].starts_with(';') { "" } else { inside(&rest[open..]) };
        found.push((name, fields(body, tuple)));
    }
    found
}

/// What a derived `Debug` must not show, and does: `Type.field: type`.
fn shown(code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (owner, fields) in deriving_debug(code) {
        for (name, kind) in fields {
            let holder = ["Zeroizing", "HeaderMap", "HeaderValue", "Map<String, Value>"]
                .iter()
                .any(|raw| kind.contains(raw));
            let named = SECRET_NAMES.contains(&name.as_str())
                && ["String", "Vec<u8>", "Option<String>"].contains(&kind.as_str());
            let excused = SHOWN.iter().any(|(of, field, _)| *of == owner && *field == name);
            if (holder || named) && !excused {
                wrong.push(format!("{owner}.{name}: {kind}"));
            }
        }
    }
    wrong
}

#[test]
fn s3_no_derived_debug_shows_a_secret_or_a_raw_answer() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let (mut wrong, mut types) = (Vec::new(), 0);
    for file in files {
        let code = code(&file);
        types += deriving_debug(&code).len();
        wrong.extend(shown(&code).into_iter().map(|what| format!("{}: {what}", file.display())));
    }
    println!("S3: {types} types derive Debug, {} fields excused, {} wrong", SHOWN.len(), wrong.len());
    assert!(types > 60, "only {types} types were found");
    assert!(SHOWN.iter().all(|(_, _, reason)| !reason.is_empty()));
    assert!(wrong.is_empty(), "write Debug by hand, or excuse the field in SHOWN:\n{}", wrong.join("\n"));
}

#[test]
fn s3_the_rule_sees_every_shape_of_type() {
    for (source, expected) in [
        ("#[derive(Clone, Debug)] pub struct A { pub(crate) body: Vec<u8> }", "A.body: Vec<u8>"),
        (
            "#[derive(Debug)]\n#[must_use = \"x, y\"]\nstruct A<'a> { at: &'a str, token: String }",
            "A.token: String",
        ),
        ("#[derive(Debug)] struct A(Arc<Zeroizing<String>>);", "A.: Arc<Zeroizing<String>>"),
        ("#[derive(Debug)] enum A { B, C { #[x] code: Option<String> } }", "A.code: Option<String>"),
        ("#[derive(Debug)] enum A { B(u8, HeaderMap) }", "A.: HeaderMap"),
        (
            "#[cfg_attr(test, derive(Debug))] struct A { all: Map<String, Value> }",
            "A.all: Map<String, Value>",
        ),
    ] {
        assert_eq!(shown(source), [expected], "{source}");
    }
    for source in [
        "#[derive(Clone)] struct A { body: Vec<u8> }",
        "#[derive(Debug)] struct A { secret: Secret, code: u16, names: Vec<String> }",
        "#[derive(Debug)] struct A;",
    ] {
        assert_eq!(shown(source), [] as [&str; 0], "{source}");
    }
}

#[test]
fn every_operation_names_its_route_and_every_route_is_listed() {
    let mut files = Vec::new();
    sources(&root().join("src/operations"), &mut files);
    let (mut wrong, mut constants) = (Vec::new(), 0);
    for file in files {
        let code = code(&file);
        constants += code.matches(": Route =").count();
        // A request of the caller's own has no route.
        let literal =
            ["Terms::new(\"", "wire::read(\"", "wire::succeeded(\""].iter().any(|call| code.contains(call));
        if literal && !file.ends_with("raw.rs") {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "an operation's name is its route's: {}", wrong.join("\n"));
    let listed = lumoauth::embed::operations::routes::all().count();
    if cfg!(feature = "aauth") {
        assert_eq!(listed, constants, "a constant is in no family's list");
    } else {
        assert!(listed > 10 && listed < constants);
    }
}
