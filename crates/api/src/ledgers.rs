//! The ledgers of this server and how far they have got.

use std::sync::Arc;

use access::Action;
use axum::extract::State;
use axum::response::Response;
use evidence::hex;
use record::json::{Object, Value};

use crate::auth::Caller;
use crate::json;
use crate::problem::Problem;
use crate::server::Server;

/// `GET /v1/ledgers`: those that the token is for.
pub(crate) async fn list(caller: Caller, State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    caller.require(Action::Ledgers, None)?;
    let reads = server.engine.reads();
    let infos = reads.ledgers();
    let rows = server
        .ledgers()
        .iter()
        .filter(|ledger| caller.require(Action::Ledgers, Some(&ledger.info.name)).is_ok());
    let rows = rows.map(|ledger| {
        let progress = reads.progress(ledger.number);
        Value::Object(Object::from_iter([
            ("name", Value::from(ledger.info.name.clone())),
            ("id", Value::from(hex::encode(&ledger.info.id))),
            ("origin", Value::from(ledger.info.origin.clone())),
            ("vkey", Value::from(infos[ledger.number].in_force(progress.committed))),
            ("prefix", Value::from(format!("/{}", ledger.prefix))),
            ("durable", Value::from(progress.durable)),
            ("committed", Value::from(progress.committed)),
            ("sealed", Value::from(progress.sealed)),
            ("witnessed", reads.witnessed(ledger.number).map_or(Value::Null, |at| at.checkpoint.size.into())),
            (
                "signing_held",
                reads.signing(ledger.number).reason().map_or(Value::Null, |why| why.to_owned().into()),
            ),
        ]))
    });
    Ok(json::response(json::text(&Value::Array(rows.collect()))))
}
