//! `status`: whether the server records, and how far each ledger has got.

use serde_json::{Value, json};

use super::{Client, json, stamped};
use crate::cli::Status;
use crate::failure::Failure;
use crate::terminal::{self, Paint};

const COLUMNS: [&str; 7] =
    ["ledger", "durable", "committed", "witnessed", "sealed", "origin", "verification key"];

pub(crate) fn run(args: Status) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let answer = client.get("/healthz")?;
    let health = answer.json().unwrap_or(Value::Null);
    let Some(status) = json::text(&health, "status").filter(|_| matches!(answer.status, 200 | 503)) else {
        return Err(client.refused(&answer));
    };
    let ledgers = client.get_json("/v1/ledgers")?;
    let witnesses = client.get_json("/v1/witnesses")?;
    let timestamps = client.get_json("/v1/timestamps")?;
    // Not every token that sees the ledgers sees these.
    let alarms = client.get_json("/v1/alarms").ok();
    if args.server.json {
        json::print(&json!({
            "server": client.base(), "status": status, "reason": health.get("reason"), "ledgers": ledgers,
            "witnesses": witnesses, "timestamps": timestamps, "alarms": alarms,
        }))?;
    } else {
        let paint = Paint::for_stdout();
        let word =
            if status == "ok" { paint.green("recording") } else { paint.red(&terminal::escape(status)) };
        let rows: Vec<Vec<String>> =
            ledgers.as_array().map_or(&[][..], Vec::as_slice).iter().map(row).collect();
        terminal::print(&format!(
            "{}: {word}\n\n{}{}{}{}",
            client.base(),
            terminal::table(&COLUMNS, &rows, paint),
            of_witnesses(&witnesses, paint),
            stamped::table(&timestamps, paint),
            alarms.as_ref().and_then(|alarms| summary(alarms, paint)).unwrap_or_default()
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

/// How many alarms stand, if any do.
fn summary(alarms: &Value, paint: Paint) -> Option<String> {
    let count = |list: &str, beyond: &str| {
        let listed = alarms.get(list).and_then(Value::as_array).map_or(0, Vec::len) as u64;
        listed + json::number(alarms, beyond).unwrap_or(0)
    };
    let damage = count("damage", "damage_beyond");
    let writes = count("foreign_writes", "foreign_writes_beyond");
    let told =
        format!("\nalarms: {damage} of damage, {writes} of writes from outside; see: ledgerstone doctor\n");
    (damage + writes > 0).then(|| paint.red(&told))
}

fn row(ledger: &Value) -> Vec<String> {
    ["name", "durable", "committed", "witnessed", "sealed", "origin", "vkey"]
        .iter()
        .map(|name| ledger.get(*name).map(json::plain).unwrap_or_default())
        .collect()
}

/// A line for each witness of each ledger, and why nothing is signed where that is so.
fn of_witnesses(all: &Value, paint: Paint) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (mut rows, mut held) = (Vec::new(), String::new());
    for ledger in list(all) {
        let name = json::text(&ledger, "ledger").unwrap_or_default().to_owned();
        if let Some(why) = json::text(&ledger, "signing_held") {
            let why = terminal::escape(why);
            held.push_str(&format!("\n{}: nothing is signed: {why}\n", paint.red(&terminal::escape(&name))));
        }
        for witness in list(ledger.get("witnesses").unwrap_or(&Value::Null)) {
            let member = |name: &str| witness.get(name).map(json::plain).unwrap_or_default();
            let own = witness.get("own") == Some(&Value::Bool(true));
            let state = match (json::text(&witness, "trouble"), witness.get("alarm")) {
                (_, Some(alarm)) if alarm.is_object() => {
                    match json::text(alarm, "reason").unwrap_or_default() {
                        "behind" => "was set back".to_owned(),
                        reason => format!("refuses: {reason}"),
                    }
                }
                (Some(trouble), _) => trouble.to_owned(),
                (None, _) if witness.get("size").is_some_and(Value::is_u64) => "good".to_owned(),
                _ => "not asked yet".to_owned(),
            };
            let whose = if own { "your own" } else { "foreign" };
            rows.push(vec![
                name.clone(),
                member("name"),
                whose.to_owned(),
                member("size"),
                member("lag"),
                state,
            ]);
        }
    }
    if rows.is_empty() {
        return held;
    }
    let columns = ["ledger", "witness", "whose", "cosigned", "lag", "state"];
    format!("\n{}{held}", terminal::table(&columns, &rows, paint))
}
