use clap::Args;

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Search {
    /// What to look for; everything, if empty
    #[arg(value_name = "QUERY", default_value = "", allow_hyphen_values = true)]
    pub query: String,
    /// Most events to show
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// First index to look at
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub newest: bool,
    /// Ledger to search
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Tail {
    /// What to look for; everything, if empty
    #[arg(value_name = "QUERY", default_value = "", allow_hyphen_values = true)]
    pub query: String,
    /// First index to show [default: what comes next]
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// Ledger to follow
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Access {
    /// What to look for; everything, if empty
    #[arg(value_name = "QUERY", default_value = "", allow_hyphen_values = true)]
    pub query: String,
    /// Most accesses to show
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Index of the event
    pub index: u64,
    /// Write the original bytes to standard output, unchanged
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Write them even to a terminal
    #[arg(long, requires = "raw")]
    pub force: bool,
    /// Ledger of the event
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    #[command(flatten)]
    pub server: Server,
}
