use super::Report;
use super::source::{Source, words};
use super::tree::Tree;

/// Lints that no reason excuses.
const NEVER: [&str; 2] = ["unsafe_code", "unused_must_use"];

pub fn check(tree: &Tree, report: &mut Report) {
    for (path, source) in tree.sources() {
        let code = Joined::of(source);
        for attribute in ["allow", "expect", "warn"] {
            for start in words(&code.text, attribute) {
                let before = code.text[..start].trim_end();
                let inner = code.text[start + attribute.len()..].strip_prefix('(');
                let (Some(inner), true) = (inner, ends_as_attribute(before)) else { continue };
                let lints = &inner[..closing(inner)];
                let line = code.line(start);
                if let Some(never) = NEVER.iter().find(|never| words(lints, never).next().is_some()) {
                    let message = format!("{attribute}({never}): no reason excuses this one");
                    report.find("lint", path, line, message);
                } else if attribute != "warn" && words(lints, "reason").next().is_none() {
                    let message = format!(
                        "{attribute}(..) without a reason: write #[expect({}, reason = \"...\")]",
                        lints.trim()
                    );
                    report.find("lint", path, line, message);
                }
            }
        }
        for (at, line) in source.lines.iter().enumerate() {
            if words(&line.code, "unsafe").next().is_some() {
                let message = "`unsafe` is forbidden; what must have it is a small crate of its own";
                report.find("lint", path, at + 1, message);
            }
        }
    }
}

/// Whether what precedes a word makes it an attribute: `#[`, `#![` or, inside `cfg_attr(..)`, a comma.
fn ends_as_attribute(before: &str) -> bool {
    before.ends_with("#[")
        || before.ends_with("#![")
        || before.rfind("cfg_attr").is_some_and(|at| before.ends_with(',') && !before[at..].contains(']'))
}

/// Position of the bracket that closes the one before `text`.
fn closing(text: &str) -> usize {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The code of all lines as one text, since attributes run over several.
struct Joined {
    text: String,
    starts: Vec<usize>,
}

impl Joined {
    fn of(source: &Source) -> Self {
        let mut joined = Self { text: String::new(), starts: Vec::new() };
        for line in &source.lines {
            joined.starts.push(joined.text.len());
            joined.text.push_str(&line.code);
            joined.text.push('\n');
        }
        joined
    }

    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }
}
