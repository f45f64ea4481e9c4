//! Reads the sources as the compiler does, as far as it takes to see which file names which: a name counts for the file
//! that defines it, whichever mounts and re-exports it came through.

use std::collections::{BTreeMap, BTreeSet};

/// Every file and the files whose names it uses, each with one such name.
pub type Arrows = BTreeMap<String, BTreeMap<String, String>>;

/// What a use declaration brings: under which name (`*` for all), from where, and whether it is handed on.
struct Use {
    name: String,
    path: Vec<String>,
    public: bool,
}

struct Module {
    file: String,
    parent: Option<usize>,
    /// Where the files of its children lie.
    folder: String,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths of two names or more.
    paths: BTreeSet<Vec<String>>,
    /// Names that stand alone, where a type, a call or a macro can stand.
    words: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Module(usize),
    Item(String),
}

/// The modules of a package, read from its files.
pub struct House {
    files: BTreeMap<String, String>,
    modules: Vec<Module>,
    /// Macros that declare modules, by name: what they expand to, wherever they are called.
    mounts: BTreeMap<String, Vec<String>>,
    /// Files of unit tests.
    tests: BTreeSet<String>,
    wrong: Vec<String>,
}

const ITEMS: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];

impl House {
    /// From the texts of the files, by their paths below `src`; the roots are crates of their own, the library first.
    pub fn read(files: BTreeMap<String, String>, roots: &[&str]) -> House {
        let mut house = House {
            files,
            modules: Vec::new(),
            mounts: BTreeMap::new(),
            tests: BTreeSet::new(),
            wrong: Vec::new(),
        };
        for root in roots {
            let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            house.file((*root).to_owned(), folder, None);
        }
        let seen: BTreeSet<&String> = house.modules.iter().map(|module| &module.file).collect();
        let lost = house.files.keys().filter(|file| !seen.contains(file) && !house.tests.contains(*file));
        house.wrong.extend(lost.map(|file| format!("{file}: no `mod` line leads here")).collect::<Vec<_>>());
        house
    }

    /// What could not be read; nothing should be.
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    fn file(&mut self, file: String, folder: String, parent: Option<usize>) -> usize {
        let text = self.files.get(&file).cloned().unwrap_or_else(|| {
            self.wrong.push(format!("{file}: a `mod` line names it, and it is not there"));
            String::new()
        });
        let id = self.open(file, folder, parent);
        self.block(id, &tokens(&text));
        id
    }

