//! `sources`: admits sources and opens their epochs.

use serde_json::{Value, json};

use super::{Client, json};
use crate::cli::{AddSource, ListSources, OpenEpoch};
use crate::failure::Failure;
use crate::terminal::{self, Paint};

const COLUMNS: [&str; 6] =
    ["ledger", "source", "epoch", "numbered by", "last number", "labels of its tokens"];

pub(crate) fn list(args: ListSources) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let sources = client.get_json("/v1/sources")?;
    if args.server.json {
        return json::print(&sources);
    }
    let rows: Vec<Vec<String>> = sources.as_array().map_or(&[][..], Vec::as_slice).iter().map(row).collect();
    Ok(terminal::print(&terminal::table(&COLUMNS, &rows, Paint::for_stdout()))?)
}

fn row(source: &Value) -> Vec<String> {
    let cell = |name: &str| source.get(name).map(json::plain).unwrap_or_default();
    let labels = source.get("labels").and_then(Value::as_array);
    let labels = labels.map(|labels| labels.iter().map(json::plain).collect::<Vec<_>>().join(", "));
    let mut row: Vec<String> = ["ledger", "source", "epoch", "numbering", "last_sequence"].map(cell).to_vec();
    row.push(labels.unwrap_or_default());
    row
}

pub(crate) fn add(args: AddSource) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let request = json!({"ledger": args.ledger, "label": args.label, "numbering": args.numbering.name()});
    let opened = client.post_json("/v1/sources", &request)?;
    if args.server.json {
        return json::print(&opened);
    }
    let (source, epoch) = (json::need(&opened, "source")?, json::need(&opened, "epoch")?);
    let token = json::text(&opened, "token")
        .ok_or_else(|| Failure::trouble("the server's answer lacks the token of the source"))?;
    terminal::tell(&format!("source {source} may append to ledger {} in epoch {epoch}.", args.ledger));
    terminal::tell("Its token follows and is shown only now; keep it where the source reads it:");
    Ok(terminal::print(&format!("{}\n", terminal::escape(token)))?)
}

pub(crate) fn epoch(args: OpenEpoch) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let request = json!({
        "ledger": args.ledger,
        "numbering": args.numbering.name(),
        "previous_last_sequence": args.previous_last,
    });
    let opened = client.post_json(&format!("/v1/sources/{}/epochs", args.source), &request)?;
    if args.server.json {
        return json::print(&opened);
    }
    let epoch = json::need(&opened, "epoch")?;
    Ok(terminal::print(&format!("source {} is in epoch {epoch}\n", args.source))?)
}
