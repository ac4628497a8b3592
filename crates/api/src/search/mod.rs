//! Search by reading everything: slow, simple, and needing nothing but the evidence.
//!
//! One answer looks at a bounded number of records and says where to go on, so that no query holds the server for
//! long. What is damaged is named and stepped over: intact records stay findable (DESIGN I5).

mod look;
mod terms;

use std::ops::Range;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use ledger::Reads;
use record::json::{Object, Value};

use crate::auth::Admin;
use crate::json;
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::server::Server;
use look::{Found, look};
use terms::Terms;

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
}

/// `GET /v1/ledgers/{name}/search?q=QUERY&from=I&to=J&limit=N&order=asc|desc`: entries `from` to `to - 1`.
pub(crate) async fn search(
    _: Admin,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let ledger = server.ledger(&name)?;
    let (number, id) = (ledger.number, ledger.info.id);
    let size = server.engine.reads().progress(number).durable;
    let asked = Arc::new(Asked::parse(Query::parse(query.as_deref())?, size, server.limits.search_hits)?);
    let mut found = Found::default();
    let mut left = asked.range.clone();
    let mut budget = server.limits.search_records;
    while !left.is_empty() && budget > 0 && found.hits.len() < asked.limit && found.has_room() {
        let window = window(&left, asked.descending, budget);
        budget -= window.end - window.start;
        let (asking, part, wanted) = (asked.clone(), window.clone(), asked.limit - found.hits.len());
        let (more, last) =
            server.scan(move |reads: Reads| look(&reads, number, &id, &asking, part, wanted)).await?;
        found.extend(more);
        left = match (asked.descending, last) {
            (false, Some(last)) => last + 1..left.end,
            (false, None) => window.end..left.end,
            (true, Some(last)) => left.start..last,
            (true, None) => left.start..window.start,
        };
    }
    Ok(json::response(answer(&asked, found, &left)))
}

impl Asked {
    fn parse(mut query: Query, size: u64, most: usize) -> Result<Self, Problem> {
        let terms = Terms::parse(&query.text("q").unwrap_or_default())?;
        let from = query.number("from")?.unwrap_or(0);
        let to = query.number("to")?.unwrap_or(size).min(size);
        let limit = query.number("limit")?.unwrap_or(DEFAULT_HITS.min(most));
        let descending = query.choice("order", &[("asc", false), ("desc", true)])?;
        query.finish()?;
        if limit == 0 || limit > most {
            return Err(Problem::bad_query(format!("parameter limit must be 1 to {most}")));
        }
        Ok(Self { terms, range: from.min(to)..to, limit, descending, size })
    }
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

fn answer(asked: &Asked, found: Found, left: &Range<u64>) -> Vec<u8> {
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