    fn open(&mut self, file: String, folder: String, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            file,
            parent,
            folder,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
            paths: BTreeSet::new(),
            words: BTreeSet::new(),
        });
        self.modules.len() - 1
    }

    /// Reads what stands in one module.
    fn block(&mut self, id: usize, tokens: &[String]) {
        let at = |at: usize| tokens.get(at).map_or("", String::as_str);
        let (mut i, mut depth) = (0, 0_u32);
        let (mut path, mut test, mut public) = (None, false, false);
        while i < tokens.len() {
            let token = at(i);
            let before = i.checked_sub(1).map_or("", at);
            match token {
                "#" => {
                    let from = if at(i + 1) == "!" { i + 2 } else { i + 1 };
                    let end = closed(tokens, from);
                    let attribute = tokens.get(from + 1..end - 1).unwrap_or_default();
                    let words: Vec<&str> = attribute.iter().map(String::as_str).collect();
                    match words.as_slice() {
                        ["path", "=", file] => path = Some(file.trim_matches('"').to_owned()),
                        ["cfg", "(", "test", ")"] => test = true,
                        _ => {}
                    }
                    i = end;
                    continue;
                }
                "pub" => {
                    public = true;
                    i = if at(i + 1) == "(" { closed(tokens, i + 1) } else { i + 1 };
                    continue;
                }
                _ if test => {
                    // What is there for unit tests only.
                    if token == "mod" && at(i + 2) == ";" {
                        let (file, _) = self.place(id, at(i + 1), path.take());
                        self.tests.insert(file);
                    }
                    while i < tokens.len() && !matches!(at(i), ";" | "{") {
                        i = if matches!(at(i), "(" | "[") { closed(tokens, i) } else { i + 1 };
                    }
                    i = if at(i) == "{" { closed(tokens, i) } else { i + 1 };
                }
                "mod" if at(i + 2) == ";" => {
                    self.child(id, at(i + 1), path.take());
                    i += 3;
                }
                "mod" if at(i + 2) == "{" => {
                    let end = closed(tokens, i + 2);
                    let module = &self.modules[id];
                    let folder = format!("{}/{}", module.folder, at(i + 1));
                    let inner = self.open(module.file.clone(), folder, Some(id));
                    self.modules[id].children.insert(at(i + 1).to_owned(), inner);
                    self.block(inner, &tokens[i + 3..end - 1]);
                    i = end;
                }
                "use" if matches!(before, "" | ";" | "}" | "{" | "]" | ")" | "pub") => {
                    let end = i + tokens[i..].iter().position(|token| token == ";").unwrap_or(1);
                    for (name, path) in tree(&tokens[i + 1..end]) {
                        self.modules[id].uses.push(Use { name, path, public });
                    }
                    i = end + 1;
                }
                "macro_rules" if at(i + 3) == "{" && at(i + 4) == "(" && at(i + 5) == ")" => {
                    let end = closed(tokens, i + 3);
                    let body = tokens.get(i + 9..closed(tokens, i + 8) - 1).unwrap_or_default();
                    self.modules[id].items.insert(at(i + 2).to_owned());
                    if body.iter().any(|token| token == "mod") {
                        self.mounts.insert(at(i + 2).to_owned(), body.to_vec());
                        i = end;
                    } else {
                        i += 3;
                    }
                }
                _ if depth == 0 && at(i + 1) == "!" && self.mounts.contains_key(token) => {
                    let body = self.mounts[token].clone();
                    self.block(id, &body);
                    i = closed(tokens, i + 2);
                }
                _ if depth == 0 && ITEMS.contains(&token) => {
                    let name = if token == "macro_rules" { i + 2 } else { i + 1 };
                    let name = if at(name) == "mut" || ITEMS.contains(&at(name)) { name + 1 } else { name };
                    self.modules[id].items.insert(at(name).to_owned());
                    i = name + 1;
                }
                _ if is_name(token) => {
                    let mut names = vec![token.to_owned()];
                    while at(i + 1) == "::" && is_name(at(i + 2)) {
                        names.push(at(i + 2).to_owned());
                        i += 2;
                    }
                    i += 1;
                    if names.len() > 1 {
                        self.modules[id].paths.insert(names);
                    } else if !matches!(before, "." | "fn") {
                        let upper = token.starts_with(|c: char| c.is_ascii_uppercase());
                        if upper || matches!(at(i), "(" | "!" | "<") {
                            self.modules[id].words.insert(token.to_owned());
                        }
                    }
                }
                _ => {
                    match token {
                        "{" | "(" | "[" => depth += 1,
                        "}" | ")" | "]" => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    i += 1;
                }
            }
            (path, test, public) = (None, false, false);
        }
    }

    fn child(&mut self, parent: usize, name: &str, path: Option<String>) {
        let (file, folder) = self.place(parent, name, path);
        let child = self.file(file, folder, Some(parent));
        self.modules[parent].children.insert(name.to_owned(), child);
    }

    /// Where the file of a child is, and where the files of its own children are.
    fn place(&self, parent: usize, name: &str, path: Option<String>) -> (String, String) {
        let module = &self.modules[parent];
        let folder_of = |file: &str| file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let below = |folder: &str, file: &str| match folder {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        };
        if let Some(path) = path {
            let file = below(&folder_of(&module.file), &path);
            let folder = folder_of(&file);
            return (file, folder);
        }
        let folder = below(&module.folder, name);
        let nested = format!("{folder}/mod.rs");
        (if self.files.contains_key(&nested) { nested } else { format!("{folder}.rs") }, folder)
    }

    /// What a name means in a module; nothing if it is not known there, an empty set if it comes from elsewhere.
    fn lookup(&self, id: usize, name: &str, trail: &mut Vec<(usize, String)>) -> Option<BTreeSet<Found>> {
        let step = (id, name.to_owned());
        if trail.contains(&step) {
            return None;
        }
        trail.push(step);
        let module = &self.modules[id];
        let mut found: Option<BTreeSet<Found>> = None;
        if let Some(child) = module.children.get(name) {
            found.get_or_insert_default().insert(Found::Module(*child));
        }
        if module.items.contains(name) {
            found.get_or_insert_default().insert(Found::Item(module.file.clone()));
        }
        for one in module.uses.iter().filter(|one| one.name == name) {
            found.get_or_insert_default().extend(self.resolve(id, &one.path, trail));
        }
        if found.is_none() {
            for all in module.uses.iter().filter(|one| one.name == "*") {
                for from in self.resolve(id, &all.path, &mut trail.clone()) {
                    if let Found::Module(from) = from
                        && let Some(more) = self.lookup(from, name, trail)
                    {
                        found.get_or_insert_default().extend(more);
                    }
                }
            }
        }
        trail.pop();
        found
    }

    /// What a path means, seen from a module; nothing if it leads out of the package.
    fn resolve(&self, id: usize, path: &[String], trail: &mut Vec<(usize, String)>) -> BTreeSet<Found> {
        let root = |mut id: usize| {
            while let Some(parent) = self.modules[id].parent {
                id = parent;
            }
            id
        };
        let up = |at: usize| self.modules[at].parent.unwrap_or(at);
        let mut at: BTreeSet<Found> = BTreeSet::new();
        for (place, name) in path.iter().enumerate() {
            at = match (place, name.as_str()) {
                (0, "crate") => BTreeSet::from([Found::Module(root(id))]),
                (0, "self") => BTreeSet::from([Found::Module(id)]),
                (0, "super") => BTreeSet::from([Found::Module(up(id))]),
                (0, "lumoauth") => BTreeSet::from([Found::Module(0)]),
                (0, name) => self.lookup(id, name, trail).unwrap_or_default(),
                (_, "super") => at
                    .into_iter()
                    .map(|found| match found {
                        Found::Module(id) => Found::Module(up(id)),
                        item => item,
                    })
                    .collect(),
                (_, name) => at
                    .into_iter()
                    .flat_map(|found| match found {
                        // What a macro made is of the file that called it.
                        Found::Module(id) => self
                            .lookup(id, name, trail)
                            .unwrap_or_else(|| BTreeSet::from([Found::Item(self.modules[id].file.clone())])),
                        item => BTreeSet::from([item]),
                    })
                    .collect(),
            };
        }
        at
    }

    /// Every file with the files whose names it uses; itself aside.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (id, module) in self.modules.iter().enumerate() {
            let mut named: BTreeMap<String, String> = BTreeMap::new();
            let mut add = |found: BTreeSet<Found>, name: &str| {
                for found in found {
                    if let Found::Item(file) = found {
                        named.entry(file).or_insert_with(|| name.to_owned());
                    }
                }
            };
            for one in module.uses.iter().filter(|one| one.name != "*") {
                let mut found = self.resolve(id, &one.path, &mut vec![(id, one.name.clone())]);
                if one.public && !module.words.contains(&one.name) {
                    // A door for what lies behind it.
                    found.retain(
                        |found| !matches!(found, Found::Item(file) if self.holds(&module.file, file)),
                    );
                }
                add(found, one.path.last().map_or("", String::as_str));
            }
            for path in &module.paths {
                add(self.resolve(id, path, &mut Vec::new()), path.last().map_or("", String::as_str));
            }
            for word in &module.words {
                if module.uses.iter().any(|one| one.name == "*")
                    && !module.uses.iter().any(|one| one.name == *word)
                {
                    add(self.lookup(id, word, &mut Vec::new()).unwrap_or_default(), word);
                }
            }
            named.remove(&module.file);
            arrows.entry(module.file.clone()).or_default().extend(named);
        }
        arrows
    }

    /// Whether one file is a module that holds the other, at any depth.
    fn holds(&self, outer: &str, inner: &str) -> bool {
        self.modules.iter().filter(|module| module.file == inner).any(|module| {
            let mut at = module.parent;
            while let Some(parent) = at {
                if self.modules[parent].file == outer {
                    return true;
                }
                at = self.modules[parent].parent;
            }
            false
        })
    }

    /// The circles of files that name each other, the largest first. That a child names the module it stands in makes
    /// none: the two are one thing, in two files.
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let arrows: BTreeMap<String, BTreeSet<String>> = self
            .arrows()
            .into_iter()
            .map(|(from, to)| {
                let to = to.into_keys().filter(|to| !self.holds(to, &from)).collect();
                (from, to)
            })
            .collect();
        let reach = |from: &String| {
            let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
            while let Some(file) = todo.pop() {
                for next in &arrows[file] {
                    if seen.insert(next.clone()) {
                        todo.push(next);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&String, BTreeSet<String>> =
            arrows.keys().map(|file| (file, reach(file))).collect();
        let mut circles: Vec<BTreeSet<String>> = reached
            .iter()
            .filter(|(file, to)| to.contains(**file))
            .map(|(file, to)| to.iter().filter(|other| reached[other].contains(*file)).cloned().collect())
            .collect();
        circles.sort_by_key(|circle: &BTreeSet<String>| (usize::MAX - circle.len(), circle.first().cloned()));
        circles.dedup();
        circles
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The place behind the bracket that closes the one at `open`.
fn closed(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The names that a use declaration brings, each with its whole path.
fn tree(tokens: &[String]) -> Vec<(String, Vec<String>)> {
    let mut path = Vec::new();
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        match token.as_str() {
            "{" => {
                let inner = &tokens[i + 1..closed(tokens, i) - 1];
                let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
                while at <= inner.len() {
                    match inner.get(at).map(String::as_str) {
                        Some("{") => at = closed(inner, at),
                        Some(",") | None => {
                            for (name, rest) in tree(&inner[from..at]) {
                                let own = rest == ["self"];
                                let name = if own && name == "self" {
                                    path.last().cloned().unwrap_or_default()
                                } else {
                                    name
                                };
                                let rest = if own { Vec::new() } else { rest };
                                found.push((name, [path.clone(), rest].concat()));
                            }
                            at += 1;
                            from = at;
                        }
                        Some(_) => at += 1,
                    }
                }
                return found;
            }
            "*" => return vec![("*".into(), path)],
            "as" => return vec![(tokens.get(i + 1).cloned().unwrap_or_default(), path)],
            "::" => {}
            name => path.push(name.to_owned()),
        }
        i += 1;
    }
    path.last().cloned().map(|name| (name, path)).into_iter().collect()
}

/// The tokens of a source: names, `::`, texts in quotes, and single characters. Comments are none, nor are numbers.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let from = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0_u32;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                found.push(chars[from..i.min(chars.len())].iter().collect());
            }
            // A raw text, with or without a `b` before it.
            'r' | 'b' if raw(&chars, i).is_some() => i = raw(&chars, i).unwrap_or(i),
            'b' if at(i + 1) == '"' || at(i + 1) == '\'' => i += 1,
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            // A lifetime.
            '\'' => {
                i += 1;
                while word(at(i)) {
                    i += 1;
                }
            }
            c if c.is_numeric() => {
                while word(at(i)) {
                    i += 1;
                }
            }
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                found.push(chars[from..i].iter().collect());
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                found.push("::".into());
            }
            c if c.is_whitespace() => i += 1,
            c => {
                i += 1;
                found.push(c.into());
            }
        }
    }
    found
}

/// The end of the raw text that begins here, if one does.
fn raw(chars: &[char], from: usize) -> Option<usize> {
    let mut i = from + usize::from(chars[from] == 'b');
    if chars.get(i) != Some(&'r') {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let behind = chars[i + 1..].windows(end.len()).position(|window| window == end)?;
    Some(i + 1 + behind + end.len())
}
