//! The house rules, as one check over the sources with messages that teach.
//!
//! Each rule is a function from the [`Tree`] to findings and knows nothing of the others.

mod boundaries;
mod leftovers;
mod links;
mod lints;
mod manifests;
mod names;
mod purity;
mod sizes;
mod source;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// Checks the sources below `root` and prints what it finds; whether none of it is against a rule.
pub fn run(root: &Path) -> bool {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("tidy: cannot read the sources: {error}");
            return false;
        }
    };
    let report = check(&tree);
    for note in &report.notes {
        println!("tidy: {note}");
    }
    for finding in &report.findings {
        eprintln!("{finding}");
    }
    match report.findings.len() {
        0 => println!("tidy: {} files, nothing to say", tree.files().len()),
        found => eprintln!("tidy: {found} findings"),
    }
    report.findings.is_empty()
}

/// What a check found.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Report {
    /// Adds something that breaks a rule. Line 0 stands for the file as a whole.
    fn find(&mut self, rule: &'static str, path: &str, line: usize, message: impl Into<String>) {
        self.findings.push(Finding { rule, path: path.to_owned(), line, message: message.into() });
    }

    /// Adds something worth knowing that breaks no rule.
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

struct Finding {
    rule: &'static str,
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, path, line, message } = self;
        match line {
            0 => write!(f, "{path}: {rule}: {message}"),
            line => write!(f, "{path}:{line}: {rule}: {message}"),
        }
    }
}

fn check(tree: &Tree) -> Report {
    let mut report = Report::default();
    let packages = manifests::check(tree, &mut report);
    boundaries::check(&packages, &mut report);
    purity::check(tree, &packages, &mut report);
    lints::check(tree, &mut report);
    leftovers::check(tree, &mut report);
    names::check(tree, &mut report);
    sizes::check(tree, &mut report);
    links::check(tree, &mut report);
    report.findings.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
    report
}
