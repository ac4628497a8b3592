use clap::{Args, Subcommand};

use super::Server;

#[derive(Args, Debug)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub verb: TokenVerb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum TokenVerb {
    /// Give out a token and print it, once
    #[command(after_help = "\
Examples:
  ledgerstone token add 'alice, audit 2026' --role auditor --days 30
  ledgerstone token add 'case 4711' --role investigator --ledger main --standing-purpose 'case 4711'
  ledgerstone token add 'agent 7' --role source --ledger main --source 2 --certificate SHA256

Roles:
  source        appends events as one source, and reads nothing
  reader        reads who, what, when and where; never content or raw bytes
  investigator  reads everything, for a purpose that is put on record
  auditor       verifies, exports, sees who read what; never content or raw bytes
  operator      runs the server, and reads nothing
  admin         admits sources and gives out tokens, and reads nothing")]
    Add(AddToken),
    /// List the tokens, without their secrets
    #[command(after_help = "\
Example:
  ledgerstone token list")]
    List(ListTokens),
    /// Make a token good for nothing, at once
    #[command(after_help = "\
Example:
  ledgerstone token revoke 0123456789abcdef")]
    Revoke(RevokeToken),
}

#[derive(Args, Debug)]
pub(crate) struct AddToken {
    /// What to call it
    pub label: String,
    /// What it is for; may be given several times
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub roles: Vec<String>,
    /// A ledger it is good for; may be given several times [default: all]
    #[arg(long = "ledger", value_name = "NAME")]
    pub ledgers: Vec<String>,
    /// An action it is narrowed to; may be given several times [default: all of its roles]
    #[arg(long = "action", value_name = "ACTION")]
    pub actions: Vec<String>,
    /// The source it appends as, for the role source
    #[arg(long, value_name = "N")]
    pub source: Option<u32>,
    /// Days it is good for
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub days: u64,
    /// Purpose that stands for every use of it
    #[arg(long, value_name = "TEXT")]
    pub standing_purpose: Option<String>,
    /// SHA-256 of a client certificate that is as good as the token
    #[arg(long, value_name = "HEX")]
    pub certificate: Option<String>,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct ListTokens {
    #[command(flatten)]
    pub server: Server,
}

#[derive(Args, Debug)]
pub(crate) struct RevokeToken {
    /// Its id, as `ledgerstone token list` shows it
    pub id: String,
    #[command(flatten)]
    pub server: Server,
}
