use std::path::PathBuf;

use clap::Args;

use super::Server;

pub(super) const HELP: &str = "\
Examples:
  ledgerstone evidence --case 4711 --purpose 'yearly audit' -o 4711.evidence
  ledgerstone evidence --from 100 --to 200 --withhold content,who --case 4711 --purpose 'audit' -o 4711.evidence
  ledgerstone evidence --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --case 4711 --purpose 'audit' -o nov.evidence
  ledgerstone evidence --query 'actor.user.name:alice' --case 4711 --purpose 'audit' -o alice.evidence

Without --query every index of the range has its record in the file, and that can be proven. What a
query takes is a selection; completeness of the match is not provable. The file is verified before it
gets its name.

Exit codes: 0 written, 1 there is nothing to write or it does not verify, 2 error.";

#[derive(Args, Debug)]
pub(crate) struct Evidence {
    /// First index, or time of receipt from which on (RFC 3339) [default: 0]
    #[arg(long, value_name = "INDEX|TIME")]
    pub from: Option<String>,
    /// Index after the last, or time of receipt before which [default: all that is recorded]
    #[arg(long, value_name = "INDEX|TIME")]
    pub to: Option<String>,
    /// Only what matches these terms, as for a search
    #[arg(long, value_name = "TERMS")]
    pub query: Option<String>,
    /// Facets to leave out, parted by commas: who, what, content, where, raw; raw goes with any of them
    #[arg(long, value_name = "FACETS", value_delimiter = ',')]
    pub withhold: Vec<String>,
    /// Case that it is for; in the file and on record
    #[arg(long, value_name = "ID")]
    pub case: String,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Verification key of the ledger, known from elsewhere than this server
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// Ledger to take it from
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Prove {
    /// Index of the event
    pub index: u64,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Verification key of the ledger, known from elsewhere than this server
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// Ledger of the event
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Receipt {
    /// Index of the event
    pub index: u64,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Ledger of the event
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}
