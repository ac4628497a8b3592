//! What can be typed. Meaning is given to it by the modules that take these structs.

mod drill;
mod evidence;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use storage::KillPoint;

pub(crate) use drill::TamperDrill;
pub(crate) use evidence::{Evidence, Prove, Receipt};
pub(crate) use witness::Witness as WitnessArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, found, proven
  1  the answer is no: nothing found, disproven, damaged
  2  no answer: wrong usage, no server, no permission, undecidable
  3  late: `monitor` only";

/// Record who accessed what, when and from where, and prove that nothing was changed since
#[derive(Parser, Debug)]
#[command(name = "ledgerstone", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Start the server: ledger and HTTP interface in one directory
    #[command(
        visible_alias = "serve",
        after_help = "\
Examples:
  ledgerstone up
  ledgerstone up --data /var/lib/ledgerstone --keys /etc/ledgerstone/keys --ledger main --ledger staging

The first start creates the directory, its keys and an administrator's token (DIR/admin.token).
Stop it with Ctrl-C: what was acknowledged is kept, also if the machine loses power."
    )]
    Up(Up),
    /// Append a file of events and print where they were recorded
    #[command(after_help = "\
Examples:
  ledgerstone append examples/cloudtrail.json
  ledgerstone append --wait committed --receipts receipts.ndjson examples/kubernetes-audit.ndjson
  tail -f audit.log | ledgerstone append -

Exit codes: 0 everything was recorded (what was not understood is kept whole in quarantine, with a
warning), 2 not everything was recorded; the message says what was and what was not.")]
    Append(Append),
    /// Search the events of a ledger
    #[command(after_help = "\
Examples:
  ledgerstone search alice
  ledgerstone search '\"access denied\" -healthcheck'
  ledgerstone search 'actor.user.name:alice status:Failure' --limit 20
  ledgerstone search kind:gap

Terms must all match, in any case of letters: word, \"a phrase\", -not, kind:KIND, path:value.

Exit codes: 0 found, 1 nothing found, 2 error.")]
    Search(Search),
    /// Follow a ledger: show events as they are recorded
    #[command(after_help = "\
Examples:
  ledgerstone tail
  ledgerstone tail 'actor.user.name:alice' --json
  ledgerstone tail --from 0

Stop it with Ctrl-C. It ends by itself when the server stops or the token is revoked.

Exit codes: 0 the server ended the stream in order, 2 error.")]
    Tail(Tail),
    /// Show who read what, when, and who was refused
    #[command(after_help = "\
Examples:
  ledgerstone access
  ledgerstone access denied
  ledgerstone access 'actor.user.name:alice' --limit 20
  ledgerstone access 'api.operation:search' --json

The newest come first. Terms are those of `ledgerstone search`. For auditors.

Exit codes: 0 found, 1 nothing found, 2 error.")]
    Access(Access),
    /// Show one event, readable or as its original bytes
    #[command(after_help = "\
Examples:
  ledgerstone show 12
  ledgerstone show 12 --raw > event.json

Exit codes: 0 shown, 1 there is no such event, 2 error.")]
    Show(Show),
    /// Write the proof that an event is in the ledger to a file
    #[command(after_help = "\
Examples:
  ledgerstone prove 12 -o 12.tlog-proof
  ledgerstone prove 12 -o 12.tlog-proof --key 'ledgerstone.local/...+...+...'

The proof is checked before it is written. Its format is C2SP tlog-proof.

Exit codes: 0 written, 1 there is no such event or its proof does not hold, 2 error.")]
    Prove(Prove),
    /// Write the receipt of an event to a file
    #[command(after_help = "\
Examples:
  ledgerstone receipt 12 -o 12.receipt.json
  ledgerstone verify 12.receipt.json --raw event.json

Exit codes: 0 written, 1 there is no such event, 2 error.")]
    Receipt(Receipt),
    /// Write an evidence file, which verifies without a server, a network or trust in who made it
    #[command(after_help = evidence::HELP)]
    Evidence(Evidence),
    /// Verify a data directory, a server, an evidence file, a receipt or a proof
    #[command(after_help = "\
Examples:
  ledgerstone verify
  ledgerstone verify ledgerstone-data --keys ledgerstone-data-keys
  ledgerstone verify http://127.0.0.1:4780 --key 'ledgerstone.local/...+...+...'
  ledgerstone verify https://audit.example.org:4780 --ca ca.pem --key 'ledgerstone.local/...+...+...'
  ledgerstone verify 12.receipt.json --raw event.json --key 'ledgerstone.local/...+...+...'
  ledgerstone verify 4711.evidence --key 'ledgerstone.local/...+...+...'
  ledgerstone verify ledgerstone-data --kept checkpoint-of-last-week
  ledgerstone verify ledgerstone-data --policy witnesses.policy
  ledgerstone verify /srv/mirror --key 'ledgerstone.local/...+...+...'
  ledgerstone verify *.receipt.json --server http://127.0.0.1:4780 --key 'ledgerstone.local/...+...+...'

Receipts and proofs are verified offline, unless --server is given: then they are held against the newest
checkpoint that the server shows.

Exit codes: 0 proven, 1 disproven or damaged, 2 undecidable.")]
    Verify(Verify),
    /// Follow a log from outside and tell when it does not keep to its own past
    #[command(after_help = "\
