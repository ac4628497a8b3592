//! What anyone may know: whether the server records, and which logs there are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger::Status;
use record::json::{Object, Value};

use crate::alarms;
use crate::json;
use crate::server::Server;

/// `GET /healthz`
pub(crate) async fn healthz(State(server): State<Arc<Server>>) -> Response {
    let (code, body) = health(&server.engine.status(), server.ledgers().len());
    (code, json::response(json::text(&Value::Object(body)))).into_response()
}

/// `GET /readyz`: whether appends may be sent here. Alarms are told and change nothing about that: what happens while
/// something is wrong is worth recording.
pub(crate) async fn readyz(State(server): State<Arc<Server>>) -> Response {
    let status = if server.is_stopping() { Status::Stopped } else { server.engine.status() };
    let (code, mut body) = health(&status, server.ledgers().len());
    // Appends may be sent all the same: they are recorded, and signed later. Not to take them would lose what they tell.
    let reads = server.engine.reads();
    let signing = server.ledgers().iter().map(|ledger| reads.signing(ledger.number));
    let held: Vec<_> = signing.filter(|signing| signing.reason().is_some()).collect();
    let now_ms = server.env.now_ms();
    let longest = held.iter().map(|signing| signing.held_ms(now_ms)).max().unwrap_or_default();
    body.insert("signing_held", held.len() as u64);
    body.insert("signing_held_s", longest / 1000);
    let (damage, writes) = alarms::counts(&server);
    body.insert(
        "alarms",
        Object::from_iter([("damage", Value::from(damage)), ("foreign_writes", Value::from(writes))]),
    );
    (code, json::response(json::text(&Value::Object(body)))).into_response()
}

fn health(status: &Status, ledgers: usize) -> (StatusCode, Object<'static>) {
    let (word, reason) = match status {
        Status::Running => {
            let body = [("status", Value::from("ok")), ("ledgers", Value::from(ledgers as u64))];
            return (StatusCode::OK, Object::from_iter(body));
        }
        Status::Suspended { reason, .. } => ("suspended", reason.clone()),
        Status::Damaged { reason } => ("damaged", reason.clone()),
        Status::Stopped => ("stopped", "the server is stopping".to_owned()),
    };
    let body = [("status", Value::from(word)), ("reason", Value::from(reason))];
    (StatusCode::SERVICE_UNAVAILABLE, Object::from_iter(body))
}

/// `GET /.well-known/ledgerstone`. Names of ledgers are not in it: they may be names of tenants.
pub(crate) async fn well_known(State(server): State<Arc<Server>>) -> Response {
    let reads = server.engine.reads();
    let infos = reads.ledgers();
    let ledger = |ledger: &crate::server::Ledger| {
        // Of the checkpoint that is served: while nothing may be signed, that is still by the key before a change.
        let vkey = infos[ledger.number].in_force(reads.progress(ledger.number).committed);
        Value::Object(Object::from_iter([
            ("origin", Value::from(ledger.info.origin.clone())),
            ("vkey", Value::from(vkey)),
            ("prefix", Value::from(format!("/{}", ledger.prefix))),
        ]))
    };
    let body = Object::from_iter([
        ("ledgers", Value::from(server.ledgers().iter().map(ledger).collect::<Vec<_>>())),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
    ]);
    json::typed("application/json", "no-cache", json::text(&Value::Object(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_records_is_healthy() {
        assert_eq!(health(&Status::Running, 3).0, StatusCode::OK);
        for (status, word) in [
            (Status::Suspended { since_ms: 1, reason: "disk full".to_owned() }, "suspended"),
            (Status::Damaged { reason: "disk full".to_owned() }, "damaged"),
            (Status::Stopped, "stopped"),
        ] {
            let (code, body) = health(&status, 3);
            assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(body.get("status").and_then(Value::str), Some(word));
            assert!(body.get("reason").is_some());
        }
    }
}
