use std::path::PathBuf;

use clap::Args;

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Data directory, mirror of a log, URL of a server, evidence file, receipt or proof
    #[arg(value_name = "PATH|URL|FILE", default_value = "./ledgerstone-data")]
    pub what: String,
    /// More files: evidence files, receipts, proofs and checkpoints are held against each other; receipts, proofs and
    /// evidence files against what --server shows now, if it is given
    #[arg(value_name = "FILE")]
    pub more: Vec<String>,
    /// Verification key of the ledger, known from elsewhere
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// Original bytes of the event of a receipt or proof, or the checkpoint that an OpenTimestamps file is over
    /// [default for that: its name without .ots]
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
    /// Directory of the store's keys, to open payloads [default: DIR-keys, if it is there]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Checkpoint or receipt kept from before, which the store must still hold; for a directory
    #[arg(long, value_name = "FILE")]
    pub kept: Option<PathBuf>,
    /// Certificates of time-stamp authorities, as PEM, to check timestamps with; for a directory, an
    /// evidence file or a server
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Option<PathBuf>,
    /// Write each timestamp as a file, and what it is over as another, for `openssl ts -verify`; for a directory
    #[arg(long, value_name = "DIR")]
    pub write_timestamps: Option<PathBuf>,
    /// What is left of the ledger that this one continues: its data directory, an evidence file or a checkpoint; for a
    /// directory or a server
    #[arg(long, value_name = "PATH")]
    pub predecessor: Option<PathBuf>,
    /// Verification key of that ledger, known from elsewhere
    #[arg(long, value_name = "VKEY", requires = "predecessor")]
    pub predecessor_key: Option<String>,
    /// Header of the Bitcoin block that an OpenTimestamps file leads to, 80 bytes in hexadecimal, from a node or several
    /// explorers
    #[arg(long, value_name = "HEX")]
    pub block_header: Option<String>,
    /// C2SP tlog-policy whose witnesses must have cosigned
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Be content with nothing less than a verification key, checkpoint, receipt or policy from elsewhere
    #[arg(long)]
    pub require_anchor: bool,
    /// Where to keep what shows that a server has broken its promise
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-monitor")]
    pub state: PathBuf,
    #[command(flatten)]
    pub server: Server,
}
