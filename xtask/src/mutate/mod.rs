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

/// Tests that are run in one go, as arguments for `cargo test`.
type Suite = &'static [&'static str];

const TLOG: Suite = &["-p", "tlog", "--lib", "--tests"];
const PROOFS: Suite = &["-p", "tlog", "--test", "proofs"];
const NOTES: Suite = &["-p", "tlog", "--test", "notes"];
const CHECKPOINTS: Suite = &["-p", "tlog", "--test", "checkpoints"];
const TILES: Suite = &["-p", "tlog", "--test", "formats"];
const POLICY: Suite = &["-p", "tlog", "--test", "policy"];
const KEY_CHANGE: Suite = &["-p", "tlog", "--test", "key_change"];
const RECORD: Suite = &["-p", "record", "--lib", "--tests"];
const RECORD_UNIT: Suite = &["-p", "record", "--lib"];
const UNIT: Suite = &["-p", "evidence", "--lib"];
const FORGED: Suite = &["-p", "evidence", "--test", "forged"];
const EXPORT: Suite = &["-p", "export", "--lib", "--tests"];
const VERIFIER: Suite = &["-p", "verifier", "--lib", "--tests"];

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
    let mut sound = BTreeSet::new();
    println!("{:<42} {:>7}  killed by", "check", "seconds");
    let mut alive = Vec::new();
    for check in &chosen {
        let start = now();
        let fate = scratch.without(shell, check, &mut sound)?;
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

/// The tests that should notice, those first that are built and run soonest.
fn suites(check: &Check) -> &'static [Suite] {
    let mut folders = check.file.split('/').skip(1).filter(|folder| *folder != "src");
    match (folders.next(), folders.next()) {
        (Some("tlog"), Some("proof")) => &[PROOFS, TLOG],
        (Some("tlog"), Some("note" | "note.rs")) => &[NOTES, CHECKPOINTS, TLOG],
        (Some("tlog"), Some("tile" | "tile.rs")) => &[TILES, TLOG],
        (Some("tlog"), Some("policy.rs")) => &[POLICY, TLOG],
        (Some("tlog"), Some("key_change.rs")) => &[KEY_CHANGE, TLOG],
        (Some("tlog"), _) => &[CHECKPOINTS, TLOG],
        (Some("record"), _) => &[RECORD_UNIT, RECORD],
        // Records of timestamps are tested on stores that the engine wrote.
        (Some("evidence"), Some("verify")) => &[FORGED, UNIT, VERIFIER],
        (Some("evidence"), _) => &[UNIT, FORGED],
        (Some("export"), _) => &[EXPORT],
        _ => &[VERIFIER],
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

    /// Leaves the check out and asks one suite after the other. A suite that was not asked before (`sound` are those that
    /// were) must pass with nothing left out.
    fn without(&self, shell: &Shell, check: &Check, sound: &mut BTreeSet<Suite>) -> Result<Fate, String> {
        let path = self.tree.join(check.file);
        let failed = |error: io::Error| format!("{}: {error}", check.file);
        let whole = fs::read_to_string(&path).map_err(failed)?;
        for suite in suites(check) {
            if sound.insert(suite)
                && let Fate::Killed(by) | Fate::Broken(by) = self.test(shell, suite)
            {
                return Err(format!("the tests fail as they are, with nothing left out: {by}"));
            }
            fs::write(&path, whole.replacen(check.text, check.instead, 1)).map_err(failed)?;
            let fate = self.test(shell, suite);
            fs::write(&path, &whole).map_err(failed)?;
            if !matches!(fate, Fate::Survived) {
                return Ok(fate);
            }
        }
        Ok(Fate::Survived)
    }

    fn test(&self, shell: &Shell, suite: Suite) -> Fate {
        let mut command = shell.cargo(&["test", "--locked"]);
        command.args(suite).current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        // Each build is used once: making it fast would take longer than it saves.
        command.env("CARGO_PROFILE_TEST_OPT_LEVEL", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
        // Fewer tries than in earnest: a check that is not there is missed far more than once.
        command.env("LEDGERSTONE_FLIP_STEP", "31");
        match shell.aside(&mut command, LIMIT) {
            Ok(_) => Fate::Survived,
            Err(output) if output.contains("error: test failed") || output.contains("not done after") => {
                Fate::Killed(killers(&output))
            }
            Err(output) => {
                let error = output.lines().find(|line| line.starts_with("error"));
                Fate::Broken(error.or(output.lines().next()).unwrap_or_default().to_owned())
            }
        }
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
