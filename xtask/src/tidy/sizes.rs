use std::collections::BTreeMap;

use super::Report;
use super::tree::Tree;

/// From here on a source is worth splitting.
const LINES_LONG: usize = 500;
/// From here on it must be, or be on the list.
const LINES_MAX: usize = 700;
/// Sources that may be longer: a path, the lines it may have, and why.
const LIST: &str = "xtask/long-files.txt";
/// Larger files do not belong in the history.
const BYTES_MAX: u64 = 1024 * 1024;

pub fn check(tree: &Tree, report: &mut Report) {
    let mut listed = list(tree, report);
    for (path, file) in tree.files() {
        if file.len > BYTES_MAX {
            let message = format!("{} bytes; at most {BYTES_MAX}: generate it, or sample it", file.len);
            report.find("large-file", path, 0, message);
        }
        let Some(source) = &file.source else { continue };
        let lines = source.lines.len().saturating_sub(1);
        match listed.remove(path.as_str()) {
            Some((line, _)) if lines <= LINES_MAX => {
                report.find(
                    "long-file",
                    LIST,
                    line,
                    format!("{path} has {lines} lines now: take it off the list"),
                );
            }
            Some((_, max)) if lines > max => {
                let message = format!("{lines} lines, {max} are granted: split it; the list only shrinks");
                report.find("long-file", path, 0, message);
            }
            Some(_) => {}
            None if lines > LINES_MAX => {
                let message = format!(
                    "{lines} lines; at most {LINES_MAX}: split it by what must be held in the head at once, or give \
                     the reason in {LIST}"
                );
                report.find("long-file", path, 0, message);
            }
            None if lines > LINES_LONG => report.note(format!("{path} is getting long: {lines} lines")),
            None => {}
        }
    }
    for (path, (line, _)) in listed {
        report.find("long-file", LIST, line, format!("{path} is gone: take it off the list"));
    }
}

fn list<'a>(tree: &'a Tree, report: &mut Report) -> BTreeMap<&'a str, (usize, usize)> {
    let mut listed = BTreeMap::new();
    for (at, line) in tree.text(LIST).unwrap_or_default().lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let row = (words.next(), words.next().and_then(|max| max.parse().ok()), words.next());
        match row {
            (Some(path), Some(max), Some(_reason)) => {
                listed.insert(path, (at + 1, max));
            }
            _ => report.find("long-file", LIST, at + 1, "write: PATH LINES REASON"),
        }
    }
    listed
}
