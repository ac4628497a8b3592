use super::Report;
use super::source::words;
use super::tree::Tree;

/// What may not stay in code, with what to do about it.
const CODE: [(&str, &str); 5] = [
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "take it out"),
    ("#[ignore]", "a test that does not run proves nothing: assert what is true today, with a note"),
    ("#[ignore =", "a test that does not run proves nothing: assert what is true today, with a note"),
];

/// What may not stay in comments and in texts that are no code.
pub fn marks() -> [&'static str; 3] {
    ["TODO", "FIXME", "XXX"]
}

pub fn check(tree: &Tree, report: &mut Report) {
    let marks = marks();
    let find_marks = |report: &mut Report, path: &str, line: usize, text: &str| {
        for mark in marks.iter().filter(|mark| words(text, mark).next().is_some()) {
            let message = format!("{mark} in the tree: do it now, or open an issue and take the mark out");
            report.find("leftover", path, line, message);
        }
    };
    for (path, file) in tree.files() {
        match (&file.source, &file.text) {
            (Some(source), _) => {
                for (at, line) in source.lines.iter().enumerate() {
                    for (what, instead) in CODE {
                        if words(&line.code, what).next().is_some() {
                            report.find("leftover", path, at + 1, format!("`{what}`: {instead}"));
                        }
                    }
                    find_marks(report, path, at + 1, &line.comment);
                }
            }
            (None, Some(text)) if is_ours(path) => {
                for (at, line) in text.lines().enumerate() {
                    find_marks(report, path, at + 1, line);
                }
            }
            _ => {}
        }
    }
}

/// Whether people write this kind of file by hand, so that a mark in it is a mark and no data.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    ["md", "py", "sh", "toml", "go", "yml", "yaml"].contains(&kind) || path.starts_with(".ci/")
}
