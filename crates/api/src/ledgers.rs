//! The ledgers of this server and how far they have got.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use evidence::hex;
use record::json::{Object, Value};

use crate::auth::Admin;
use crate::json;
use crate::server::Server;

/// `GET /v1/ledgers`
pub(crate) async fn list(_: Admin, State(server): State<Arc<Server>>) -> Response {
    let reads = server.engine.reads();
    let rows = server.ledgers().iter().map(|ledger| {
        let progress = reads.progress(ledger.number);
        Value::Object(Object::from_iter([
            ("name", Value::from(ledger.info.name.clone())),
            ("id", Value::from(hex::encode(&ledger.info.id))),
            ("origin", Value::from(ledger.info.origin.clone())),
            ("vkey", Value::from(ledger.info.vkey.clone())),
            ("prefix", Value::from(format!("/{}", ledger.prefix))),
            ("durable", Value::from(progress.durable)),
            ("committed", Value::from(progress.committed)),
            ("sealed", Value::from(progress.sealed)),
        ]))
    });
    json::response(json::text(&Value::Array(rows.collect())))
}
