use clap::{Args, Subcommand, ValueEnum};

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Sources {
    #[command(subcommand)]
    pub verb: SourcesVerb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum SourcesVerb {
    /// List the sources and how far each has got
    #[command(after_help = "\
Example:
  ledgerstone sources list")]
    List(ListSources),
    /// Admit a source and print its token, once
    #[command(after_help = "\
Example:
  ledgerstone sources add 'payment service' > payments.token")]
    Add(AddSource),
    /// Open another epoch of a source, such as after it lost its count
    #[command(after_help = "\
Example:
  ledgerstone sources epoch 2 --previous-last 4711")]
    Epoch(OpenEpoch),
}

#[derive(Args, Debug)]
pub(crate) struct ListSources {
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct AddSource {
    /// What to call it
    pub label: String,
    /// Who numbers its events
    #[arg(long, value_enum, default_value_t = Numbering::Server)]
    pub numbering: Numbering,
    /// Ledger it may append to
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct OpenEpoch {
    /// Number of the source
    pub source: u32,
    /// Who numbers its events from now on
    #[arg(long, value_enum, default_value_t = Numbering::Source)]
    pub numbering: Numbering,
    /// Last sequence number of the epoch before, if it is known; else a gap of unknown length is recorded
    #[arg(long, value_name = "N")]
    pub previous_last: Option<u64>,
    /// Ledger of the source
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Numbering {
    /// The source numbers its events, so that a missing one shows
    Source,
    /// The server numbers them
    Server,
}

impl Numbering {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Numbering::Source => "source",
            Numbering::Server => "server",
        }
    }
}
