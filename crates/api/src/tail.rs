//! Live tail: events as they are recorded, as server-sent events (WHATWG HTML §9.2).

use std::sync::Arc;
use std::time::Duration;

use access::Action;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ledger::{Next, Reads, StoredRecord};
use record::json::{Object, Value};

use crate::audit::Access;
use crate::auth::{Caller, Sight};
use crate::json::{self, typed};
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::search::Terms;
use crate::server::Server;
use crate::stream::{self, Sender};
use crate::view::{self, Unsound};

/// How often new entries are looked for.
const POLL: Duration = Duration::from_millis(200);
/// A comment is sent after this long without an event, so that a broken connection is noticed.
const QUIET: Duration = Duration::from_secs(15);
/// Entries looked at in one go.
const WINDOW: u64 = 512;

/// `GET /v1/ledgers/{name}/tail?q=QUERY&from=I`: events from `from` on (by default: from now on), until the reader goes.
/// A reader that comes back with `Last-Event-ID` goes on after that event.
pub(crate) async fn tail(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(Action::Read, Some(&name))?;
    let sight = caller.sight(&name)?;
    let ledger = server.ledger(&name)?;
    let mut query = Query::parse(query.as_deref())?;
    let text = query.text("q").unwrap_or_default();
    let terms = Terms::parse(&text)?;
    let durable = server.engine.reads().progress(ledger.number).durable;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let asked: Option<u64> = query.number("from")?;
    query.finish()?;
    let from = last.map(|last| last.saturating_add(1)).or(asked).unwrap_or(durable);
    let permit = server.gates.tails.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy(1000))?;
    let access = Access { query: Some(text), ..Access::new("tail.open") };
    server.audit.enter(&caller, access.on(&name).object(from).seen(&sight)).await?;
    let follow = Follow {
        ledger: ledger.number,
        id: ledger.info.id,
        terms: Arc::new(terms),
        withheld: sight == Sight::Withheld,
        at: from,
    };
    let (sender, body) = stream::body();
    let closing = Closing { server: server.clone(), caller, name, sent: 0 };
    tokio::spawn(async move {
        follow.run(closing, sender).await;
        drop(permit);
    });
    Ok(typed("text/event-stream", "no-store", body))
}

/// Puts the end of a stream on record, however it ends.
struct Closing {
    server: Arc<Server>,
    caller: Caller,
    name: String,
    sent: u64,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let access = Access { count: Some(self.sent), ..Access::new("tail.close") };
        self.server.audit.note(Some(&self.caller), &access.on(&self.name));
    }
}

struct Follow {
    ledger: usize,
    id: [u8; 32],
    terms: Arc<Terms>,
    withheld: bool,
    /// Next index to look at.
    at: u64,
}

impl Follow {
    async fn run(mut self, mut closing: Closing, mut sender: Sender) {
        let server = closing.server.clone();
        // So that the reader knows at once that it is connected.
        if !sender.send(b": following\n\n".to_vec()).await {
            return;
        }
        let mut quiet = Duration::ZERO;
        loop {
            if server.is_stopping() {
                return sender.finish();
            }
            // A token that was revoked or has expired ends the stream.
            if !server.is_current(&closing.caller) {
                return;
            }
            let durable = server.engine.reads().progress(self.ledger).durable;
            if self.at >= durable {
                tokio::time::sleep(POLL).await;
                quiet += POLL;
                if quiet >= QUIET {
                    quiet = Duration::ZERO;
                    if !sender.send(b": nothing new\n\n".to_vec()).await {
                        return;
                    }
                }
                continue;
            }
            let end = durable.min(self.at + WINDOW);
            let Ok((bytes, count)) = self.window(&server, end).await else { return };
            self.at = end;
            quiet = Duration::ZERO;
            if !sender.send(bytes).await {
                return;
            }
            closing.sent += count;
        }
    }

    async fn window(&self, server: &Server, end: u64) -> Result<(Vec<u8>, u64), Problem> {
        let (ledger, id, at, withheld) = (self.ledger, self.id, self.at, self.withheld);
        let terms = self.terms.clone();
        let read = move |reads: Reads| {
            let (mut out, mut count) = (Vec::new(), 0);
            reads.scan(ledger, at..end, &mut |mut record| {
                let index = record.index;
                let (name, line) = match row(&id, &terms, withheld, &mut record) {
                    Ok(None) => return Next::More,
                    Ok(Some(line)) => ("event", line),
                    Err(unsound) => {
                        let damage = Object::from_iter([
                            ("index", Value::from(index)),
                            ("reason", Value::from(unsound.reason)),
                        ]);
                        ("damaged", json::text(&Value::Object(damage)))
                    }
                };
                count += 1;
                out.extend_from_slice(format!("id: {index}\nevent: {name}\ndata: ").as_bytes());
                // One line of JSON, which ends in a line feed; another ends the event.
                out.extend_from_slice(&line);
                out.push(b'\n');
                Next::More
            })?;
            Ok((out, count))
        };
        server.scan(read).await
    }
}

/// The record as people see it, if it matches.
fn row(
    id: &[u8; 32],
    terms: &Terms,
    withheld: bool,
    record: &mut StoredRecord,
) -> Result<Option<Vec<u8>>, Unsound> {
    let entry = view::checked(id, record)?;
    let mut head = view::head(record.index, &entry);
    if withheld {
        view::withhold(&entry, record, &mut head);
    }
    if !terms.match_record(Some(entry.kind), record)? {
        return Ok(None);
    }
    head.insert("event", view::event(record)?);
    Ok(Some(json::text(&Value::Object(head))))
}
