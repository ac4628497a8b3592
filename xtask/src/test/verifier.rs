//! The verifiers in Python and in a browser (`verifiers`), which share nothing with ours: their own tests, and all held
//! against each other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::counts::Counts;
use super::{Done, program};
use crate::shell::Shell;

const FOLDER: &str = "verifiers/python";
/// How long its packages may take to install.
const INSTALL: Duration = Duration::from_secs(300);

/// Its tests.
pub fn tests(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let Some(python) = python(shell) else { return Ok(skipped()) };
    let mut command = shell.command(python, &["-m", "tests"]);
    shell.watch(command.current_dir(shell.root.join(FOLDER)), |line| counts.read(line))?;
    Ok(Done::Passed)
}

/// The program's verdicts and its own, over a store, receipts, proofs and evidence, as they are and changed at random.
pub fn cross_check(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let Some(python) = python(shell) else { return Ok(skipped()) };
    let (binary, folder) = (program(shell)?, shell.cache.join("cross-check"));
    let (binary, folder) = (binary.to_string_lossy(), folder.to_string_lossy());
    let script = format!("{FOLDER}/cross_check.py");
    let mut command = shell.command(python, &[&script, "--program", &binary, "--folder", &folder]);
    shell.watch(&mut command, |line| counts.read(line))?;
    Ok(Done::Passed)
}

/// The page that checks evidence files, in a real Chromium, and held against the verifier in Python.
pub fn page(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let Some(python) = python(shell) else { return Ok(skipped()) };
    let here = |program: &str| shell.aside(&mut shell.command(program, &["--version"]), INSTALL).is_ok();
    if !here("chromium") || !here("chromedriver") {
        println!("installing chromium and chromium-driver");
        let packages = ["install", "--yes", "--no-install-recommends", "chromium", "chromium-driver"];
        for arguments in [&["update"][..], &packages] {
            let mut command = shell.command("apt-get", arguments);
            shell.aside(command.env("DEBIAN_FRONTEND", "noninteractive"), INSTALL)?;
        }
    }
    let mut command = shell.command(python, &["verifiers/browser/test_page.py"]);
    shell.watch(&mut command, |line| counts.read(line))?;
    Ok(Done::Passed)
}

/// A Python with the packages that it takes: of a virtual environment, else that of the system if it has them.
fn python(shell: &Shell) -> Option<PathBuf> {
    let folder = shell.cache.join("python");
    let own = folder.join("bin/python3");
    let has_packages = |python: &Path| {
        let arguments = ["-c", "import cryptography, zstandard"];
        shell.aside(&mut shell.command(python, &arguments), INSTALL).is_ok()
    };
    if has_packages(&own) {
        return Some(own);
    }
    let install = || -> Result<(), String> {
        shell.aside(shell.command("python3", &["-m", "venv", "--clear"]).arg(&folder), INSTALL)?;
        let arguments = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--require-hashes", "-r"];
        let list = format!("{FOLDER}/tests/requirements.txt");
        shell.aside(shell.command(&own, &arguments).arg(list), INSTALL).map(|_| ())
    };
    match install() {
        Ok(()) => Some(own),
        Err(why) => {
            println!("{why}");
            let system = PathBuf::from("python3");
            has_packages(&system).then_some(system)
        }
    }
}

fn skipped() -> Done {
    println!(
        "SKIPPED, NOTHING WAS CHECKED: the Python packages cryptography and zstandard are not to be had"
    );
    Done::Skipped("packages of the verifier in Python are not to be had".to_owned())
}
