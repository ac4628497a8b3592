//! `ledgerstone`: command line, settings, wiring and supervision. What it starts and asks holds the logic.

mod cli;
mod client;
mod failure;
mod server;
mod settings;
mod terminal;
mod time;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, SourcesVerb, Verb};

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Up(up) => server::up(up),
        Verb::Append(append) => client::append::run(append),
        Verb::Search(search) => client::search::run(search),
        Verb::Show(show) => client::show::run(show),
        Verb::Prove(prove) => client::prove::run(prove),
        Verb::Receipt(receipt) => client::prove::receipt(receipt),
        Verb::Verify(verify) => client::verify::run(verify),
        Verb::Sources(sources) => match sources.verb {
            SourcesVerb::Add(add) => client::sources::add(add),
            SourcesVerb::Epoch(epoch) => client::sources::epoch(epoch),
        },
        Verb::Status(status) => client::status::run(status),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
