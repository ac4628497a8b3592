//! The project's automation: `cargo xtask help` lists what it does.

#![expect(clippy::print_stdout, reason = "a command line whose output is its purpose")]
#![expect(clippy::print_stderr, reason = "a command line whose output is its purpose")]

mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask COMMAND

  tidy    check the house rules over the sources: who may depend on whom, lints, leftovers, sizes, links
  help    print this
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&root()),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("unknown: cargo xtask {}\n{HELP}", words.join(" "));
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
