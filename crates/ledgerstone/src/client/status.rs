//! `status`: whether the server records, and how far each ledger has got.

use serde_json::{Value, json};

use super::{Client, json};
use crate::cli::Status;
use crate::failure::Failure;
use crate::terminal::{self, Paint};

const COLUMNS: [&str; 6] = ["ledger", "durable", "committed", "sealed", "origin", "verification key"];

pub(crate) fn run(args: Status) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let answer = client.get("/healthz")?;
    let health = answer.json().unwrap_or(Value::Null);
    let Some(status) = json::text(&health, "status").filter(|_| matches!(answer.status, 200 | 503)) else {
        return Err(client.refused(&answer));
    };
    let ledgers = client.get_json("/v1/ledgers")?;
    if args.server.json {
        json::print(&json!({
            "server": client.base(), "status": status, "reason": health.get("reason"), "ledgers": ledgers,
        }))?;
    } else {
        let paint = Paint::for_stdout();
        let word =
            if status == "ok" { paint.green("recording") } else { paint.red(&terminal::escape(status)) };
        let rows: Vec<Vec<String>> =
            ledgers.as_array().map_or(&[][..], Vec::as_slice).iter().map(row).collect();
        terminal::print(&format!(
            "{}: {word}\n\n{}",
            client.base(),
            terminal::table(&COLUMNS, &rows, paint)
        ))?;
    }
    match status {
        "ok" => Ok(()),
        _ => Err(Failure::no(format!(
            "the server does not record: {status}: {}",
            json::text(&health, "reason").unwrap_or("it gives no reason")
        ))),
    }
}

fn row(ledger: &Value) -> Vec<String> {
    ["name", "durable", "committed", "sealed", "origin", "vkey"]
        .iter()
        .map(|name| ledger.get(*name).map(json::plain).unwrap_or_default())
        .collect()
}
