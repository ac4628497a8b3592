use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Channel;

#[derive(Args, Debug)]
pub(crate) struct Monitor {
    /// Server, prefix of a tiled log, or file:// and the directory of one
    #[arg(value_name = "URL")]
    pub url: String,
    /// Verification key of a log, known from elsewhere; several of other names for several logs of a server
    #[arg(long = "key", value_name = "VKEY", required = true)]
    pub keys: Vec<String>,
    /// Directory of what must not be forgotten
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-monitor")]
    pub state: PathBuf,
    /// Look once and end
    #[arg(long)]
    pub once: bool,
    /// How often to look, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::time::duration)]
    pub every: Duration,
    /// How long nothing new is no silence: no growth and no later cosignature [default: 10m for a Ledgerstone server, which
    /// records that it is there; else for ever]
    #[arg(long, value_name = "TIME", value_parser = crate::time::duration)]
    pub silence: Option<Duration>,
    /// Witnesses of whom a quorum must have cosigned (C2SP tlog-policy); those with an address are asked what they saw
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Copy all tiles and entries here, checked, as files that any web server can serve
    #[arg(long, value_name = "DIR")]
    pub mirror: Option<PathBuf>,
    /// Checkpoints that others have seen, or the --state of another monitor, to be held against the log; may be given
    /// several times
    #[arg(long, value_name = "PATH")]
    pub against: Vec<PathBuf>,
    /// Go on after something that is wrong was told, unless it is a fork
    #[arg(long, conflicts_with = "once")]
    pub keep_going: bool,
    /// File with a token for a log that is not open to all
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub channel: Channel,
    /// Print JSON for programs, one object for each look
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
