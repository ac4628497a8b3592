//! How the ledgers stand with those who time-stamp their checkpoints, and what these have said.

use std::sync::Arc;

use access::Action;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::{Fault, Reads, Stamped};
use record::json::{Object, Value};
use stamper::{CalendarStatus, Status};

use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::query::{Names, Query};
use crate::server::Server;

/// `GET /v1/timestamps`: of those ledgers that the token is for.
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Ledgers, None)?;
    let handle = server.supervision().and_then(|supervision| supervision.stamps.as_ref());
    let authorities = handle.map(stamper::Handle::status).unwrap_or_default();
    let calendars = handle.map(stamper::Handle::calendars).unwrap_or_default();
    let now_ms = server.env.now_ms();
    let may_see = |name: &str| caller.require(Action::Ledgers, Some(name)).is_ok();
    let names = server.ledgers().iter().map(|ledger| ledger.info.name.as_str());
    let rows = names.filter(|name| may_see(name)).filter_map(|name| {
        let authorities: Vec<_> =
            authorities.iter().filter(|of| of.ledger == name).map(|of| authority(of, now_ms)).collect();
        let calendars: Vec<_> = calendars.iter().filter(|of| of.ledger == name).map(calendar).collect();
        let asked = !authorities.is_empty() || !calendars.is_empty();
        asked.then(|| {
            Value::Object(Object::from_iter([
                ("ledger", Value::from(name.to_owned())),
                ("authorities", Value::Array(authorities)),
                ("calendars", Value::Array(calendars)),
            ]))
        })
    });
    let rows = rows.collect();
    Ok(json::response(json::text(&Value::Array(rows))))
}

fn authority(status: &Status, now_ms: u64) -> Value<'static> {
    let newest = status.newest.as_ref();
    Value::Object(Object::from_iter([
        ("authority", Value::from(status.authority.clone())),
        ("size", or_null(newest.map(|stamped| stamped.size))),
        ("gen_time_ms", or_null(newest.map(|stamped| stamped.gen_time_ms))),
        ("age_ms", or_null(newest.map(|stamped| now_ms.saturating_sub(stamped.gen_time_ms)))),
        ("valid_until_ms", or_null(newest.map(|stamped| stamped.valid_until_ms))),
        ("tokens", Value::from(status.tokens)),
        ("errors", Value::from(status.errors)),
        ("error", or_null(status.error.clone())),
        ("clock_off_ms", or_null(status.clock_off_ms.map(|off| off.to_string()))),
    ]))
}

fn calendar(status: &CalendarStatus) -> Value<'static> {
    Value::Object(Object::from_iter([
        ("calendar", Value::from(status.calendar.clone())),
        ("promises", Value::from(status.promises)),
        ("pending", Value::from(status.pending)),
        ("size", or_null(status.newest.map(|attested| attested.size))),
        ("block", or_null(status.newest.map(|attested| attested.height))),
        ("errors", Value::from(status.errors)),
        ("error", or_null(status.error.clone())),
    ]))
}

/// `GET /v1/ledgers/{name}/timestamps?size=N`: the smallest time-stamped checkpoint of at least so many entries, with what
/// stamps it; the newest without the parameter.
pub(crate) async fn show(
    caller: Caller,
    State(server): State<Arc<Server>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Action::Prove, Some(&name))?;
    server.audit.counted(&caller, "timestamps");
    let ledger = server.ledger(&name)?.number;
    let mut query = Query::parse(query.as_deref())?;
    let least: Option<u64> = query.number("size")?;
    query.finish()?;
    let found = server.read(move |reads| stamped(&reads, ledger, least)).await?;
    let found =
        found.ok_or_else(|| Problem::not_found("no checkpoint of so many entries was time-stamped"))?;
    Ok(json::response(json::text(&found)))
}

fn stamped(reads: &Reads, ledger: usize, least: Option<u64>) -> Result<Option<Value<'static>>, Fault> {
    let all = reads.stamped(ledger)?;
    // Without the note nothing is over it: that is written first.
    let mut sizes = all.iter().filter(|(_, what)| *what == Stamped::Checkpoint).map(|(size, _)| *size);
    let size = match least {
        Some(least) => sizes.find(|size| *size >= least),
        None => sizes.next_back(),
    };
    let Some(size) = size else { return Ok(None) };
    let (mut note, mut ots, mut tokens) = (Value::Null, Value::Null, Vec::new());
    for (_, what) in all.iter().filter(|(of, _)| *of == size) {
        let Some(bytes) = reads.read_stamped(ledger, size, *what)? else { continue };
        match what {
            Stamped::Checkpoint => note = Value::from(String::from_utf8_lossy(&bytes).into_owned()),
            Stamped::Token(_) => tokens.push(Value::from(STANDARD.encode(&bytes))),
            Stamped::Ots => ots = Value::from(STANDARD.encode(&bytes)),
        }
    }
    Ok(Some(Value::Object(Object::from_iter([
        ("size", Value::from(size)),
        ("checkpoint", note),
        ("tokens", Value::Array(tokens)),
        ("ots", ots),
    ]))))
}

fn or_null<T: Into<Value<'static>>>(value: Option<T>) -> Value<'static> {
    value.map_or(Value::Null, Into::into)
}
