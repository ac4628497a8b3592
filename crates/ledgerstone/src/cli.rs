//! What can be typed. Meaning is given to it by the modules that take these structs.

mod append;
mod drill;
mod evidence;
mod key;
mod monitor;
mod read;
mod server;
mod sources;
mod succeed;
mod timestamps;
mod token;
mod up;
mod verify;
mod witness;

use clap::{Parser, Subcommand};

pub(crate) use append::Append;
pub(crate) use drill::TamperDrill;
pub(crate) use evidence::{Evidence, Prove, Receipt};
pub(crate) use key::{ApplyKey, Key, KeyStoreArgs, KeyVerb, PrepareKey, RotateKey, SignKey};
pub(crate) use monitor::Monitor;
pub(crate) use read::{Access, Search, Show, Tail};
pub(crate) use server::{Channel, Server};
pub(crate) use sources::{AddSource, ListSources, OpenEpoch, Sources, SourcesVerb};
pub(crate) use succeed::Succeed;
pub(crate) use timestamps::Timestamps;
pub(crate) use token::{AddToken, ListTokens, RevokeToken, Token, TokenVerb};
pub(crate) use up::{Doctor, Status, Up};
pub(crate) use verify::Verify;
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
    /// Write a time-stamped checkpoint and what stamps it to files, for others to verify
    #[command(after_help = timestamps::HELP)]
    Timestamps(Timestamps),
    /// Write an evidence file, which verifies without a server, a network or trust in who made it
    #[command(after_help = evidence::HELP)]
    Evidence(Evidence),
    /// Verify a data directory, a server, an evidence file, a receipt, a proof or an OpenTimestamps file
    #[command(after_help = "\
Examples:
  ledgerstone verify
  ledgerstone verify ledgerstone-data --keys ledgerstone-data-keys
  ledgerstone verify http://127.0.0.1:4780 --key 'ledgerstone.local/...+...+...'
  ledgerstone verify https://audit.example.org:4780 --ca ca.pem --key 'ledgerstone.local/...+...+...'
  ledgerstone verify 12.receipt.json --raw event.json --key 'ledgerstone.local/...+...+...'
  ledgerstone verify 4711.evidence --key 'ledgerstone.local/...+...+...'
  ledgerstone verify ledgerstone-data --kept checkpoint-of-last-week
  ledgerstone verify new-data --predecessor old-data
  ledgerstone verify ledgerstone-data --policy witnesses.policy
  ledgerstone verify mine.evidence theirs.evidence --key 'ledgerstone.local/...+...+...'
  ledgerstone verify ledgerstone-data --tsa-ca tsa-ca.pem
  ledgerstone verify main-700.body.ots
  ledgerstone verify /srv/mirror --key 'ledgerstone.local/...+...+...'
  ledgerstone verify *.receipt.json --server http://127.0.0.1:4780 --key 'ledgerstone.local/...+...+...'

Receipts and proofs are verified offline, unless --server is given: then they are held against the newest
checkpoint that the server shows. Several files without --server are held against each other: two that
can't both be true prove that the ledger has signed two histories, and what shows it is kept in --state.

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
    /// Replace the key that a ledger signs with, under its authority key
    Key(Key),
    /// Say what this server proves and what it can't, and what to mend
    #[command(after_help = "\
Examples:
  ledgerstone doctor
  ledgerstone doctor --data /var/lib/ledgerstone --keys /etc/ledgerstone/keys --json

It looks at the directories itself and asks the server, if one answers.

Exit codes: 0 nothing to mend, 1 something to mend, 2 error.")]
    Doctor(Doctor),
    /// Begin a new ledger that continues one which can't go on under its origin
    #[command(after_help = succeed::HELP)]
    Succeed(Succeed),
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
