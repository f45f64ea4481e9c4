//! Finds what can be changed in one file, and writes the file again with a switch at each place.

use proc_macro2::Span;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ReturnType, Stmt, Type};

/// One change: where, and what it does.
#[derive(Clone)]
pub struct Change {
    pub number: u32,
    pub file: String,
    pub line: usize,
    pub what: String,
}

impl Change {
    /// Whether a line that was written down is about this change. The number of its line may be another since.
    pub fn is_that_of(&self, written: &str) -> bool {
        let Some((_, rest)) = written.split_once(": ") else { return false };
        rest.strip_prefix(&self.file)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.split_once(": "))
            .is_some_and(|(_, what)| what == self.what)
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A text in place of a range of the file (empty: only put in).
struct Edit {
    range: Range<usize>,
    text: String,
    /// Of edits at one place: those that open go in their order, those that close against it.
    order: i64,
}

/// The file with switches, and what they change. Numbers go on from `next`; places in `dropped` (line, what) are left alone.
pub fn switched(
    file: &str,
    text: &str,
    next: &mut u32,
    dropped: &[(String, usize)],
) -> Result<(String, Vec<Change>), String> {
    let parsed = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
    let mut finder = Finder {
        file,
        text,
        next,
        dropped,
        edits: Vec::new(),
        changes: Vec::new(),
        depth: 0,
        name: Vec::new(),
    };
    finder.visit_file(&parsed);
    let (mut edits, changes) = (finder.edits, finder.changes);
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end, edit.order));
    let (mut out, mut at) = (String::with_capacity(text.len() * 2), 0);
    for edit in edits {
        if edit.range.start < at {
            return Err(format!("{file}: two changes overlap at byte {}", edit.range.start));
        }
        out.push_str(&text[at..edit.range.start]);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(&text[at..]);
    Ok((out, changes))
}

struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    next: &'a mut u32,
    dropped: &'a [(String, usize)],
    edits: Vec<Edit>,
    changes: Vec<Change>,
    depth: i64,
    name: Vec<String>,
}

impl Finder<'_> {
    fn add(&mut self, span: Span, what: String) -> Option<u32> {
        let line = span.start().line;
        if self.dropped.iter().any(|(file, at)| file == self.file && *at == line) {
            return None;
        }
        let number = *self.next;
        *self.next += 1;
        let what = format!("{}: {what}", self.name.join("::"));
        self.changes.push(Change { number, file: self.file.to_owned(), line, what });
        Some(number)
    }

    /// Puts a text before and one behind an expression. What lies deeper opens later and closes sooner.
    fn around(&mut self, range: Range<usize>, before: String, behind: String) {
        self.depth += 1;
        self.edits.push(Edit {
            range: range.start..range.start,
            text: before,
            order: 1_000_000 + self.depth,
        });
        self.edits.push(Edit { range: range.end..range.end, text: behind, order: -self.depth });
    }

    fn replace(&mut self, range: Range<usize>, text: String) {
        self.edits.push(Edit { range, text, order: 0 });
    }

    fn source(&self, range: Range<usize>) -> String {
        let text = self.text[range].split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > 90 {
            format!("{}...", text.chars().take(90).collect::<String>())
        } else {
            text
        }
    }

    fn negate(&mut self, expr: &Expr, why: &str) {
        // A comparison or a logical operator is changed where it stands.
        if matches!(expr, Expr::Binary(binary) if compares(&binary.op) || logical(&binary.op))
            || matches!(expr, Expr::Let(_) | Expr::Lit(_))
        {
            return;
        }
        let range = expr.span().byte_range();
        let what = format!("{why} `{}` the other way round", self.source(range.clone()));
        if let Some(number) = self.add(expr.span(), what) {
            self.around(range, "((".to_owned(), format!(") ^ crate::mutant::on({number}))"));
        }
    }

    fn body(&mut self, output: &ReturnType, block: &syn::Block) {
        if block.stmts.is_empty() {
            return;
        }
        let at = block.brace_token.span.open().byte_range().end;
        for value in instead(output) {
            let shown = if value.is_empty() { "nothing".to_owned() } else { value.clone() };
            if let Some(number) =
                self.add(block.brace_token.span.open(), format!("gives back {shown} at once"))
            {
                self.replace(at..at, format!(" if crate::mutant::on({number}) {{ return {value}; }} "));
            }
        }
    }
}

fn compares(op: &BinOp) -> bool {
    matches!(op, BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_))
}

