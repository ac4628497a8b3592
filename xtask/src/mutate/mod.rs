//! `cargo xtask mutate-verifier`: every check of the verifying crates is left out once, in a copy of the workspace, and
//! the tests must fail. A check whose absence nobody notices is a check that nobody tests.

mod checks;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::shell::{Shell, now};
pub use checks::{Check, checks};

/// How long the tests of one check may take, its build included.
const LIMIT: Duration = Duration::from_secs(900);

/// Tests of a crate in the order in which they are asked: those that take long are asked last.
type Tests = &'static [&'static [&'static str]];

const TLOG: Tests = &[&["test", "--locked", "-p", "tlog", "--lib", "--tests"]];
const RECORD: Tests = &[&["test", "--locked", "-p", "record", "--lib", "--tests"]];
const STORE: Tests = &[
    &["test", "--locked", "-p", "evidence", "--lib", "--tests"],
    &["test", "--locked", "-p", "verifier", "--lib", "--tests"],
];

/// What came of one check.
enum Fate {
    /// These tests, or the build, failed.
    Killed(String),
    Survived,
    /// Without the check the crate does not build: nothing was tested.
    Broken(String),
}

/// Leaves out every check whose name contains one of `parts`, all if there are none, and returns how many there were.
///
/// # Errors
/// A text that is not found exactly once, tests that fail as they are, checks that nothing noticed the absence of.
pub fn run(shell: &Shell, parts: &[&str]) -> Result<usize, String> {
    for check in checks() {
        found_once(&shell.root, check)?;
    }
    let chosen: Vec<&Check> = checks()
        .filter(|check| parts.is_empty() || parts.iter().any(|part| check.name.contains(part)))
        .collect();
    let scratch = Scratch::make(shell).map_err(|error| format!("the copy of the workspace: {error}"))?;
    let suites: BTreeSet<Tests> = chosen.iter().map(|check| tests(check)).collect();
    for suite in suites {
        if let Fate::Killed(by) | Fate::Broken(by) = scratch.test(shell, suite) {
            return Err(format!("the tests fail as they are, with nothing left out: {by}"));
        }
    }
    println!("{:<42} {:>7}  killed by", "check", "seconds");
    let mut alive = Vec::new();
    for check in &chosen {
        let start = now();
        let fate = scratch.without(shell, check)?;
        let told = match &fate {
            Fate::Killed(by) => by.clone(),
            Fate::Survived => "NOTHING: a test is missing".to_owned(),
            Fate::Broken(why) => format!("NOT BUILT: {why}"),
        };
        println!("{:<42} {:>7.1}  {told}", check.name, start.elapsed().as_secs_f64());
        if !matches!(fate, Fate::Killed(_)) {
            alive.push(check.name);
        }
    }
    match alive.is_empty() {
        true => Ok(chosen.len()),
        false => Err(format!("{} of {} survived: {}", alive.len(), chosen.len(), alive.join(", "))),
    }
}

/// Checks that a check is still where the list says.
fn found_once(root: &Path, check: &Check) -> Result<(), String> {
    let text =
        fs::read_to_string(root.join(check.file)).map_err(|error| format!("{}: {error}", check.file))?;
    match text.matches(check.text).count() {
        1 => Ok(()),
        count => Err(format!("{}: found {count} times in {}: {}", check.name, check.file, check.text)),
    }
}

fn tests(check: &Check) -> Tests {
    match check.file.split('/').nth(1) {
        Some("tlog") => TLOG,
        Some("record") => RECORD,
        _ => STORE,
    }
}

/// A copy of the workspace with a target folder of its own, kept between runs so that little is built again.
struct Scratch {
    tree: PathBuf,
    target: PathBuf,
}

impl Scratch {
    fn make(shell: &Shell) -> io::Result<Self> {
        let folder = shell.cache.join("mutants");
        let scratch = Self { tree: folder.join("tree"), target: folder.join("target") };
        let listed = shell
            .command("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
            .stdin(std::process::Stdio::null())
            .output()?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        for path in listed.lines() {
            let from = shell.root.join(path);
            if from.is_file() {
                write_if_other(&scratch.tree.join(path), &fs::read(from)?)?;
            }
        }
        Ok(scratch)
    }

    fn without(&self, shell: &Shell, check: &Check) -> Result<Fate, String> {
        let path = self.tree.join(check.file);
        let failed = |error: io::Error| format!("{}: {error}", check.file);
        let whole = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, whole.replacen(check.text, check.instead, 1)).map_err(failed)?;
        let fate = self.test(shell, tests(check));
        fs::write(&path, whole).map_err(failed)?;
        Ok(fate)
    }

    fn test(&self, shell: &Shell, suite: Tests) -> Fate {
        for arguments in suite {
            let mut command = shell.cargo(arguments);
            command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
            // Each build is used once: making it fast would take longer than it saves.
            command.env("CARGO_PROFILE_TEST_OPT_LEVEL", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
            // Fewer tries than in earnest: a check that is not there is missed far more than once.
            command.env("LEDGERSTONE_FLIP_STEP", "31");
            let Err(output) = shell.aside(&mut command, LIMIT) else { continue };
            return match output.lines().find(|line| line.starts_with("error")) {
                Some(error) if output.contains("could not compile") => Fate::Broken(error.to_owned()),
                _ => Fate::Killed(killers(&output)),
            };
        }
        Fate::Survived
    }
}

/// The first tests that failed, or what came instead.
fn killers(output: &str) -> String {
    let failed: Vec<&str> =
        output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).collect();
    match failed.as_slice() {
        [] => output.lines().next().unwrap_or_default().to_owned(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

/// Leaves a file alone that is as it should be, so that nothing is built again for it.
fn write_if_other(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_found_exactly_once_and_has_a_name_of_its_own() {
        let root = crate::root();
        let missing: Vec<String> = checks().filter_map(|check| found_once(&root, check).err()).collect();
        assert!(missing.is_empty(), "{missing:#?}");
        let names: BTreeSet<&str> = checks().map(|check| check.name).collect();
        assert_eq!(names.len(), checks().count());
        assert!(checks().count() >= 30, "{}", checks().count());
        assert!(checks().all(|check| check.text != check.instead));
    }

    #[test]
    fn tells_which_tests_failed() {
        assert_eq!(killers("test a ... ok\ntest b ... FAILED\ntest c ... FAILED\n"), "b and 1 more");
        assert_eq!(killers("cargo test: not done after 9 s\n"), "cargo test: not done after 9 s");
    }
}
