use std::path::PathBuf;

use clap::Args;

use super::Server;

pub(super) const HELP: &str = "\
Examples:
  ledgerstone timestamps -o stamps
  ledgerstone timestamps 12 -o stamps --ledger main

Of the newest time-stamped checkpoint, or the first that covers an entry, it writes LEDGER-SIZE.body (what
is stamped), LEDGER-SIZE.checkpoint (the same with its signature), LEDGER-SIZE.N.der (tokens, RFC 3161) and
LEDGER-SIZE.body.ots (OpenTimestamps). Then:
  openssl ts -verify -data main-700.body -in main-700.1.der -token_in -CAfile tsa-ca.pem
  ledgerstone verify main-700.body.ots
  ots info main-700.body.ots

Exit codes: 0 written, 1 no such checkpoint was time-stamped, or what stamps it is over other data, 2 error.";

#[derive(Args, Debug)]
pub(crate) struct Timestamps {
    /// Index of the entry that the checkpoint must cover [default: the newest checkpoint]
    #[arg(value_name = "INDEX")]
    pub index: Option<u64>,
    /// Directory to write to
    #[arg(short, long, value_name = "DIR", default_value = "./ledgerstone-timestamps")]
    pub output: PathBuf,
    /// Ledger whose checkpoints are meant
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}
