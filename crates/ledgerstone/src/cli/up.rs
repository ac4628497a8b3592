use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use storage::KillPoint;

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Directory of the store
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-data")]
    pub data: PathBuf,
    /// Address and port to listen on [default: 127.0.0.1:4780]; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Directory of the keys, never inside the store [default: DIR-keys]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// A ledger that must exist, created if missing; may be given several times [default: main]
    #[arg(long = "ledger", value_name = "NAME")]
    pub ledgers: Vec<String>,
    /// Settings file, copied to DIR/ledgerstone.toml, which is read if none is given
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// End as if killed at an operation of the storage, such as after-sync:wal/:3; for tests of crashes
    #[arg(long, value_name = "POINT", hide = true)]
    pub danger_kill_at: Option<KillPoint>,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Directory of the keys [default: DIR-keys]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Say that the writes by other processes that are shown were looked at, and what came of it; put on record
    #[arg(long, value_name = "REASON")]
    pub acknowledge: Option<String>,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub server: Server,
}
