use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct TamperDrill {
    /// Data directory of a store [default: one that is made for the drill]
    #[arg(value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// Directory of the store's keys [default: DATA-keys, if it is there]
    #[arg(long, value_name = "DIR", requires = "data")]
    pub keys: Option<PathBuf>,
    /// How many times to damage a copy, all operators together
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub tries: u64,
    /// What all choices are drawn from [default: a new one, which is printed]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Only this operator; may be given several times
    #[arg(long, value_name = "OPERATOR")]
    pub only: Vec<String>,
    /// Folder for the copies [default: that of the system for temporary files]
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// Print JSON for programs, one object for each operator
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
