//! How the ledgers stand with their witnesses.

use std::sync::Arc;

use access::Action;
use anchor::{LedgerStatus, Phase, WitnessStatus};
use axum::extract::State;
use axum::response::Response;
use record::json::{Object, Value};

use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::server::Server;

/// `GET /v1/witnesses`: of those ledgers that the token is for and that have a policy.
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Ledgers, None)?;
    let may_see = |status: &LedgerStatus| caller.require(Action::Ledgers, Some(&status.ledger)).is_ok();
    let all = server.supervision().and_then(|supervision| supervision.witness.as_ref());
    let all = all.map(anchor::Handle::status).unwrap_or_default();
    let reads = server.engine.reads();
    let rows = all.iter().filter(|status| may_see(status)).map(|status| {
        let held = server.ledger(&status.ledger).ok().map(|ledger| reads.signing(ledger.number));
        let held = held.and_then(|signing| signing.reason().map(str::to_owned));
        row(status, held)
    });
    Ok(json::response(json::text(&Value::Array(rows.collect()))))
}

fn row(status: &LedgerStatus, held: Option<String>) -> Value<'static> {
    let phase = match status.phase {
        Phase::Starting => "starting",
        Phase::Signing => "signing",
        Phase::Stopped => "stopped",
    };
    Value::Object(Object::from_iter([
        ("ledger", Value::from(status.ledger.clone())),
        ("phase", Value::from(phase)),
        ("signing_held", or_null(held)),
        ("size", Value::from(status.size)),
        ("witnessed", or_null(status.witnessed)),
        ("own_suffice", Value::from(status.own_suffice)),
        ("refusals", Value::from(status.refusals)),
        ("witnesses", Value::Array(status.witnesses.iter().map(|one| witness(status, one)).collect())),
    ]))
}

fn witness(status: &LedgerStatus, witness: &WitnessStatus) -> Value<'static> {
    let alarm = witness.alarm.as_ref().map(|alarm| {
        Value::Object(Object::from_iter([
            ("reason", Value::from(alarm.kind.name())),
            ("held", Value::from(alarm.held)),
            ("claimed", or_null(alarm.claimed)),
            ("before", or_null(alarm.before)),
            ("stops", Value::from(alarm.stops)),
            ("note", or_null(alarm.note.clone())),
            ("since_ms", Value::from(alarm.since_ms)),
        ]))
    });
    Value::Object(Object::from_iter([
        ("name", Value::from(witness.name.clone())),
        ("vkey", Value::from(witness.vkey.clone())),
        ("url", or_null(witness.url.clone())),
        ("own", Value::from(witness.own)),
        ("size", or_null(witness.size)),
        ("lag", or_null(witness.size.map(|size| status.size.saturating_sub(size)))),
        ("cosigned_s", or_null(witness.cosigned_s)),
        ("clock_off_ms", or_null(witness.clock_off_ms)),
        ("trouble", or_null(witness.trouble.clone())),
        ("alarm", alarm.unwrap_or(Value::Null)),
    ]))
}

fn or_null<T: Into<Value<'static>>>(value: Option<T>) -> Value<'static> {
    value.map_or(Value::Null, Into::into)
}
