//! `tail`: shows events as they are recorded.

use std::io::BufRead;

use serde_json::Value;

use super::search::{COLUMNS, row};
use super::{Client, encode, json};
use crate::cli::Tail;
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(args: Tail) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let mut path = format!("/v1/ledgers/{}/tail?q={}", encode(&args.ledger), encode(&args.query));
    if let Some(from) = args.from {
        path.push_str(&format!("&from={from}"));
    }
    let lines = client.get_lines(&path)?;
    if !args.server.json {
        terminal::tell(&format!("following ledger {}; stop with Ctrl-C", args.ledger));
        terminal::print(&format!("{}\n", COLUMNS.join("  ")))?;
    }
    for line in lines.lines() {
        let line = line.map_err(|error| {
            Failure::trouble(format!("the stream broke off: {error}"))
                .hint("the server was stopped, or the token was revoked or has expired")
        })?;
        // Other fields of a server-sent event repeat what the data says.
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let hit = json::parse(data.as_bytes())?;
        match (args.server.json, hit.get("reason").and_then(Value::as_str)) {
            (true, _) => json::print(&hit)?,
            (false, Some(reason)) => {
                let index = hit.get("index").map(json::plain).unwrap_or_default();
                terminal::tell(&format!("damaged: entry {index}: {}", terminal::escape(reason)));
            }
            (false, None) => {
                let cells: Vec<String> =
                    row(&hit).iter().map(|cell| terminal::escape(cell).into_owned()).collect();
                terminal::print(&format!("{}\n", cells.join("  ")))?;
            }
        }
    }
    Ok(())
}
