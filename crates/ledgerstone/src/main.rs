//! `ledgerstone`: command line, settings, wiring and supervision. What it starts and asks holds the logic.

mod cli;
mod client;
mod doctor;
mod drill;
mod failure;
mod manual;
mod monitor;
mod rekey;
mod server;
mod settings;
mod succeed;
mod terminal;
mod time;
mod witness;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, SourcesVerb, TokenVerb, Verb};

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Up(up) => server::up(up),
        Verb::Append(append) => client::append::run(append),
        Verb::Search(search) => client::search::run(search),
        Verb::Show(show) => client::show::run(show),
        Verb::Prove(prove) => client::prove::run(prove),
        Verb::Receipt(receipt) => client::prove::receipt(receipt),
        Verb::Timestamps(args) => client::stamped::run(args),
        Verb::Evidence(evidence) => client::evidence::run(evidence),
        Verb::Verify(verify) => client::verify::run(verify),
        Verb::Monitor(args) => monitor::run(&args),
        Verb::TamperDrill(args) => drill::run(args),
        Verb::Sources(sources) => match sources.verb {
            SourcesVerb::List(list) => client::sources::list(list),
            SourcesVerb::Add(add) => client::sources::add(add),
            SourcesVerb::Epoch(epoch) => client::sources::epoch(epoch),
        },
        Verb::Tail(tail) => client::tail::run(tail),
        Verb::Access(access) => client::access::run(access),
        Verb::Token(token) => match token.verb {
            TokenVerb::Add(add) => client::token::add(add),
            TokenVerb::List(list) => client::token::list(list),
            TokenVerb::Revoke(revoke) => client::token::revoke(revoke),
        },
        Verb::Key(key) => rekey::run(key),
        Verb::Doctor(doctor) => doctor::run(doctor),
        Verb::Succeed(args) => succeed::run(&args),
        Verb::Witness(args) => witness::run(args),
        Verb::Completions { shell } => manual::completions(shell),
        Verb::Man => manual::man(),
        Verb::Status(status) => client::status::run(status),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
