//! Several files of one ledger held against each other: an equivocation is kept as proof for others.

use std::path::PathBuf;

use ::monitor::{Finding, Kind, State};
use env::{Clock as _, SystemEnv};
use storage::LocalDisk;
use tlog::VerifierKey;
use verifier::{compare_files, compared_json, compared_text};

use super::verify::{anchored, bar, show_spelt};
use crate::cli::Verify;
use crate::failure::{About, Failure};
use crate::terminal;

pub(super) fn run(args: &Verify, key: Option<&VerifierKey>) -> Result<(), Failure> {
    let files: Vec<PathBuf> = std::iter::once(&args.what).chain(&args.more).map(PathBuf::from).collect();
    if let Some(other) = files.iter().find(|file| !file.is_file()) {
        return Err(Failure::trouble(format!("only files are held against each other: {}", other.display()))
            .hint("a data directory is held against a kept file with --kept, receipts against a server with --server"));
    }
    if args.raw.is_some() || args.policy.is_some() || args.tsa_ca.is_some() || args.write_timestamps.is_some()
    {
        return Err(Failure::trouble(
            "--raw, --policy and timestamps are of one file, which is verified alone",
        ));
    }
    let bar = bar("records");
    let compared = compare_files(&files, key, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let compared = compared.map_err(Failure::trouble)?;
    for fork in &compared.together.forks {
        let finding = Finding { kind: Kind::Fork, text: fork.text.clone(), evidence: fork.files.clone() };
        let disk = LocalDisk::open(&args.state).about("keep what shows it in", &args.state)?;
        let place = State::open(&disk, &fork.origin)
            .and_then(|state| state.keep_finding(&finding, SystemEnv::new().now_ms()))
            .about("keep what shows it in", &args.state)?;
        terminal::tell(&format!("what shows it to anybody is in {}", args.state.join(place).display()));
    }
    let verdict = anchored(args, compared.verdict(), key.is_some());
    show_spelt(args, verdict, &compared_json(&compared), &compared_text(&compared))
}
