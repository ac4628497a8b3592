//! `cargo xtask test`: everything that must hold before a change lands, cheapest first, stopping at what fails.

mod counts;
mod interop;
mod tools;
mod verifier;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::kill;
use crate::overload;
use crate::shell::{Shell, now};
use counts::Counts;

/// One thing that must hold.
struct Step {
    name: &'static str,
    /// Whether `--quick` has it too.
    quick: bool,
    run: fn(&Shell, &mut Counts) -> Result<Done, String>,
}

/// How a step ended that did not fail.
enum Done {
    Passed,
    /// Some or all of it could not be run here, and why.
    Skipped(String),
}

const STEPS: [Step; 23] = [
    Step { name: "tools", quick: true, run: tools::prepare },
    Step { name: "format", quick: true, run: format },
    Step { name: "tidy", quick: true, run: tidy },
    Step { name: "clippy", quick: true, run: clippy },
    Step { name: "tests, doc tests, fuzz corpus", quick: true, run: tests },
    Step { name: "vectors, by an implementation in Python", quick: true, run: vectors },
    Step { name: "dependencies", quick: false, run: tools::dependencies },
    Step { name: "advisories", quick: false, run: tools::advisories },
    Step { name: "interoperation: logs of the crate tlog", quick: false, run: interop::crate_logs },
    Step { name: "interoperation: timestamps", quick: false, run: interop::timestamps },
    Step { name: "interoperation: calendars of OpenTimestamps", quick: false, run: interop::calendars },
    Step { name: "interoperation: the witness", quick: false, run: interop::witness },
    Step { name: "drills with foreign witnesses", quick: false, run: interop::witnessed },
    Step { name: "interoperation: other programs as witnesses", quick: false, run: interop::cosigners },
    Step { name: "interoperation: a log of the program", quick: false, run: interop::program_log },
    Step {
        name: "interoperation: the description of the interface",
        quick: false,
        run: interop::description,
    },
    Step { name: "the verifier in Python: its own tests", quick: false, run: verifier::tests },
    Step {
        name: "the verifier in Python: the same verdicts as ours",
        quick: false,
        run: verifier::cross_check,
    },
    Step { name: "the page that checks evidence, in a browser", quick: false, run: verifier::page },
    Step { name: "the first five minutes", quick: false, run: first_minutes },
    Step { name: "overload", quick: false, run: overloaded },
    Step { name: "tamper drill, 10,000 tries", quick: false, run: tamper_drill },
    Step { name: "kill campaign", quick: false, run: kill_campaign },
];

/// Which steps are run.
pub enum Choice<'a> {
    All,
    Quick,
    /// Those whose names contain this, and the tools they need.
    Only(&'a str),
}

/// Runs the steps, prints the time each took, and ends with one line of counts.
pub fn run(root: &Path, choice: &Choice<'_>) -> ExitCode {
    let shell = match Shell::new(root) {
        Ok(shell) => shell,
        Err(error) => {
            eprintln!("test: cannot make a folder for what is kept: {error}");
            return ExitCode::FAILURE;
        }
    };
    let steps: Vec<&Step> = STEPS.iter().filter(|step| choice.has(step)).collect();
    let (mut counts, mut lines, mut failure) = (Counts::default(), Vec::new(), None);
    for (number, step) in steps.iter().enumerate() {
        println!("\n== {}/{} {}", number + 1, steps.len(), step.name);
        let start = now();
        let done = (step.run)(&shell, &mut counts);
        let took = format!("{:>8.1} s  {}", start.elapsed().as_secs_f64(), step.name);
        match done {
            Ok(Done::Passed) => {
                counts.passed += 1;
                lines.push(took);
            }
            Ok(Done::Skipped(why)) => {
                counts.skipped += 1;
                lines.push(format!("{took}\n            SKIPPED: {why}"));
            }
            Err(why) => {
                counts.failed = counts.failed.max(1);
                lines.push(format!("{took}\n            FAILED"));
                failure = Some(why);
                break;
            }
        }
    }
    println!("\n{}", lines.join("\n"));
    if let Some(why) = &failure {
        println!("\nfailed: {why}");
    }
    println!("\n{counts}");
    if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Choice<'_> {
    fn has(&self, step: &Step) -> bool {
        match self {
            Choice::All => true,
            Choice::Quick => step.quick,
            Choice::Only(part) => step.name.contains(part) || step.name == STEPS[0].name,
        }
    }
}

fn format(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    shell.run(&mut shell.cargo(&["fmt", "--all", "--check"]))?;
    shell.run(&mut shell.cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    Ok(Done::Passed)
}

fn tidy(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    match crate::tidy::run(&shell.root) {
        true => Ok(Done::Passed),
        false => Err("tidy: see above".to_owned()),
    }
}

fn clippy(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    shell.run(&mut shell.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Done::Passed)
}

fn tests(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let before = counts.total();
    shell.watch(&mut shell.cargo(&["test", "--workspace", "--locked"]), |line| counts.read(line))?;
    if counts.total() == before {
        return Err("no test was run".to_owned());
    }
    Ok(Done::Passed)
}

fn vectors(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let mut command = shell.command("python3", &["verifiers/python/ledgerstone_vectors.py"]);
    shell.watch(&mut command, |line| counts.read(line))?;
    Ok(Done::Passed)
}

/// Another seed each time: it is printed, and brings a miss back.
fn tamper_drill(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    shell.run(&mut shell.command(binary, &["tamper-drill", "--tries", "10000"]))?;
    Ok(Done::Passed)
}

fn kill_campaign(shell: &Shell, counts: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let settings = kill::Settings { limit: Some(Duration::from_secs(900)), ..kill::Settings::default() };
    counts.passed += kill::campaign(shell, &binary, &settings)?;
    Ok(Done::Passed)
}

/// What a person does first, in a fresh clone, with the program that the tests have built.
fn first_minutes(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    let binary = program(shell)?;
    let mut script = shell.command("sh", &["scripts/first-five-minutes.sh"]);
    shell.run(script.env("LEDGERSTONE_BIN", binary))?;
    Ok(Done::Passed)
}

/// The short form of `cargo xtask overload`.
fn overloaded(shell: &Shell, _: &mut Counts) -> Result<Done, String> {
    overload::run(shell, &program(shell)?, Duration::from_secs(15))?;
    Ok(Done::Passed)
}

/// The program as the tests have it, assertions included: those of the command line have built it already.
fn program(shell: &Shell) -> Result<PathBuf, String> {
    shell.run(&mut shell.cargo(&["test", "--workspace", "--locked", "--no-run", "--quiet"]))?;
    let binary = shell.built.join("ledgerstone");
    if binary.exists() { Ok(binary) } else { Err(format!("not where it was expected: {}", binary.display())) }
}
