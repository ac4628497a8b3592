//! Measures the ledger and prints a table: `cargo run --release -p bench -- ledger [--json] [--quick]`.
//!
//! Every figure comes with the machine, the durability mode (always real `fdatasync` on the disk the benchmark
//! runs on) and the target it is held against. Load generator and engine share the machine.

mod engine;
mod events;
mod figures;
mod files;
mod host;
mod http;
mod scale;

use std::process::ExitCode;

use figures::Figures;

const HELP: &str = "\
Measure the ledger on this machine.

Usage: bench ledger [--json] [--quick] [--dir DIR] [--only NAME] [--events N]

  --json    one line of JSON per figure: name, value, unit, target
  --quick   seconds instead of minutes; the figures mean little
  --dir     where to put the stores (default: target/bench, on the disk to be measured)
  --only    run only the part of this name: engine, http, scale, evidence
  --events  how many events the evidence file holds (default: 1,000,000; 50,000 with --quick)
";

/// What to run.
pub struct Plan {
    json: bool,
    quick: bool,
    dir: std::path::PathBuf,
    only: Option<String>,
    events: Option<u64>,
}

fn main() -> ExitCode {
    let mut plan = Plan { json: false, quick: false, dir: "target/bench".into(), only: None, events: None };
    let mut args = std::env::args().skip(1);
    let mut command = None;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => plan.json = true,
            "--quick" => plan.quick = true,
            "--dir" => plan.dir = args.next().unwrap_or_default().into(),
            "--only" => plan.only = args.next(),
            "--events" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) => plan.events = Some(count),
                None => return usage(),
            },
            "ledger" => command = Some(arg),
            _ => command = None,
        }
    }
    if command.is_none() {
        return usage();
    }
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            figures::say(&format!("error: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    figures::say(HELP);
    ExitCode::from(2)
}

fn run(plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&plan.dir)?;
    let host = host::Host::measure(&plan.dir)?;
    let mut figures = Figures::new(plan.json, &host);
    let wanted = |name: &str| plan.only.as_deref().is_none_or(|only| only == name);
    if wanted("engine") {
        engine::run(plan, &mut figures)?;
    }
    if wanted("http") {
        http::run(plan, &mut figures)?;
    }
    if wanted("scale") {
        scale::run(plan, &mut figures)?;
    }
    if wanted("evidence") {
        files::run(plan, &mut figures)?;
    }
    // Not at the start: ext4 is slow to create files for minutes after many were removed.
    std::fs::remove_dir_all(&plan.dir)?;
    Ok(())
}
