//! One record, as it is stored.

use std::sync::Arc;

use access::Action;
use axum::extract::State;
use axum::response::Response;
use record::json::Value;

use crate::audit::Access;
use crate::auth::{Caller, Sight};
use crate::json;
use crate::problem::Problem;
use crate::query::{Names, path_number};
use crate::server::Server;
use crate::view;

/// `GET /v1/ledgers/{name}/events/{index}`
pub(crate) async fn show(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names((name, index)): Names<(String, String)>,
) -> Result<Response, Problem> {
    caller.require(Action::Read, Some(&name))?;
    let sight = caller.sight(&name)?;
    let ledger = server.ledger(&name)?;
    let index: u64 = path_number(&index)?;
    server.audit.enter(&caller, Access::new("show").on(&name).object(index).seen(&sight)).await?;
    let number = ledger.number;
    let read = move |reads: ledger::Reads| Ok((reads.record(number, index)?, reads.progress(number)));
    let (record, progress) = server.read(read).await?;
    let mut record = record.ok_or_else(|| no_such_entry(index, progress.durable))?;
    let entry = view::checked(&ledger.info.id, &record)?;
    let mut body = view::head(index, &entry);
    if sight == Sight::Withheld {
        view::withhold(&entry, &mut record, &mut body);
    }
    body.insert("committed", Value::Bool(index < progress.committed));
    body.insert("event", view::event(&record)?);
    if sight != Sight::Withheld {
        let (name, raw) = view::raw(&record);
        body.insert(name, raw);
    }
    Ok(json::response(json::text(&Value::Object(body))))
}

pub(crate) fn no_such_entry(index: u64, durable: u64) -> Problem {
    Problem::not_found("there is no entry of this index, or not yet")
        .with("index", index)
        .with("size", durable)
}
