//! The project's automation: `cargo xtask help` lists what it does.

#![expect(clippy::print_stdout, reason = "a command line whose output is its purpose")]
#![expect(clippy::print_stderr, reason = "a command line whose output is its purpose")]

mod kill;
mod mutate;
mod overload;
mod program;
mod shell;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use shell::Shell;
use test::Choice;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test [--quick | --only STEP]
                   everything that must hold before a change lands: format, tidy, clippy, tests, doc tests, fuzz
                   corpus, vectors; without --quick also dependencies, foreign verifiers and the kill campaign.
                   Installs what it needs. STEP is part of a step's name.
  tidy             check the house rules over the sources: who may depend on whom, lints, leftovers, sizes, links
  kill [--kills N] [--seed S] [--seconds T] [--program FILE]
                   kill the real program N times (100) while clients append, and check after each time that nothing
                   acknowledged is lost; with --seconds, go on for that long. A run of hours:
                   cargo xtask kill --seconds 36000
  overload [--seconds T] [--program FILE]
                   offer the real program ten times what it can take, for T seconds (120), and check that nothing
                   acknowledged is lost, that its memory is bounded, and that a polite client beside is served
  mutate-verifier [PART ...]
                   leave out each check of the verifying crates once (those whose names contain a PART), in a copy of
                   the workspace, and see that the tests fail. Takes half an hour or more.
  help             print this
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test::run(&root(), &Choice::All),
        ["test", "--quick"] => test::run(&root(), &Choice::Quick),
        ["test", "--only", part] => test::run(&root(), &Choice::Only(part)),
        ["tidy"] if tidy::run(&root()) => ExitCode::SUCCESS,
        ["tidy"] => ExitCode::FAILURE,
        ["kill", flags @ ..] => match kill_settings(flags) {
            Some((settings, program)) => kill(&settings, program),
            None => usage(&words),
        },
        ["overload", flags @ ..] => match overload_settings(flags) {
            Some((time, program)) => under_load(time, program),
            None => usage(&words),
        },
        ["mutate-verifier", parts @ ..] => mutate(parts),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => usage(&words),
    }
}

fn usage(words: &[&str]) -> ExitCode {
    eprint!("unknown: cargo xtask {}\n{HELP}", words.join(" "));
    ExitCode::from(2)
}

/// What was asked for, and which program, if not the one that is built.
fn kill_settings<'a>(flags: &[&'a str]) -> Option<(kill::Settings, Option<&'a str>)> {
    let mut settings = kill::Settings::default();
    let (mut flags, mut kills, mut program) = (flags, None, None);
    while let [flag, value, rest @ ..] = flags {
        match *flag {
            "--kills" => kills = Some(value.parse().ok()?),
            "--seed" => settings.seed = value.parse().ok()?,
            "--seconds" => settings.limit = Some(Duration::from_secs(value.parse().ok()?)),
            "--program" => program = Some(*value),
            _ => return None,
        }
        flags = rest;
    }
    let unlimited = if settings.limit.is_some() { u64::MAX } else { settings.kills };
    settings.kills = kills.unwrap_or(unlimited);
    flags.is_empty().then_some((settings, program))
}

fn kill(settings: &kill::Settings, program: Option<&str>) -> ExitCode {
    let done = Shell::new(&root()).map_err(|error| error.to_string()).and_then(|shell| {
        let binary = match program {
            Some(program) => PathBuf::from(program),
            None => release(&shell)?,
        };
        kill::campaign(&shell, &binary, settings)
    });
    match done {
        Ok(kills) => {
            println!("{kills} kills survived");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("failed: {why}");
            ExitCode::FAILURE
        }
    }
}

/// For how long, and which program, if not the one that is built.
fn overload_settings<'a>(flags: &[&'a str]) -> Option<(Duration, Option<&'a str>)> {
    let (mut flags, mut time, mut program) = (flags, Duration::from_secs(120), None);
    while let [flag, value, rest @ ..] = flags {
        match *flag {
            "--seconds" => time = Duration::from_secs(value.parse().ok().filter(|seconds| *seconds > 0)?),
            "--program" => program = Some(*value),
            _ => return None,
        }
        flags = rest;
    }
    flags.is_empty().then_some((time, program))
}

fn under_load(time: Duration, program: Option<&str>) -> ExitCode {
    let done = Shell::new(&root()).map_err(|error| error.to_string()).and_then(|shell| {
        let binary = match program {
            Some(program) => PathBuf::from(program),
            None => release(&shell)?,
        };
        overload::run(&shell, &binary, time)
    });
    match done {
        Ok(records) => {
            println!("{records} records acknowledged, all there");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("failed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn mutate(parts: &[&str]) -> ExitCode {
    let done = Shell::new(&root()).map_err(|error| error.to_string());
    match done.and_then(|shell| mutate::run(&shell, parts)) {
        Ok(checks) => {
            println!("{checks} checks, each of them tested");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("failed: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the program as users have it, and tells where it is.
fn release(shell: &Shell) -> Result<PathBuf, String> {
    shell.run(&mut shell.cargo(&["build", "--release", "--locked", "-p", "ledgerstone"]))?;
    Ok(shell.built.with_file_name("release").join("ledgerstone"))
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
