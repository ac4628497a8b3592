use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Append {
    /// File of events, or - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Format of the events, else found out for each: native, cloudtrail, kubernetes-audit
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// What to wait for
    #[arg(long, value_enum, default_value_t = Wait::Durable)]
    pub wait: Wait,
    /// Write a receipt for each event, one a line, checked against the bytes that were sent
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Ledger to append to
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    /// Source to append as; for an administrator [default: 1]
    #[arg(long, value_name = "N")]
    pub source: Option<u32>,
    /// Epoch of a source that numbers its events
    #[arg(long, value_name = "N", requires = "sequence")]
    pub epoch: Option<u32>,
    /// Sequence number of the first event that is sent, for a source that numbers its events
    #[arg(long, value_name = "N", requires = "epoch")]
    pub sequence: Option<u64>,
    /// Leave out the first records of the file, because they were appended before
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub skip: u64,
    /// How long to go on trying while the server is busy or can't record, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// Survives power loss
    Durable,
    /// In a signed checkpoint
    Committed,
    /// Cosigned by enough witnesses
    Witnessed,
}

impl Wait {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Wait::Durable => "durable",
            Wait::Committed => "committed",
            Wait::Witnessed => "witnessed",
        }
    }
}
