//! Names that do not belong in the tree: of the machine it was written on, of hosts that serve packages, and
//! one claim we do not make.

use super::Report;
use super::tree::Tree;

pub fn check(tree: &Tree, report: &mut Report) {
    // Put together here, so that this file is not its own first finding.
    let paths = ["/wo|rk/", "/fa|rm/", "/tmp/bash|_jobs"].map(|name| name.replace('|', ""));
    let hosts = [
        "crates|.io",
        "static.rust-lang|.org",
        "pypi|.org",
        "pythonhosted|.org",
        "registry.npmjs|.org",
        "proxy.golang|.org",
        "sum.golang|.org",
        "repo.maven.apache|.org",
        "deb.debian|.org",
    ]
    .map(|name| name.replace('|', ""));
    let claim = ["tamper", "proof"].join("-");
    for (path, text) in tree.texts() {
        for (at, line) in text.lines().enumerate() {
            for name in paths.iter().filter(|name| begins_a_path(line, name)) {
                let message =
                    format!("{name} is a path of one machine: take it from an argument or the environment");
                report.find("machine-path", path, at + 1, message);
            }
            // A lock file names where packages came from; the tool that writes it decides how.
            for host in
                hosts.iter().filter(|host| !path.ends_with("Cargo.lock") && line.contains(host.as_str()))
            {
                let message =
                    format!("{host} serves packages: name the package, its client knows where from");
                report.find("registry", path, at + 1, message);
            }
            if line.to_ascii_lowercase().contains(&claim) {
                report.find("claim", path, at + 1, format!("nothing is {claim}: say tamper-evident"));
            }
        }
    }
}

/// Whether `line` has `path` at the beginning of a path, not in the middle of one.
fn begins_a_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || ".-_~$}/*".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(inside))
}
