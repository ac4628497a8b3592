//! `search`: finds events and shows who did what, when, from where and with what outcome.

use serde_json::{Value, json};

use super::{Client, encode, json};
use crate::cli::Search;
use crate::failure::Failure;
use crate::terminal::{self, Paint};
use crate::time::rfc3339;

pub(super) const COLUMNS: [&str; 7] = ["index", "time", "source", "who", "what", "where", "outcome"];

pub(crate) fn run(args: Search) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    let found = find(&client, &args)?;
    if args.server.json {
        json::print(&json!({
            "hits": found.hits, "scanned": found.scanned, "size": found.size, "next": found.next,
        }))?;
    } else if !found.hits.is_empty() {
        let paint = Paint::for_stdout();
        let rows: Vec<Vec<String>> = found.hits.iter().map(row).collect();
        terminal::print(&terminal::table(&COLUMNS, &rows, paint))?;
    }
    if let (Some(next), false) = (&found.next, args.newest) {
        terminal::tell(&format!(
            "note: there may be more, from index {} on: --from {0}, or a higher --limit",
            json::plain(next)
        ));
    }
    match found.hits.is_empty() {
        true => Err(Failure::no(format!(
            "nothing found in the {} entries of ledger {}",
            found.size.as_ref().map_or_else(|| "durable".to_owned(), json::plain),
            args.ledger
        ))),
        false => Ok(()),
    }
}

/// Most hits that a server gives at once.
const PAGE: u64 = 1000;

pub(super) struct Found {
    pub hits: Vec<Value>,
    /// The ranges that were looked at, as the server tells them.
    scanned: Vec<Value>,
    pub size: Option<Value>,
    /// Where to go on, if not everything was looked at.
    next: Option<Value>,
}

/// Asks page by page until there are as many hits as wanted or nothing is left to look at.
pub(super) fn find(client: &Client, args: &Search) -> Result<Found, Failure> {
    let mut found = Found { hits: Vec::new(), scanned: Vec::new(), size: None, next: None };
    let wanted = args.limit.min(PAGE);
    let ledger = encode(&args.ledger);
    let mut path = format!("/v1/ledgers/{ledger}/search?q={}&limit={wanted}", encode(&args.query));
    path.push_str(if args.newest { "&order=desc" } else { "&order=asc" });
    if let Some(from) = args.from {
        path.push_str(&format!("&from={from}"));
    }
    loop {
        let mut page = client.get_json(&path)?;
        let hits = page.get_mut("hits").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        found.hits.extend(hits);
        found.scanned.extend(page.get("scanned").cloned());
        found.size = page.get("size").cloned().or(found.size);
        found.next = page.get("next").filter(|next| !next.is_null()).cloned();
        if found.hits.len() as u64 >= args.limit {
            // The last page may have brought more than are wanted.
            if let Some(first_left) = found.hits.get(args.limit as usize) {
                found.next = first_left.get("index").cloned();
                found.hits.truncate(args.limit as usize);
            }
            return Ok(found);
        }
        let Some(cursor) = page.get("cursor").and_then(Value::as_str) else { return Ok(found) };
        let next = format!("/v1/ledgers/{ledger}/search?cursor={}", encode(cursor));
        // A server that does not get on must not keep us here for ever.
        if std::mem::replace(&mut path, next) == path {
            return Err(Failure::trouble("the server does not get on with the search"));
        }
    }
}

pub(super) fn row(hit: &Value) -> Vec<String> {
    let empty = Value::Null;
    let event = hit.get("event").unwrap_or(&empty);
    let cell = |name: &str| hit.get(name).map(json::plain).unwrap_or_default();
    vec![
        cell("index"),
        when(hit, event),
        cell("source"),
        who(event),
        what(hit, event),
        where_(event),
        outcome(event),
    ]
}

/// The time of the event, else the time at which it was received.
fn when(hit: &Value, event: &Value) -> String {
    match json::number(event, "time") {
        Some(ms) => rfc3339(ms),
        None => json::text(hit, "received").unwrap_or_default().to_owned(),
    }
}

/// The user and, if another acts as that user, also the other.
pub(super) fn who(event: &Value) -> String {
    let name = |user: &str| {
        ["name", "email_addr", "uid", "uid_alt"]
            .iter()
            .find_map(|field| json::text(event, &format!("{user}.{field}")).filter(|text| !text.is_empty()))
    };
    let user = name("actor.user").or_else(|| json::text(event, "actor.invoked_by")).unwrap_or("-");
    let behind = [("actor.impersonated_by", "by"), ("actor.on_behalf_of", "for")];
    match behind.iter().find_map(|(path, word)| name(path).map(|other| (other, word))) {
        Some((other, word)) => format!("{user} ({word} {other})"),
        None => user.to_owned(),
    }
}

/// The operation and the first thing it was done to; of a record that is no event, its kind.
pub(super) fn what(hit: &Value, event: &Value) -> String {
    let kind = json::text(hit, "kind").unwrap_or("event");
    if kind != "event" {
        let about = ["quarantine.reason", "cause", "detail"].iter().find_map(|path| json::text(event, path));
        return about.map_or_else(|| kind.to_owned(), |about| format!("{kind}: {about}"));
    }
    let operation =
        json::text(event, "api.operation").or_else(|| json::text(event, "activity_name")).unwrap_or("-");
    let resource = event.get("resources").and_then(|list| list.get(0));
    let name =
        ["name", "uid", "type"].iter().find_map(|field| resource.and_then(|value| json::text(value, field)));
    match name {
        Some(name) => format!("{operation} {name}"),
        None => operation.to_owned(),
    }
}

fn where_(event: &Value) -> String {
    let place = ["ip", "domain", "hostname", "name"].iter();
    let place = place.filter_map(|field| json::text(event, &format!("src_endpoint.{field}"))).next();
    place.unwrap_or("-").to_owned()
}

fn outcome(event: &Value) -> String {
    let status = json::text(event, "status").unwrap_or("-");
    match json::text(event, "status_code") {
        Some(code) if status != "Success" => format!("{status} {code}"),
        _ => status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_who_did_what_when_from_where_and_with_what_outcome() {
        let hit = json!({"index": 7, "kind": "event", "source": 1, "received": "2026-01-01T00:00:00.000Z", "event": {
            "time": 1_767_225_600_000_u64, "actor": {"user": {"name": "alice", "uid": "arn:1"}},
            "api": {"operation": "GetObject"}, "resources": [{"uid": "arn:bucket"}],
            "src_endpoint": {"ip": "192.0.2.1"}, "status": "Failure", "status_code": "AccessDenied",
        }});
        let expected = [
            "7",
            "2026-01-01T00:00:00.000Z",
            "1",
            "alice",
            "GetObject arn:bucket",
            "192.0.2.1",
            "Failure AccessDenied",
        ];
        assert_eq!(row(&hit), expected);
    }

    #[test]
    fn what_is_missing_leaves_its_place() {
        let hit = json!({"index": 0, "kind": "genesis", "source": 0, "received": "r", "event": {}});
        assert_eq!(row(&hit), ["0", "r", "0", "-", "genesis", "-", "-"]);
    }

    #[test]
    fn who_stands_behind_a_user_is_told() {
        let event = json!({"actor": {"user": {"name": "root"}, "impersonated_by": {"name": "mallory"}}});
        assert_eq!(who(&event), "root (by mallory)");
        let event = json!({"actor": {"user": {"uid": "agent"}, "on_behalf_of": {"uid": "alice"}}});
        assert_eq!(who(&event), "agent (for alice)");
    }
}
