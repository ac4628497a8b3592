//! Records in their stored form, for whoever verifies without believing the server.

use std::ops::Range;
use std::sync::Arc;

use access::Action;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use ledger::{Next, Reads, StoredRecord};
use record::facet::Facet;
use record::json::{Object, Value};
use record::stored::{self, Known, Opening};

use crate::audit::Access;
use crate::auth::{Caller, Sight};
use crate::json::{self, typed};
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::server::Server;
use crate::stream;
use crate::view;

/// Records read in one go, and their bytes: what an answer holds in memory while its reader is slow.
const PAGE_RECORDS: u64 = 1024;
const PAGE_BYTES: usize = 1 << 20;

/// `GET /v1/ledgers/{name}/records?from=I&to=J`: entries `from` to `to - 1`; by default all that are durable.
pub(crate) async fn records(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Action::Export, Some(&name))?;
    let sight = caller.sight(&name)?;
    let ledger = server.ledger(&name)?.number;
    let durable = server.engine.reads().progress(ledger).durable;
    let range = range(Query::parse(query.as_deref())?, durable)?;
    server.audit.enter_range(&caller, Access::new("export").on(&name).seen(&sight), &range).await?;
    let withheld = sight == Sight::Withheld;
    // The first page is read before the answer begins, so that what fails at once is told in the status.
    let (first, at) = page(&server, ledger, range.clone(), withheld).await?;
    let (mut sender, body) = stream::body();
    tokio::spawn(async move {
        let (mut bytes, mut at) = (first, at);
        while sender.send(bytes).await {
            if at >= range.end {
                return sender.finish();
            }
            if !server.is_current(&caller) {
                return;
            }
            match page(&server, ledger, at..range.end, withheld).await {
                Ok(next) => (bytes, at) = next,
                Err(_) => return,
            }
        }
    });
    Ok(typed("application/x-ndjson", "no-store", body))
}

fn range(mut query: Query, durable: u64) -> Result<Range<u64>, Problem> {
    let from = query.number("from")?.unwrap_or(0);
    let to = query.number("to")?.unwrap_or(durable);
    query.finish()?;
    if from > to || to > durable {
        let detail = "the range must lie within the durable entries: from <= to <= size";
        return Err(Problem::bad_query(detail).with("size", durable));
    }
    Ok(from..to)
}

/// The lines of the first records of a range, and where to go on.
async fn page(
    server: &Server,
    ledger: usize,
    range: Range<u64>,
    withheld: bool,
) -> Result<(Vec<u8>, u64), Problem> {
    if range.is_empty() {
        return Ok((Vec::new(), range.end));
    }
    let start = range.start;
    let range = start..range.end.min(start + PAGE_RECORDS);
    let read = move |reads: Reads| {
        let (mut lines, mut next) = (Vec::new(), start);
        reads.scan(ledger, range, &mut |mut record| {
            next = record.index + 1;
            if withheld {
                withhold(&mut record);
            }
            lines.extend_from_slice(&line(&record));
            if lines.len() >= PAGE_BYTES { Next::Stop } else { Next::More }
        })?;
        Ok((lines, next))
    };
    match server.scan(read).await? {
        (_, next) if next == start => {
            Err(Problem::internal("a durable record is missing from the store").with("index", start))
        }
        page => Ok(page),
    }
}

/// Takes `content` and `raw` out: form 1, with their digests in place of a seed, so that the record still verifies and
/// no guess of what is missing can be confirmed. Control records, which hold neither, stay as they are.
fn withhold(record: &mut StoredRecord) {
    let control = record.decoded().is_some_and(|entry| entry.kind.is_control());
    if control {
        return;
    }
    let Ok(digests) = stored::digests(&record.opening, &view::facets(record)) else {
        // Damaged: nothing of it is shown to somebody who may not see all of it.
        record.facets.iter_mut().for_each(Vec::clear);
        return;
    };
    record.opening = record.opening.without(&[Facet::Content, Facet::Raw], &digests);
    record.facets[Facet::Content as usize].clear();
    record.facets[Facet::Raw as usize].clear();
}

/// One record: `{"index":"I","entry":b64,"opening":..,"facets":[b64 x6]}`.
fn line(record: &StoredRecord) -> Vec<u8> {
    let known = |known: &Known| {
        let member = match known {
            Known::Salt(salt) => ("salt", json::base64(salt.as_bytes())),
            Known::Digest(digest) => ("digest", json::base64(digest)),
        };
        Value::Object(Object::from_iter([member]))
    };
    let opening = match &record.opening {
        Opening::Seed(seed) => ("seed", json::base64(seed.as_bytes())),
        Opening::Partial(all) => ("known", Value::from(all.iter().map(known).collect::<Vec<_>>())),
    };
    let facets = record.facets.iter().map(|facet| json::base64(facet)).collect::<Vec<_>>();
    json::text(&Value::Object(Object::from_iter([
        ("index", Value::from(record.index.to_string())),
        ("entry", json::base64(&record.entry)),
        ("opening", Value::Object(Object::from_iter([opening]))),
        ("facets", Value::from(facets)),
    ])))
}
