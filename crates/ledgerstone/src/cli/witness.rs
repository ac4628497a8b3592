use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use storage::KillPoint;
use tlog::VerifierKey;

pub(super) const HELP: &str = "\
Examples:
  ledgerstone witness --name alice.example/witness --log 'ledgerstone.local/...+...+...'
  ledgerstone witness --dir /var/lib/witness --logs logs.policy --listen 127.0.0.1:4781 --json
  ledgerstone witness --dir /var/lib/witness --forks

It cosigns a checkpoint of a log only if it extends the last one it cosigned, so it must run where the
owner of the log has no say. The first start makes its key in DIR and needs --name; --log and --logs are
given at each start. Never run two copies of DIR, and don't restore it from a backup: docs/witness.md.

Exit codes: 0 stopped in order, no forks; 1 the state is damaged, or with --forks: there are some; 2 error.";

#[derive(Args, Debug)]
pub(crate) struct Witness {
    /// Directory of its key and state, made for one witness
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-witness")]
    pub dir: PathBuf,
    /// Address and port to listen on, in the clear; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4781")]
    pub listen: SocketAddr,
    /// Name of its key, best a domain and a path, for the first start
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Verification key of a log to witness, whose name is its origin; may be given several times
    #[arg(long = "log", value_name = "VKEY", value_parser = vkey)]
    pub log_keys: Vec<VerifierKey>,
    /// File with lines `log VKEY`, such as a policy (C2SP tlog-policy) [default: DIR/logs, if it is there]
    #[arg(long, value_name = "FILE")]
    pub logs: Option<PathBuf>,
    /// List the forks that were refused and kept as evidence, and end
    #[arg(long, conflicts_with_all = ["name", "log_keys", "logs", "json"])]
    pub forks: bool,
    /// Log JSON for programs, one object a line
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// End as if killed at an operation of the storage, such as after-sync:log-:3; for tests of crashes
    #[arg(long, value_name = "POINT", hide = true)]
    pub danger_kill_at: Option<KillPoint>,
}

fn vkey(text: &str) -> Result<VerifierKey, String> {
    VerifierKey::parse(text).map_err(|error| error.to_string())
}
