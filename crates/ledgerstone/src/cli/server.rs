use std::path::PathBuf;

use clap::Args;
use net::TlsSettings;

/// How to reach a server; every verb that talks to one takes these.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Server")]
pub(crate) struct Server {
    /// Address of the server, http:// or https:// [default: what DIR/ledgerstone.toml says, else http://127.0.0.1:4780]
    #[arg(long, value_name = "URL", env = "LEDGERSTONE_SERVER")]
    pub server: Option<String>,
    /// Directory of the server's store, where token and settings are looked for
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-data")]
    pub data: PathBuf,
    /// File with the token [default: LEDGERSTONE_TOKEN, else DIR/admin.token]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub channel: Channel,
    /// What for; investigators must say so, and it is put on record
    #[arg(long, value_name = "TEXT", env = "LEDGERSTONE_PURPOSE")]
    pub purpose: Option<String>,
    /// Print JSON for programs
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

impl Server {
    /// Whether a server was named on this command line, and not only for all verbs in the environment: where it makes a
    /// difference, asking somebody must have been asked for.
    pub(crate) fn is_named_here() -> bool {
        std::env::args_os().any(|word| word == "--server" || word.to_string_lossy().starts_with("--server="))
    }
}

/// Whom to trust on the way to a server, and who we are.
#[derive(Args, Debug, Clone)]
pub(crate) struct Channel {
    /// Authorities to trust instead of those of the system when the address begins with https://, as PEM
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_CA")]
    ca: Option<PathBuf>,
    /// Certificate that says who asks, as PEM; a token is then sent only if one is given
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Send the token in the clear to another machine
    #[arg(long)]
    pub danger_send_token_without_tls: bool,
}

impl Channel {
    /// `known` is a certificate to trust as it is, such as the one in the settings of a store at hand.
    pub(crate) fn tls(&self, known: Option<PathBuf>) -> TlsSettings {
        TlsSettings {
            ca: self.ca.clone(),
            known,
            identity: self.client_cert.clone().zip(self.client_key.clone()),
        }
    }

    pub(crate) fn shows_a_certificate(&self) -> bool {
        self.client_cert.is_some()
    }
}
