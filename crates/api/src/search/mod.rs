//! Search by reading everything: slow, simple, and needing nothing but the evidence.
//!
//! One answer looks at a bounded number of records and says where to go on, so that no query holds the server for
//! long. What is damaged is named and stepped over: intact records stay findable (DESIGN I5).

mod cursor;
mod look;
mod terms;

use std::ops::Range;
use std::sync::Arc;

use access::Action;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use ledger::Reads;
use record::json::{Object, Value};

use crate::audit::Access;
use crate::auth::{Caller, Sight};
use crate::json;
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::server::Server;
use cursor::Cursor;
use look::{Found, look};
pub(crate) use terms::Terms;

/// Records looked at in one go, in whole bundles.
const WINDOW: u64 = 1024;
/// Hits of an answer, if the query does not say.
const DEFAULT_HITS: usize = 100;

/// What is asked for.
struct Asked {
    terms: Terms,
    range: Range<u64>,
    limit: usize,
    descending: bool,
    /// Entries that were durable when the search began.
    size: u64,
    /// The caller doesn't see `content` and `raw`, and does not search them.
    withheld: bool,
}

/// `GET /v1/ledgers/{name}/search?q=QUERY&from=I&to=J&limit=N&order=asc|desc`: entries `from` to `to - 1`; or
/// `?cursor=C` for what an answer left.
pub(crate) async fn search(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let grant = caller.require(Action::Read, Some(&name))?;
    let ledger = server.ledger(&name)?;
    let (number, id) = (ledger.number, ledger.info.id);
    let size = server.engine.reads().progress(number).durable;
    let mut query = Query::parse(query.as_deref())?;
    let mut cursor = match query.text("cursor") {
        Some(sealed) => {
            query.finish()?;
            let cursor = Cursor::open(&server.cursor_key, &sealed)?;
            if cursor.token != grant.id || cursor.ledger != name {
                return Err(Problem::bad_query("the cursor is of another token or ledger"));
            }
            cursor
        }
        None => {
            let mut cursor = read_query(query, size, server.limits.search_hits)?;
            let sight = caller.sight(&name)?;
            let access = Access { query: Some(cursor.query.clone()), ..Access::new("search") };
            let object = format!("{}..{}", cursor.left.start, cursor.left.end);
            server.audit.enter(&caller, access.on(&name).object(object).seen(&sight)).await?;
            (cursor.token, cursor.ledger) = (grant.id.clone(), name.clone());
            cursor.purpose = match sight {
                Sight::Full(purpose) => purpose,
                Sight::Withheld => None,
            };
            cursor
        }
    };
    let asked = Arc::new(Asked {
        terms: Terms::parse(&cursor.query)?,
        range: cursor.left.clone(),
        limit: cursor.limit,
        descending: cursor.descending,
        size: cursor.size,
        withheld: grant.may(Action::Content, Some(&name)).is_err(),
    });
    let (found, left) = run(&server, number, id, &asked).await?;
    cursor.left = left;
    let next = (!cursor.left.is_empty()).then(|| cursor.seal(&server.cursor_key));
    Ok(json::response(answer(&asked, found, &cursor.left, next)))
}

/// Looks as far as one answer goes, and tells what is left.
async fn run(
    server: &Server,
    ledger: usize,
    id: [u8; 32],
    asked: &Arc<Asked>,
) -> Result<(Found, Range<u64>), Problem> {
    let mut found = Found::default();
    let mut left = asked.range.clone();
    let mut budget = server.limits.search_records;
    while !left.is_empty() && budget > 0 && found.hits.len() < asked.limit && found.has_room() {
        let window = window(&left, asked.descending, budget);
        budget -= window.end - window.start;
        let (asking, part, wanted) = (asked.clone(), window.clone(), asked.limit - found.hits.len());
        let (more, last) =
            server.scan(move |reads: Reads| look(&reads, ledger, &id, &asking, part, wanted)).await?;
        found.extend(more);
        left = match (asked.descending, last) {
            (false, Some(last)) => last + 1..left.end,
            (false, None) => window.end..left.end,
            (true, Some(last)) => left.start..last,
            (true, None) => left.start..window.start,
        };
    }
    Ok((found, left))
}

/// A search as its query string asks for it. Terms are read here so that a bad one is told before anything is on record.
fn read_query(mut query: Query, size: u64, most: usize) -> Result<Cursor, Problem> {
    let text = query.text("q").unwrap_or_default();
    Terms::parse(&text)?;
    let from = query.number("from")?.unwrap_or(0);
    let to = query.number("to")?.unwrap_or(size).min(size);
    let limit = query.number("limit")?.unwrap_or(DEFAULT_HITS.min(most));
    let descending = query.choice("order", &[("asc", false), ("desc", true)])?;
    query.finish()?;
    if limit == 0 || limit > most {
        return Err(Problem::bad_query(format!("parameter limit must be 1 to {most}")));
    }
    let (token, ledger) = (String::new(), String::new());
    Ok(Cursor { token, ledger, query: text, left: from.min(to)..to, limit, descending, size, purpose: None })
}

/// The next part of `left` to look at: whole bundles but for its ends, at most `budget` records, at least one.
fn window(left: &Range<u64>, descending: bool, budget: u64) -> Range<u64> {
    let most = WINDOW.min(budget);
    if descending {
        let aligned = (left.end - 1) / WINDOW * WINDOW;
        aligned.max(left.start).max(left.end.saturating_sub(most))..left.end
    } else {
        let aligned = (left.start / WINDOW + 1).saturating_mul(WINDOW);
        left.start..aligned.min(left.end).min(left.start.saturating_add(most))
    }
}

fn answer(asked: &Asked, found: Found, left: &Range<u64>, cursor: Option<String>) -> Vec<u8> {
    let done = left.is_empty();
    let (next, scanned) = match asked.descending {
        false => (left.start, asked.range.start..if done { asked.range.end } else { left.start }),
        true => (left.end, if done { asked.range.start } else { left.end }..asked.range.end),
    };
    let mut tail = Object::from_iter([
        ("next", if done { Value::Null } else { Value::from(next) }),
        ("scanned", Value::Object(Object::from_iter([("from", scanned.start), ("to", scanned.end)]))),
        ("size", Value::from(asked.size)),
    ]);
    if let Some(cursor) = cursor {
        tail.insert("cursor", cursor);
    }
    if !found.damaged.is_empty() {
        tail.insert("damaged", found.damaged);
    }
    let tail = json::text(&Value::Object(tail));
    let mut out = b"{\"hits\":[".to_vec();
    out.extend_from_slice(&found.hits.join(&b','));
    out.extend_from_slice(b"],");
    out.extend_from_slice(&tail[1..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_cover_a_range_once(start in 0_u64..5000, len in 0_u64..9000, budget in 1_u64..3000, descending: bool) {
            let mut left = start..start + len;
            let mut seen = Vec::new();
            while !left.is_empty() {
                let window = window(&left, descending, budget);
                prop_assert!(!window.is_empty() && window.end - window.start <= budget.min(WINDOW));
                prop_assert_eq!(window.start / WINDOW, (window.end - 1) / WINDOW);
                left = if descending { left.start..window.start } else { window.end..left.end };
                seen.push(window);
            }
            seen.sort_by_key(|window| window.start);
            let covered = seen.iter().try_fold(start, |at, window| (window.start == at).then_some(window.end));
            prop_assert_eq!(covered, Some(start + len));
        }
    }
}