fn logical(op: &BinOp) -> bool {
    matches!(op, BinOp::And(_) | BinOp::Or(_))
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) if logical(&binary.op) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// What a function may give back at once, judged by its type.
fn instead(output: &ReturnType) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    let ReturnType::Type(_, of) = output else { return one("") };
    match &**of {
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Vec::new() };
            let inner = match &last.arguments {
                syn::PathArguments::AngleBracketed(given) => given.args.first().map(|arg| match arg {
                    syn::GenericArgument::Type(Type::Tuple(tuple)) if tuple.elems.is_empty() => {
                        "()".to_owned()
                    }
                    syn::GenericArgument::Type(Type::Path(path)) => {
                        path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
                    }
                    _ => String::new(),
                }),
                _ => None,
            };
            match (last.ident.to_string().as_str(), inner.as_deref()) {
                ("bool", _) => vec!["true".to_owned(), "false".to_owned()],
                ("Option", Some("bool")) => {
                    vec!["None".to_owned(), "Some(true)".to_owned(), "Some(false)".to_owned()]
                }
                ("Option", _) => one("None"),
                ("Result", Some("()")) => one("Ok(())"),
                ("Result", Some("bool")) => vec!["Ok(true)".to_owned(), "Ok(false)".to_owned()],
                ("Result", Some("Option")) => one("Ok(None)"),
                ("Result", Some("Vec")) => one("Ok(Vec::new())"),
                ("String", _) => one("String::new()"),
                ("Vec", _) => one("Vec::new()"),
                ("u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64", _) => {
                    vec!["0".to_owned(), "1".to_owned()]
                }
                ("Duration", _) => one("::std::time::Duration::ZERO"),
                _ => Vec::new(),
            }
        }
        Type::Tuple(tuple) if tuple.elems.is_empty() => one(""),
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => one("\"\""),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test"))
    })
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_item_macro(&mut self, _: &'ast syn::ItemMacro) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if item.sig.constness.is_none() && !for_tests(&item.attrs) {
            self.name.push(item.sig.ident.to_string());
            self.body(&item.sig.output, &item.block);
            visit::visit_block(self, &item.block);
            self.name.pop();
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let range = item.self_ty.span().byte_range();
        self.name.push(self.source(range));
        visit::visit_item_impl(self, item);
        self.name.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.sig.constness.is_none() {
            self.name.push(item.sig.ident.to_string());
            self.body(&item.sig.output, &item.block);
            visit::visit_block(self, &item.block);
            self.name.pop();
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.name.push(item.sig.ident.to_string());
            self.body(&item.sig.output, block);
            visit::visit_block(self, block);
            self.name.pop();
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expr, Some(semi)) = statement {
            let can_go = match expr {
                Expr::MethodCall(_) | Expr::Call(_) | Expr::Try(_) | Expr::Assign(_) => true,
                Expr::Binary(binary) => {
                    matches!(binary.op, BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_))
                }
                _ => false,
            };
            if can_go {
                let range = expr.span().byte_range().start..semi.span().byte_range().end;
                let what = format!("leaves out `{}`", self.source(range.clone()));
                if let Some(number) = self.add(expr.span(), what) {
                    self.around(range, format!("if !crate::mutant::on({number}) {{ "), " }".to_owned());
                }
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.negate(&expr.cond, "if");
        visit::visit_expr_if(self, expr);
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        visit::visit_expr_while(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.negate(guard, "a match takes");
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let whole = expr.span().byte_range();
        let op = expr.op.span();
        let shown = self.source(whole.clone());
        match &expr.op {
            BinOp::Eq(_) | BinOp::Ne(_) => {
                if let Some(number) = self.add(op, format!("`{shown}` the other way round")) {
                    self.around(whole, "((".to_owned(), format!(") ^ crate::mutant::on({number}))"));
                }
            }
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                let (plain, near, far) = match &expr.op {
                    BinOp::Lt(_) => ("<", "<=", ">"),
                    BinOp::Le(_) => ("<=", "<", ">"),
                    BinOp::Gt(_) => (">", ">=", "<"),
                    _ => (">=", ">", "<"),
                };
                let one = self.add(op, format!("`{near}` in `{shown}`"));
                let two = self.add(op, format!("`{far}` in `{shown}`"));
                if let (Some(one), Some(two)) = (one, two) {
                    let behind = format!(
                        ")) {{ (a, b) => if crate::mutant::on({one}) {{ a {near} b }} else if crate::mutant::on({two}) {{ a {far} b }} else {{ a {plain} b }} }})"
                    );
                    self.around(whole, "(match (&(".to_owned(), behind);
                    self.replace(op.byte_range(), "), &(".to_owned());
                }
            }
            BinOp::And(_) | BinOp::Or(_) => {
                let and = matches!(expr.op, BinOp::And(_));
                if has_let(&expr.left) || has_let(&expr.right) {
                    for side in [&expr.left, &expr.right] {
                        self.negate(side, "a chain takes");
                    }
                } else {
                    let other = if and { "||" } else { "&&" };
                    if let Some(number) = self.add(op, format!("`{other}` in `{shown}`")) {
                        let test = if and { "==" } else { "!=" };
                        self.around(whole, "({ let c: bool = ".to_owned(), " } })".to_owned());
                        self.replace(
                            op.byte_range(),
                            format!("; if c {test} crate::mutant::on({number}) {{ c }} else {{"),
                        );
                    }
                }
            }
            _ => {}
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if matches!(name.as_str(), "saturating_add" | "saturating_sub" | "min" | "max")
            && call.args.len() == 1
            && call.turbofish.is_none()
        {
            let whole = self.source(call.span().byte_range());
            let other = match name.as_str() {
                "saturating_add" => "saturating_sub",
                "saturating_sub" => "saturating_add",
                "min" => "max",
                _ => "min",
            };
            if let Some(number) = self.add(call.method.span(), format!("`{other}` in `{whole}`")) {
                self.replace(call.method.span().byte_range(), format!("mutant_{name}"));
                let open = call.paren_token.span.open().byte_range().end;
                self.replace(open..open, format!("{number}, "));
            }
        }
        visit::visit_expr_method_call(self, call);
    }
}
