use std::path::PathBuf;

use clap::Args;
use storage::KillPoint;

pub(super) const HELP: &str = "\
Examples:
  ledgerstone succeed old-data --policy witnesses.policy --data new-data --look
  ledgerstone succeed old-data --policy witnesses.policy --data new-data --reason 'disk of host a is lost'
  ledgerstone succeed backup/ kept/*.checkpoint https://witness.example.org --key VKEY --data new-data
  ledgerstone succeed old-data kept --key VKEY --data new-data --reason 'key stolen' --choose 640-3fa92c1b

For when a ledger can't go on under its origin: its newest store is gone, its key was stolen, it was forked.
FROM is anything that may hold a checkpoint of it: its data directory or a backup of that, files with
checkpoints, receipts or proofs, evidence files, the directory of a witness or of `ledgerstone monitor`, any
folder of these, the address of a witness. It shows how far each party saw, and takes the newest checkpoint
that a quorum of --policy cosigned, else the newest. Where two contradict each other, say which is to be
continued: --choose. Nothing is made without a --reason, and nothing in FROM is changed.

The new ledger has an origin and keys of its own, and its first record holds that checkpoint: docs/recovery.md.

Exit codes: 0 begun, or begun before; 1 checkpoints contradict each other; 2 nothing was begun.";

#[derive(Args, Debug)]
pub(crate) struct Succeed {
    /// What is left of the old ledger: data directories, backups, files, folders, addresses of witnesses
    #[arg(value_name = "FROM")]
    pub from: Vec<String>,
    /// Directory of the store for the new ledger: a new one, or one whose server is stopped
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Directory of its keys, never inside the store [default: DIR-keys]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Name of the new ledger
    #[arg(long = "as", value_name = "NAME", default_value = "main")]
    pub name: String,
    /// Settings file of the new store [default: that of the first data directory in FROM, for a new store]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Why, in one line without personal data: it is kept for ever; without it nothing is made
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Show how far each party saw, and which checkpoint would be continued; then end
    #[arg(long, conflicts_with = "reason")]
    pub look: bool,
    /// Name of the old ledger in the data directories
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub of: String,
    /// Verification key of the old ledger, known from elsewhere; may be given several times
    #[arg(long = "key", value_name = "VKEY")]
    pub old_keys: Vec<String>,
    /// C2SP tlog-policy whose witnesses count; those with an address are asked what they saw
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The checkpoint to continue, as the table names it: SIZE-ROOT
    #[arg(long, value_name = "ID")]
    pub choose: Option<String>,
    /// Where to keep every checkpoint that was found
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-succession")]
    pub kept: PathBuf,
    /// Authorities to trust instead of those of the system when an address begins with https://, as PEM
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_CA")]
    pub ca: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// End as if killed at an operation of the storage, such as after-sync:wal/:1; for tests of crashes
    #[arg(long, value_name = "POINT", hide = true)]
    pub danger_kill_at: Option<KillPoint>,
}
