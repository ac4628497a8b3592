use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub verb: KeyVerb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyVerb {
    /// Show the keys of a ledger: those it has had, who changes them, and what is prepared
    #[command(after_help = "\
Examples:
  ledgerstone key show
  ledgerstone key show --data /var/lib/ledgerstone --keys /etc/ledgerstone/keys --json

The store is verified for it, payloads apart.

Exit codes: 0 shown, 1 the store is damaged, 2 error.")]
    Show(KeyStoreArgs),
    /// Make the next signing key, and write the request that the authority key is to sign
    #[command(after_help = "\
Examples:
  ledgerstone key prepare
  ledgerstone key prepare --ledger main -o main.key-request

The key stays in the key directory, unused. The request holds no secret. Give the new verification key to
the operators of witnesses and monitors now: they accept it beside the old one until the change is through.

Exit codes: 0 written, 2 error.")]
    Prepare(PrepareKey),
    /// Sign a request with the authority key, on any machine
    #[command(after_help = "\
Examples:
  ledgerstone key sign main.key-request --authority main.authority.key
  ledgerstone key sign main.key-request --authority /mnt/usb/main.authority.key --key 'ledgerstone.local/...+...+...'

It needs no store, no server and no network. Before you sign, compare the tree and the new key that it shows
with what you know from elsewhere, such as a witness, a monitor or a call.

Exit codes: 0 signed, 1 the request is not one to sign, 2 error.")]
    Sign(SignKey),
    /// Check a signed change and place it for the next start
    #[command(after_help = "\
Examples:
  ledgerstone key apply main.key-change
  ledgerstone key apply main.key-change --data /var/lib/ledgerstone --keys /etc/ledgerstone/keys

The store is verified for it, payloads apart. Nothing changes before the server is started again.

Exit codes: 0 placed, 1 the change does not hold, 2 error.")]
    Apply(ApplyKey),
    /// Prepare, sign and apply in one, where the authority key is at hand
    #[command(after_help = "\
Examples:
  ledgerstone key rotate --authority /mnt/usb/main.authority.key
  ledgerstone key rotate --ledger main

Exit codes: 0 placed, 1 the change does not hold, 2 error.")]
    Rotate(RotateKey),
}

/// Where the store is.
#[derive(Args, Debug, Clone)]
pub(crate) struct KeyStoreArgs {
    /// Directory of the store
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-data")]
    pub data: PathBuf,
    /// Directory of the keys [default: DIR-keys]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The ledger
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub ledger: String,
    /// Print JSON for programs
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PrepareKey {
    /// Where to write the request [default: ./NAME.key-request]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub store: KeyStoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SignKey {
    /// The request, as `ledgerstone key prepare` wrote it
    #[arg(value_name = "REQUEST")]
    pub request: PathBuf,
    /// File of the ledger's authority key
    #[arg(long, value_name = "FILE")]
    pub authority: PathBuf,
    /// The key that the ledger signs with now, known from elsewhere: the request's checkpoint must be signed by it
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// Where to write the signed change [default: the request's name with .key-change]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyKey {
    /// The signed change
    #[arg(value_name = "FILE")]
    pub change: PathBuf,
    #[command(flatten)]
    pub store: KeyStoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RotateKey {
    /// File of the ledger's authority key [default: NAME.authority.key in the key directory]
    #[arg(long, value_name = "FILE")]
    pub authority: Option<PathBuf>,
    #[command(flatten)]
    pub store: KeyStoreArgs,
}