Examples:
  ledgerstone monitor http://127.0.0.1:4780 --key 'ledgerstone.local/...+...+...' --once
  ledgerstone monitor https://audit.example.org:4780 --key VKEY --every 60s --silence 10m
  ledgerstone monitor https://log.example/prefix --key VKEY --policy witnesses.txt --json
  ledgerstone monitor https://log.example/prefix --key VKEY --mirror /srv/log --token-file auditor.token
  ledgerstone monitor file:///srv/log --key VKEY --once --against notes-of-a-colleague

It takes any C2SP tiled log. What it has accepted it keeps in --state, and nothing that contradicts it is
accepted later; both checkpoints are kept as proof. It ends at the first thing that is wrong.

Exit codes:
  0  looked once, all is well
  1  the log contradicts itself: a fork, a rollback, a signature that does not hold, a tile or bundle that
     is missing or altered
  2  no answer: wrong usage, the log can't be asked, the state can't be kept
  3  late: silent for longer than --silence, or not cosigned by the quorum of --policy")]
    Monitor(Monitor),
    /// Damage copies of a store in every way we know of, and see whether verify notices
    #[command(after_help = "\
Examples:
  ledgerstone tamper-drill
  ledgerstone tamper-drill ledgerstone-data --tries 100000
  ledgerstone tamper-drill --seed 7 --only truncate-record --only swap-segments
  ledgerstone tamper-drill --tries 1000000 --json > drill.ndjson

Without a directory, a store with every type of file is made for the drill. The store is only read:
copies are damaged, in a folder that goes afterwards; keys stay in memory. What one store alone can't
show, such as being set back to an older copy, is done too, must not be seen, and is told as such.

Exit codes: 0 everything was as expected, 1 something was not, 2 there was no drill.")]
    TamperDrill(TamperDrill),
    /// Manage the sources that may append
    Sources(Sources),
    /// Give out, list and revoke tokens
    Token(Token),
    /// Say what this server proves and what it can't, and what to mend
    #[command(after_help = "\
Examples:
  ledgerstone doctor
  ledgerstone doctor --data /var/lib/ledgerstone --keys /etc/ledgerstone/keys --json

It looks at the directories itself and asks the server, if one answers.

Exit codes: 0 nothing to mend, 1 something to mend, 2 error.")]
    Doctor(Doctor),
    /// Run a witness: cosign the checkpoints of logs, and refuse forks
    #[command(after_help = witness::HELP)]
    Witness(WitnessArgs),
    /// Print the completions of a shell
    #[command(after_help = "\
Examples:
  ledgerstone completions bash > /etc/bash_completion.d/ledgerstone
  ledgerstone completions zsh > ~/.zfunc/_ledgerstone")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "\
Example:
  ledgerstone man > /usr/local/share/man/man1/ledgerstone.1")]
    Man,
    /// Show how far each ledger has got
    #[command(after_help = "Exit codes: 0 recording, 1 suspended or damaged, 2 error.")]
    Status(Status),
}

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
    /// Authorities to trust instead of those of the system when the address begins with https://, as PEM
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_CA")]
    pub ca: Option<PathBuf>,
    /// Certificate that says who asks, as PEM; a token is then sent only if one is given
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Private key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Send the token in the clear to another machine
    #[arg(long)]
    pub danger_send_token_without_tls: bool,
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

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Data directory, mirror of a log, URL of a server, evidence file, receipt or proof
    #[arg(value_name = "PATH|URL|FILE", default_value = "./ledgerstone-data")]
    pub what: String,
    /// More receipts or proofs, to be held against what --server shows now
    #[arg(value_name = "FILE")]
    pub more: Vec<String>,
    /// Verification key of the ledger, known from elsewhere
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// Original bytes of the event of a receipt or proof
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
    /// Directory of the store's keys, to open payloads [default: DIR-keys, if it is there]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Checkpoint or receipt kept from before, which the store must still hold; for a directory
    #[arg(long, value_name = "FILE")]
    pub kept: Option<PathBuf>,
    /// Certificates of time-stamp authorities, as PEM, to check the ledger's timestamps with; for a directory
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Option<PathBuf>,
    /// Write each timestamp as a file, and what it is over as another, for `openssl ts -verify`; for a directory
    #[arg(long, value_name = "DIR")]
    pub write_timestamps: Option<PathBuf>,
    /// C2SP tlog-policy whose witnesses must have cosigned; for a directory or a server
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Be content with nothing less than a verification key, checkpoint, receipt or policy from elsewhere
    #[arg(long)]
    pub require_anchor: bool,
    /// Where to keep what shows that a server has broken its promise
    #[arg(long, value_name = "DIR", default_value = "./ledgerstone-monitor")]
    pub state: PathBuf,
    #[command(flatten)]
    pub server: Server,
}

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
    /// Authorities to trust instead of those of the system when the address begins with https://, as PEM
    #[arg(long, value_name = "FILE", env = "LEDGERSTONE_CA")]
    pub ca: Option<PathBuf>,
    /// Certificate that says who asks, as PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Private key of that certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Send the token in the clear to another machine
    #[arg(long)]
    pub danger_send_token_without_tls: bool,
    /// Print JSON for programs, one object for each look
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

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

#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub server: Server,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_verb_is_defined_soundly_and_tells_its_exit_codes_or_an_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for verb in cli.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let nested = verb.get_subcommands().next().is_some();
            assert!(nested || help.contains("Example") || help.contains("Exit codes"), "{}", verb.get_name());
        }
    }
}
