//! `access`: who read what, when, and who was refused, from the server's own ledger.

use serde_json::{Value, json};

use super::search::{find, who};
use super::{Client, json};
use crate::cli::{Access, Search};
use crate::failure::Failure;
use crate::terminal::{self, Paint};
use crate::time::rfc3339;

const COLUMNS: [&str; 8] = ["index", "time", "who", "did", "on", "outcome", "from", "what for / looked for"];

pub(crate) fn run(args: Access) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let search = Search {
        query: format!("kind:access {}", args.query),
        limit: args.limit,
        from: None,
        newest: true,
        ledger: access::SYSTEM.to_owned(),
        server: args.server,
    };
    let found = find(&client, &search)?;
    if search.server.json {
        json::print(&json!({ "accesses": found.hits, "size": found.size }))?;
    } else if !found.hits.is_empty() {
        let rows: Vec<Vec<String>> = found.hits.iter().map(row).collect();
        terminal::print(&terminal::table(&COLUMNS, &rows, Paint::for_stdout()))?;
    }
    match found.hits.is_empty() {
        true => Err(Failure::no("no such access is on record")),
        false => Ok(()),
    }
}

fn row(hit: &Value) -> Vec<String> {
    let empty = Value::Null;
    let event = hit.get("event").unwrap_or(&empty);
    let text = |path: &str| json::text(event, path).unwrap_or_default().to_owned();
    let resource = event.get("resources").and_then(|list| list.get(0));
    let of_resource = |name: &str| resource.and_then(|value| json::text(value, name));
    let on = match (of_resource("name"), of_resource("uid")) {
        (Some(ledger), Some(object)) => format!("{ledger} {object}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => text("unmapped.request"),
    };
    let times = json::number(event, "count").map(|count| format!(" x{count}")).unwrap_or_default();
    let outcome = match json::text(event, "status_code") {
        Some(code) => format!("{code} {}", text("status_detail")),
        None => text("status"),
    };
    let notes: Vec<String> = ["purpose", "query"]
        .iter()
        .filter_map(|name| json::text(event, &format!("unmapped.{name}")))
        .filter(|note| !note.is_empty())
        .map(str::to_owned)
        .collect();
    let id = json::text(event, "actor.user.uid").map(|id| format!(" ({id})")).unwrap_or_default();
    vec![
        hit.get("index").map(json::plain).unwrap_or_default(),
        json::number(event, "time").map(rfc3339).unwrap_or_default(),
        format!("{}{id}", who(event)),
        format!("{}{times}", text("api.operation")),
        on,
        outcome,
        text("src_endpoint.ip"),
        notes.join(" / "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_who_did_what_from_where_and_what_for() {
        let hit = json!({"index": 9, "event": {
            "time": 1_767_225_600_000_u64, "api": {"operation": "search"}, "status": "Success",
            "actor": {"user": {"name": "alice", "uid": "0011"}}, "src_endpoint": {"ip": "192.0.2.1"},
            "resources": [{"type": "ledger", "name": "main", "uid": "0..7"}],
            "unmapped": {"query": "bob", "purpose": "case 7"},
        }});
        let expected = [
            "9",
            "2026-01-01T00:00:00.000Z",
            "alice (0011)",
            "search",
            "main 0..7",
            "Success",
            "192.0.2.1",
            "case 7 / bob",
        ];
        assert_eq!(row(&hit), expected);
    }

    #[test]
    fn a_refusal_says_why_and_how_often() {
        let hit = json!({"index": 9, "event": {
            "api": {"operation": "sign-in"}, "status": "Failure", "status_code": "401", "status_detail": "counted",
            "count": 25, "actor": {"user": {"name": "the server itself"}},
        }});
        let row = row(&hit);
        assert_eq!((row[3].as_str(), row[5].as_str()), ("sign-in x25", "401 counted"));
    }
}
